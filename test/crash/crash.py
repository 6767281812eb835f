#!/usr/bin/env python3
"""kill -9 at named points, and at random moments under load; then: no alert lost, at most one effect on each object, one annotation an incident.

Webhooks are posted by the test here (intake and end_to_end have real senders); the API server, the node and the workloads are real. Grafana is the stand-in."""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit"), str(Path(__file__).resolve().parent)]
from cases import Cases, Skip, equal  # noqa: E402
from proxy import Proxy  # noqa: E402
from world import Heald, World, http, wait_until  # noqa: E402

POINTS = ["alert-committed", "observe-started", "intent-committed", "answer-read", "result-committed", "verdict-committed", "closed-committed",
          "annotation-sent", "annotation-answered", "told-committed"]
SPACES = 6
PER_SPACE = 4
KILLS_A_ROUND = 50  # in a round every workload has one incident: with about two kills each
LATE_MAX_S = 5.0

PLAN = """plans = { restart = { steps = ( { do = "restart"; verify = { alert = "ignore"; hold = "1s"; within = "90s"; every = "1s"; }; } ); }; };
rules = ( { name = "crash"; match = [ "alertname=Crash" ]; target = { from = "deployment"; }; plan = "restart"; cooldown = "none"; attempts = "none"; } );
"""


def policy(budget='"none"'):
    spaces = [f"crash-{i}" for i in range(SPACES)]
    environments = ", ".join(f'{{ name = "{n}"; match = [ "namespace={n}" ]; mode = "act"; own_rollouts = true; budget = {budget}; well_for = "1h"; shared_cause = "none"; storm = {{ incidents = "none"; }}; running = "none"; blast_radius = "100%"; workload_budget = "none"; }}'
                             for n in spaces)
    return f"version = 1;\nenvironments = ( {environments} );\n" + PLAN


def manifest(name):
    return json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "revisionHistoryLimit": 1000, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                "name": "c", "image": "heald.local/pause:1", "imagePullPolicy": "Never"}]}}}})


class Crash:
    def __init__(self, args):
        self.args, self.world = args, World(args.state)
        self.random = random.Random(args.seed)
        w = self.world
        self.folder = Path(tempfile.mkdtemp(prefix="heald-crash-"))
        self.proxy = Proxy(w["API_URL"], w["API_CA_FILE"])
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.proxy.url}}],
            "users": [{"name": "u", "user": {"tokenFile": w["API_HEALD_TOKEN_FILE"]}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        self.lock = threading.RLock()
        self.restarted = threading.Event()
        self.kills = {"random": 0, "before": 0, "after": 0, "drop": 0}
        self.late = []

    def make(self, name, text=None, extra=""):
        w = self.world
        return Heald(self.args.program, self.folder / name, text or policy(), self.kubeconfig, free_port(), grafana=w["GRAFANA_URL"],
                     grafana_token_file=w["GRAFANA_TOKEN_FILE"], extra=extra)

    def prepare(self):
        for i in range(SPACES):
            space = f"crash-{i}"
            self.world.kubectl("delete", "namespace", space, "--ignore-not-found")
            self.world.kubectl("create", "namespace", space)
            self.world.kubectl("-n", space, "create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald")
            self.world.kubectl("-n", space, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
                json.loads(manifest(f"w-{k}")) for k in range(PER_SPACE)]}))
        for i in range(SPACES):
            self.world.kubectl("-n", f"crash-{i}", "rollout", "status", "deployment", "--timeout=120s")

    def clean(self):
        for i in range(SPACES):
            self.world.kubectl("delete", "namespace", f"crash-{i}", "--ignore-not-found", "--wait=false", check=False)
        self.proxy.close()

    # ---- deliveries ----

    def post(self, heald, space, name, starts, resolved=False):
        """Status of one webhook, 0 when no answer came."""
        body = {"version": "4", "groupKey": "k", "truncatedAlerts": 0, "receiver": "r", "status": "firing", "alerts": [{
            "status": "resolved" if resolved else "firing",
            "labels": {"alertname": "Crash", "namespace": space, "deployment": name}, "annotations": {}, "startsAt": starts,
            "endsAt": starts if resolved else "0001-01-01T00:00:00Z"}]}
        try:
            return http("POST", heald.url + "/webhook/alertmanager", body, token=heald.tokens["alertmanager"], timeout=15)[0]
        except OSError:
            return 0

    def post_until_accepted(self, heald, *args, **kw):
        wait_until("a delivery being accepted", lambda: self.post(heald, *args, **kw) == 200, 120, 0.1)

    # ---- what the journal and the world say ----

    def incidents(self, heald):
        return heald.facts("select o.incident as id, json_extract(a.body, '$.labels.namespace') as space, json_extract(a.body, '$.labels.deployment') as name, "
                           "json_extract(o.body, '$.starts_ms') as starts, (select json_extract(c.body, '$.outcome') || ': ' || coalesce(json_extract(c.body, '$.reason'), '') "
                           "from fact c where c.kind = 'closed' and c.incident = o.incident) as outcome "
                           "from fact o join fact a on a.incident = o.incident and a.kind = 'alert' and json_extract(a.body, '$.disposition') = 'opened' "
                           "where o.kind = 'incident_opened'")

    def closed(self, heald, space, name, number):
        found = [i for i in self.incidents(heald) if i["space"] == space and i["name"] == name and i["outcome"]]
        return found if len(found) >= number else None

    def accepted_writes(self, incident):
        return [w for w in self.proxy.writes if w.annotations().get("heald.dev/incident") == incident and w.status and 200 <= w.status < 300]

    def replica_sets(self, space, name):
        return len(self.world.get("-n", space, "replicasets", "-l", f"app={name}")["items"])

    def annotations(self, incident):
        return [a for a in self.world.annotations("incident:" + incident)]

    def check_incident(self, i):
        assert i["outcome"] and i["outcome"].startswith("healed"), f"incident {i['id']} of {i['space']}/{i['name']} ended as {i['outcome']}"
        writes = self.accepted_writes(i["id"])
        equal(len(writes), 1, f"writes that the API server accepted for incident {i['id']}")
        return writes[0].restarted_at()

    def check_told(self, ids, limit=60):
        def all_told():
            found = [a for a in self.world.annotations("heald")]
            by_id = {}
            for a in found:
                for t in a["tags"]:
                    if t.startswith("incident:"):
                        by_id.setdefault(t[9:], []).append(a)
            return all(len(by_id.get(i, [])) == 1 and "outcome:healed" in by_id[i][0]["tags"] for i in ids)

        wait_until("each incident having exactly one annotation with its outcome", all_told, limit, 0.5)

    # ---- named points ----

    def named_point(self, heald, index, point):
        space, name = f"crash-{index % SPACES}", f"w-{index // SPACES}"
        before = self.replica_sets(space, name)
        number = len(self.closed(heald, space, name, 0) or [])
        starts = now()
        heald.start({"HEALD_FAULT": f"kill:{point}"})
        status = self.post(heald, space, name, starts)
        wait_until(f"heald being killed at {point}", lambda: heald.process.poll() is not None, 60, 0.05)
        equal(heald.process.returncode, -9, "how it ended")
        heald.start()
        if status != 200:
            self.post_until_accepted(heald, space, name, starts)  # what a sender does that got no answer
        found = wait_until("the incident ending", lambda: self.closed(heald, space, name, number + 1), 90, 0.3)
        equal(len(found), number + 1, "incidents of the workload")
        at = self.check_incident(found[-1])
        self.check_told([found[-1]["id"]])
        equal(self.replica_sets(space, name), before + 1, "ReplicaSets")
        journalled = heald.facts(f"select distinct json_extract(body, '$.restarted_at') as at from fact where kind = 'intent' and incident = '{found[-1]['id']}'")
        equal([j["at"] for j in journalled], [at], "journalled restartedAt")
        heald.stop()

    # ---- random kills under load ----

    def kill_and_restart(self, how):
        with self.lock:
            self.kills[how] += 1
            self.heald.kill()
            self.heald.start(wait=False)

    def total(self):
        return sum(self.kills.values())

    def decide(self, write):
        if self.total() >= self.args.kills or self.random.random() > 0.97:
            return "pass"
        return self.random.choices(["before", "after", "drop"], [6, 3, 1])[0]

    def kill_for(self, write, how):
        """On the proxy's thread, with the write in hand."""
        self.kill_and_restart(how)
        if how != "before":
            return
        delay = self.random.uniform(0, LATE_MAX_S)

        def later():
            time.sleep(delay)
            self.proxy.deliver(write)

        t = threading.Thread(target=later)
        self.late.append(t)
        t.start()

    def random_killer(self):
        while not self.over:
            time.sleep(self.random.uniform(0.2, 1.2))
            written = self.total() - self.kills["random"]
            if self.total() < self.args.kills and self.kills["random"] < written:
                self.kill_and_restart("random")

    def load_one(self, space, name):
        for number in range(1, 1 + self.rounds):
            starts = now()
            self.post_until_accepted(self.heald, space, name, starts)
            self.accepted.append((space, name, starts))
            wait_until(f"incident {number} of {space}/{name} ending", lambda n=number: self.closed(self.heald, space, name, n), 200, 0.5)
            self.post_until_accepted(self.heald, space, name, starts, resolved=True)
            time.sleep(1.1)  # another startsAt, in whole seconds

    def random_kills(self):
        heald = self.heald = self.make("random")
        heald.start()
        heald.resume()
        keys = [(f"crash-{i}", f"w-{k}") for i in range(SPACES) for k in range(PER_SPACE)]
        self.rounds, self.accepted, self.over, problems = max(2, -(-self.args.kills // KILLS_A_ROUND)), [], False, []
        self.sets = {k: self.replica_sets(*k) for k in keys}
        self.proxy.on_write, self.proxy.kill = self.decide, self.kill_for

        def worker(key):
            try:
                self.load_one(*key)
            except Exception as e:  # noqa: BLE001 - told below
                problems.append(str(e))

        threads = [threading.Thread(target=worker, args=(k,)) for k in keys]
        killer = threading.Thread(target=self.random_killer)
        for t in threads:
            t.start()
        killer.start()
        for t in threads:
            t.join()
        self.over = True
        killer.join()
        for t in self.late:
            t.join()
        self.proxy.on_write = lambda write: "pass"
        print(f"        {self.total()} kills: {self.kills}, {len(self.accepted)} incidents, {len(self.proxy.writes)} writes seen by the proxy")
        assert not problems, "; ".join(problems[:3])

    def settled(self):
        found = self.incidents(self.heald)
        equal(len(found), len(self.accepted), "incidents, one for each accepted alert")
        for i in found:
            self.check_incident(i)

    def nothing_lost(self):
        rows = self.heald.facts("select json_extract(body, '$.labels.namespace') as space, json_extract(body, '$.labels.deployment') as name, "
                                "json_extract(body, '$.starts_ms') as starts from fact where kind = 'alert' and json_extract(body, '$.status') = 'firing'")
        known = {(r["space"], r["name"], r["starts"]) for r in rows}
        for space, name, starts in self.accepted:
            ms = int(datetime.fromisoformat(starts.replace("Z", "+00:00")).timestamp() * 1000)
            assert (space, name, ms) in known, f"the accepted alert of {space}/{name} at {starts} is not in the journal"

    def one_effect_each(self):
        for key, before in self.sets.items():
            done = sum(1 for s, n, _ in self.accepted if (s, n) == key)
            equal(self.replica_sets(*key), before + done, f"ReplicaSets of {key[0]}/{key[1]}")

    def half_in_flight(self):
        written = self.total() - self.kills["random"]
        assert self.total() >= self.args.kills, f"only {self.total()} kills"
        assert written * 2 >= self.total(), f"{written} of {self.total()} kills hit a write in flight"

    # ---- other ends ----

    def full_disk(self):
        """The commit in which two deliveries compete for the last budget slot fails; nothing of it may count."""
        heald = self.make("disk", policy("( { actions = 1; per = \"1h\"; } )"))
        heald.start()
        heald.resume()
        heald.stop()
        heald.start({"HEALD_FAULT": "fail:journal-append:1+3"})
        starts, space = now(), f"crash-{SPACES - 1}"
        first = [self.post(heald, space, f"w-{k}", starts) for k in (2, 3)]
        assert 200 not in first, f"answers while the disk is full: {first}"
        equal(heald.facts("select count(*) as n from fact where kind in ('alert', 'intent')")[0]["n"], 0, "facts of the failed commits")
        for k in (2, 3):
            self.post_until_accepted(heald, space, f"w-{k}", starts)
        wait_until("one of the two ending", lambda: [i for i in self.incidents(heald) if i["outcome"]], 60, 0.3)
        refused = wait_until("the other one being refused by the budget",
                             lambda: heald.facts("select body from fact where kind = 'refused' and json_extract(body, '$.guard') = 'budget'"), 30, 0.3)
        assert "used up" in refused[0]["body"]
        equal(heald.facts("select count(*) as n from fact where kind = 'intent'")[0]["n"], 1, "intents")
        equal(heald.stop(), 0, "exit status")

    def sigterm_in_a_write(self):
        heald = self.make("term")
        heald.start()
        heald.resume()
        space, name, starts = "crash-0", "w-3", now()
        seen = threading.Event()

        def slow(write):
            seen.set()
            time.sleep(2)
            return "pass"

        self.proxy.on_write = slow
        try:
            self.post_until_accepted(heald, space, name, starts)
            assert seen.wait(30), "no write came"
            equal(heald.stop(), 0, "exit status after SIGTERM while a write is under way")
        finally:
            self.proxy.on_write = lambda write: "pass"
        heald.start()
        found = wait_until("the incident ending after the restart", lambda: self.closed(heald, space, name, 1), 60, 0.3)
        self.check_incident(found[0])
        equal(heald.stop(), 0, "exit status")


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def free_port():
    return int(subprocess.run([sys.executable, "-c", "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])"],
                              capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=["points", "random", "ends"])
    args = parser.parse_args()
    print(f"seed {args.seed}")
    c, x = Cases("crash"), Crash(args)
    try:
        if not c.check("the workloads are there", lambda: x.prepare() or True):
            raise Skip("no workloads")
        if args.only in (None, "random"):
            c.check(f"{args.kills} kills -9 under load: every incident ends", x.random_kills)
            c.check("at least half of the kills hit a write between sent and answered", x.half_in_flight)
            c.check("no accepted alert is lost", x.nothing_lost)
            c.check("every incident is healed by exactly one accepted write", x.settled)
            c.check("each object shows exactly one effect an incident", x.one_effect_each)
            c.check("each incident has exactly one annotation", lambda: x.check_told([i["id"] for i in x.incidents(x.heald)], 60 + args.kills))
            c.check("it still ends with 0", lambda: equal(x.heald.stop(), 0, "exit status"))
        if args.only in (None, "points"):
            heald = x.make("points")
            heald.start()
            heald.resume()
            heald.stop()
            for index, point in enumerate(POINTS):
                c.check(f"kill -9 at {point} loses nothing and repeats nothing", lambda i=index, p=point: x.named_point(heald, i, p))
                heald.kill()
        if args.only in (None, "ends"):
            c.check("a full disk at the commit in which two deliveries compete for one budget slot", x.full_disk)
            c.check("SIGTERM while a write is under way", x.sigterm_in_a_write)
    except Skip:
        pass
    finally:
        if getattr(x, "heald", None):
            x.heald.kill()
        x.clean()
        if c.failed:
            print(f"journals and logs are left in {x.folder}; again with: --seed {args.seed}")
        else:
            shutil.rmtree(x.folder, ignore_errors=True)
    sys.exit(c.end())


if __name__ == "__main__":
    main()
