#!/usr/bin/env python3
"""Benchmarks of one build, ratios against something run side by side: bench.py intake|latency --build DIR [--seconds N]

intake: durable webhooks a second. Distinct alerts as a ratio to 1/(1/bare + 1/append), where bare is an empty libmicrohttpd handler and append is SQLite
(WAL, synchronous=FULL) committing the same fact bytes in batches of one delivery per connection; repeats as a ratio to a handler that parses the body by yajl.
latency: first byte of a webhook to the PATCH arriving at a stub, as a ratio to one fdatasync and two kept-alive HTTP round trips by libcurl to the same stub."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))
from world import Heald, wait_until  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bench:
    def __init__(self, args):
        self.build, self.seconds = Path(args.build).resolve(), args.seconds
        self.folder = Path(tempfile.mkdtemp(prefix="heald-bench-", dir=args.folder))

    def program(self, name):
        return str(self.build / "test" / "bench" / ("bench_" + name))

    def load(self, port, token, connections, size, how):
        out = subprocess.run([self.program("load"), str(port), "/webhook/alertmanager", token, str(connections), str(self.seconds), str(size), how],
                             capture_output=True, text=True, check=True).stdout.split()
        if int(out[1]):
            raise SystemExit(f"bench: {out[1]} of the answers were no 2xx")
        return int(out[0]) / float(out[2])

    def bare(self, mode, connections, size):
        server = subprocess.Popen([self.program("bare"), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            return self.load(int(server.stdout.readline()), "t", connections, size, "distinct")
        finally:
            server.stdin.close()
            server.wait()

    def append(self, size, batch):
        with tempfile.TemporaryDirectory(dir=self.folder) as d:
            out = subprocess.run([self.program("append"), d + "/a.db", str(size), str(batch), str(self.seconds)], capture_output=True, text=True,
                                 check=True).stdout.split()
        return int(out[0]) / float(out[1])

    def heald(self, policy, kubeconfig, name):
        return Heald(self.build / "receiver" / "heald", self.folder / name, policy, kubeconfig, free_port()).start()


def kubeconfig(folder, port):
    file = folder / "kubeconfig"
    file.write_text(f"""apiVersion: v1
kind: Config
current-context: c
clusters: [{{ name: c, cluster: {{ server: "http://127.0.0.1:{port}" }} }}]
users: [{{ name: u, user: {{ token: t }} }}]
contexts: [{{ name: c, context: {{ cluster: c, user: u }} }}]
""")
    return str(file)


def start_stub(b):
    stub = subprocess.Popen([b.program("latency"), "stub"], stdout=subprocess.PIPE, text=True)
    return stub, int(stub.stdout.readline())


def intake(b):
    policy = 'version = 1;\nenvironments = ( { name = "e"; match = [ "cluster=~\\".*\\"" ]; } );\nrules = ();\nplans = {};\n'
    stub, port = start_stub(b)
    try:
        for size in (800, 3200):
            for connections in (1, 64):
                h = b.heald(policy, kubeconfig(b.folder, port), f"intake-{size}-{connections}")
                bare = b.bare("empty", connections, size)
                distinct = b.load(h.port, h.tokens["alertmanager"], connections, size, "distinct")
                fact = int(h.facts("select cast(avg(length(body)) as integer) as n from fact where kind = 'alert'")[0]["n"])
                append = b.append(fact, connections)
                parse = b.bare("parse", connections, size)
                repeat = b.load(h.port, h.tokens["alertmanager"], connections, size, "repeat")
                rss = [l for l in Path(f"/proc/{h.process.pid}/status").read_text().splitlines() if l.startswith("VmHWM")][0].split()[1]
                h.stop()
                floor = 1 / (1 / bare + 1 / append)
                print(f"intake {size:4} B x {connections:2}: distinct {distinct:7.0f}/s, ratio {distinct / floor:4.2f} "
                      f"(bare {bare:.0f}/s, append {append:.0f}/s of {fact} B); repeats {repeat:7.0f}/s, ratio {repeat / parse:4.2f} (parse {parse:.0f}/s); "
                      f"peak RSS {int(rss) / 1024:.1f} MiB", flush=True)
    finally:
        stub.kill()
        stub.wait()


class Talk:
    """A program that answers each line with a number."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line=""):
        print(line, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def latency_after(b, h, port, stub, rest, targets):
    floor = Talk(b.program("latency"), "floor", str(port), str(b.folder / "floor"))
    post = Talk(b.program("latency"), "post", str(h.port), h.tokens["alertmanager"])
    took, floors = [], []
    for n in targets:
        time.sleep(rest)
        floors.append(floor.ask())
        time.sleep(rest)
        sent = post.ask(n)
        took.append(int(stub.stdout.readline()) - sent)
    floor.end()
    post.end()
    least, median = statistics.median(floors), statistics.median(took)
    when = f"after {rest * 1000:.0f} ms of rest" if rest else "back to back"
    print(f"latency webhook to PATCH, {when}: median {median / 1000:.2f} ms, ratio {median / least:.2f} to one fdatasync and two round trips "
          f"({least / 1000:.2f} ms); p90 {sorted(took)[int(len(took) * 0.9)] / 1000:.2f} ms of {len(took)}", flush=True)


def latency(b, count=40):
    policy = """version = 1;
environments = ( { name = "bench"; match = [ "namespace=bench" ]; mode = "act"; own_rollouts = true; budget = "none"; } );
rules = ( { name = "latency"; match = [ "alertname=Latency" ]; target = { from = "deployment"; }; plan = "restart"; } );
plans = { restart = { steps = ( { do = "restart"; } ); }; };
"""
    stub, port = start_stub(b)
    try:
        for name, rest in (("rested", 0.05), ("busy", 0)):  # a machine that sleeps answers later, also the disk: the same for both sides
            h = b.heald(policy, kubeconfig(b.folder, port), "latency-" + name)
            h.resume()
            wait_until("the watch being synced", lambda: all(c["synced"] for c in h.status()["clusters"]), 30)
            latency_after(b, h, port, stub, rest, [f"{name}-{i}" for i in range(count)])
            h.stop()
    finally:
        stub.kill()
        stub.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["intake", "latency"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--folder", default=os.environ.get("TMPDIR", "/tmp"))
    args = parser.parse_args()
    {"intake": intake, "latency": latency}[args.what](Bench(args))


if __name__ == "__main__":
    main()
