"""A rule that is in shadow is moved to act, and back, by one word of a policy that a running heald has in force; nothing else changes."""

from datetime import datetime, timedelta, timezone

from cases import equal
from cluster_stand_in import Cluster
from world import http, wait_until

POLICY = """version = 1;
environments = ( { name = "shop"; match = [ "namespace=shop" ]; mode = "act"; own_rollouts = true; workload_budget = "none"; } );
rules = (
  { name = "new";     match = [ "alertname=New" ];     target = { from = "deployment"; }; plan = "restart"; cooldown = "none"; attempts = "none"; mode = "%s"; },
  { name = "trusted"; match = [ "alertname=Trusted" ]; target = { from = "deployment"; }; plan = "restart"; cooldown = "none"; attempts = "none"; }
);
plans = { restart = { steps = ( { do = "restart"; verify = { alert = "ignore"; hold = "1s"; within = "1m"; every = "1s"; }; } ); }; };
"""
SHADOW, ACT = POLICY % "dry_run", POLICY % "act"


class Shadow:
    def __init__(self, make, folder):
        self.cluster = Cluster("shop/new", "shop/trusted")
        self.heald = make(SHADOW, self.cluster.kubeconfig(folder / "shadow.kubeconfig"))
        self.file = self.heald.folder / "policy.cfg"
        self.seconds = 0

    def post(self, name, starts, ends=None):
        def text(t):
            return t.strftime("%Y-%m-%dT%H:%M:%SZ") if t else "0001-01-01T00:00:00Z"

        alert = {"status": "resolved" if ends else "firing", "labels": {"alertname": name.capitalize(), "namespace": "shop", "deployment": name}, "annotations": {},
                 "startsAt": text(starts), "endsAt": text(ends)}
        body = {"version": "4", "groupKey": "k", "truncatedAlerts": 0, "receiver": "r", "status": alert["status"], "alerts": [alert]}
        equal(http("POST", self.heald.url + "/webhook/alertmanager", body, token=self.heald.tokens["alertmanager"])[0], 200, "status of the webhook")

    def fire(self, name):
        """The incident that the next alert of this name leads to, when it has ended; how many writes the cluster saw of it."""
        self.seconds += 1  # each alert has a startsAt of its own
        starts = datetime.now(timezone.utc) - timedelta(seconds=100 - self.seconds)
        known, patches = {i["id"] for i in self.heald.status()["recent"]}, len(self.cluster.patches)
        self.post(name, starts)
        incident = wait_until(f"the incident of {name} ending", lambda: [i for i in self.heald.closed(name) if i["id"] not in known], 60)[0]
        self.post(name, starts, datetime.now(timezone.utc))
        written = self.cluster.patches[patches:]
        assert all(n == f"shop/{name}" for n, _ in written), f"writes for {name}: {written}"
        return incident, len(written)

    def observes(self, name):
        incident, written = self.fire(name)
        equal((incident["outcome"], incident["writes"], written), ("observed", 0, 0), "outcome, writes, and writes that the cluster saw, of a rule in shadow")
        assert "would do restart" in incident["reason"], f"it says what it would have done: {incident['reason']!r}"

    def acts(self, name):
        incident, written = self.fire(name)
        equal((incident["outcome"], incident["writes"], written), ("healed", 1, 1),
              f"outcome, writes, and writes that the cluster saw, of a rule that acts ({incident['reason']})")

    def edit(self, text):
        before, pid = self.heald.status()["policy"], self.heald.process.pid
        self.file.write_text(text)
        wait_until("the edited policy being in force", lambda: self.heald.status()["policy"] != before, 15)
        equal((self.heald.process.poll(), self.heald.process.pid), (None, pid), "the process")

    def facts(self):
        return self.heald.facts("select seq, at_ms, kind, incident, body from fact order by seq")

    def in_shadow(self):
        self.observes("new")
        self.acts("trusted")

    def to_act(self):
        equal([a for a, b in zip(SHADOW.split(), ACT.split()) if a != b], ['"dry_run";'], "words that differ")
        before, patches = self.facts(), len(self.cluster.patches)
        self.edit(ACT)
        equal(len(self.cluster.patches), patches, "writes because of the edit alone")
        equal([f["kind"] for f in self.facts()[len(before):]], ["policy"], "facts because of the edit")
        self.acts("new")
        self.acts("trusted")
        equal(self.facts()[:len(before)], before, "facts from before")
        assert not self.heald.status()["paused"], "it goes on"

    def and_back(self):
        self.edit(SHADOW)
        self.observes("new")
        self.acts("trusted")


def shadow(c, make, folder):
    """`make(policy, kubeconfig)` makes a heald that is not started yet."""
    s = Shadow(make, folder)
    s.heald.start()
    s.heald.resume()
    try:
        c.check("a rule in shadow says what it would do, while another one acts", s.in_shadow)
        c.check("one word moves it to act in a running heald, and nothing else changes", s.to_act)
        c.check("one word moves it back", s.and_back)
    finally:
        s.heald.stop()
        s.cluster.end()
