"""Test cases for scripts: named as sentences, counted honestly. Ends with `N passed, N failed, N skipped`."""

import sys
import time
import traceback


class Skip(Exception):
    """Raised with the reason by a case that cannot run here."""


class Cases:
    def __init__(self, part):
        self.part, self.passed, self.failed, self.skipped = part, 0, 0, 0

    def check(self, sentence, function):
        """Run one case; it fails by raising. Returns what it returns, None when it did not pass."""
        begin = time.monotonic()
        try:
            value = function()
        except Skip as e:
            self.skipped += 1
            print(f"SKIPPED {self.part}: {sentence}: {e}", flush=True)
            return None
        except Exception as e:  # noqa: BLE001 - every failure of a case is a result
            self.failed += 1
            print(f"FAILED  {self.part}: {sentence}: {e}", flush=True)
            if not isinstance(e, AssertionError):
                traceback.print_exc(limit=4, file=sys.stdout)
            return None
        self.passed += 1
        print(f"ok      {self.part}: {sentence} ({time.monotonic() - begin:.1f} s)", flush=True)
        return value

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed + self.skipped else 0


def equal(got, wanted, what):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"
