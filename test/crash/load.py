"""Random kills under load: deliveries keep coming, heald dies again and again, at least half of the times between a write sent and its answer read."""

import random
import threading
import time

from lane import LONGEST_CALL, SETTLE, Lane, equal, policy, wait_until
from proxy import LOST, PASS, UNREAD

WORKLOADS = 9       # a lane
ROUNDS = 3          # incidents a workload: its budget of an hour
OPEN_MAX = 7        # incidents that the sender keeps open
LATE_MAX = 5.0      # seconds after the restart at which a held write may arrive
CALM_EVERY = 9      # kills; then nothing is killed until writes that never arrived have been believed
WRITE_LIMIT = 20.0  # seconds to wait for a write to kill at
FATES = [(LOST, 6), (UNREAD, 3), ("never", 2)]


class Sender(threading.Thread):
    """An Alertmanager of sorts: new alerts for free workloads, repeats of open ones, resolutions of those that ended; each again until its 2xx."""

    def __init__(self, lane, names, rnd):
        super().__init__(daemon=True)
        self.lane, self.rnd, self.stop = lane, rnd, threading.Event()
        self.rounds = {name: 0 for name in names}
        self.firing = {}  # workload -> its alerts
        self.pending = [] # not answered 2xx yet
        self.posts = self.refused = 0
        self.error = None

    def ended(self):
        """Workloads whose open incidents have all ended, by the journal."""
        open_of, merged, closed = {}, {}, set()
        for _, kind, incident, body in self.lane.facts():
            if kind == "alert" and incident and body["status"] == "firing":
                open_of.setdefault((body["labels"]["deployment"], body["labels"]["round"]), set()).add(incident)
            elif kind == "merged":
                merged[incident] = body["into"]
            elif kind == "closed":
                closed.add(incident)
        out = []
        for name, alerts in self.firing.items():
            incidents = {merged.get(i, i) for i in open_of.get((name, alerts[0].labels["round"]), ())}
            if incidents and incidents <= closed and all(a.state in self.lane.accepted for a in alerts):
                out.append(name)
        return out

    def new_alerts(self):
        free = [n for n, rounds in self.rounds.items() if n not in self.firing and rounds < ROUNDS]
        if not free or len(self.firing) >= OPEN_MAX:
            return []
        name = self.rnd.choice(free)
        self.rounds[name] += 1
        twins = 2 if self.rounds[name] == 1 and self.rnd.random() < 0.3 else 1  # two alerts of one rule and target are one incident
        self.firing[name] = [self.lane.alert(name, round=str(self.rounds[name]), twin=str(k)) for k in range(twins)]
        return self.firing[name]

    def turn(self):
        alerts = list(self.pending)
        if not self.stop.is_set():
            alerts += self.new_alerts()
        for name in self.ended():
            alerts += [a.end() for a in self.firing.pop(name)]
        repeats = [a for group in self.firing.values() for a in group if a not in alerts and self.rnd.random() < 0.3]
        if not alerts + repeats:
            return
        self.pending = alerts
        self.posts += 1
        if 200 <= self.lane.post(alerts + repeats, 5) < 300:
            self.pending = []
        else:
            self.refused += 1

    def run(self):
        try:
            while not self.stop.is_set() or self.pending or self.firing:
                self.turn()
                time.sleep(self.rnd.uniform(0.1, 0.7))
        except BaseException as e:  # noqa: BLE001 - told by the lane
            self.error = e


class Killer:
    """Arms the proxy for the n-th write from now on."""

    def __init__(self, rnd):
        self.rnd, self.lock, self.armed, self.hit = rnd, threading.Lock(), None, threading.Event()
        self.write = None

    def arm(self):
        fates = [f for f, weight in FATES for _ in range(weight)]
        with self.lock:
            self.write, self.armed = None, [self.rnd.randrange(2), self.rnd.choice(fates)]
            self.hit.clear()
            return self.armed[1]

    def disarm(self):
        with self.lock:
            self.armed = None

    def judge(self, write):
        with self.lock:
            if not self.armed:
                return PASS
            if self.armed[0] > 0:
                self.armed[0] -= 1
                return PASS
            fate, self.armed, self.write = self.armed[1], None, write
            self.hit.set()
            return UNREAD if fate == UNREAD else LOST


class LoadLane:
    def __init__(self, suite, index, kills, seed):
        self.name, self.kills, self.rnd = f"load-{index}", kills, random.Random(seed * 1000 + index)
        self.suite, self.names = suite, [f"{'abc'[k % 3]}{k}" for k in range(WORKLOADS)]
        self.counts = {"by time": 0, LOST: 0, UNREAD: 0, "never": 0}

    def deploy(self):
        self.space = self.suite.space(self.name)
        self.suite.deploy(self.space, self.names)

    def prepare(self):
        self.suite.wait_deployed(self.space)
        # a heald does at most 5 disruptive steps at one time in an environment: three of them
        text = policy({e: (f"{e}.*", '"none"') for e in "abc"})
        self.lane = Lane(self.suite, self.name, self.space, text).begin()
        self.killer = Killer(self.rnd)
        self.lane.proxy.judge = self.killer.judge
        self.sender = Sender(self.lane, self.names, random.Random(self.rnd.random()))

    def kill_at_write(self):
        """False when no write came by."""
        fate = self.killer.arm()
        if not self.killer.hit.wait(WRITE_LIMIT):
            self.killer.disarm()
            if not self.killer.hit.is_set():
                return False
        self.lane.wait_dead("at a write")
        self.counts[fate] += 1
        write = self.killer.write if fate == LOST else None
        time.sleep(self.rnd.uniform(0, 0.2))
        self.lane.restart(write, self.rnd.uniform(0, LATE_MAX))
        return True

    def kill_by_time(self):
        time.sleep(self.rnd.uniform(0, 2.5))
        assert self.lane.kill(), f"{self.name}: heald died by itself (see {self.lane.heald.log})"
        self.counts["by time"] += 1
        self.lane.restart()

    def at_writes(self):
        return sum(n for what, n in self.counts.items() if what != "by time")

    def storm(self):
        self.sender.start()
        missed = 0
        while self.lane.kills < self.kills:
            left, wanted = self.kills - self.lane.kills, (self.kills + 1) // 2 - self.at_writes()
            if self.rnd.random() < 0.6 or wanted >= left:
                if not self.kill_at_write():
                    missed += 1
                    assert missed < 5, f"{self.name}: no writes come any more: {self.counts}, sender: {self.sender.rounds}, {self.sender.error}"
            else:
                self.kill_by_time()
            if self.lane.kills % CALM_EVERY == 0:
                time.sleep(LONGEST_CALL + 3)

    def finish(self):
        self.sender.stop.set()
        self.sender.join(SETTLE)
        assert not self.sender.is_alive(), f"{self.name}: these never ended: {list(self.sender.firing)} (see {self.lane.heald.log})"
        if self.sender.error:
            raise self.sender.error
        self.lane.settle()

    def run(self):
        self.prepare()
        self.storm()
        self.finish()

    def check(self):
        lane = self.lane
        lane.check_alerts()
        opened = lane.check_incidents()
        restarts = sum(len(lane.check_restarts(name)) for name in self.names)
        equal(restarts, len(opened), f"{self.name}: restarts in the cluster, and incidents that healed")
        lane.check_log()
        equal(lane.heald.stop(), 0, f"{self.name}: exit status after SIGTERM")
        return opened


class Load:
    def __init__(self, suite, lanes, kills, seed):
        shares = [kills // lanes + (k < kills % lanes) for k in range(lanes)]
        self.lanes = [LoadLane(suite, k, n, seed) for k, n in enumerate(shares) if n]
        self.wanted = kills

    def deploy(self):
        for lane in self.lanes:
            lane.deploy()

    def run(self, cases):
        errors = {}

        def go(lane):
            try:
                lane.run()
            except BaseException as e:  # noqa: BLE001 - a failure of the case
                errors[lane.name] = e

        threads = [threading.Thread(target=go, args=(lane,), daemon=True) for lane in self.lanes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

        def survived():
            for e in errors.values():
                raise e
            total = {what: sum(lane.counts[what] for lane in self.lanes) for what in self.lanes[0].counts}
            at_writes = sum(lane.at_writes() for lane in self.lanes)
            posts = sum(lane.sender.posts for lane in self.lanes)
            print(f"        kills: {total}; {at_writes} of {sum(total.values())} at writes; {posts} deliveries, "
                  f"{sum(lane.sender.refused for lane in self.lanes)} of them unanswered or refused", flush=True)
            equal(sum(total.values()), self.wanted, "kills")
            assert at_writes * 2 >= self.wanted, f"only {at_writes} of {self.wanted} kills hit a write"

        cases.check(f"{self.wanted} random kills under load, half of them at writes: everything settles", survived)
        for lane in self.lanes:
            if lane.name not in errors:
                cases.check(f"{lane.name}: no alert lost, no effect repeated, one annotation each, all healed", lane.check)
            if hasattr(lane, "lane"):
                lane.lane.end()
