#!/usr/bin/env python3
"""Benchmarks of one build, ratios against something run side by side: bench.py intake|latency|storm --build DIR [--seconds N]

intake: durable webhooks a second. Distinct alerts as a ratio to 1/(1/bare + 1/append), where bare is an empty libmicrohttpd handler and append is SQLite
(WAL, synchronous=FULL) committing the same fact bytes in batches of one delivery per connection; repeats as a ratio to a handler that parses the body by yajl. Medians of several rounds, in each of which all sides run one after the other.
latency: first byte of a webhook to the PATCH arriving at a stub, as a ratio to one fdatasync and two kept-alive HTTP round trips by libcurl to the same stub.
storm: 100,000 distinct alerts of 11 labels, in deliveries of 500 and in one body, wanted by a rule or by none: nothing is lost; peak RSS, and what a small
delivery beside it waits."""

import argparse
import http.client
import json
import multiprocessing
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))
from world import Heald, wait_until  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


ROUNDS = 5  # medians of so many


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

    def heald_of_clusters(self, policy, kubeconfig, name):
        h = Heald(self.build / "receiver" / "heald", self.folder / name, policy, kubeconfig, free_port())
        config = h.folder / "heald.cfg"
        clusters = ", ".join(f'{{ name = "c{i}"; kubeconfig = "{kubeconfig}"; }}' for i in range(CLUSTERS))
        config.write_text("".join(f"clusters = ( {clusters} );\n" if line.startswith("clusters") else line for line in config.read_text().splitlines(True)))
        return h.start()


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


def peak_rss_mib(process):
    return [int(l.split()[1]) for l in Path(f"/proc/{process.pid}/status").read_text().splitlines() if l.startswith("VmHWM")][0] / 1024


def intake_round(b, h, size, connections):
    """All sides within seconds of each other: the machine is shared, and its disk more so."""
    r = {"bare": b.bare("empty", connections, size), "distinct": b.load(h.port, h.tokens["alertmanager"], connections, size, "distinct")}
    r["fact"] = int(h.facts("select cast(avg(length(body)) as integer) as n from fact where kind = 'alert'")[0]["n"])
    r["append"] = b.append(r["fact"], connections)
    r["parse"] = b.bare("parse", connections, size)
    r["repeats"] = b.load(h.port, h.tokens["alertmanager"], connections, size, "repeat")
    r["distinct ratio"] = r["distinct"] * (1 / r["bare"] + 1 / r["append"])
    r["repeats ratio"] = r["repeats"] / r["parse"]
    return r


def intake(b):
    policy = 'version = 1;\nenvironments = ( { name = "e"; match = [ "cluster=~\\".*\\"" ]; } );\nrules = ();\nplans = {};\n'
    stub, port = start_stub(b)
    b.seconds /= ROUNDS
    try:
        for size in (800, 3200):
            for connections in (1, 64):
                h = b.heald(policy, kubeconfig(b.folder, port), f"intake-{size}-{connections}")
                rounds = [intake_round(b, h, size, connections) for _ in range(ROUNDS)]
                m = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
                print(f"intake {size:4} B x {connections:2}: distinct {m['distinct']:7.0f}/s, ratio {m['distinct ratio']:4.2f} (bare {m['bare']:.0f}/s, append "
                      f"{m['append']:.0f}/s of {m['fact']:.0f} B); repeats {m['repeats']:7.0f}/s, ratio {m['repeats ratio']:4.2f} (parse {m['parse']:.0f}/s); "
                      f"peak RSS {peak_rss_mib(h.process):.1f} MiB", flush=True)
                h.stop()
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
        if not select.select([stub.stdout], [], [], 10)[0]:
            raise SystemExit(f"bench: no PATCH came; see {h.log}")
        took.append(int(stub.stdout.readline()) - sent)
    floor.end()
    post.end()
    least, median = statistics.median(floors), statistics.median(took)
    when = f"after {rest * 1000:.0f} ms of rest" if rest else "back to back"
    print(f"latency webhook to PATCH, {when}: median {median / 1000:.2f} ms, ratio {median / least:.2f} to one fdatasync and two round trips "
          f"({least / 1000:.2f} ms); p90 {sorted(took)[int(len(took) * 0.9)] / 1000:.2f} ms of {len(took)}", flush=True)


CLUSTERS = 16  # all at the same stub: more than two restarts in one at a time would be held back as a cause that they share


def latency(b, count=2 * CLUSTERS):
    policy = """version = 1;
environments = ( { name = "bench"; match = [ "namespace=bench" ]; mode = "act"; own_rollouts = true; budget = "none"; running = "none";
                   storm = { incidents = "none"; }; breaker = { failures = "none"; }; } );
rules = ( { name = "latency"; match = [ "alertname=Latency" ]; target = { from = "deployment"; }; plan = "restart"; } );
plans = { restart = { steps = ( { do = "restart"; } ); }; };
"""
    stub, port = start_stub(b)
    try:
        for name, rest in (("rested", 0.05), ("busy", 0)):  # a machine that sleeps answers later, also the disk: the same for both sides
            h = b.heald_of_clusters(policy, kubeconfig(b.folder, port), "latency-" + name)
            h.resume()
            wait_until("the watches being synced", lambda: all(c["synced"] for c in h.status()["clusters"]), 30)
            latency_after(b, h, port, stub, rest, [f"c{i % CLUSTERS} {name}-{i}" for i in range(count)])
            h.stop()
    finally:
        stub.kill()
        stub.wait()


STORM_ALERTS = 100000


def storm_alert(name, n):
    labels = {"alertname": name, "region": "eu-1", "namespace": "shop", "deployment": f"web-{n:06}", "pod": f"web-{n:06}-7d9c5b6f4-x2x{n % 997:03}",
              "container": "app", "instance": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:8080", "job": "kube-state-metrics", "severity": "critical",
              "uid": f"3f1d0c52-7a1b-4b0e-9c55-{n:012x}", "endpoint": "http"}
    return {"status": "firing", "labels": labels, "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "endsAt": "0001-01-01T00:00:00Z",
            "annotations": {"summary": f"Pod shop/{labels['pod']} (app) is restarting {n % 60} times in 10 minutes", "runbook_url": "https://example.com/runbook"},
            "generatorURL": "", "fingerprint": f"{n:016x}"}


def delivery(alerts):
    return json.dumps({"version": "4", "receiver": "heald", "status": "firing", "groupKey": "k", "truncatedAlerts": 0, "alerts": alerts}).encode()


def post(connection, token, body):
    connection.request("POST", "/webhook/alertmanager", body, {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"bench: a delivery was answered {answer.status}")


def send_storm(port, token, name, count, begin, sent):
    bodies = [delivery([storm_alert(name, n) for n in range(at, at + count)]) for at in range(0, STORM_ALERTS, count)]
    begin.wait()
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    for body in bodies:
        post(connection, token, body)
    sent.put((time.monotonic() - started, sum(map(len, bodies))))


def post_beside(h, stop, took):
    """A small delivery every few milliseconds, as another Alertmanager sends them."""
    connection = http.client.HTTPConnection("127.0.0.1", h.port, timeout=60)
    n = 0
    while not stop.wait(0.005):
        body = delivery([storm_alert("Beside", n)])
        began = time.monotonic()
        post(connection, h.tokens["alertmanager"], body)
        took.append(time.monotonic() - began)
        n += 1


def storm_of(b, port, name, rules, count):
    h = b.heald(STORM_POLICY % rules, kubeconfig(b.folder, port), f"storm-{name}-{count}")
    h.resume()
    wait_until("the watch being synced", lambda: all(c["synced"] for c in h.status()["clusters"]), 30)
    sent, begin, stop, took = multiprocessing.Queue(), multiprocessing.Event(), threading.Event(), []
    sender = multiprocessing.Process(target=send_storm, args=(h.port, h.tokens["alertmanager"], "Storm", count, begin, sent))
    beside = threading.Thread(target=post_beside, args=(h, stop, took))
    sender.start()
    begin.set()
    beside.start()
    seconds, size = sent.get(timeout=600)
    stop.set()
    beside.join()
    sender.join()
    kept = h.facts("select count(distinct body ->> '$.labels.uid') as n from fact where kind = 'alert' and body ->> '$.labels.alertname' = 'Storm'")[0]["n"]
    if kept != STORM_ALERTS:
        raise SystemExit(f"bench: {STORM_ALERTS - kept} alerts were lost")
    took.sort()
    writes = h.facts("select count(*) as n from fact where kind = 'intent'")[0]["n"]
    print(f"storm of {STORM_ALERTS} alerts, {name}, in {STORM_ALERTS // count:3} bodies ({size / 1e6:.0f} MB): {seconds:.1f} s, peak RSS {peak_rss_mib(h.process):.1f} "
          f"MiB, {h.status()['open_incidents']} incidents open, {writes} writes; beside it a delivery took {took[len(took) // 2] * 1000:.1f} ms, p99 "
          f"{took[int(len(took) * 0.99)] * 1000:.1f} ms, at most {took[-1] * 1000:.1f} ms of {len(took)}", flush=True)
    h.stop()


STORM_POLICY = """version = 1;
environments = ( { name = "shop"; match = [ "namespace=shop" ]; mode = "act"; } );
rules = ( %s );
plans = { restart = { steps = ( { do = "restart"; } ); }; };
"""
STORM_RULE = '{ name = "storm"; match = [ "alertname=Storm" ]; target = { from = "deployment"; }; plan = "restart"; }'


def storm(b):
    stub, port = start_stub(b)
    try:
        for name, rules in (("no rule", ""), ("one rule", STORM_RULE)):
            for count in (500, STORM_ALERTS):
                storm_of(b, port, name, rules, count)
    finally:
        stub.kill()
        stub.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["intake", "latency", "storm"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--folder", default=os.environ.get("TMPDIR", "/tmp"))
    args = parser.parse_args()
    {"intake": intake, "latency": latency, "storm": storm}[args.what](Bench(args))


if __name__ == "__main__":
    main()
