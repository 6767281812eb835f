"""A journal that cannot be written while two deliveries compete for one budget slot; SIGTERM while a write is under way."""

import os
import subprocess
import threading
import time

from cases import Skip
from lane import SETTLE, Lane, equal, http, policy, wait_until
from proxy import PASS, WAIT

ONE_SLOT = '( { actions = 1; per = "1h"; } )'
DRAIN = 2           # seconds; short, for the case in which the write takes longer
FULL_FOR = 4        # commits and probes that fail: one probe a second


class Disk:
    def __init__(self, suite, space):
        self.suite, self.space, self.cases = suite, space, []
        for k in (1, 2, 3, 4):
            self.add(f"disk full at commit {k} after two deliveries for one budget slot: nothing lost, one acts, the other is refused", self.injected, k)
        for k in (1, 2, 3):
            self.add(f"commit {k} is durable but reported as failed: nothing lost or done twice, one acts, the other is refused", self.unknown, k)
        self.add("a real disk is full when two deliveries for one budget slot arrive: 503, later one acts, the other is refused", self.real, False)
        self.add("a real disk is full when their steps are decided: nothing is written, later one acts, the other is refused", self.real, True)
        self.add("SIGTERM while a write is under way: exits 0, and the journal knows the result", self.drained)
        self.add("SIGTERM while a write takes longer than the drain time: exits 0 in time, and asks after the restart", self.parked)

    def add(self, sentence, function, *args):
        name = "d%02d" % len(self.cases)
        self.cases.append((sentence, [f"{name}a", f"{name}b"], lambda: function(name, *args)))

    def lane(self, name, **kw):
        return Lane(self.suite, name, self.space, policy({"one-slot": (f"{name}.*", ONE_SLOT)}), **kw)

    # ---- two deliveries, one slot ----

    def race(self, lane):
        """Both deliveries at the same moment: (alerts, statuses)."""
        alerts, answers, start = [lane.alert(lane.name + x) for x in "ab"], [0, 0], threading.Barrier(2)

        def send(k):
            start.wait()
            answers[k] = lane.post([alerts[k]])

        threads = [threading.Thread(target=send, args=(k,)) for k in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return alerts, answers

    def ready(self, lane):
        return http("GET", lane.heald.url + "/ready", timeout=5)[0]

    def repeat(self, lane, alerts):
        for alert in alerts:
            lane.deliver_alerts(alert)
        wait_until(f"{lane.name}: being ready again", lambda: self.ready(lane) == 200, SETTLE)

    def one_acted(self, lane):
        """The winner healed, the loser waits for the budget."""
        facts = lane.facts()
        closed = [(i, b["outcome"]) for _, kind, i, b in facts if kind == "closed"]
        refused = {i for _, kind, i, b in facts if kind == "refused" and b["guard"] == "budget"}
        return closed and refused

    def check_one_acted(self, lane, alerts):
        wait_until(f"{lane.name}: one healing and one being refused by the budget (see {lane.heald.log})", lambda: self.one_acted(lane), SETTLE)
        lane.kill()
        lane.restart()  # what was refused stays refused, what was done stays done
        time.sleep(2)
        self.repeat(lane, alerts)
        lane.check_alerts()
        facts = lane.facts()
        opened = [i for _, kind, i, _ in facts if kind == "incident_opened"]
        closed = [(i, b["outcome"]) for _, kind, i, b in facts if kind == "closed"]
        refused = {i for _, kind, i, b in facts if kind == "refused" and b["guard"] == "budget"}
        equal(len(opened), 2, f"{lane.name}: incidents")
        equal([o for _, o in closed], ["healed"], f"{lane.name}: outcomes")
        winner = closed[0][0]
        equal(refused, set(opened) - {winner}, f"{lane.name}: incidents refused by the budget")
        intents = [b for _, kind, i, b in facts if kind == "intent" and i == winner]
        equal([i for _, kind, i, _ in facts if kind == "intent" and i != winner], [], f"{lane.name}: intents of the other incident")
        lane.check_incident(winner, intents, lane.writes_by_incident(opened)[winner], "healed", "healed")
        landed = [sorted(lane.check_restarts(lane.name + x)) for x in "ab"]
        equal(sorted(map(len, landed)), [0, 1], f"{lane.name}: restarts of both workloads")
        waiting = [i["id"] for i in lane.heald.status()["open"]]
        equal(waiting, list(refused), f"{lane.name}: open incidents")
        lane.check_log()
        equal(lane.heald.stop(), 0, f"{lane.name}: exit status after SIGTERM")

    def injected(self, name, k):
        lane = self.lane(name)
        try:
            lane.begin(f"fail:journal-append:{k}+{FULL_FOR}")
            alerts, answers = self.race(lane)
            if k == 1:
                equal(answers, [503, 503], f"{name}: answers to both deliveries")
                equal(lane.facts("alert"), [], f"{name}: alerts in the journal")
            wait_until(f"{name}: not being ready", lambda: self.ready(lane) == 503, 30, 0.02)
            equal(lane.post([alerts[0]]), 503, f"{name}: answer to a delivery while the journal cannot be written")
            sent = len(lane.proxy.writes)
            known = len([1 for *_, b in lane.facts("intent")])
            assert sent <= known, f"{name}: {sent} writes were sent, {known} intents are durable"
            self.repeat(lane, alerts)
            self.check_one_acted(lane, alerts)
        finally:
            lane.end()

    def unknown(self, name, k):
        lane = self.lane(name)
        try:
            lane.begin(f"fail:journal-unknown:{k}")
            alerts, answers = self.race(lane)
            if k == 1:
                assert 503 in answers, f"{name}: answers to both deliveries: {answers}"
            self.repeat(lane, alerts)
            self.check_one_acted(lane, alerts)
        finally:
            lane.end()

    def mount(self, lane):
        """A small disk of its own for the journal."""
        folder = lane.folder / "disk"
        folder.mkdir()
        if os.geteuid() != 0:
            raise Skip("a file system of its own needs root")
        run = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True)
        if run.returncode != 0:
            raise Skip(f"no file system of its own can be had: {run.stderr.strip()}")
        (folder / "journal.db").touch(mode=0o600)
        (lane.folder / "journal.db").symlink_to(folder / "journal.db")
        return folder

    def fill(self, folder):
        with open(folder / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError as e:
                assert e.errno == 28, e  # ENOSPC

    def real(self, name, at_decision):
        lane = self.lane(name)
        folder = None
        try:
            folder = self.mount(lane)
            lane.journal = folder / "journal.db"
            lane.begin()
            equal(lane.heald.stop(), 0, f"{name}: exit status after SIGTERM")
            lane.start()
            if at_decision:
                lane.proxy.reads.clear()  # nothing can be observed, so nothing be decided
                alerts, answers = self.race(lane)
                equal(answers, [200, 200], f"{name}: answers to both deliveries")
                self.fill(folder)
                lane.proxy.reads.set()
            else:
                self.fill(folder)
                alerts, answers = self.race(lane)
                equal(answers, [503, 503], f"{name}: answers to both deliveries")
            wait_until(f"{name}: not being ready", lambda: self.ready(lane) == 503, 30, 0.02)
            time.sleep(2.5)  # it looks every second
            equal(self.ready(lane), 503, f"{name}: /ready while the disk is full")
            equal(lane.post([alerts[0]]), 503, f"{name}: answer to a delivery while the disk is full")
            equal(lane.proxy.writes, [], f"{name}: writes while the disk is full")
            (folder / "filler").unlink()
            self.repeat(lane, alerts)
            self.check_one_acted(lane, alerts)
        finally:
            lane.end()
            if folder:
                subprocess.run(["umount", "-l", str(folder)], check=False)

    # ---- SIGTERM ----

    def begin_write(self, lane, name):
        """Up to a write that the proxy holds: (alert, write)."""
        lane.begin()
        first = []
        lane.proxy.judge = lambda write: PASS if first else first.append(write) or WAIT
        alert = lane.alert(f"{name}a")
        lane.deliver_alerts(alert)
        wait_until(f"{name}: a write being sent", lambda: first, SETTLE, 0.02)
        return alert, first[0]

    def after(self, lane, name, alert):
        lane.settle()
        lane.deliver_alerts(alert.end())
        lane.check_alerts()
        lane.check_incidents()
        equal(len(lane.proxy.writes), 1, f"{name}: writes that were sent")
        equal(len(lane.check_restarts(f"{name}a")), 1, f"{name}: restarts")
        lane.check_log()
        equal(lane.heald.stop(), 0, f"{name}: exit status after SIGTERM")

    def drained(self, name):
        lane = self.lane(name)
        try:
            alert, write = self.begin_write(lane, name)
            lane.heald.process.terminate()
            wait_until(f"{name}: deliveries being refused while it drains", lambda: lane.post([alert], 2) in (0, 503), 10, 0.05)
            time.sleep(1)
            assert not lane.dead(), f"{name}: it ended with a write under way"
            write.go.set()
            equal(lane.heald.process.wait(60), 0, f"{name}: exit status after SIGTERM")
            equal([b["state"] for *_, b in lane.facts("written")], ["done"], f"{name}: results in the journal")
            lane.restart()
            self.after(lane, name, alert)
        finally:
            lane.end()

    def parked(self, name):
        lane = self.lane(name, extra=f'limits = {{ drain_time = "{DRAIN}s"; }};\n')
        try:
            alert, write = self.begin_write(lane, name)
            begin = time.monotonic()
            lane.heald.process.terminate()
            equal(lane.heald.process.wait(60), 0, f"{name}: exit status after SIGTERM")
            took = time.monotonic() - begin
            equal([b["state"] for *_, b in lane.facts("written") if b["state"] == "done"], [], f"{name}: results in the journal")
            lane.restart()
            time.sleep(1)
            write.go.set()  # it arrives late
            self.after(lane, name, alert)
            assert took < DRAIN + 5, f"{name}: the end took {took:.1f} s with a drain time of {DRAIN} s"
        finally:
            lane.end()
