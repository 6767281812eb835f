#!/usr/bin/env python3
"""What `heald explain` says of alerts, without a cluster: explain.py PROGRAM. Ends with `N passed, N failed, N skipped`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "kit"))
from cases import Cases, equal  # noqa: E402

STARTER = str(ROOT / "rules" / "policies" / "starter.cfg")
SAMPLE = ROOT / "test" / "unit" / "data" / "alertmanager" / "alertmanager-firing-1.json"
CRASH = ["alertname=KubePodCrashLooping", "severity=critical", "namespace=shop", "pod=web-1"]


class Explain:
    def __init__(self, program, folder):
        self.program, self.folder = str(Path(program).resolve()), folder

    def run(self, *args, status=0, stdin=None):
        run = subprocess.run([self.program, "explain", *args], capture_output=True, text=True, cwd=self.folder, input=stdin)
        equal(run.returncode, status, f"exit status ({run.stderr})")
        return run.stdout if status == 0 else run.stderr

    def json(self, *args):
        return json.loads(self.run("-o", "json", *args))


def says(text, *words):
    for word in words:
        assert word in text, f"{word!r} should be in {text!r}"


def rules(x):
    told = x.json("--policy", STARTER, *CRASH)
    equal([r["takes"] for r in told["rules"]], [True, False], "which rules take it")
    says(told["rules"][1]["why"], "KubeDeploymentReplicasMismatch", 'the alert says "KubePodCrashLooping"')
    told = x.json("--policy", STARTER, "alertname=KubePodCrashLooping")
    says(told["rules"][0]["why"], "severity", 'the alert has no label "severity"')
    assert "plan" not in told, "no rule takes it"


def refused(x):
    says(x.json("--policy", STARTER, "alertname=Watchdog")["refused"], "ignore pattern 1", "Watchdog")
    says(x.json("--policy", STARTER, *CRASH[:2], "namespace=kube-system", "pod=x")["refused"], "ignore pattern 2")


def target(x):
    told = x.json("--policy", STARTER, *CRASH)
    says(told["targets"][0], "pod shop/web-1", "owners to the Deployment")
    told = x.json("--policy", STARTER, *CRASH[:3])
    says(told["targets"][0], '"pod" is missing')


def plan(x):
    told = x.json("--policy", STARTER, *CRASH)
    steps = {line["step"]: line["text"] for line in told["plan"]["lines"] if line["step"]}
    says(steps["steps.0"], "when changed = template")
    says(steps["steps.0.then.0"], "rollback to = last_stable", "alert quiet", "for 1m within 20m")
    says(steps["otherwise.0"], "escalate to sre")


def sources(x):
    (x.folder / "t").write_text("secret")
    (x.folder / "heald.cfg").write_text(
        f'policy = "{STARTER}"; sources = ( {{ name = "eu"; type = "alertmanager"; token_file = "t"; force = {{ cluster = "eu-1"; }}; '
        'only = [ "team=shop" ]; } );\n')
    told = x.json("--config", "heald.cfg", *CRASH)
    equal(told["alert"]["labels"]["cluster"], "eu-1", "the forced label")
    says(told["refused"], 'source "eu" may only send', "team")
    assert "refused" not in x.json("--config", "heald.cfg", *CRASH, "team=shop")
    says(x.run("--config", "heald.cfg", "--source", "us", *CRASH, status=1), 'no source "us"')


def webhook(x):
    told = x.json("--policy", STARTER, "--file", str(SAMPLE))
    equal(told["alert"]["labels"]["alertname"], "KubePodCrashLooping", "the alert's name")
    says(x.run("--policy", STARTER, "--file", "-", stdin=SAMPLE.read_text()), "=> 1. crash-looping-deployment")
    says(x.run("--policy", STARTER, "--file", "-", stdin='{"version":"4"', status=1), "byte")


def people(x):
    says(x.run("--policy", STARTER, *CRASH), "rules, in their order", "=> 1. crash-looping-deployment", "otherwise", "escalate to sre")


def usage(x):
    says(x.run("--policy", STARTER, status=2), "NAME=VALUE", "heald help explain")
    says(x.run("--policy", STARTER, "--live", *CRASH, status=2), "--live needs heald.cfg")
    says(x.run("--policy", STARTER, "alertname", status=1), '"alertname" is no label')
    says(x.run("--policy", STARTER, "a=1", "a=2", status=1), "'a' occurs twice")
    says(x.run("--policy", "nowhere.cfg", *CRASH, status=1), "nowhere.cfg")


def main():
    c = Cases("explain")
    with tempfile.TemporaryDirectory(prefix="heald explain ") as folder:
        for sentence, case in (("each rule is tried, with the matcher that fails", rules), ("ignored alerts are told so", refused),
                               ("the target is named with how it is found, or what is missing", target), ("the plan is a tree with its parameters", plan),
                               ("sources force labels and refuse alerts", sources), ("alerts come from webhooks too", webhook),
                               ("people can read it", people), ("wrong calls are answered with the remedy", usage)):
            case_folder = Path(folder) / case.__name__
            case_folder.mkdir()
            c.check(sentence, lambda case=case, f=case_folder: case(Explain(sys.argv[1], f)))
    sys.exit(c.end())


if __name__ == "__main__":
    main()
