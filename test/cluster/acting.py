#!/usr/bin/env python3
"""The daemon sets fields and makes objects on a real API server, dies between a write and its answer, and does nothing twice."""

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit")]
from cases import Cases, equal  # noqa: E402
from world import Heald, World, wait_until  # noqa: E402

VERIFY = 'verify = { rollout = "ignore"; hold = "0s"; within = "5s"; };'
STEPS = {
    "env": 'do = "set_env"; name = "CACHE"; value = "off";',
    "suspend": 'do = "suspend_cronjob";',
    "run": 'do = "run_cronjob_now";',
    "cordon": 'do = "cordon"; left = 0;',
}
POLICY = """version = 1;
environments = ( { name = "all"; match = [ "cluster=local" ]; mode = "act"; own_rollouts = true; budget = "none"; workload_budget = "none";
                   patch = [ "/spec/minReadySeconds" ]; } );
rules = ( );
plans = { %s };
""" % " ".join(f"{name} = {{ steps = ( {{ {step} {VERIFY} }} ); }};" for name, step in STEPS.items())
POD = {"containers": [{"name": "app", "image": "heald.local/pause:1"}]}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"},
              "spec": {"selector": {"matchLabels": {"app": "w"}}, "template": {"metadata": {"labels": {"app": "w"}}, "spec": POD}}}
CRONJOB = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "import"},
           "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}}}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Acting:
    def __init__(self, args):
        self.world, self.space = World(args.state), f"heald-acting-{os.getpid()}"
        self.node, self.binding = self.space + "-node", self.space
        self.folder = Path(tempfile.mkdtemp(prefix="heald-acting-"))
        self.heald = Heald(Path(args.program).resolve(), self.folder / "heald", POLICY, self.world["HEALD_KUBECONFIG"], free_port(), namespaces=[self.space])

    def kubectl(self, *args, **kw):
        return self.world.kubectl("-n", self.space, *args, **kw)

    def prepare(self):
        w = self.world
        w.kubectl("create", "namespace", self.space)
        self.kubectl("create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald")
        w.kubectl("create", "clusterrolebinding", self.binding, "--clusterrole=heald-nodes", "--user=heald")
        for manifest in (DEPLOYMENT, CRONJOB, {**CRONJOB, "metadata": {"name": "export"}}):
            self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        # of the version of those that are there: else an upgrade would be under way
        versions = {n["status"]["nodeInfo"]["kubeletVersion"] for n in w.get("nodes")["items"]}
        w.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}))
        status = {"status": {"nodeInfo": {"kubeletVersion": next(iter(versions), "")}, "conditions": [
            {"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": "2099-01-01T00:00:00Z"}]}}
        w.kubectl("patch", "node", self.node, "--subresource=status", "-p", json.dumps(status))
        self.heald.start()
        self.heald.resume()
        self.heald.stop()
        return True

    def facts(self, kind):
        return [json.loads(f["body"]) for f in self.heald.facts(f"select body from fact where kind = '{kind}' order by seq")]

    def once(self, plan, target, seen, *namespace):
        """Begin the plan by hand; heald dies when the API server has answered and nothing is recorded; begun again, it finds its write."""
        before = len(self.facts("written"))
        self.heald.start({"HEALD_FAULT": "kill:answer-read"})
        run = self.heald.command("heal", target, "--plan", plan, *namespace, "--reason", "a test")
        equal(run.returncode, 0, f"heald heal: {run.stderr}")
        wait_until("its death", lambda: self.heald.process.poll() is not None, 60)
        equal(self.heald.process.returncode, -signal.SIGKILL, "how it ended")
        done = seen()
        assert done, "the write took effect"
        equal(len(self.facts("written")), before, "facts of writes")
        self.heald.start()
        written = wait_until("the write being found", lambda: self.facts("written")[before:], 60)
        equal((written[0]["state"], written[0].get("reason")), ("done", "found in the cluster"), "what became of it")
        incident = self.heald.status()["open"][0]["id"]  # it would be verified for as long as an alert may take to settle
        equal(self.heald.command("cancel", incident, "--reason", "seen enough").returncode, 0, "heald cancel")
        wait_until("the end", lambda: not self.heald.status()["open"], 60)
        equal(len(self.facts("written")), before + 1, "writes")
        equal(seen(), done, "what stands in the cluster")
        self.heald.stop()

    def afresh(self, case):
        """A case that failed does not spoil the next."""
        try:
            case()
        finally:
            self.heald.kill()

    def in_space(self, plan, target, seen):
        self.once(plan, target, seen, "--namespace", self.space)

    def sets_a_variable(self):
        def seen():
            w = self.world.get("-n", self.space, "deployment", "w")
            env = w["spec"]["template"]["spec"]["containers"][0].get("env")
            return (env, w["spec"]["template"]) if env == [{"name": "CACHE", "value": "off"}] else None
        self.in_space("env", "Deployment/w", seen)

    def starts_one_run(self):
        def seen():
            return [j["metadata"]["name"] for j in self.world.get("-n", self.space, "jobs")["items"]]
        self.in_space("run", "CronJob/import", seen)
        equal(len(seen()), 1, "jobs")

    def suspends(self):
        self.in_space("suspend", "CronJob/export", lambda: self.world.get("-n", self.space, "cronjob", "export")["spec"]["suspend"])

    def cordons(self):
        self.once("cordon", f"Node/{self.node}", lambda: self.world.get("node", self.node)["spec"].get("unschedulable"))

    def end(self):
        self.heald.kill()
        for what in (("node", self.node), ("clusterrolebinding", self.binding), ("namespace", self.space)):
            self.world.kubectl("delete", *what, "--ignore-not-found", "--wait=false", check=False)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--state", "--program"):
        parser.add_argument(name, required=True)
    a, c = Acting(parser.parse_args()), Cases("acting")
    try:
        if c.check("the world is prepared", a.prepare):
            c.check("a variable is set once, though heald dies behind the write", lambda: a.afresh(a.sets_a_variable))
            c.check("one run of a CronJob is started, though heald dies behind the write", lambda: a.afresh(a.starts_one_run))
            c.check("a CronJob is suspended once, though heald dies behind the write", lambda: a.afresh(a.suspends))
            c.check("a node is cordoned once, though heald dies behind the write", lambda: a.afresh(a.cordons))
    finally:
        a.end()
    sys.exit(c.end())


if __name__ == "__main__":
    main()
