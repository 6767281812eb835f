#!/usr/bin/env python3
"""What heald may do, on a real API server: `heald check --cluster` names each right that is missing."""

import argparse
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit")]
from cases import Cases, equal  # noqa: E402
from world import World, wait_until  # noqa: E402

POLICY = """version = 1;
environments = ( {{ name = "e"; match = [ "namespace={space}" ]; mode = "{mode}"; }} );
rules = ( {{ name = "r"; match = [ "alertname=A" ]; target = {{ from = "deployment"; }}; plan = "p"; }} );
plans = {{ p = {{ steps = ( {steps} ); }}; }};
"""


def steps(catalogue):
    """Each action of the catalogue, as its example in the reference has it."""
    text = (ROOT / "actions" / "REFERENCE.md").read_text()
    examples = [part.split("```")[1].strip() for part in text.split("\n## ")[1:]]
    return ", ".join(e for e in examples if not catalogue or any(f'do = "{name}"' in e for name in catalogue))


class Account:
    """A service account of its own, with a folder for a heald.cfg that names it."""

    def __init__(self, world, program, space, name):
        self.world, self.program, self.space, self.name = world, program, space, name
        self.folder = Path(tempfile.mkdtemp(prefix="heald-rights-"))
        self.user = f"system:serviceaccount:{space}:{name}"
        world.kubectl("-n", space, "create", "serviceaccount", name)
        (self.folder / "token").write_text(world.kubectl("-n", space, "create", "token", name, "--duration=60m").strip())
        config = json.loads(world.kubectl("config", "view", "--raw", "-o", "json"))
        config["users"] = [{"name": "it", "user": {"tokenFile": "token"}}]
        config["contexts"] = [{"name": "it", "context": {"cluster": config["clusters"][0]["name"], "user": "it"}}]
        config["current-context"] = "it"
        (self.folder / "kubeconfig").write_text(json.dumps(config))
        self.configure()

    def configure(self, namespaces=None, server=None, actions=(), mode="act"):
        spaces = ", ".join(f'"{n}"' for n in ([self.space] if namespaces is None else namespaces))
        kubeconfig = "kubeconfig"
        if server:
            config = json.loads((self.folder / "kubeconfig").read_text())
            config["clusters"][0]["cluster"]["server"] = server
            kubeconfig = "elsewhere"
            (self.folder / kubeconfig).write_text(json.dumps(config))
        (self.folder / "heald.cfg").write_text(
            f'journal = "journal.db"; policy = "policy.cfg";\nclusters = ( {{ name = "local"; kubeconfig = "{kubeconfig}"; namespaces = [ {spaces} ]; }} );\n')
        (self.folder / "policy.cfg").write_text(POLICY.format(space=self.space, mode=mode, steps=steps(actions)))

    def heald(self, *args):
        return subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, text=True, timeout=120)

    def check(self):
        run = self.heald("check", "--cluster", "-o", "json")
        return run.returncode, [p for p in json.loads(run.stdout)["problems"] if p["level"] == "error"]

    def kubectl(self, *args, stdin=None):
        """As this account."""
        return subprocess.run([self.world["KUBECTL"], "--kubeconfig", str(self.folder / "kubeconfig"), *args], capture_output=True, text=True, input=stdin,
                              timeout=120)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Rights:
    def __init__(self, args):
        self.world, self.program = World(args.state), str(Path(args.program).resolve())
        self.space = f"heald-rights-{os.getpid()}"
        self.accounts, self.made = [], []

    def prepare(self):
        self.world.kubectl("create", "namespace", self.space)
        return True

    def account(self, name):
        self.accounts.append(Account(self.world, self.program, self.space, name))
        return self.accounts[-1]

    def apply(self, *objects):
        """Cluster-wide objects are remembered, and taken away at the end."""
        self.made += [(o["kind"], o["metadata"]["name"]) for o in objects if "namespace" not in o["metadata"]]
        self.world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def grant(self, account, rules, name="heald"):
        """The rules as a role of the namespace, for this account."""
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": f"{name}-{account.name}", "namespace": self.space},
                "rules": rules}
        binding = {"apiVersion": role["apiVersion"], "kind": "RoleBinding", "metadata": role["metadata"],
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
                   "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": self.space}]}
        self.apply(role, binding)

    def shipped_rules(self):
        return sum((self.world.get("clusterrole", name)["rules"] for name in ("heald-read", "heald-write")), [])

    # ---- check --cluster ----

    def shipped_roles_suffice(self):
        a = self.account("whole")
        self.grant(a, self.shipped_rules())
        equal(wait_until("the grant", lambda: (a.check()[0] == 0 and a.check()), 20), (0, []), "check")

    def nothing_granted(self):
        a = self.account("nobody")
        status, found = a.check()
        equal(status, 1, "status")
        equal({f["name"] for f in found}, {"right-missing"}, "names")
        assert all(self.space in f["text"] and a.user in f["text"] and f["file"] == "heald.cfg" and f["line"] == 2 for f in found), found
        assert any('"list pods"' in f["text"] and "looking" in f["text"] for f in found), found
        a.configure(mode="dry_run")
        status, found = a.check()
        equal([f for f in found if any(f'"{verb} ' in f["text"] for verb in ("patch", "delete", "create", "update"))], [], "writes of a dry run")
        assert status == 1 and found

    def one_verb_less(self):
        """Each verb of each rule that is for writing, one at a time."""
        rules, tried = self.world.get("clusterrole", "heald-write")["rules"], 0
        a = self.account("less")
        for i, rule in enumerate(rules):
            for verb in rule["verbs"]:
                fewer = copy.deepcopy(rules)
                fewer[i]["verbs"] = [v for v in rule["verbs"] if v != verb]
                if not fewer[i]["verbs"]:
                    del fewer[i]
                self.grant(a, self.world.get("clusterrole", "heald-read")["rules"] + fewer)
                wanted = {f"{verb} {name(rule['apiGroups'][0], r)}" for r in rule["resources"]}
                needed = {w for w in wanted if w in self.needed}
                if not needed:
                    continue
                tried += 1
                missing = wait_until(f"{needed} being missed", lambda: (lambda f: f if len(f) == len(needed) else None)(a.check()[1]), 20)
                for n in needed:
                    assert any(f'"{n}"' in f["text"] for f in missing), (n, missing)
        assert tried >= 4, f"only {tried} were needed by the policy"

    @property
    def needed(self):
        """What somebody without any right is told to need."""
        a = next(a for a in self.accounts if a.name == "nobody")
        a.configure()
        return {f["text"].split('may not "')[1].split('"')[0] for f in a.check()[1]}

    def everywhere(self):
        """All namespaces are watched: lists and watches are needed in all of them."""
        a = self.account("everywhere")
        self.grant(a, self.shipped_rules())
        a.configure(namespaces=[])
        found = wait_until("findings", lambda: a.check()[1], 20)
        assert any('"watch pods" in all namespaces' in f["text"] for f in found), found

    def not_reached(self):
        a = self.account("lost")
        a.configure(server="https://127.0.0.1:9")
        run = a.heald("check", "--cluster")
        equal(run.returncode, 3, "status of an unreachable cluster")
        assert "cluster-unreachable" in run.stderr and "127.0.0.1" in run.stderr, run.stderr
        a.configure()
        (a.folder / "token").write_text("no.such.token")
        run = a.heald("check", "--cluster")
        equal(run.returncode, 1, "status of refused credentials")
        assert "credentials-refused" in run.stderr, run.stderr
        equal(a.heald("check", "--cluster", "--policy", "policy.cfg", "--config", "absent.cfg").returncode, 1, "status without heald.cfg")

    def end(self):
        for a in self.accounts:
            a.close()
        for kind, thing in self.made:
            self.world.kubectl("delete", kind, thing, "--ignore-not-found", check=False)
        self.world.kubectl("delete", "namespace", self.space, "--ignore-not-found", "--wait=false", check=False)


def name(group, resource):
    """As heald names it: deployments.apps/scale."""
    base, _, sub = resource.partition("/")
    return base + (f".{group}" if group else "") + (f"/{sub}" if sub else "")


def main():
    parser = argparse.ArgumentParser()
    for option in ("--state", "--program"):
        parser.add_argument(option, required=True)
    r, c = Rights(parser.parse_args()), Cases("rights")
    try:
        if c.check("a namespace for accounts is made", r.prepare):
            c.check("who has been granted nothing is told every right, by verb, resource and namespace", r.nothing_granted)
            c.check("the shipped roles suffice for every action of the catalogue", r.shipped_roles_suffice)
            c.check("with one verb less, exactly that one is named", r.one_verb_less)
            c.check("with all namespaces watched, a role of one of them is not enough", r.everywhere)
            c.check("a cluster that cannot be reached is status 3, refused credentials are not", r.not_reached)
    finally:
        r.end()
    sys.exit(c.end())


if __name__ == "__main__":
    main()
