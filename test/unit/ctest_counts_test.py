#!/usr/bin/env python3
"""Tests of test/kit/ctest_counts.py: nothing that failed, or did not run, may count as passed."""

import subprocess
import sys
import tempfile
from pathlib import Path

KIT = Path(__file__).resolve().parents[1] / "kit"
sys.path.insert(0, str(KIT))
from cases import Cases, equal  # noqa: E402
from ctest_counts import count  # noqa: E402

SYNTHESIS = "[====] Synthesis: Tested: {} | Passing: {} | Failing: {} | Crashing: {} \n"


def whole_run():
    output = """Test project /a folder/build
    Start 1: a_test
1/5 Test #1: a_test ...........................   Passed    0.10 sec
2/5 Test #2: b_test ...........................***Failed  Error regular expression found in output. Regex=[runtime error:]  0.20 sec
3/5 Test #3: c_test ...........................***Skipped   0.20 sec
4/5 Test #4: d_test ...........................***Timeout  60.02 sec
5/5 Test #5: e_test ...........................***Not Run   0.00 sec
"""
    section = "----\n{0}/5 Testing: {1}\n{0}/5 Test: {1}\nCommand: x\nDirectory: y\n\"{1}\" start time: now\nOutput:\n-----\n{2}<end of output>\nTest time = 1 sec\n"
    log = (section.format(1, "a_test", SYNTHESIS.format(3, 3, 0, 0)) + section.format(2, "b_test", "runtime error: x\n" + SYNTHESIS.format(2, 2, 0, 0))
           + section.format(3, "c_test", "SKIPPED no cluster\n"))
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "output", Path(folder) / "log"
        one.write_text(output)
        two.write_text(log)
        run = subprocess.run([sys.executable, KIT / "ctest_counts.py", one, two], capture_output=True, text=True, check=False)
        equal(run.stdout.splitlines()[-1], "5 passed, 3 failed, 1 skipped", "counts")
        equal(run.returncode, 1, "exit status")
        for word in ("FAILED  b_test", "FAILED  d_test", "FAILED  e_test", "SKIPPED no cluster"):
            assert word in run.stdout, f"{word!r} should be in {run.stdout!r}"
        one.write_text("No tests were found!!!\n")
        equal(subprocess.run([sys.executable, KIT / "ctest_counts.py", one, two], capture_output=True, check=False).returncode, 1, "exit status of a run without tests")


def main():
    c = Cases("ctest_counts")
    for sentence, status, output, wanted in [
        ("a program that passed counts as one", "Passed", "fine\n", (1, 0, 0)),
        ("a Criterion program counts as its tests", "Passed", SYNTHESIS.format(12, 12, 0, 0), (12, 0, 0)),
        ("a failed and a crashed test both count", "Failed", SYNTHESIS.format(12, 9, 2, 1), (9, 3, 0)),
        ("tests that passed in a program that leaked do not hide the leak", "Failed", SYNTHESIS.format(4, 4, 0, 0), (4, 1, 0)),
        ("a skipped test of Criterion is not a passed one", "Passed", "SKIPPED no promtool\n" + SYNTHESIS.format(3, 3, 0, 0), (3, 0, 1)),
        ("a failure outweighs a skip, whatever CTest says", "Skipped", "SKIPPED no cluster\n" + SYNTHESIS.format(3, 2, 1, 0), (2, 1, 1)),
        ("a program that was skipped counts as skipped", "Skipped", "SKIPPED nm is not installed\n", (0, 0, 1)),
        ("a program that CTest could not run failed", "Not", "", (0, 1, 0)),
        ("a program that timed out failed", "Timeout", "", (0, 1, 0)),
    ]:
        c.check(sentence, lambda s=status, o=output, w=wanted: equal(count(s, o), w, "counts"))
    c.check("a whole run is counted from what ctest left", whole_run)
    sys.exit(c.end())


if __name__ == "__main__":
    main()
