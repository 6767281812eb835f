#!/usr/bin/env python3
"""Counts what CTest ran: ctest_counts.py OUTPUT LASTTEST_LOG

OUTPUT is what ctest printed, LASTTEST_LOG its Testing/Temporary/LastTest.log. A Criterion program counts as its own tests, any other program as one.
A test that printed `SKIPPED reason` counts as skipped. Prints the failed and the skipped ones, then `N passed, N failed, N skipped`."""

import re
import sys
from pathlib import Path

LINE = re.compile(r"^\s*\d+/\d+ Test\s+#\d+: (\S+) \.+\s*(\*{3})?\s*(.*?)\s+[\d.]+ sec", re.M)
SECTION = re.compile(r"^\d+/\d+ Test: (.*)\n(?:.*\n)*?Output:\n-+\n((?:.*\n)*?)<end of output>\n", re.M)
SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")


def count(status, output):
    """(passed, failed, skipped) of one program: what CTest thinks of it, and what it printed."""
    skipped = len(re.findall(r"^SKIPPED ", output, re.M))
    synthesis = SYNTHESIS.search(output)
    bad = int(synthesis[3]) + int(synthesis[4]) if synthesis else 0
    if status not in ("Passed", "Skipped"):
        bad = max(bad, 1)
    if not synthesis:
        return (0, bad, 0) if bad else (0, 0, max(skipped, 1)) if status == "Skipped" or skipped else (1, 0, 0)
    return int(synthesis[2]), bad, skipped  # Criterion does not count skipped tests at all


def main():
    output = Path(sys.argv[1]).read_text(errors="replace")
    printed = {m[1]: m[2] for m in SECTION.finditer(Path(sys.argv[2]).read_text(errors="replace"))}
    total = [0, 0, 0]
    for name, _, status in LINE.findall(output):
        text = printed.get(name, "")
        found = count(status.split()[0] if status else "", text)
        total = [a + b for a, b in zip(total, found)]
        for line in re.findall(r"^SKIPPED .*", text, re.M):
            print(line)
        if found[1]:
            print(f"FAILED  {name} ({status})")
            for line in re.findall(r"^\[FAIL\] .*|^FAIL .*", text, re.M)[:20]:
                print(f"        {line}")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not sum(total) else 0


if __name__ == "__main__":
    sys.exit(main())
