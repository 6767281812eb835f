"""Random kills under load: deliveries keep coming, heald dies again and again, at least half of the times between a write sent and its answer read."""

import random
import threading
import time

from lane import LONGEST_CALL, SETTLE, Lane, equal, policy, wait_until
from proxy import LOST, PASS, UNREAD

LANES_KILLS = 25    # most kills of one lane; more lanes come after
WORKLOADS = 12      # a lane
ROUNDS = 3          # incidents a workload: its budget of an hour
OPEN_MAX = 9        # incidents that the sender keeps open
LATE_MAX = 5.0      # seconds after the restart at which a held write may arrive
CALM_AFTER = 13     # kills; then nothing is killed until writes that never arrived have been believed
WRITE_LIMIT = 60.0  # seconds to wait for a write to kill at
FATES = [(LOST, 6), (UNREAD, 3), ("never", 2)]


class Sender(threading.Thread):
    """An Alertmanager of sorts: new alerts for free workloads, repeats of open ones, resolutions of those that ended; each again until its 2xx."""

    def __init__(self, lane, names, rnd):
        super().__init__(daemon=True)
        self.lane, self.rnd, self.stop = lane, rnd, threading.Event()
        self.rounds = {name: 0 for name in names}
        self.firing = {}  # workload -> its alerts
        self.pending = [] # not answered 2xx yet
        self.tokens = 3   # new incidents that it may still cause: kills bring more
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
        if not free or len(self.firing) >= OPEN_MAX or self.tokens <= 0:
            return []
        self.tokens -= 1
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
        self.lane = self.sender = None
        self.counts = {"by time": 0, LOST: 0, UNREAD: 0, "never": 0}

    def deploy(self):
        self.space = self.suite.space(self.name)
        self.suite.deploy(self.space, self.names)

    def prepare(self):
        self.suite.wait_deployed(self.space, self.names)
        # a heald does at most 5 disruptive steps at one time in an environment: three of them
        text = policy({e: (f"{e}.*", '"none"') for e in "abc"})
        self.lane = Lane(self.suite, self.name, self.space, text).begin()
        self.killer = Killer(self.rnd)
        self.lane.proxy.judge = self.killer.judge
        self.sender = Sender(self.lane, self.names, random.Random(self.rnd.random()))

    def kill_at_write(self):
        fate, limit = self.killer.arm(), time.monotonic() + WRITE_LIMIT
        while not self.killer.hit.wait(2):
            self.sender.tokens += 1
            assert time.monotonic() < limit, f"{self.name}: no write comes by: {self.counts}, rounds {self.sender.rounds}, sender {self.sender.error}"
        self.lane.wait_dead("at a write")
        self.counts[fate] += 1
        write = self.killer.write if fate == LOST else None
        time.sleep(self.rnd.uniform(0, 0.2))
        self.lane.restart(write, self.rnd.uniform(0, LATE_MAX))

    def kill_by_time(self):
        time.sleep(self.rnd.uniform(0, 2.5))
        assert self.lane.kill(), f"{self.name}: heald died by itself (see {self.lane.heald.log})"
        self.counts["by time"] += 1
        self.lane.restart()

    def at_writes(self):
        return sum(n for what, n in self.counts.items() if what != "by time")

    def storm(self):
        self.sender.start()
        for k in range(self.kills):
            self.sender.tokens += 1
            left, wanted = self.kills - k, (self.kills + 1) // 2 - self.at_writes()
            if self.rnd.random() < 0.6 or wanted >= left:
                self.kill_at_write()
            else:
                self.kill_by_time()
            if k + 1 == CALM_AFTER:
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
        replica_sets = lane.replica_sets()
        restarts = sum(len(lane.check_restarts(name, replica_sets)) for name in self.names)
        equal(restarts, len(opened), f"{self.name}: restarts in the cluster, and incidents that healed")
        lane.check_log()
        equal(lane.heald.stop(), 0, f"{self.name}: exit status after SIGTERM")
        return opened


class Load:
    """`lanes` at the same time; many kills take several waves of them, each with workloads of its own."""

    def __init__(self, suite, lanes, kills, seed):
        self.suite, self.wanted, self.at_once = suite, kills, lanes
        count = max(lanes, -(-kills // LANES_KILLS))
        shares = [kills // count + (k < kills % count) for k in range(count)]
        self.lanes = [LoadLane(suite, k, n, seed) for k, n in enumerate(shares) if n]
        self.errors = {}

    def deploy(self):
        """The first wave's workloads, ahead of time."""
        for lane in self.lanes[: self.at_once]:
            lane.deploy()

    def go(self, lane):
        try:
            lane.run()
        except BaseException as e:  # noqa: BLE001 - a failure of the case
            self.errors[lane.name] = e

    def wave(self, cases, lanes):
        threads = [threading.Thread(target=self.go, args=(lane,), daemon=True) for lane in lanes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for lane in lanes:
            cases.check(f"{lane.name}: {lane.kills} random kills under load: no alert lost, no effect repeated, one annotation each, all healed",
                        lambda lane=lane: self.check(lane))
            if lane.lane:
                lane.lane.end()
            if not self.suite.args.keep:
                self.suite.world.kubectl("delete", "namespace", lane.space, "--wait=false", check=False)

    def check(self, lane):
        if lane.name in self.errors:
            raise self.errors[lane.name]
        return lane.check()

    def run(self, cases):
        for first in range(0, len(self.lanes), self.at_once):
            lanes = self.lanes[first : first + self.at_once]
            for lane in lanes if first else []:
                lane.deploy()
            self.wave(cases, lanes)
        cases.check(f"of {self.wanted} random kills at least half hit a write on its way", self.halves)

    def halves(self):
        total = {what: sum(lane.counts[what] for lane in self.lanes) for what in self.lanes[0].counts}
        at_writes = sum(lane.at_writes() for lane in self.lanes)
        senders = [lane.sender for lane in self.lanes if lane.sender]
        print(f"        kills: {total}; {at_writes} of {sum(total.values())} at writes; {sum(s.posts for s in senders)} deliveries, "
              f"{sum(s.refused for s in senders)} of them unanswered or refused", flush=True)
        equal(sum(total.values()), self.wanted, "kills")
        assert at_writes * 2 >= self.wanted, f"only {at_writes} of {self.wanted} kills hit a write"
