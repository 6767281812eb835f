"""A lane: one heald behind a proxy of its own, its journal, the alerts it accepted, and what must be true of them in the end.

All that is asserted is seen from outside: the journal by SQLite, the writes by the proxy, the objects by the API server, the annotations by Grafana."""

import base64
import datetime
import json
import re
import sqlite3
import sys
import threading
import time
import urllib.parse
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit")]
from cases import equal  # noqa: E402
from proxy import Proxy  # noqa: E402
from world import Heald, http, wait_until  # noqa: E402

RESTARTED = "kubectl.kubernetes.io/restartedAt"
SETTLE = 150  # generous: a busy machine is no failure
LONGEST_CALL = 10  # seconds that heald waits before it believes that a write did not happen

VERIFY = 'verify = { alert = "ignore"; hold = "1s"; within = "5m"; every = "1s"; };'
POLICY = """version = 1;
environments = ( ENVIRONMENTS );
rules = (
  { name = "restart"; match = [ "alertname=Broken" ]; target = { from = "deployment"; }; plan = "restart"; cooldown = "none"; attempts = "none"; },
  { name = "rollback"; match = [ "alertname=Changed" ]; target = { from = "deployment"; }; plan = "rollback"; cooldown = "none"; attempts = "none"; },
  { name = "delete"; match = [ "alertname=Stuck" ]; target = { from = "pod"; owner = "Deployment"; }; plan = "delete"; cooldown = "none"; attempts = "none"; },
  { name = "scale"; match = [ "alertname=Small" ]; target = { from = "deployment"; }; plan = "scale"; cooldown = "none"; attempts = "none"; }
);
plans = {
  restart = { steps = ( { do = "restart"; VERIFY } ); otherwise = ( { do = "escalate"; notify = "nobody"; } ); };
  rollback = { steps = ( { do = "rollback"; to = "last_stable"; VERIFY } ); otherwise = ( { do = "escalate"; notify = "nobody"; } ); };
  delete = { steps = ( { do = "delete_pod"; VERIFY } ); otherwise = ( { do = "escalate"; notify = "nobody"; } ); };
  scale = { steps = ( { do = "scale"; replicas = 2; VERIFY } ); otherwise = ( { do = "escalate"; notify = "nobody"; } ); };
};
"""


def policy(environments=None, well_for="30d"):
    """`environments`: name -> (pattern of workloads, budget)."""
    lines = [f'{{ name = "{name}"; match = [ "name=~\\"{pattern}\\"" ]; mode = "act"; own_rollouts = true; well_for = "{well_for}"; budget = {budget}; }}'
             for name, (pattern, budget) in (environments or {"all": (".*", '"none"')}).items()]
    return POLICY.replace("ENVIRONMENTS", ",\n  ".join(lines)).replace("VERIFY", VERIFY)


def deployment(name, space):
    """One pod that starts and ends at once; its rollout never waits for itself."""
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": space},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "enableServiceLinks": False,
                         "containers": [{"name": "pause", "image": "heald.local/pause:1", "imagePullPolicy": "Never",
                                         "command": ["/bin/busybox", "sleep", "2147483647"]}]},
            },
        },
    }


def free_port():
    """Below those that the kernel gives to outgoing connections: heald finds it free again after each kill."""
    import random
    import socket
    top = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10000, top if top > 12000 else 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Alert:
    """One state of one alert, as Alertmanager would send it."""

    def __init__(self, labels, starts=None, resolved=None):
        self.labels, self.starts, self.resolved = labels, starts or time.time(), resolved
        self.status = "resolved" if resolved else "firing"

    def end(self):
        return Alert(self.labels, self.starts, time.time())

    def json(self):
        def text(t):
            return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

        return {"status": self.status, "labels": self.labels, "annotations": {}, "startsAt": text(self.starts),
                "endsAt": text(self.resolved) if self.resolved else "0001-01-01T00:00:00Z", "generatorURL": "http://127.0.0.1/",
                "fingerprint": "%016x" % (hash(tuple(sorted(self.labels.items()))) & (2**64 - 1))}

    @property
    def state(self):
        return json.dumps(self.labels, sort_keys=True), self.status


class Lane:
    def __init__(self, suite, name, space, policy_text=None, extra="", journal=None):
        self.suite, self.world, self.name, self.space = suite, suite.world, name, space
        self.folder = suite.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        api = urllib.parse.urlsplit(self.world["API_URL"])
        self.proxy = Proxy(api.hostname, api.port, self.world["API_CA_FILE"], *suite.certificate, self.kill)
        self.heald = Heald(suite.program, self.folder, policy_text or policy(), self.kubeconfig(), free_port(), grafana=self.world["GRAFANA_URL"],
                           grafana_token_file=self.world["GRAFANA_TOKEN_FILE"], namespaces=[space], extra=extra)
        self.journal = Path(journal or self.folder / "journal.db")
        self.lock = threading.Lock()
        self.started = 0.0    # of the present heald
        self.kills = 0        # that hit a running heald
        self.accepted = set() # states of alerts that got a 2xx
        self.lates = []       # threads that deliver held writes
        suite.lanes.append(self)

    def kubeconfig(self):
        ca = base64.b64encode(Path(self.suite.certificate[0]).read_bytes()).decode()
        file = self.folder / "kubeconfig"
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": f"https://127.0.0.1:{self.proxy.port}", "certificate-authority-data": ca}}],
            "users": [{"name": "heald", "user": {"tokenFile": self.world["API_HEALD_TOKEN_FILE"]}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "heald"}}]}))
        return file

    # ---- its life ----

    def start(self, fault=None):
        self.proxy.next_generation()
        self.started = time.monotonic()
        self.heald.start({"HEALD_FAULT": fault} if fault else None)
        return self

    def begin(self, fault=None):
        """A new journal starts paused: let it act. With a fault, start again."""
        self.start()
        self.heald.resume()
        if fault:
            equal(self.heald.stop(), 0, "exit status after SIGTERM")
            self.start(fault)
        return self

    def kill(self, generation=None):
        """kill -9 now; the proxy names the heald it means. True when there was one to kill."""
        with self.lock:
            process = self.heald.process
            if (generation is not None and generation != self.proxy.generation) or process.poll() is not None:
                return False
            process.kill()
            process.wait()
            self.kills += 1
            return True

    def dead(self):
        return self.heald.process.poll() is not None

    def wait_dead(self, why):
        wait_until(f"{self.name}: heald being killed {why}", self.dead, SETTLE, 0.02)
        equal(self.heald.process.returncode, -9, f"{self.name}: how heald ended")

    def restart(self, late=None, delay=0.0):
        """Start again without a fault; a held write arrives `delay` seconds after that."""
        self.start()
        if late:
            self.deliver(late, delay)

    def deliver(self, write, delay=0.0):
        def later():
            since = self.started
            time.sleep(delay)
            write.late = time.monotonic() - since
            self.proxy.forward(write)

        thread = threading.Thread(target=later, daemon=True)
        self.lates.append(thread)
        thread.start()

    def end(self):
        self.heald.kill()
        self.proxy.close()

    # ---- alerts ----

    def post(self, alerts, timeout=10):
        """The answer's status; 0 when there was none."""
        body = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": alerts[0].status, "receiver": "heald", "groupLabels": {},
                "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://127.0.0.1/", "alerts": [a.json() for a in alerts]}
        try:
            status, _ = http("POST", self.heald.url + "/webhook/alertmanager", body, token=self.heald.tokens["alertmanager"], timeout=timeout)
        except (OSError, ValueError):
            return 0
        except Exception as e:  # noqa: BLE001 - an answer that was cut off
            if type(e).__module__ == "http.client":
                return 0
            raise
        if 200 <= status < 300:
            self.accepted.update(a.state for a in alerts)
        return status

    def deliver_alerts(self, *alerts):
        """As Alertmanager does: again until it gets a 2xx."""
        return wait_until(f"{self.name}: a delivery being accepted", lambda: 200 <= self.post(list(alerts)) < 300, SETTLE, 0.2)

    def alert(self, workload, alertname="Broken", **labels):
        return Alert({"alertname": alertname, "namespace": self.space, "deployment": workload, **labels})

    # ---- what it says ----

    def facts(self, kind=None):
        """All facts, as (seq, kind, incident, body); heald may be dead, or be just starting."""
        for attempt in range(100):
            try:
                db = sqlite3.connect(f"file:{urllib.parse.quote(str(self.journal))}?mode=ro", uri=True, timeout=5)
                try:
                    rows = db.execute("select seq, kind, incident, body from fact order by seq").fetchall()
                finally:
                    db.close()
                break
            except sqlite3.OperationalError:
                if attempt == 99:
                    raise
                time.sleep(0.05)
        return [(seq, k, i, json.loads(body)) for seq, k, i, body in rows if kind is None or k == kind]

    def closed(self):
        return {incident: body for _, _, incident, body in self.facts("closed")}

    def settled(self):
        """Every incident has ended, by the journal, and Grafana has every outcome."""
        opened, closed = set(), {}
        for _, kind, incident, body in self.facts():
            if kind == "incident_opened":
                opened.add(incident)
            elif kind == "closed":
                closed[incident] = body["outcome"]
            elif kind == "merged":
                opened.discard(incident)
        if not opened or opened - set(closed):
            return False
        told = {tag for r in self.suite.annotation_records() for tag in ("%s %s" % (t, o) for t in r["tags"] for o in r["tags"])}
        return all(f"incident:{i} outcome:{closed[i]}" in told for i in opened)

    def settle(self):
        for thread in self.lates:
            thread.join()
        wait_until(f"{self.name}: every incident ending and being told (see {self.heald.log})", self.settled, SETTLE, 0.3)

    # ---- what must be true ----

    def check_alerts(self):
        """No accepted alert is lost, none is recorded twice in one state."""
        recorded = Counter((json.dumps(body["labels"], sort_keys=True), body["status"]) for _, _, _, body in self.facts("alert"))
        for state in self.accepted:
            equal(recorded[state], 1, f"{self.name}: times in the journal of accepted alert {state}")
        twice = [s for s, n in recorded.items() if n != 1]
        assert not twice, f"{self.name}: alert states recorded twice: {twice}"

    def writes_by_incident(self, incidents):
        out = defaultdict(list)
        for w in self.proxy.writes:
            named = [i for i in incidents if i.encode() in w.raw]
            if not named and len(incidents) == 1:
                named = list(incidents)  # a body that has no place for hints
            assert len(named) == 1, f"{self.name}: a write that belongs to no incident in the journal: {w} {w.raw[:300]}"
            out[named[0]].append(w)
        return out

    def check_incident(self, incident, intents, writes, outcome, wanted):
        where = f"{self.name}: incident {incident}"
        equal(outcome, wanted, f"{where}: outcome")
        accepted = [w for w in writes if w.accepted]
        assert len(accepted) <= 1, f"{where}: more than one accepted write: {writes}"
        if wanted == "healed":
            equal(len(accepted), 1, f"{where}: accepted writes of {writes}")
        assert len(writes) <= len(intents), f"{where}: {len(writes)} writes were sent for {len(intents)} intents"
        attempts = defaultdict(set)
        for n in intents:
            attempts[n["step"], n["attempt"]].add(tuple(n.get(k) for k in ("restarted_at", "template_hash", "replicas", "pod_uid")))
        for attempt, values in attempts.items():
            equal(len(values), 1, f"{where}: different things wanted by attempt {attempt}: {values}")
        for w in writes:
            if w.body and isinstance(w.body, dict) and RESTARTED.encode() in w.raw:
                at = w.body["spec"]["template"]["metadata"]["annotations"][RESTARTED]
                assert at in {n.get("restarted_at") for n in intents}, f"{where}: a write of {at}, which no intent says"

    def check_incidents(self, wanted=None):
        """Each ends once, with at most one effect; `wanted`: incident -> outcome where it is not healed."""
        by_kind = defaultdict(lambda: defaultdict(list))
        for _, kind, incident, body in self.facts():
            by_kind[kind][incident].append(body)
        opened = [i for i in by_kind["incident_opened"] if i not in by_kind["merged"]]
        equal(sum(map(len, by_kind["incident_opened"].values())), len(by_kind["incident_opened"]), f"{self.name}: incidents opened twice")
        writes = self.writes_by_incident(opened)
        for incident in opened:
            closed = by_kind["closed"][incident]
            equal(len(closed), 1, f"{self.name}: times that incident {incident} was closed")
            outcome = (wanted or {}).get(incident, "healed")
            self.check_incident(incident, by_kind["intent"][incident], writes[incident], closed[0]["outcome"], outcome)
            done = [b for b in by_kind["written"][incident] if b["state"] == "done"]
            equal(len(done), 1 if outcome == "healed" else 0, f"{self.name}: incident {incident}: writes known to have happened")
        self.check_annotations({i: by_kind["closed"][i][0]["outcome"] for i in opened})
        return opened

    def check_annotations(self, outcomes):
        """One annotation an incident, and it says the outcome."""
        records = self.suite.annotation_records()
        for incident, outcome in outcomes.items():
            found = [r for r in records if f"incident:{incident}" in r["tags"]]
            equal(len(found), 1, f"{self.name}: annotations of incident {incident}")
            assert f"outcome:{outcome}" in found[0]["tags"], f"{self.name}: the annotation of {incident} says {found[0]['tags']}"

    def replica_sets(self):
        return self.world.get("-n", self.space, "replicasets")["items"]

    def check_restarts(self, workload, replica_sets=None):
        """The ReplicaSets of a workload: one as it was made, one for each restart in the journal whose write was accepted."""
        landed = set()
        for w in self.proxy.writes:
            if w.accepted and RESTARTED.encode() in w.raw and w.path.endswith(f"/deployments/{workload}"):
                landed.add(w.body["spec"]["template"]["metadata"]["annotations"][RESTARTED])
        own = [r for r in replica_sets or self.replica_sets() if r["metadata"]["labels"]["app"] == workload]
        found = [r["spec"]["template"]["metadata"].get("annotations", {}).get(RESTARTED) for r in own]
        equal(sorted(found, key=str), sorted([None, *landed], key=str), f"{self.name}: restartedAt of the ReplicaSets of {workload}")
        said = {b.get("restarted_at") for _, _, _, b in self.facts("intent") if b["name"] == workload}
        assert landed <= said, f"{self.name}: {workload}: restarted at {landed - said}, which the journal does not know"
        return landed

    def check_log(self):
        """No line that says heald's own facts are wrong."""
        bad = [e for e in self.heald.events() if re.search(r"damaged|refused:|assert|Sanitizer", json.dumps(e))]
        assert not bad, f"{self.name}: {bad[:3]}"
        text = self.heald.log.read_text()
        assert "Assertion" not in text and "Sanitizer" not in text, f"{self.name}: see {self.heald.log}"

