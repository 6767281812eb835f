#!/usr/bin/env python3
"""The real daemon under mixed load for a long time: memory, file descriptors, threads and journal stay as they are; or for a short one under an instrument.

The API server is a stand-in with controllers of its own (test/kit/stub_cluster.py), in which about one call in thirty is refused or slow, versions are forgotten and
tokens end; so an hour brings some ten thousand incidents, which no single node would run. Everything else is real: process, journal, HTTP, clock.

    soak.py --program HEALD [--seconds N] [--under tsan|memcheck] [--seed N]"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit"), str(Path(__file__).resolve().parent)]
from cases import Cases, Skip, equal  # noqa: E402
from load import POLICY, Load  # noqa: E402
from stub_cluster import StubCluster  # noqa: E402
from world import Heald, http, wait_until  # noqa: E402

WARM = 0.35               # of the time: caches, arenas and tables reach their size
RSS_GROWTH_MIB = 3.0      # in what follows
RSS_MAX_MIB = 80.0
JOURNAL_BYTES_A_FACT = 1600
WAL_MAX_MIB = 24.0
TSAN_STATUS, MEMCHECK_STATUS = 66, 99


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Soak:
    def __init__(self, args):
        self.args = args
        self.folder = Path(tempfile.mkdtemp(prefix="heald-soak-"))
        self.cluster = StubCluster(args.seed)
        self.token_file = self.folder / "cluster.token"
        self.token_file.write_text("token-0")
        self.cluster.token = "token-0"
        kubeconfig = self.cluster.kubeconfig(self.folder / "kubeconfig", self.token_file)
        self.heald = Heald(args.program, self.folder / "heald", POLICY, kubeconfig, free_port(), grafana=self.cluster.url, grafana_token_file=str(self.token_file))
        config = self.heald.folder / "heald.cfg"
        config.write_text(config.read_text().replace('"read", "act", "admin"', '"read", "approve", "act", "admin"'))
        self.load = Load(self.heald, self.cluster, self.token_file, {"tsan": 1.5, "memcheck": 4.0}.get(args.under, 1.0), args.seed)
        self.samples = []

    # ---- the instrument ----

    def instrument(self, log):
        """(environment, prefix) of what is to run under it."""
        if self.args.under == "tsan":
            return {"TSAN_OPTIONS": f"halt_on_error=0 exitcode={TSAN_STATUS} log_path={log} history_size=4"}, []
        if self.args.under == "memcheck":
            return {}, ["valgrind", f"--error-exitcode={MEMCHECK_STATUS}", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
                        "--num-callers=25", f"--log-file={log}"]
        return {}, []

    def reports(self):
        """A program with a bug, under the same instrument as heald."""
        if self.args.under == "memcheck" and not shutil.which("valgrind"):
            raise Skip("valgrind is not installed")
        program = Path(self.args.program).resolve().parents[1] / "test" / "soak" / "soak_wrong"
        environment, prefix = self.instrument(self.folder / "wrong.log")
        what, status = ("race", TSAN_STATUS) if self.args.under == "tsan" else ("leak", MEMCHECK_STATUS)
        run = subprocess.run([*prefix, str(program), what], env={**os.environ, **environment}, timeout=60)
        equal(run.returncode, status, f"exit status of a program with a {what}")
        assert any(f.stat().st_size for f in self.folder.glob("wrong.log*")), "it wrote no report"
        return True

    def silent(self):
        """What the instrument has to say of heald: nothing."""
        said = "".join(f.read_text(errors="replace") for f in self.folder.glob("tool.log*"))
        if self.args.under == "memcheck":
            assert "ERROR SUMMARY: 0 errors" in said, f"valgrind reports errors; see {self.folder}:\n{said[-4000:]}"
        else:
            assert not said, f"the thread sanitizer reports {said.count('WARNING: ThreadSanitizer')} races; see {self.folder}:\n{said[:4000]}"

    # ---- the process ----

    def start(self):
        environment, self.heald.prefix = self.instrument(self.folder / "tool.log")
        self.heald.start(environment, wait=False)
        wait_until(f"heald being ready (see {self.heald.log})", self.heald.ready, 120, 0.1)
        wait_until("the kill switch being lifted", lambda: self.resume() == 200, 60, 0.5)
        wait_until("the watches being synced", lambda: all(c["synced"] for c in self.heald.status()["clusters"]), 60, 0.2)

    def resume(self):
        return http("POST", self.heald.url + "/api/v1/resume", {"reason": "soak"}, token=self.heald.tokens["operator"], timeout=30)[0]

    def sample(self):
        proc = Path(f"/proc/{self.heald.process.pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line)
        size = {f.suffix or f.name: f.stat().st_size for f in self.heald.folder.glob("journal.db*")}
        return {"at": time.monotonic(), "rss": int(status["VmRSS"].split()[0]) / 1024, "threads": int(status["Threads"]), "fds": len(list((proc / "fd").iterdir())),
                "db": size.get(".db", 0), "wal": sum(n for name, n in size.items() if "wal" in name)}

    def run(self):
        self.load.begin()
        self.cluster.trouble = 0.03
        began, told = time.monotonic(), time.monotonic()
        while (left := began + self.args.seconds - time.monotonic()) > 0:
            assert self.heald.process.poll() is None, f"heald ended with {self.heald.process.returncode}; see {self.heald.log}"
            assert not self.load.problems, self.load.problems[0]
            self.samples.append(self.sample())
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"        {told - began:.0f} s: {self.samples[-1]}, {self.load.counts.get('workloads well again', 0)} well again", flush=True)
            time.sleep(min(left, max(0.5, self.args.seconds / 600)))
        return True

    def stop_under_load(self):
        """SIGTERM in the middle of it all."""
        self.heald.process.send_signal(signal.SIGTERM)
        try:
            status = self.heald.process.wait(120)
        finally:
            self.load.end()
        equal(status, 0, "exit status after SIGTERM under load")

    # ---- what must be ----

    def done(self):
        c, stub = self.load.counts, self.cluster.counts
        print("        load: " + ", ".join(f"{k} {n}" for k, n in sorted(c.items())))
        print("        API server: " + ", ".join(f"{k} {n}" for k, n in stub.items()))
        least = 1 if self.args.under else self.args.seconds / 12
        assert c.get("workloads well again", 0) >= least, f"only {c.get('workloads well again', 0)} workloads got well"
        for what in ("alerts", "words answered 200", "looks answered 200"):
            assert c.get(what), f"no {what}: the load was none"
        for what in ("writes",) if self.args.under else ("refused", "slow", "writes"):
            assert stub[what], f"no call was {what}: the load was none"

    def journal(self):
        """Its facts say the same as the senders' 2xx, and it has no damage."""
        closed = {r["o"]: r["n"] for r in self.heald.facts("select json_extract(body, '$.outcome') as o, count(*) as n from fact where kind = 'closed' group by 1")}
        opened = self.heald.facts("select count(*) as n from fact where kind = 'incident_opened'")[0]["n"]
        print(f"        incidents: {opened} opened, closed as {closed}")
        assert closed.get("healed"), "nothing was healed"
        equal(self.heald.facts("pragma integrity_check")[0]["integrity_check"], "ok", "the journal file")
        told = {t for a in self.cluster.annotations.values() for t in a["tags"] if t.startswith("incident:")}
        assert len(told) >= len(self.cluster.annotations) > 0, f"{len(self.cluster.annotations)} annotations of {len(told)} incidents"
        twice = self.heald.facts("select incident, count(*) as n from fact where kind = 'closed' group by 1 having n > 1")
        equal(twice, [], "incidents that were closed twice")

    def starts_again(self):
        self.heald.start({}, wait=False)
        wait_until(f"heald being ready again (see {self.heald.log})", self.heald.ready, 120, 0.1)
        equal(self.heald.stop(120), 0, "exit status")

    def rest(self):
        return self.samples[int(len(self.samples) * WARM):]

    def flat_memory(self):
        rest = self.rest()
        third = max(1, len(rest) // 3)
        first, last = (statistics.median(s["rss"] for s in part) for part in (rest[:third], rest[-third:]))
        print(f"        RSS {first:.1f} MiB after the warm-up, {last:.1f} MiB at the end, {max(s['rss'] for s in self.samples):.1f} MiB at most")
        assert last - first <= RSS_GROWTH_MIB, f"RSS grew by {last - first:.1f} MiB in {rest[-1]['at'] - rest[0]['at']:.0f} s"
        assert max(s["rss"] for s in self.samples) <= RSS_MAX_MIB, f"RSS reached {max(s['rss'] for s in self.samples):.1f} MiB"

    def flat(self, what, spread):
        rest = self.rest()
        third = max(1, len(rest) // 3)
        first, last = (statistics.median(s[what] for s in part) for part in (rest[:third], rest[-third:]))
        print(f"        {what}: {first:g} after the warm-up, {last:g} at the end, {max(s[what] for s in self.samples)} at most")
        assert last - first <= spread, f"{what} grew from {first:g} to {last:g}"

    def flat_journal(self):
        facts = self.heald.facts("select count(*) as n from fact")[0]["n"]
        size = (self.heald.folder / "journal.db").stat().st_size
        wal = max(s["wal"] for s in self.samples) / 2**20
        print(f"        journal: {facts} facts, {size / 2**20:.1f} MiB, {size / facts:.0f} B a fact, WAL {wal:.1f} MiB at most")
        assert size / facts <= JOURNAL_BYTES_A_FACT, f"{size / facts:.0f} B a fact"
        assert wal <= WAL_MAX_MIB, f"the WAL reached {wal:.1f} MiB"

    def close(self):
        self.load.end()
        self.heald.kill()
        self.cluster.close()


def cases(c, s):
    under = {"tsan": " under the thread sanitizer", "memcheck": " under valgrind"}.get(s.args.under, "")
    if under and not c.check(f"a bug is reported{under}", s.reports):
        raise Skip("the instrument does not work here")
    if c.check(f"heald starts{under}", lambda: s.start() or True) is None:
        raise Skip("nothing else can be asked")
    c.check(f"{s.args.seconds:.0f} s of mixed load{under}", s.run)
    c.check("SIGTERM under load ends it in order", s.stop_under_load)
    c.check("the load was one", s.done)
    if s.args.under:
        c.check(f"no report{under}", s.silent)
    else:
        c.check("memory does not grow", s.flat_memory)
        c.check("file descriptors do not grow", lambda: s.flat("fds", 8))
        c.check("threads do not grow", lambda: s.flat("threads", 0))
        c.check("the journal has the size of its facts", s.flat_journal)
    c.check("the journal is whole, and every incident is closed once", s.journal)
    if not s.args.under:
        c.check("it starts again from that journal", s.starts_again)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--under", choices=["tsan", "memcheck"])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    c, s = Cases(args.under or "soak"), Soak(args)
    try:
        cases(c, s)
    except Skip:
        pass
    finally:
        s.close()
        if c.failed:
            print(f"journal and logs are left in {s.folder}; the same load again with: --seed {args.seed}")
        else:
            shutil.rmtree(s.folder, ignore_errors=True)
    sys.exit(c.end())


if __name__ == "__main__":
    main()
