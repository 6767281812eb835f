#!/usr/bin/env python3
"""Policies by `heald check` and `heald test`: policy.py PROGRAM [PLANS [SEED]]. The shipped ones have to be right; and `heald test` has to notice what is not.
Ends with `N passed, N failed, N skipped`."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "test" / "kit"))
sys.path.insert(0, str(HERE))
from broken import broken_policies  # noqa: E402
from cases import Cases, Skip, equal  # noqa: E402
from constructs import missing  # noqa: E402
from plans import play  # noqa: E402

SHIPPED = sorted((ROOT / "rules" / "policies").glob("*.cfg"))
TESTS = sorted((ROOT / "rules" / "policies" / "tests").glob("*.cfg"))
OBJECT = 'objects = ( { namespace = "shop"; name = "web"; } );'
BREAKS = '{ at = "10m"; object = "shop/web"; breaks = "Hang"; mended_by = [ "restart" ]; }'
FIRES = '{ at = "12m"; fires = { alertname = "Crash"; namespace = "shop"; pod = "web-1"; }; quiet_with = "shop/web"; }'


class Tool:
    def __init__(self, program):
        self.program = str(Path(program).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="heald policy "))
        (self.folder / "act.cfg").write_text((HERE / "act.cfg").read_text())
        (self.folder / "deployment.yaml").write_text((HERE / "deployment.yaml").read_text())

    def run(self, *args):
        return subprocess.run([self.program, *[str(a) for a in args]], capture_output=True, text=True)

    def accepted(self, file):
        run = self.run("check", "--policy", file, "--strict")
        equal(run.returncode, 0, f"exit status ({run.stderr})")

    def refuses(self, broken):
        (self.folder / "p.cfg").write_text(broken.policy())
        for file, text in (("heald.cfg", broken.config), ("token", "one"), ("token2", "two")):
            (self.folder / file).unlink(missing_ok=True)
            if text:
                (self.folder / file).write_text(text)
        run = subprocess.run([self.program, "check", "--policy", "p.cfg", "--strict"], capture_output=True, text=True, cwd=self.folder)
        equal(run.returncode, 1, "exit status")
        equal(broken.heard(run.stdout, run.stderr, "p.cfg"), broken.told, "what it says")

    def passes(self, file):
        run = self.run("test", file)
        equal(run.returncode, 0, f"exit status:\n{run.stdout}{run.stderr}")
        assert not run.stdout.endswith("0 passed, 0 failed, 0 skipped\n"), "it ran nothing"
        return int(run.stdout.splitlines()[-1].split()[0])

    def plays(self, test, head='version = 1; policy = "act.cfg";'):
        """What comes of a test file with this one test."""
        file = self.folder / "t.cfg"
        file.write_text(f"{head}\ntests = ( {{ name = \"t\"; {test} }} );\n")
        return self.run("test", file)

    def fails(self, test, *words, **kw):
        run = self.plays(test, **kw)
        equal(run.returncode, 1, f"exit status:\n{run.stdout}")
        for word in words:
            assert word in run.stdout, f"{word!r} should be in:\n{run.stdout}"


def notices(t):
    t.fails(f'{OBJECT} events = ( {BREAKS}, {FIRES} ); expect = ( {{ do = "restart"; }} );', "+ ", "outcome healed")
    t.fails(f'{OBJECT} events = ( {BREAKS}, {FIRES} ); expect = ( {{ do = "restart"; }}, {{ outcome = "escalated"; }} );', "- outcome escalated")
    t.fails(f'{OBJECT} events = ( {BREAKS}, {FIRES} ); expect = ( {{ outcome = "healed"; }}, {{ do = "restart"; }} );', "- do restart")
    t.fails(f'{OBJECT} events = ( {BREAKS}, {FIRES} ); expect = ( {{ do = "restart"; by = "11m"; }}, {{ outcome = "healed"; }} );', "- do restart by 11m")
    t.fails(f'{OBJECT} events = ( {BREAKS}, {FIRES} ); expect = ( {{ do = "restart"; step = "steps.0"; }}, {{ outcome = "healed"; }} );', "steps.0")
    t.fails(f'{OBJECT} events = ( {BREAKS} ); expect = ( {{ rule = "crash"; }} );', "- rule crash")


def refuses(t):
    t.fails(f'{OBJECT} events = ( {{ at = "1m"; }} );', "t.cfg:2", "nothing happens here")
    t.fails(f'{OBJECT} expect = ( {{ by = "1m"; }} );', "nothing is expected here")
    t.fails(f'{OBJECT} evnts = ( );', 'did you mean "events"?')
    t.fails('objects = ( { namespace = "shop"; } );', "the object has no name")
    t.fails(f'{OBJECT} events = ( {{ at = "1m"; object = "shop/wep"; mends = true; }} );', 'there is no object "shop/wep"')
    t.fails(f'{OBJECT} events = ( {{ at = "1m"; say = "approve"; }} );', "no incident is open")
    t.fails(OBJECT, "nowhere.cfg", head='version = 1; policy = "nowhere.cfg";')
    t.fails('objects = ( { manifest = "nowhere.yaml"; } );', "nowhere.yaml")
    t.fails('objects = ( { name = "api"; } ); events = ( { at = "1m"; manifest = "deployment.yaml"; } );', '"shop/web", which is not among "objects"')


def manifests(t):
    run = t.plays('objects = ( { manifest = "deployment.yaml"; } ); events = ( ' + BREAKS.replace('"restart"', '"rollback"').replace("breaks", 'deploys = "v2"; breaks') + ", "
                  + FIRES + ' ); expect = ( { target = "shop/Deployment/web"; }, { refused = "ownership"; says = "Helm release shop"; }, { do = "restart"; }, '
                  '{ outcome = "escalated"; } );')
    equal(run.returncode, 0, f"exit status:\n{run.stdout}")


PROMETHEUS_RULES = """groups:
- name: shop
  interval: 30s
  rules:
  - { alert: Slow, expr: 'rate(requests_total[20m]) > 1', keep_firing_for: 2m, labels: { severity: warning } }
  - { alert: Quick, expr: 'up == 0', labels: { severity: critical } }
"""


def rule(name, plan, *match):
    return f'{{ name = "{name}"; match = [ {", ".join(match)} ]; target = {{ from = "deployment"; }}; plan = "{plan}"; }}'


def asks_prometheus(t):
    """A real Prometheus is asked for the timing of its own alerts."""
    if not shutil.which("prometheus"):
        raise Skip("there is no prometheus here: deploy/local/tools build")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (t.folder / "rules.yml").write_text(PROMETHEUS_RULES)
    (t.folder / "prometheus.yml").write_text("global: { scrape_interval: 1h }\nrule_files: [ rules.yml ]\n")
    (t.folder / "live.cfg").write_text(f'journal = "journal.db"; policy = "p.cfg"; prometheus = {{ url = "http://127.0.0.1:{port}"; }};\n')
    rules = [rule("slow", "twenty", '"alertname=Slow"'), rule("critical", "five", '"alertname=~\\"Slow|Quick\\""', '"severity=critical"'),
             rule("none", "five", '"alertname=Other"'), rule("any", "ten", '"namespace=shop"')]
    plans = [f'{n} = {{ steps = ( {{ do = "restart"; verify = {{ hold = "1m"; within = "{w}"; }}; }} ); }};\n' for n, w in (("twenty", "20m"), ("five", "5m"), ("ten", "10m"))]
    (t.folder / "p.cfg").write_text('version = 1; environments = ( { name = "e"; match = [ "namespace=shop" ]; mode = "act"; } );\n'
                                    f'rules = ( {", ".join(rules)} );\nplans = {{\n{"".join(plans)}}};\n')

    def live():
        return subprocess.run([t.program, "check", "--config", "live.cfg", "--live"], capture_output=True, text=True, cwd=t.folder)

    run = live()
    equal(run.returncode, 3, f"exit status while nobody answers ({run.stderr})")
    with (t.folder / "prometheus.log").open("w") as log:
        prometheus = subprocess.Popen(["prometheus", "--config.file", "prometheus.yml", "--storage.tsdb.path", "data", "--web.listen-address", f"127.0.0.1:{port}"],
                                      cwd=t.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while (run := live()).returncode == 3 and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        prometheus.terminate()
        prometheus.wait()
    equal(run.returncode, 1, f"exit status:\n{run.stdout}{run.stderr}")
    told = [line for line in (run.stderr + run.stdout).splitlines() if line.startswith("p.cfg:")]
    equal(told, [
        'p.cfg:4: within = 20m is over before alert "Slow" of rule "slow" can be quiet: it may fire for 23m more (its query looks back 20m, keep_firing_for = 2m, '
        'two evaluations of 30s), and then twice "hold"; write at least within = "25m" [short-within]',
        'p.cfg:2: warning: Prometheus has no alert that rule "none" could take, and nothing is done about one that does not fire there [unknown-alert]',
        'p.cfg:6: warning: within = 10m is over before alert "Slow" of rule "any" can be quiet: it may fire for 23m more (its query looks back 20m, keep_firing_for = 2m, '
        'two evaluations of 30s), and then twice "hold"; write at least within = "25m" [short-within]',
    ], "what it says")


def weeks(t):
    """A week of a healthy cluster, a second at a time or not: nothing may happen."""
    run = t.plays(f'{OBJECT} until = "1w"; exactly = true;')
    equal(run.returncode, 0, f"exit status:\n{run.stdout}")


def junit(t):
    out = t.folder / "junit.xml"
    run = t.run("test", "--junit", out, HERE / "act_test.cfg", t.folder / "nowhere.cfg")
    equal(run.returncode, 1, "exit status")
    cases = ElementTree.parse(out).getroot().findall("testcase")
    assert len(cases) > 3, "test cases"
    equal([c.find("failure") is not None for c in cases].count(True), 1, "failures")


def constructs_are_proven():
    out, number = missing()
    equal(out, [], "what is missing")
    assert number > 40, f"only {number} constructs"


def main():
    t, c = Tool(sys.argv[1]), Cases("policy")
    for file in SHIPPED:
        c.check(f"{file.name} is accepted by heald check", lambda f=file: t.accepted(f))
    for file in TESTS:
        c.check(f"the tests of {file.name} pass", lambda f=file: t.passes(f))
    c.check("every shipped policy has tests", lambda: equal([f.name for f in SHIPPED], [f.name for f in TESTS], "tests"))
    broken = broken_policies()
    c.check("more than two hundred broken policies are known", lambda: equal(len(broken) > 200, True, f"with {len(broken)}"))
    for b in broken:
        c.check(f"a broken policy is told with the remedy: {b.file}: {b.sentence}", lambda b=b: t.refuses(b))
    c.check("every construct has a test, an error, and its keys in the reference", constructs_are_proven)
    c.check("each alert's own timing is asked for where Prometheus has it", lambda: asks_prometheus(t))
    c.check("a policy that acts is played as expected", lambda: t.passes(HERE / "act_test.cfg"))
    c.check("every construct of the language is played as expected", lambda: t.passes(HERE / "language_test.cfg"))
    c.check("constructs, guards and words of operators, by a namespace each", lambda: t.passes(HERE / "constructs_test.cfg"))
    c.check("targets of every kind: by label, owner, name and selector", lambda: t.passes(HERE / "targets_test.cfg"))
    c.check("what the two leave out, by a rule or a namespace each", lambda: t.passes(HERE / "more_test.cfg"))
    c.check("what happens and is not expected, or the other way round, fails", lambda: notices(t))
    c.check("what is wrong in a test file is told", lambda: refuses(t))
    c.check("objects come from manifests too", lambda: manifests(t))
    number, seed = (int(n) for n in (sys.argv[2:4] + ["40", "1"][len(sys.argv[2:4]):]))
    c.check(f"{number} plans made at random end, whatever happens to them (seed {seed})", lambda: play(t, seed, number))
    c.check("a week takes no time", lambda: weeks(t))
    c.check("results are written as JUnit XML", lambda: junit(t))
    sys.exit(c.end())


if __name__ == "__main__":
    main()
