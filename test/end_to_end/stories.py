#!/usr/bin/env python3
"""Both stories, asserted from outside: templates, ReplicaSets, restartedAt, the application's own answers, annotation records.

Alerts come from Prometheus through Alertmanager; nothing is posted by hand. A Deployment's generation also grows on annotation changes, so it counts nothing."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "deploy" / "demo" / "stage"), str(ROOT / "test" / "kit")]
import monitoring  # noqa: E402
from cases import Cases, equal  # noqa: E402
from world import Heald, World, http, wait_until  # noqa: E402

STAGE = ROOT / "deploy" / "demo" / "stage"
SPACE = "demo-e2e"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


class Stories:
    def __init__(self, args):
        self.world = World(args.state)
        w = self.world
        port = int(subprocess.run(["python3", "-c", "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])"],
                                  capture_output=True, text=True, check=True).stdout)
        policy = (STAGE / "policy.cfg").read_text().replace('plan = "restart";', 'plan = "restart"; mode = "observe";')
        assert policy.count('mode = "observe"') == 1, "one rule begins in shadow"
        self.heald = Heald(args.program, Path(args.state) / "end_to_end", policy, w["HEALD_KUBECONFIG"], port,
                           prometheus=w["PROMETHEUS_URL"], grafana=w["GRAFANA_URL"], grafana_token_file=w["GRAFANA_TOKEN_FILE"], namespaces=[SPACE], only=[f"namespace={SPACE}"])

    # ---- the world ----

    def kubectl(self, *args, **kw):
        return self.world.kubectl("-n", SPACE, *args, **kw)

    def deployment(self):
        return self.world.get("-n", SPACE, "deployment", "shop")

    def image(self):
        return self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]

    def restarted_at(self):
        return self.deployment()["spec"]["template"]["metadata"].get("annotations", {}).get(RESTARTED)

    def replica_sets(self):
        return {r["metadata"]["name"]: r for r in self.world.get("-n", SPACE, "replicasets")["items"]}

    def front_page(self):
        return self.world.raw(f"/api/v1/namespaces/{SPACE}/services/shop:http/proxy/")

    def launch(self, name, url, *command):
        script = 'source "$1/deploy/local/lib/common.sh"; shift; launch "$@"'
        subprocess.run(["bash", "-c", script, "_", str(ROOT), name, *command], check=True, env={**os.environ, "HEALD_STATE": str(self.world.state)})
        wait_until(f"{name} being ready", lambda: http("GET", url + "/-/ready", timeout=2)[0] == 200, 30)

    def prepare(self):
        w, folder = self.world, self.world.state
        w.kubectl("delete", "namespace", SPACE, "--ignore-not-found")
        w.kubectl("create", "namespace", SPACE)
        self.kubectl("create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald")
        manifest = (STAGE / "shop.yaml").read_text().replace("IMAGE_PREFIX", "heald.local").replace("IMAGE_PULL_POLICY", "Never")
        self.kubectl("apply", "-f", "-", stdin=manifest)
        self.kubectl("rollout", "status", "deployment/shop", "--timeout=120s")
        (folder / "alertmanager.yml").write_text(monitoring.alertmanager(self.heald.url, self.heald.tokens["alertmanager"]))
        (folder / "prometheus.yml").write_text(monitoring.prometheus(w, STAGE / "alerts.yml", SPACE))
        self.launch("alertmanager", w["ALERTMANAGER_URL"], w["TOOLS"] + "/alertmanager", "--config.file", str(folder / "alertmanager.yml"),
                    "--storage.path", str(folder / "alertmanager"), "--web.listen-address", "127.0.0.1:" + w["ALERTMANAGER_PORT"],
                    "--cluster.listen-address=")
        self.launch("prometheus", w["PROMETHEUS_URL"], "prometheus", "--config.file", str(folder / "prometheus.yml"), "--storage.tsdb.path",
                    str(folder / "prometheus"), "--web.listen-address", "127.0.0.1:" + w["PROMETHEUS_PORT"], "--log.level", "warn")

    def ended(self, rule, number=1):
        """The rule's nth incident."""
        def closed():
            found = self.heald.closed(rule)
            return found if len(found) >= number else None

        return wait_until(f"incident {number} of rule {rule} ending (see {self.heald.log})", closed, 180)[0]

    def firing(self, alertname):
        return [a for a in self.world.prometheus("/api/v1/alerts")["alerts"] if a["labels"]["alertname"] == alertname]

    def hang(self):
        pods = [p["metadata"]["name"] for p in self.world.get("-n", SPACE, "pods", "-l", "app=shop")["items"] if not p["metadata"].get("deletionTimestamp")]
        for pod in pods:
            self.kubectl("create", "--raw", f"/api/v1/namespaces/{SPACE}/pods/{pod}:8080/proxy/fault?kind=hang", "-f", "-", check=False, stdin="")

    # ---- cases ----

    def starts_paused(self):
        self.heald.start()
        status = self.heald.status()
        assert status["paused"], "a new journal has to start paused"
        assert "heald resume" in self.heald.log.read_text(), "the log has to say how to resume"
        self.heald.resume()
        assert not self.heald.status()["paused"]

    def proves(self):
        wait_until("the template being proven", lambda: self.heald.status()["workloads_proven"] >= 1, 120)
        facts = self.heald.facts("select body from fact where kind = 'proven'")
        equal(len(facts), 1, "proven facts")

    def rolls_back(self):
        self.before = self.replica_sets()
        equal(self.image(), "heald.local/shop:1", "image before")
        self.fault = time.time()
        self.kubectl("set", "image", "deployment/shop", "shop=heald.local/shop:2")
        incident = self.ended("crash-looping")
        equal(incident["outcome"], "healed", "outcome")
        equal(incident["writes"], 1, "writes")
        equal(self.image(), "heald.local/shop:1", "image after")
        return incident

    def one_rollback_only(self):
        after = self.replica_sets()
        equal(len(set(after) - set(self.before)), 1, "ReplicaSets added (version 2's, and none by heald)")
        name = next(iter(self.before))
        equal(after[name]["spec"]["replicas"], 2, "replicas of version 1's own ReplicaSet")
        equal(after[name]["spec"]["template"], self.before[name]["spec"]["template"], "version 1's template")
        assert self.restarted_at() is None, "a rollback must not leave a restart behind"

    def answers_again(self):
        self.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
        page = wait_until("the shop answering", self.front_page, 30)
        assert "1" in page, f"the front page should name version 1: {page!r}"

    def tells(self, incident, rule):
        def delivered():
            found = self.world.annotations("incident:" + incident["id"])
            return found if found and "outcome:healed" in found[0]["tags"] else None

        found = wait_until("the annotation having its outcome", delivered, 30)
        equal(len(found), 1, "annotations of the incident")
        a = found[0]
        for tag in ("heald", f"rule:{rule}", "environment:demo", f"namespace:{SPACE}", "workload:shop", "outcome:healed"):
            assert tag in a["tags"], f"tag {tag} is missing: {a['tags']}"
        assert a["timeEnd"] > a["time"], "it has to be a region"
        assert a["time"] >= (self.fault - 2) * 1000, "it begins with the alert, not before the fault"

    def shadowed(self):
        """A rule in shadow says what it would do, and does nothing; here a person repairs."""
        wait_until("the first alert being quiet", lambda: not self.firing("ShopCrashLooping"), 60)
        self.hang()
        incident = self.ended("not-answering")
        equal((incident["outcome"], incident["writes"]), ("observed", 0), "outcome and writes")
        assert "restart" in incident["reason"], f"it says what it would do: {incident['reason']}"
        assert self.restarted_at() is None, "nothing may be restarted in shadow"
        self.kubectl("rollout", "restart", "deployment/shop")
        self.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
        wait_until("the shop answering, and its alert being quiet", lambda: self.front_page() and not self.firing("ShopNotAnswering"), 60)

    def moved_to_act(self):
        """One word of the policy file, with heald running."""
        before, file = self.heald.status(), self.heald.folder / "policy.cfg"
        file.write_text(file.read_text().replace('plan = "restart"; mode = "observe";', 'plan = "restart"; mode = "act";'))
        after = wait_until("the policy being in force", lambda: self.heald.status() if self.heald.status()["policy"] != before["policy"] else None, 15)
        for what in ("started", "installation", "paused", "open_incidents", "recent"):
            equal(after[what], before[what], what)

    def restarts(self):
        self.before = self.replica_sets()
        self.fault = time.time()
        self.hang()
        incident = self.ended("not-answering", 2)
        equal(incident["outcome"], "healed", "outcome")
        equal(incident["writes"], 1, "writes")
        return incident

    def one_restart_only(self):
        equal(len(set(self.replica_sets()) - set(self.before)), 1, "ReplicaSets added by the restart")
        at = self.restarted_at()
        facts = self.heald.facts("select json_extract(body, '$.restarted_at') as at from fact where kind = 'intent' and json_extract(body, '$.action') = 'restart'")
        equal([f["at"] for f in facts], [at], "journalled restartedAt")

    def explained(self):
        """A look at the real object, by a command that only reads."""
        version = self.world.get("-n", SPACE, "deployment", "shop")["metadata"]["resourceVersion"]
        run = subprocess.run([self.heald.program, "explain", "--config", "heald.cfg", "--live", "-o", "json", "alertname=ShopNotAnswering", f"namespace={SPACE}",
                              "deployment=shop"], cwd=self.heald.folder, capture_output=True, text=True)
        equal(run.returncode, 0, f"exit status ({run.stderr})")
        live = json.loads(run.stdout)["live"]
        equal(live["object"], f"{SPACE}/Deployment/shop", "object")
        equal((live["environment"], live["mode"], live["action"]), ("demo", "act", "restart"), "environment, mode, next action")
        answers = {g["guard"]: g["answer"] for g in live["guards"]}
        equal(answers["still_firing"], "later", "the guard still_firing: nothing fires now")
        equal(answers["ignore"], "pass", "the guard ignore")
        equal(self.world.get("-n", SPACE, "deployment", "shop")["metadata"]["resourceVersion"], version, "resourceVersion of what was only looked at")

    def drains(self):
        equal(self.heald.stop(), 0, "exit status after SIGTERM")

    def replays(self):
        """The journal as anybody can read it agrees with what happened, and a second start goes on where the first ended."""
        outcomes = self.heald.facts("select json_extract(body, '$.outcome') as o from fact where kind = 'closed'")
        equal([o["o"] for o in outcomes].count("healed"), 2, "healed incidents in the journal")
        self.heald.start()
        status = self.heald.status()
        assert not status["paused"], "resume has to survive a restart"
        equal(status["open_incidents"], 0, "open incidents after the restart")
        equal(sorted(i["outcome"] for i in status["recent"] if i["writes"]), ["healed", "healed"], "recent incidents with writes, after the restart")
        equal(self.heald.stop(), 0, "exit status")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--program", required=True)
    s, c = Stories(parser.parse_args()), Cases("end_to_end")
    try:
        if c.check("the world is prepared", lambda: s.prepare() or True):
            if not c.check("a new journal starts paused and says how to resume", lambda: s.starts_paused() or True):
                raise SystemExit(c.end())  # nothing else could pass
            c.check("version 1 is proven well, once", s.proves)
            incident = c.check("a crash-looping version 2 is rolled back by one write, from a real alert", s.rolls_back)
            if incident:
                c.check("the rollback reuses version 1's ReplicaSet and template exactly", s.one_rollback_only)
                c.check("the application answers again as version 1", s.answers_again)
                c.check("Grafana has one region for it", lambda: s.tells(incident, "crash-looping"))
            c.check("a rule in shadow only says what it would do", s.shadowed)
            c.check("one word in the policy file moves it to act, while heald runs, and nothing else changes", s.moved_to_act)
            incident = c.check("a hanging application is restarted by one write, from a real alert", s.restarts)
            if incident:
                c.check("exactly one restart happened, and it is the journalled one", s.one_restart_only)
                c.check("the application answers again after the restart", s.answers_again)
                c.check("Grafana has one region for the restart", lambda: s.tells(incident, "not-answering"))
            c.check("explain --live tells what an alert would lead to now, and every guard's answer", s.explained)
            c.check("SIGTERM drains and exits 0", s.drains)
            c.check("the journal says the same after a restart", s.replays)
    finally:
        s.heald.kill()
        s.world.kubectl("delete", "namespace", SPACE, "--ignore-not-found", "--wait=false", check=False)
    sys.exit(c.end())


if __name__ == "__main__":
    main()
