"""Mixed load on a running heald: incidents that are healed, alerts that nothing comes of, repeats, operators' words, reloads, scrapes, and callers that misbehave.

Every part is a thread with a pause of its own; `pace` stretches all pauses, for a daemon that an instrument slows down."""

import json
import os
import random
import socket
import threading
import time
from datetime import datetime, timezone

from world import http

SPACES, PER_SPACE, OTHERS = 4, 6, 400  # namespaces; workloads in each; other series that no rule wants

POLICY = """version = 1;
environments = ( { name = "soak"; match = [ "namespace=~\\"soak-.*\\"" ]; mode = "act"; own_rollouts = true; budget = "none"; workload_budget = "none"; running = "none";
                   blast_radius = "100%"; downtime = true; shared_cause = "none"; storm = { incidents = "none"; }; breaker = { failures = "none"; }; well_for = "2s"; } );
rules = ( { name = "crash"; match = [ "alertname=Crash" ]; target = { from = "deployment"; }; plan = "mend"; cooldown = "none"; attempts = "none"; },
          { name = "ask"; match = [ "alertname=Ask" ]; target = { from = "deployment"; }; plan = "ask"; cooldown = "none"; attempts = "none"; } );
plans = { mend = { steps = ( { do = "restart"; verify = { alert = "ignore"; hold = "1s"; within = "60s"; every = "1s"; }; },
                             { do = "delete_pod"; verify = { alert = "ignore"; hold = "1s"; within = "60s"; every = "1s"; }; } ); };
          ask = { steps = ( { gate = { expires = "20s"; }; }, { do = "restart"; verify = { alert = "ignore"; hold = "1s"; within = "60s"; every = "1s"; }; } ); }; };
"""


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def alert(name, labels, starts, resolved=False):
    return {"status": "resolved" if resolved else "firing", "labels": {"alertname": name, **labels}, "annotations": {"summary": "soak"}, "startsAt": starts,
            "endsAt": starts if resolved else "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "0"}


class Load:
    def __init__(self, heald, cluster, token_file, pace=1.0, seed=1):
        self.heald, self.cluster, self.token_file, self.pace = heald, cluster, token_file, pace
        self.random, self.over, self.lock = random.Random(seed), threading.Event(), threading.Lock()
        self.counts, self.problems, self.accepted = {}, [], 0
        self.workloads = [(f"soak-{i}", f"w-{k}") for i in range(SPACES) for k in range(PER_SPACE)]
        self.threads = []

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n

    def pause(self, seconds):
        return self.over.wait(seconds * self.pace * self.random.uniform(0.5, 1.5))

    def post(self, alerts, token=None, timeout=30):
        body = {"version": "4", "groupKey": "k", "truncatedAlerts": 0, "receiver": "r", "status": "firing", "alerts": alerts}
        try:
            return http("POST", self.heald.url + "/webhook/alertmanager", body, token=token or self.heald.tokens["alertmanager"], timeout=timeout)[0]
        except OSError:
            return 0

    def deliver(self, *alerts):
        """As Alertmanager does: until it is taken, or the load is over. True: it was."""
        while not self.over.is_set():
            status = self.post(list(alerts))
            if status == 200:
                self.count("alerts", len(alerts))
                return True
            self.count(f"deliveries answered {status}")
            self.pause(0.5)
        return False

    def say(self, path, body):
        try:
            status = http("POST", self.heald.url + path, body, token=self.heald.tokens["operator"], timeout=30)[0]
        except OSError:
            status = 0
        self.count(f"words answered {status}")
        return status

    def ask(self, path):
        try:
            status, body = http("GET", self.heald.url + path, token=self.heald.tokens["operator"], timeout=30)
        except OSError:
            status, body = 0, b""
        self.count(f"looks answered {status}")
        return body

    # ---- parts ----

    def incidents(self, mine):
        """A workload breaks, its alert fires, it gets well, the alert is over; with every third also a question to a person."""
        n = 0
        while not self.over.is_set():
            space, name = mine[n % len(mine)]
            n += 1
            starts = now()
            labels = {"namespace": space, "deployment": name, "severity": "critical"}
            what = "Ask" if n % 5 == 0 else "Crash"
            self.cluster.break_it(space, name)
            if not self.deliver(alert(what, labels, starts)):
                return
            self.count("workloads broken")
            end = time.monotonic() + 60 * self.pace
            while not self.over.is_set() and time.monotonic() < end and not self.cluster.well(space, name):
                self.over.wait(0.1)
            if self.cluster.well(space, name):
                self.count("workloads well again")
            else:
                self.cluster.deploy(space, name, f"example:{n}")  # a person's repair
            self.pause(2.5)  # it is verified meanwhile
            self.deliver(alert(what, labels, starts, resolved=True))
            self.pause(1.2)  # another startsAt, in whole seconds

    def others(self):
        """What no rule wants, in groups: firing, repeated, resolved."""
        state = {}
        while not self.pause(0.15):
            group = []
            for n in self.random.sample(range(OTHERS), 5):
                firing, starts = state.get(n, (False, now()))
                if self.random.random() < 0.6 and firing:
                    pass  # a repeat
                else:
                    firing, starts = not firing, starts if firing else now()
                state[n] = (firing, starts)
                group.append(alert("Other", {"namespace": "elsewhere", "pod": f"p-{n}", "severity": "warning"}, starts, not firing))
            self.deliver(*group)

    def scrapes(self):
        while not self.pause(0.3):
            for path in ("/metrics", "/status", "/health", "/ready"):
                self.ask(path)

    def operators(self):
        """Two of them, at the same incidents."""
        while not self.pause(0.4):
            try:
                open_ones = json.loads(self.ask("/status") or b"{}").get("open", [])
            except ValueError:
                continue
            what, i = self.random.random(), self.random.choice(open_ones) if open_ones else None
            if i and what < 0.75:
                word = self.random.choice(["approve", "approve", "approve", "deny", "retry"] if what < 0.7 else ["cancel"])
                self.say(f"/api/v1/incidents/{i['id']}/{word}", {"reason": "soak"})
            elif what < 0.85:
                space, name = self.random.choice(self.workloads)
                self.say("/api/v1/heal", {"rule": "crash", "cluster": "local", "namespace": space, "kind": "Deployment", "name": name, "reason": "by hand"})
            elif what < 0.95:
                self.say("/api/v1/pause", {"reason": "soak", "namespace": "soak-3", "for": "1s"})
            else:
                self.say("/api/v1/pause", {"reason": "soak", "for": "1s"})
                self.over.wait(0.3)
                self.say("/api/v1/resume", {"reason": "soak"})

    def reloads(self):
        """The policy's text changes, sometimes into a wrong one; tokens are rotated; a reload is asked for."""
        file, n = self.heald.folder / "policy.cfg", 0
        while not self.pause(3):
            n += 1
            file.write_text(POLICY + f"# {n}\n" if n % 4 else POLICY.replace("version", "verson"))
            if n % 2:
                self.say("/-/reload", {})
            if n % 3 == 0:
                self.rotate(f"token-{n}")
            if n % 7 == 0:
                self.cluster.forget()
        file.write_text(POLICY)

    def rotate(self, token):
        """The old token ends before the new one is known, as it may."""
        self.cluster.token = token
        self.over.wait(0.2)
        other = self.token_file.with_suffix(".next")
        other.write_text(token)
        os.replace(other, self.token_file)

    def people(self):
        while not self.pause(2):
            self.cluster.deploy(*self.random.choice(self.workloads), f"example:{self.random.randrange(10**6)}")
            self.count("deployments by people")

    def strangers(self):
        """Wrong tokens, wrong bodies, too large ones, connections that say nothing or half of it."""
        while not self.pause(0.5):
            what = self.random.randrange(6)
            try:
                if what == 0:
                    status = self.post([], token="wrong")
                elif what in (1, 2):
                    body = b'{"version":"4","alerts":[{"status":"firing","labels":{"a":"\xff"}}]}' if what == 1 else b"[" * 2000
                    status = http("POST", self.heald.url + "/webhook/alertmanager", body, token=self.heald.tokens["alertmanager"],
                                  headers={"Content-type": "application/json"}, timeout=30)[0]
                elif what == 3:
                    status = http("GET", self.heald.url + "/nothing/of/that/name", timeout=30)[0]
                else:
                    with socket.create_connection(("127.0.0.1", self.heald.port), timeout=10) as s:
                        s.sendall(b"POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n"[:20 + 20 * (what - 4)])
                        self.over.wait(0.3)
                    status = "left"
            except OSError:
                status = "cut"
            self.count(f"strangers {status}")

    # ---- all together ----

    def begin(self):
        for space, name in self.workloads:
            self.cluster.make(space, name)
        parts = [lambda m=self.workloads[i::3]: self.incidents(m) for i in range(3)]
        parts += [self.others, self.scrapes, self.operators, self.operators, self.reloads, self.people, self.strangers]
        for part in parts:
            t = threading.Thread(target=self.guarded, args=(part,), daemon=True)
            self.threads.append(t)
            t.start()

    def guarded(self, part):
        try:
            part()
        except Exception as e:  # noqa: BLE001 - told by the test
            self.problems.append(f"{type(e).__name__}: {e}")

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join(60)
