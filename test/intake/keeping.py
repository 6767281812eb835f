"""The journal kept while heald runs: snapshots, a start from one, a copy, and the copy put back."""

import datetime
import subprocess

from cases import equal
from world import http, wait_until

# what the daemon of these tests is given beside its defaults
SETTINGS = 'limits = { snapshot = 300; };\n'


def keeping(c, heald):
    """`heald` was made with SETTINGS and not started yet."""
    copy = heald.folder / "copy.db"

    def post(first, count):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        alerts = [{"status": "firing", "labels": {"alertname": "Nobody", "n": str(n)}, "annotations": {}, "startsAt": now,
                   "endsAt": "0001-01-01T00:00:00Z"} for n in range(first, first + count)]
        code, body = http("POST", heald.url + "/webhook/alertmanager", {"version": "4", "alerts": alerts}, token=heald.tokens["alertmanager"])
        equal(code, 200, f"the answer ({body[:200]!r})")

    def local(command, *args):
        """A command on the files themselves."""
        return subprocess.run([heald.program, command, "--config", "heald.cfg", *args], cwd=heald.folder, capture_output=True, text=True)

    def snapshot():
        return heald.status()["journal"]["snapshot_fact"]

    def makes_one():
        heald.resume()
        for n in range(8):
            post(n * 100, 100)
        wait_until("a snapshot", lambda: snapshot() > 0, 60, 0.2)

    def starts_from_it():
        facts = heald.status()["facts"]
        heald.kill()
        heald.start()
        status = heald.status()
        assert status["facts"] >= facts, (status["facts"], facts)
        equal(status["paused"], False, "paused after the restart")
        post(0, 100)  # repeats: they are known from the snapshot
        rows = heald.facts("SELECT count(*) AS n FROM fact WHERE kind = 'alert'")
        equal(rows[0]["n"], 800, "alerts in the journal")

    def copies():
        equal(local("backup", str(copy)).returncode, 0, "exit status of backup")
        assert local("backup", str(copy)).returncode == 1, "a second copy of that name is refused"
        refused = local("restore", str(copy))
        equal(refused.returncode, 1, "exit status of a restore while heald runs")
        assert "in use" in refused.stderr, refused.stderr

    def puts_back():
        post(5000, 100)
        heald.stop()
        run = local("restore", str(copy))
        equal(run.returncode, 0, f"exit status of restore ({run.stderr})")
        heald.start()
        status = heald.status()
        equal(status["paused"], True, "paused after a restore")
        assert "restored" in status["paused_reason"], status["paused_reason"]
        rows = heald.facts("SELECT count(*) AS n FROM fact WHERE kind = 'alert'")
        equal(rows[0]["n"], 800, "alerts in the restored journal")
        heald.resume()
        heald.stop()
        heald.start()
        equal(heald.status()["paused"], False, "paused after resume and another start")

    def refuses_damage():
        """A bit of the copy flipped: nothing is replaced."""
        heald.stop()
        bad = heald.folder / "bad.db"
        data = bytearray(copy.read_bytes())
        at = data.rindex(b'"alertname":"Nobody"')
        data[at + 15] ^= 1
        bad.write_bytes(bytes(data))
        (heald.folder / "journal.db.before-restore").unlink()
        run = local("restore", str(bad))
        equal(run.returncode, 1, "exit status of a restore of a damaged copy")
        assert "damaged" in run.stderr, run.stderr
        heald.start()
        equal(heald.status()["paused"], False, "paused")

    def finalizes():
        equal(heald.command("finalize-upgrade").returncode, 0, "exit status of finalize-upgrade")
        equal(heald.status()["journal"]["version"], 2, "the journal's version")

    heald.start()
    try:
        c.check("a snapshot is made while alerts come in", makes_one)
        c.check("after kill -9 heald goes on from the snapshot", starts_from_it)
        c.check("a copy is made while heald runs, and not put back meanwhile", copies)
        c.check("a restored journal starts paused, once", puts_back)
        c.check("a damaged copy is refused, and replaces nothing", refuses_damage)
        c.check("an upgrade is finalized", finalizes)
    finally:
        heald.stop()
