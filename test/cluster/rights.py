#!/usr/bin/env python3
"""What heald may do, on a real API server: `heald check --cluster` names each right that is missing; what `heald rbac` prints suffices, with one
verb less it does not, and its policy of admission refuses abuses by heald's own token, even with every right there is."""

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
environments = ( {{ name = "nodes"; match = [ "namespace=\\"\\"" ]; mode = "{mode}"; }},
  {{ name = "e"; match = [ "namespace={space}" ]; mode = "{mode}"; patch = [ "/spec/minReadySeconds" ]; }} );
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
        self.accounts, self.made, self.full = [], [], args.full

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
        """The rules as a role of the namespace, for this account; what is in no namespace is granted in the cluster."""
        wide = [r for r in rules if set(r["resources"]) & {"nodes", "storageclasses"}]
        if wide:
            meta = {"name": f"{self.space}-{account.name}"}
            api, subject = "rbac.authorization.k8s.io/v1", {"kind": "ServiceAccount", "name": account.name, "namespace": self.space}
            self.apply({"apiVersion": api, "kind": "ClusterRole", "metadata": meta, "rules": wide},
                       {"apiVersion": api, "kind": "ClusterRoleBinding", "metadata": meta, "subjects": [subject],
                        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": meta["name"]}})
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": f"{name}-{account.name}", "namespace": self.space},
                "rules": rules}
        binding = {"apiVersion": role["apiVersion"], "kind": "RoleBinding", "metadata": role["metadata"],
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
                   "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": self.space}]}
        self.apply(role, binding)

    def shipped_rules(self):
        return sum((self.world.get("clusterrole", name)["rules"] for name in ("heald-read", "heald-write", "heald-nodes")), [])

    def bound(self):
        with tempfile.TemporaryDirectory() as folder:
            policy = Path(folder) / "policy.cfg"
            policy.write_text(POLICY.format(space="any", mode="act", steps=steps([])))
            return subprocess.run([self.program, "rbac", "--admission", "--user", "heald", "--policy", str(policy)], cwd=folder).returncode

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
        assert all((self.space in f["text"] or "in the cluster" in f["text"]) and a.user in f["text"] and f["file"] == "heald.cfg" and f["line"] == 2 for f in found), found
        assert any('"list pods"' in f["text"] and "looking" in f["text"] for f in found), found
        a.configure(mode="dry_run")
        status, found = a.check()
        equal([f for f in found if any(f'"{verb} ' in f["text"] for verb in ("patch", "delete", "create", "update"))], [], "writes of a dry run")
        assert status == 1 and found

    def one_verb_less(self):
        """Each verb of each rule that is for writing, one at a time."""
        rules, tried = self.world.get("clusterrole", "heald-write")["rules"], 0
        others = sum((self.world.get("clusterrole", name)["rules"] for name in ("heald-read", "heald-nodes")), [])
        needed, a = self.needed, self.account("less")
        for i, rule in enumerate(rules):
            for verb in rule["verbs"]:
                fewer = copy.deepcopy(rules)
                fewer[i]["verbs"] = [v for v in rule["verbs"] if v != verb]
                if not fewer[i]["verbs"]:
                    del fewer[i]
                self.grant(a, others + fewer)
                wanted = {f"{verb} {name(rule['apiGroups'][0], r)}" for r in rule["resources"]}
                gone = wanted & needed
                if not gone:
                    continue
                tried += 1
                missing = wait_until(f"{gone} being missed", lambda: (lambda f: f if len(f) == len(gone) else None)(a.check()[1]), 20)
                for n in gone:
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

    # ---- rbac ----

    def printed(self, account, *options):
        """What heald rbac prints, as objects."""
        run = account.heald("rbac", "--user", account.user, "--name", f"{self.space}-{account.name}", *options)
        equal((run.returncode, run.stderr), (0, ""), "heald rbac")
        text, objects = self.world.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", stdin=run.stdout), []
        while text.strip():  # one after the other
            made, end = json.JSONDecoder().raw_decode(text.lstrip())
            objects.append(made)
            text = text.lstrip()[end:]
        return objects

    def printed_roles_suffice(self):
        a = self.account("printed")
        self.apply(*self.printed(a))
        wait_until("heald check to find nothing", lambda: a.check() == (0, []), 20)
        a.configure(actions=["restart"], namespaces=[self.space])
        fewer = json.dumps(self.printed(a, "--roles"))
        assert "eviction" not in fewer and '"patch"' in fewer, "a policy that only restarts asks for more than that"
        a.configure(actions=["restart"], mode="observe")
        assert "RoleBinding" not in [o["kind"] for o in self.printed(a, "--roles") if o["metadata"]["name"].endswith("-act")], "nobody acts, and yet it is bound"

    def printed_less_one(self):
        """Each verb of each printed rule that writes, one at a time; of those that read every fourth, with --full all."""
        a = self.account("short")
        objects = self.printed(a, "--roles")
        self.apply(*objects)
        wait_until("the grant", lambda: a.check() == (0, []), 20)
        tried = 0
        for role in (o for o in objects if o["kind"] == "ClusterRole"):
            every = 1 if self.full or not role["metadata"]["name"].endswith("-look") else 4
            verbs = [(i, verb) for i, rule in enumerate(role["rules"]) for verb in rule["verbs"]]
            for i, verb in verbs[::every]:
                rule = role["rules"][i]
                fewer = copy.deepcopy(role)
                fewer["rules"][i]["verbs"].remove(verb)
                if not fewer["rules"][i]["verbs"]:
                    del fewer["rules"][i]
                self.apply(fewer)
                wanted = f'"{verb} {name(rule["apiGroups"][0], rule["resources"][0])}"'
                found = wait_until(f"{wanted} being missed", lambda: (lambda f: f if len(f) == 1 else None)(a.check()[1]), 20)
                assert wanted in found[0]["text"], (wanted, found)
                tried += 1
            self.apply(role)
        assert tried > 10, f"only {tried} verbs"

    def bound_account(self, label, actions=()):
        """Someone who may do everything, but for what the policy of admission refuses."""
        a = self.account(label)
        a.configure(actions=actions)
        self.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"{self.space}-{label}"},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                    "subjects": [{"kind": "ServiceAccount", "name": label, "namespace": self.space}]})
        self.apply(*self.printed(a, "--admission"))
        wait_until("the policy being in force", lambda: "ValidatingAdmissionPolicy" in a.kubectl("-n", self.space, "create", "configmap", "x", "--dry-run=server").stderr, 30)
        return a

    def victim(self, thing="w"):
        spec = {"containers": [{"name": "app", "image": "registry:5000/shop/app:1", "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"memory": "64Mi"}},
                                "securityContext": {"runAsNonRoot": True}}]}
        self.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": thing, "namespace": self.space, "labels": {"app": thing}},
                    "spec": {"replicas": 0, "selector": {"matchLabels": {"app": thing}},
                             "template": {"metadata": {"labels": {"app": thing}}, "spec": spec}}})

    @staticmethod
    def refused(run, what):
        """By what heald rbac prints, and by a rule of it that says no, not by one that fails."""
        assert run.returncode != 0 and "ValidatingAdmissionPolicy" in run.stderr, f"{what}: {run.stdout}{run.stderr}"
        assert "heald is not to change this" in run.stderr and "resulted in error" not in run.stderr, f"{what}: {run.stderr}"

    def patch(self, account, patch, kind="deployment", thing="w", *options):
        """A strategic merge, tried without an effect."""
        return account.kubectl("-n", self.space, "patch", kind, thing, "-p", json.dumps(patch), "--dry-run=server", *options)

    def abuses_are_refused(self):
        a = self.bound_account("bound")
        self.victim()
        pod = lambda **spec: {"spec": {"template": {"spec": spec}}}  # noqa: E731
        app = lambda **more: pod(containers=[{"name": "app", **more}])  # noqa: E731
        abuses = {
            "host network": pod(hostNetwork=True), "host PIDs": pod(hostPID=True), "host IPC": pod(hostIPC=True),
            "a volume of the host": pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
            "a Secret as a volume": pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
            "a projected token": pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
            "a Secret in the environment": app(env=[{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
            "a Secret as the environment": app(envFrom=[{"secretRef": {"name": "s"}}]),
            "a Secret of a registry": pod(imagePullSecrets=[{"name": "s"}]),
            "a port of the host": app(ports=[{"containerPort": 80, "hostPort": 80}]),
            "another repository": app(image="registry:5000/shop/other:1"), "another registry": app(image="elsewhere/shop/app:1"),
            "a digest of another repository": app(image="other@sha256:" + "0" * 64),
            "a privileged container": app(securityContext={"privileged": True}), "a capability": app(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
            "root": app(securityContext={"runAsNonRoot": False}), "a security context less": app(securityContext=None),
            "a privileged container more": pod(containers=[{"name": "more", "image": "registry:5000/shop/app:1", "securityContext": {"privileged": True}}]),
            "a privileged init container": pod(initContainers=[{"name": "more", "image": "registry:5000/shop/app:1", "securityContext": {"privileged": True}}]),
            "another ServiceAccount": pod(serviceAccountName="other"), "its token": pod(automountServiceAccountToken=True),
            "the pods' security context": pod(securityContext={"runAsUser": 0}),
            "a label": {"metadata": {"labels": {"team": "other"}}}, "an annotation": {"metadata": {"annotations": {"example.com/x": "y"}}},
            "a person's word": {"metadata": {"annotations": {"heald.dev/ignore": "true"}}},
            "a finalizer": {"metadata": {"finalizers": ["example.com/x"]}},
            "an owner": {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}]}},
            "replicas without scale": {"spec": {"replicas": 5}}, "the strategy": {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
            "the history": {"spec": {"revisionHistoryLimit": 0}},
        }
        for what, patch in abuses.items():
            run = self.patch(a, patch)
            self.refused(run, what)
        equal(self.patch(self.as_admin(), abuses["host network"]).returncode, 0, "the same by somebody else")
        self.other_writes_are_refused(a)
        return a

    def as_admin(self):
        world = self.world

        class Admin:
            def kubectl(self, *args):
                return subprocess.run([world["KUBECTL"], "--kubeconfig", world["KUBECONFIG"], *args], capture_output=True, text=True)
        return Admin()

    def other_writes_are_refused(self, a):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"containers": [{"name": "app", "image": "x"}]}}
        self.world.kubectl("-n", self.space, "apply", "-f", "-", stdin=json.dumps({**pod, "metadata": {"name": "lonely"}}))
        tries = [
            ("create", "configmap", "x"), ("create", "secret", "generic", "x"), ("create", "serviceaccount", "x"), ("create", "namespace", "x"),
            ("create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", "--user=x"), ("create", "deployment", "x", "--image=x"),
            ("delete", "deployment", "w"), ("delete", "namespace", self.space), ("delete", "pod", "lonely"),
            ("scale", "deployment", "w", "--replicas=0"), ("label", "namespace", self.space, "a=b"), ("create", "role", "x", "--verb=get", "--resource=pods"),
        ]
        for args in tries:
            run = a.kubectl("-n", self.space, *args, "--dry-run=server")
            self.refused(run, args)
        run = a.kubectl("-n", self.space, "create", "-f", "-", "--dry-run=server", stdin=json.dumps(pod))
        self.refused(run, "a pod")
        harmless = {"restartPolicy": "Never", "containers": [{"name": "app", "image": "registry:5000/shop/app:1"}]}
        self.job(a, harmless, None)
        for what, more in {"a Secret": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "the host": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
                           "the host's network": {"hostNetwork": True}, "a ServiceAccount": {"serviceAccountName": "other"},
                           "privilege": {"containers": [{**harmless["containers"][0], "securityContext": {"privileged": True}}]}}.items():
            self.job(a, {**harmless, **more}, f"a job with {what}")
        run = a.kubectl("-n", self.space, "exec", "lonely", "--", "true")
        self.refused(run, "exec")

    def job(self, account, spec, refused):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec": spec}}}
        run = account.kubectl("-n", self.space, "create", "-f", "-", "--dry-run=server", stdin=json.dumps(job))
        if refused:
            self.refused(run, refused)
        else:
            equal((run.returncode, run.stderr), (0, ""), "a harmless job")

    def wanted_writes_pass(self):
        a = next(a for a in self.accounts if a.name == "bound")
        stamp = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}},
                 "metadata": {"annotations": {"heald.dev/incident": "i"}}}
        app = lambda **more: {"spec": {"template": {"spec": {"containers": [{"name": "app", **more}]}}}}  # noqa: E731
        for what, patch in {"restart": stamp, "another tag": app(image="registry:5000/shop/app:2"), "a digest": app(image="registry:5000/shop/app@sha256:" + "0" * 64),
                            "a variable": app(env=[{"name": "A", "value": "2"}]), "memory": app(resources={"limits": {"memory": "128Mi"}}),
                            "pause": {"spec": {"paused": True}}}.items():
            run = self.patch(a, patch)
            equal((run.returncode, run.stderr), (0, ""), what)
        equal(a.kubectl("-n", self.space, "scale", "deployment", "w", "--replicas=2", "--dry-run=server").returncode, 0, "scale")

    def fewer_actions_fewer_fields(self):
        """Who only restarts may change nothing but the mark of a restart."""
        a = self.bound_account("restarts", ["restart"])
        self.victim("r")
        mark = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}}
        equal(self.patch(a, mark, "deployment", "r").returncode, 0, "restart")
        app = lambda **more: {"spec": {"template": {"spec": {"containers": [{"name": "app", **more}]}}}}  # noqa: E731
        for what, patch in {"a tag": app(image="registry:5000/shop/app:2"), "a variable": app(env=[{"name": "A", "value": "2"}]), "a command": app(command=["x"]),
                            "pause": {"spec": {"paused": True}}, "a label of the template": {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}}.items():
            run = self.patch(a, patch, "deployment", "r")
            self.refused(run, what)
        self.job(a, {"restartPolicy": "Never", "containers": [{"name": "app", "image": "registry:5000/shop/app:1"}]}, "a job")
        run = a.kubectl("-n", self.space, "scale", "deployment", "r", "--replicas=2", "--dry-run=server")
        self.refused(run, "scale")

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
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--bound", action="store_true", help="print what bounds the world's own heald to the catalogue, and end")
    args = parser.parse_args()
    r, c = Rights(args), Cases("rights")
    if args.bound:
        sys.exit(r.bound())
    try:
        if c.check("a namespace for accounts is made", r.prepare):
            c.check("who has been granted nothing is told every right, by verb, resource and namespace", r.nothing_granted)
            c.check("the shipped roles suffice for every action of the catalogue", r.shipped_roles_suffice)
            c.check("with one verb less, exactly that one is named", r.one_verb_less)
            c.check("with all namespaces watched, a role of one of them is not enough", r.everywhere)
            c.check("a cluster that cannot be reached is status 3, refused credentials are not", r.not_reached)
            c.check("what heald rbac prints suffices, and is no more for a policy that does less", r.printed_roles_suffice)
            c.check("with any verb of it less, exactly that one is named", r.printed_less_one)
            c.check("abuses by heald's own token are refused, whatever its roles say", r.abuses_are_refused)
            c.check("what the actions write passes", r.wanted_writes_pass)
            c.check("who only restarts may change nothing but the mark of a restart", r.fewer_actions_fewer_fields)
    finally:
        r.end()
    sys.exit(c.end())


if __name__ == "__main__":
    main()
