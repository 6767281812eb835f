#!/usr/bin/env python3
"""The daemon asks: causes from a real API server, silences from a real Alertmanager, PromQL and HTTP from a real Prometheus."""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit")]
from cases import Cases, equal  # noqa: E402
from world import Heald, World, http, wait_until  # noqa: E402

ALERT = "Starved"
POLICY = """version = 1;
environments = ( {{ name = "asked"; match = [ "namespace={space}" ]; mode = "act"; own_rollouts = true; budget = "none"; }} );
rules = ( {{ name = "starved"; match = [ "alertname={alert}" ]; target = {{ from = "deployment"; }}; plan = "ask"; }} );
plans = {{ ask = {{ steps = (
  {{ when = {{ cause = [ "quota" ]; evidence = [ "reason=FailedCreate", "message=~.*exceeded quota.*" ];
     promql = {{ query = "count(up{{job=\\"${{labels.job}}\\"}})"; is = "== 1"; }};
     http = {{ url = "{prometheus}/-/healthy"; body = "Healthy"; }}; }};
    then = ( {{ do = "scale"; replicas = 2; verify = {{ hold = "1s"; within = "20m"; }}; }} ); }} ); }}; }};
"""
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "w"}},
             "template": {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "app", "image": "heald.local/pause:1"}]}}},
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Asked:
    def __init__(self, args):
        self.world, self.space = World(args.state), f"heald-asked-{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix="heald-asked-"))
        self.prometheus, self.alertmanager = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        policy = POLICY.format(space=self.space, alert=ALERT, prometheus=self.prometheus)
        extra = (f'alertmanager = {{ url = "{self.alertmanager}"; }};\n'
                 f'probe_hosts = ( {{ url = "{self.prometheus}/-/"; }} );\n')
        self.heald = Heald(Path(args.program).resolve(), self.folder / "heald", policy, self.world["HEALD_KUBECONFIG"], free_port(), prometheus=self.prometheus,
                           namespaces=[self.space], extra=extra)
        self.labels = {"alertname": ALERT, "namespace": self.space, "deployment": "w", "job": "itself"}
        self.processes, self.program = [], args.alertmanager

    def launch(self, url, *command):
        log = (self.folder / (Path(command[0]).name + ".log")).open("w")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))
        wait_until(f"{command[0]} being ready", lambda: http("GET", url + "/-/ready", timeout=2)[0] == 200, 30)

    def prepare(self):
        w = self.world
        w.kubectl("create", "namespace", self.space)
        w.kubectl("-n", self.space, "create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald")
        w.kubectl("-n", self.space, "create", "quota", "tight", "--hard=pods=0")
        w.kubectl("-n", self.space, "apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
        (self.folder / "alertmanager.yml").write_text("route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n")
        rule = {"alert": ALERT, "expr": "vector(1)", "labels": {k: v for k, v in self.labels.items() if k != "alertname"}}
        (self.folder / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]}))
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.json"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager[7:]]}]}]},
            "scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": [self.prometheus[7:]]}]}]}))
        self.launch(self.alertmanager, self.program, "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address=",
                    f"--web.listen-address={self.alertmanager[7:]}")
        self.launch(self.prometheus, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--rules.alert.resend-delay=1s",
                    f"--web.listen-address={self.prometheus[7:]}")
        wait_until("the alert being known to Alertmanager", lambda: self.known()[0]["status"]["state"] == "active", 60)
        wait_until("Prometheus having scraped itself", lambda: self.query('up{job="itself"}') == [1.0], 30)
        wait_until("the quota being felt", lambda: "FailedCreate" in w.kubectl("-n", self.space, "get", "deployment", "w", "-o", "json"), 60)
        self.heald.start()
        self.heald.resume()
        return True

    def known(self):
        return json.loads(http("GET", self.alertmanager + "/api/v2/alerts")[1])

    def query(self, text):
        body = http("GET", self.prometheus + "/api/v1/query?query=" + text.replace('"', "%22").replace("{", "%7B").replace("}", "%7D"))[1]
        return [float(r["value"][1]) for r in json.loads(body)["data"]["result"]]

    def facts(self, kind):
        return [json.loads(f["body"]) for f in self.heald.facts(f"select body from fact where kind = '{kind}' order by seq")]

    def silence(self):
        matchers = [{"name": n, "value": v, "isRegex": False, "isEqual": True} for n, v in self.labels.items()]
        code, body = http("POST", self.alertmanager + "/api/v2/silences", {
            "matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2199-01-01T00:00:00Z", "createdBy": "test", "comment": "hands off"})
        equal(code, 200, "the silence")
        wait_until("the silence taking effect", lambda: self.known()[0]["status"]["state"] == "suppressed", 30)
        return json.loads(body)["silenceID"]

    def fire(self):
        alert = {"status": "firing", "labels": self.labels, "annotations": {}, "startsAt": self.known()[0]["startsAt"], "endsAt": "0001-01-01T00:00:00Z",
                 "generatorURL": "", "fingerprint": "0" * 16}
        body = {"version": "4", "groupKey": "g", "truncatedAlerts": 0, "status": "firing", "receiver": "heald", "groupLabels": {}, "commonLabels": {},
                "commonAnnotations": {}, "externalURL": "", "alerts": [alert]}
        equal(http("POST", self.heald.url + "/webhook/alertmanager", body, token=self.heald.tokens["alertmanager"])[0], 200, "the webhook")

    def keeps_hands_off(self):
        self.id = self.silence()
        self.fire()
        refused = wait_until("a refusal", lambda: [f for f in self.facts("refused") if f["guard"] == "silenced"], 60)
        assert self.id in refused[0]["reason"], refused
        equal(self.facts("intent"), [], "intents while silenced")

    def names_the_cause(self):
        evidence = self.facts("resolved")[0]["evidence"]
        equal((evidence["cause"], evidence["reason"]), ("quota", "FailedCreate"), "evidence")
        assert "exceeded quota: tight" in evidence["message"], evidence
        equal(self.heald.status()["open"][0]["cause"], "quota", "cause in /status")

    def acts_on_answers(self):
        equal(http("DELETE", f"{self.alertmanager}/api/v2/silence/{self.id}")[0], 200, "the end of the silence")
        intents = wait_until("an intent", lambda: self.facts("intent"), 60)
        equal((intents[0]["action"], intents[0]["replicas"]), ("scale", 2), "intent")
        metrics = http("GET", self.heald.url + "/metrics", token=self.heald.tokens["operator"])[1].decode()
        for system in ("promql", "http"):
            assert f'heald_probes_total{{system="{system}",result="answered"}}' in metrics, metrics
        wait_until("the write", lambda: self.world.get("-n", self.space, "deployment", "w")["spec"]["replicas"] == 2, 30)

    def end(self):
        self.heald.kill()
        for p in self.processes:
            p.kill()
            p.wait()
        self.world.kubectl("delete", "namespace", self.space, "--ignore-not-found", "--wait=false", check=False)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--state", "--program", "--alertmanager"):
        parser.add_argument(name, required=True)
    a, c = Asked(parser.parse_args()), Cases("asked")
    try:
        if c.check("the world is prepared", a.prepare):
            c.check("what is silenced at Alertmanager is left alone, and the silence is named", a.keeps_hands_off)
            c.check("the cause is in the journal and in /status", a.names_the_cause)
            c.check("when the silence ends a step is begun on cause, evidence, PromQL and HTTP", a.acts_on_answers)
    finally:
        a.end()
    sys.exit(c.end())


if __name__ == "__main__":
    main()
