"""Each named point once: heald dies there, is started again, and the outcome is the one that it would have been."""

from lane import LONGEST_CALL, RESTARTED, SETTLE, Lane, equal, policy, wait_until
from proxy import LOST, PASS, UNREAD

# (point, what has happened when heald dies there)
POINTS = [
    ("alert-committed", "the alert is durable, its sender has no answer"),
    ("alert-committed:2", "the same for the alert's resolution"),
    ("observe-started", "the first question is out"),
    ("intent-committed", "the intent is durable, its write not begun"),
    ("answer-read", "the write's answer is read, not recorded"),
    ("result-committed", "the result is durable"),
    ("verdict-committed", "the verdict is durable"),
    ("closed-committed", "the incident has ended, nobody was told"),
    ("annotation-sent", "Grafana has the annotation, heald not its id"),
    ("annotation-sent:2", "Grafana has the change of the annotation"),
    ("annotation-answered", "the id was read, not recorded"),
    ("told-committed", "the id is durable"),
    ("told-committed:2", "a later revision is known to be told"),
]


class Once:
    """Judge: the first write meets this fate, all others pass."""

    def __init__(self, fate):
        self.fate, self.write = fate, None

    def __call__(self, write):
        if self.write:
            return PASS
        self.write = write
        return self.fate


class Points:
    def __init__(self, suite, space):
        self.suite, self.space = suite, space
        self.cases = []  # (sentence, workloads, function)
        for point, what in POINTS:
            self.add(f"killed at {point} ({what}): one effect, one annotation, healed", self.at_point, point)
        for delay in (0, 2.5, 5):
            self.add(f"killed with the write sent, which arrives {delay} s after the restart: one effect, healed", self.late, delay)
        self.add("killed with the write done and its answer unread: one effect, healed", self.unread)
        self.add("killed with the write lost on its way: it is written once more, healed", self.lost)
        self.add("killed twice while a write is on its way: one effect, healed", self.twice)
        self.add("write lost, and somebody labelled the object: written once more, healed", self.labelled)
        self.add("write lost, and somebody changed the template: not written again, and the outcome is unknown", self.changed, True)
        self.add("write late, and somebody changed the template: it is refused by its precondition, and the outcome is unknown", self.changed, False)
        self.add("a rollback that arrives 2.5 s after the restart: one effect, healed", self.rollback, LOST, 2.5)
        self.add("a rollback whose answer was not read: one effect, healed", self.rollback, UNREAD, None)
        self.add("a pod's deletion that arrives 1 s after the restart: one pod deleted, healed", self.delete_pod, LOST, 1)
        self.add("a pod's deletion whose answer was not read: one pod deleted, healed", self.delete_pod, UNREAD, None)
        self.add("a scaling that arrives 1 s after the restart: one effect, healed", self.scale, LOST, 1)

    def add(self, sentence, function, *args):
        name = "p%02d" % len(self.cases)
        self.cases.append((sentence, [name], lambda: function(name, *args)))

    # ---- the frame of every case ----

    def lane(self, name, fault=None, text=None):
        return Lane(self.suite, name, self.space, text).begin(fault)

    def finish(self, lane, alert, wanted=None):
        lane.settle()
        lane.deliver_alerts(alert.end())
        wait_until(f"{lane.name}: the resolution being durable", lambda: [b for *_, b in lane.facts("alert") if b["status"] == "resolved"], SETTLE)
        lane.check_alerts()
        opened = lane.check_incidents(wanted)
        lane.check_log()
        equal(lane.heald.stop(), 0, f"{lane.name}: exit status after SIGTERM")
        return opened

    def restarts(self, lane, name, wanted=1):
        landed = lane.check_restarts(name)
        equal(len(landed), wanted, f"{lane.name}: restarts of {name}")

    # ---- cases ----

    def at_point(self, name, point):
        lane = self.lane(name, f"kill:{point}")
        try:
            alert = lane.alert(name)
            if point == "alert-committed:2":
                lane.deliver_alerts(alert)
                wait_until(f"{name}: the incident ending", lambda: lane.closed(), SETTLE)
                last = alert.end()
            else:
                last = alert
            answer = lane.post([last])
            if point.startswith("alert-committed"):
                equal(answer, 0, f"{name}: answer to the delivery")
            lane.wait_dead(f"at {point}")
            lane.restart()
            lane.deliver_alerts(last)  # its sender repeats it
            self.finish(lane, alert)
            self.restarts(lane, name)
        finally:
            lane.end()

    def begin_with(self, name, fate, alertname="Broken", text=None, before=None, **labels):
        """Up to heald's death at its first write: (lane, alert, write)."""
        lane = self.lane(name, text=text)
        try:
            if before:
                before(lane)
            lane.proxy.judge = Once(fate)
            alert = lane.alert(name, alertname, **labels)
            lane.deliver_alerts(alert)
            lane.wait_dead("at its write")
            return lane, alert, lane.proxy.judge.write
        except BaseException:
            lane.end()
            raise

    def late(self, name, delay):
        lane, alert, write = self.begin_with(name, LOST)
        try:
            lane.restart(write, delay)
            self.finish(lane, alert)
            equal(write.status, 200, f"{name}: answer to the late write")
            equal(len(lane.proxy.writes), 1, f"{name}: writes that were sent")
            self.restarts(lane, name)
        finally:
            lane.end()

    def unread(self, name):
        lane, alert, _ = self.begin_with(name, UNREAD)
        try:
            lane.restart()
            self.finish(lane, alert)
            equal(len(lane.proxy.writes), 1, f"{name}: writes that were sent")
            self.restarts(lane, name)
        finally:
            lane.end()

    def lost(self, name):
        lane, alert, _ = self.begin_with(name, LOST)
        try:
            lane.restart()
            self.finish(lane, alert)
            equal([w.status for w in lane.proxy.writes], [0, 200], f"{name}: answers to its writes")
            first, second = lane.proxy.writes
            assert second.at - lane.started >= LONGEST_CALL - 1, f"{name}: written again {second.at - lane.started:.1f} s after the restart: a write may be that late"
            equal([first.body["spec"], second.body["spec"]], [second.body["spec"]] * 2, f"{name}: what both writes say")
            self.restarts(lane, name)
        finally:
            lane.end()

    def twice(self, name):
        lane, alert, write = self.begin_with(name, LOST)
        try:
            lane.restart()
            wait_until(f"{name}: it asking the cluster", lambda: [i for i in lane.heald.status()["open"] if i["state"] == "asking"], 30, 0.05)
            lane.kill()
            lane.restart(write, 3)
            self.finish(lane, alert)
            equal(len(lane.proxy.writes), 1, f"{name}: writes that were sent")
            self.restarts(lane, name)
        finally:
            lane.end()

    def labelled(self, name):
        lane, alert, _ = self.begin_with(name, LOST)
        try:
            lane.world.kubectl("-n", self.space, "label", "deployment", name, "seen=yes")
            lane.restart()
            self.finish(lane, alert)
            equal([w.status for w in lane.proxy.writes], [0, 200], f"{name}: answers to its writes")
            self.restarts(lane, name)
        finally:
            lane.end()

    def changed(self, name, drop):
        lane, alert, write = self.begin_with(name, LOST)
        try:
            lane.world.kubectl("-n", self.space, "set", "env", f"deployment/{name}", "CHANGED=yes")
            if drop:
                lane.restart()
            else:
                lane.restart(write, 2)
            lane.settle()
            incident = [i for _, _, i, _ in lane.facts("incident_opened")][0]
            self.finish(lane, alert, {incident: "unknown"})
            equal([w.status for w in lane.proxy.writes], [0 if drop else 409], f"{name}: answers to its writes")
            template = lane.world.get("-n", self.space, "deployment", name)["spec"]["template"]
            assert RESTARTED not in template["metadata"].get("annotations", {}), f"{name}: the object was restarted although it had been changed"
        finally:
            lane.end()

    def broken(self, name):
        """The new template's pod cannot start, and the Deployment has nothing more to say about it."""
        status = self.suite.world.get("-n", self.space, "deployment", name)["status"]
        return status.get("updatedReplicas") == 1 and status.get("replicas") == 1 and status.get("unavailableReplicas") == 1

    def rollback(self, name, fate, delay):
        def prove_then_change(lane):
            wait_until(f"{name}: its template being proven", lambda: [b for *_, b in lane.facts("proven") if b["name"] == name], SETTLE)
            lane.world.kubectl("-n", self.space, "set", "image", f"deployment/{name}", "pause=heald.local/no-such-image:1")
            wait_until(f"{name}: its new pod failing", lambda: self.broken(name), SETTLE)

        lane, alert, write = self.begin_with(name, fate, "Changed", policy(well_for="1s"), prove_then_change)
        try:
            lane.restart(write if fate == LOST else None, delay)
            self.finish(lane, alert)
            equal([w.status for w in lane.proxy.writes], [200], f"{name}: answers to its writes")
            image = lane.world.get("-n", self.space, "deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"]
            equal(image, "heald.local/pause:1", f"{name}: image")
            sets = lane.world.get("-n", self.space, "replicasets", "-l", f"app={name}")["items"]
            equal(len(sets), 2, f"{name}: ReplicaSets (the proven one and the changed one, none by heald)")
        finally:
            lane.end()

    def pods(self, name):
        pods = self.suite.world.get("-n", self.space, "pods", "-l", f"app={name}")["items"]
        return {p["metadata"]["uid"]: p["metadata"]["name"] for p in pods if not p["metadata"].get("deletionTimestamp")}

    def delete_pod(self, name, fate, delay):
        before = self.pods(name)
        equal(len(before), 1, f"{name}: pods")
        lane, alert, write = self.begin_with(name, fate, "Stuck", pod=next(iter(before.values())))
        try:
            lane.restart(write if fate == LOST else None, delay)
            self.finish(lane, alert)
            equal([(w.method, w.status) for w in lane.proxy.writes], [("DELETE", 200)], f"{name}: its writes")
            after = self.pods(name)
            assert len(after) == 1 and not set(after) & set(before), f"{name}: pods {before} became {after}"
        finally:
            lane.end()

    def scale(self, name, fate, delay):
        lane, alert, write = self.begin_with(name, fate, "Small")
        try:
            lane.restart(write if fate == LOST else None, delay)
            self.finish(lane, alert)
            equal([w.status for w in lane.proxy.writes], [200], f"{name}: answers to its writes")
            equal(lane.world.get("-n", self.space, "deployment", name)["spec"]["replicas"], 2, f"{name}: replicas")
        finally:
            lane.end()
