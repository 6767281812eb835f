#!/usr/bin/env python3
"""What comes in: real Alertmanagers of two versions, and senders that do everything wrong."""

import argparse
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit"), str(Path(__file__).resolve().parent)]
from cases import Cases, Skip, equal  # noqa: E402
from keeping import SETTINGS, keeping  # noqa: E402
from reload import reloads  # noqa: E402
from sources import sources  # noqa: E402
from world import Heald, http, wait_until  # noqa: E402

SAMPLES = ROOT / "test" / "unit" / "data" / "alertmanager"
POLICY = 'version = 1;\nenvironments = ( { name = "e"; match = [ "cluster=~\\".*\\"" ]; } );\nrules = ();\nplans = {};\n'
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: c
clusters: [{ name: c, cluster: { server: "https://127.0.0.1:9" } }]
users: [{ name: u, user: { token: t } }]
contexts: [{ name: c, context: { cluster: c, user: u } }]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def rfc3339(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def make(folder, name, program, extra=""):
    (folder / "kubeconfig").write_text(KUBECONFIG)
    return Heald(program, folder / name, POLICY, folder / "kubeconfig", free_port(), extra=extra)


class Alertmanager:
    def __init__(self, program, folder, heald, max_alerts=0):
        self.port, folder = free_port(), Path(tempfile.mkdtemp(dir=folder))
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "config.yml").write_text(f"""route: {{ receiver: web.hook, group_by: [group], group_wait: 0s, group_interval: 1s, repeat_interval: 1m }}
receivers:
- name: web.hook
  webhook_configs:
  - url: {heald.url}/webhook/alertmanager
    max_alerts: {max_alerts}
    http_config: {{ authorization: {{ type: Bearer, credentials: {heald.tokens["alertmanager"]} }} }}
""")
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen([program, "--config.file", str(folder / "config.yml"), "--storage.path", str(folder / "data"),
                                         "--web.listen-address", f"127.0.0.1:{self.port}", "--cluster.listen-address="], stdout=self.log,
                                        stderr=self.log, start_new_session=True)
        wait_until("Alertmanager being ready", lambda: http("GET", self.url + "/-/ready")[0] == 200, 30)

    def post(self, alerts):
        status, body = http("POST", self.url + "/api/v2/alerts", alerts)
        equal(status, 200, f"Alertmanager's answer ({body[:200]!r})")

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def stored(heald, where="1"):
    return heald.facts("select json_extract(coalesce(blob.body, fact.body), '$.labels') as labels, json_extract(fact.body, '$.status') as status, "
                       f"json_extract(fact.body, '$.disposition') as disposition from fact left join blob on fact.blob = blob.hash where kind = 'alert' and {where}")


def from_alertmanager(c, version, program, heald, folder):
    am = Alertmanager(program, folder, heald)
    now = datetime.now(timezone.utc)
    labels = {"alertname": "Intake", "group": f"small-{version}", "namespace": "shop", "pod": "checkout-1", "note": 'quotes " < & > Grüße \u2028 \\ end'}

    def arrives():
        am.post([{"labels": labels, "annotations": {"summary": "x" * 3000}, "startsAt": rfc3339(now)}])
        rows = wait_until("the alert being in the journal", lambda: [r for r in stored(heald) if f"small-{version}" in r["labels"]], 30)
        equal([json.loads(r["labels"]) for r in rows], [labels], "labels")
        equal(rows[0]["status"], "firing", "status")

    def resolves():
        am.post([{"labels": labels, "startsAt": rfc3339(now), "endsAt": rfc3339(now + timedelta(seconds=1))}])
        wait_until("the resolved alert being in the journal",
                   lambda: [r for r in stored(heald) if f"small-{version}" in r["labels"] and r["status"] == "resolved"], 60)

    def big_group():
        n = 3000
        for begin in range(0, n, 500):
            am.post([{"labels": {"alertname": "Big", "group": f"big-{version}", "instance": f"host-{i:05}"}, "annotations": {"summary": "s" * 500},
                      "startsAt": rfc3339(now)} for i in range(begin, begin + 500)])

        def all_there():
            rows = heald.facts("select count(distinct json_extract(body, '$.labels.instance')) as n from fact where kind = 'alert' and "
                               f"json_extract(body, '$.labels.group') = 'big-{version}'")
            return rows[0]["n"] == n

        wait_until(f"{n} alerts of one group being in the journal", all_there, 60, 0.5)

    def truncated():
        short = Alertmanager(program, folder, heald, max_alerts=2)
        try:
            short.post([{"labels": {"alertname": "Short", "group": f"short-{version}", "instance": str(i)}, "startsAt": rfc3339(now)} for i in range(5)])
            wait_until("a truncated group being accepted", lambda: len([r for r in stored(heald) if f"short-{version}" in r["labels"]]) == 2, 30)
        finally:
            short.end()

    try:
        c.check(f"Alertmanager {version}: an alert with odd characters arrives as it was", arrives)
        c.check(f"Alertmanager {version}: its resolution arrives", resolves)
        c.check(f"Alertmanager {version}: a group of 3,000 alerts arrives whole", big_group)
        c.check(f"Alertmanager {version}: a truncated group is accepted", truncated)
    finally:
        am.end()


# ---- hostile senders, over plain sockets ----

def exchange(heald, request, limit=20, chunks=None, pause=0.0):
    """Send bytes as they are; the status of the answer, 0 when the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", heald.port), timeout=limit) as s:
        try:
            s.sendall(request)
            for chunk in chunks or ():
                s.sendall(chunk)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while b"\r\n\r\n" not in answer:
                more = s.recv(65536)
                if not more:
                    break
                answer += more
        except (ConnectionResetError, socket.timeout):
            pass
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def whole_answer(s):
    """Read one answer to its end, headers and body; its status."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if len(body) >= sum(length):
                return int(head.split()[1])
        more = s.recv(65536)
        assert more, f"the connection was closed after {data!r}"
        data += more


def post_bytes(heald, body, token=None, extra="", length=None):
    token = heald.tokens["alertmanager"] if token is None else token
    head = (f"POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n")
    return exchange(heald, head.encode() + body)


def alert_body(labels=b'"alertname":"X"', rest=b""):
    return (b'{"version":"4","groupKey":"k","truncatedAlerts":0,"receiver":"r","status":"firing","alerts":[{"status":"firing","labels":{' + labels +
            b'},"annotations":{},"startsAt":"2026-08-20T09:15:00Z","endsAt":"0001-01-01T00:00:00Z"' + rest + b"}]}")


def hostile(c, heald):
    before = len(stored(heald))
    table = [
        ("garbage is 400", lambda: post_bytes(heald, b"\x00\xff garbage"), 400),
        ("an empty body is 400", lambda: post_bytes(heald, b""), 400),
        ("a cut body is 400", lambda: post_bytes(heald, alert_body()[:-10]), 400),
        ("a duplicate label name is 400", lambda: post_bytes(heald, alert_body(b'"a":"1","a":"2"')), 400),
        ("invalid UTF-8 is 400", lambda: post_bytes(heald, alert_body(b'"a":"\xc0\xaf"')), 400),
        ("an escaped NUL is 400", lambda: post_bytes(heald, alert_body(b'"a":"\\u0000"')), 400),
        ("an unpaired surrogate is 400", lambda: post_bytes(heald, alert_body(b'"a":"\\ud800"')), 400),
        ("nesting 10,000 deep is 400", lambda: post_bytes(heald, b'{"x":' + b"[" * 10000 + b"]" * 10000 + b"}"), 400),
        ("another payload version is 400", lambda: post_bytes(heald, alert_body().replace(b'"4"', b'"5"')), 400),
        ("a missing credential is 401", lambda: exchange(heald, b"POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"), 401),
        ("a wrong credential is 401, body read to its end", lambda: post_bytes(heald, b"x" * 300000, token="wrong"), 401),
        ("a body over the limit is 413", lambda: post_bytes(heald, b" " * (5 << 20)), 413),
        ("an unknown path is 404", lambda: exchange(heald, b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"), 404),
        ("a wrong method is 405", lambda: exchange(heald, b"GET /webhook/alertmanager HTTP/1.1\r\nHost: h\r\n\r\n"), 405),
    ]
    for sentence, send, wanted in table:
        c.check(sentence, lambda s=send, w=wanted: equal(s(), w, "status"))
    c.check("nothing of that is in the journal", lambda: equal(len(stored(heald)), before, "alerts"))

    def too_slow():
        head = (f"POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {heald.tokens['alertmanager']}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n").encode()
        begin = time.monotonic()
        status = exchange(heald, head, 60, [b"{"] * 300, 0.1)
        assert status in (0, 408), f"status {status}"
        assert time.monotonic() - begin < 28, "a dripping body has to be ended by the limit of 3 s, not by the sender"

    def slow_head():
        begin = time.monotonic()
        exchange(heald, b"POST /webhook", 60, [b"x"] * 300, 0.1)
        assert time.monotonic() - begin < 28, "dripping headers have to be ended by the limit of 3 s"

    c.check("a body that drips is cut off in time", too_slow)
    c.check("headers that drip are cut off in time", slow_head)


def samples(c, heald):
    good = ["firing-1", "firing-1-v0.25", "group-5", "mixed", "resolved", "truncated", "escapes"]
    for file in sorted(SAMPLES.glob("alertmanager-*.json")):
        name = file.stem[len("alertmanager-"):]
        wanted = 200 if name in good else 400
        c.check(f"sample {file.name} is {wanted}", lambda f=file, w=wanted: equal(post_bytes(heald, f.read_bytes()) // 100 * 100, w, "status"))


def memory(heald, key):
    text = Path(f"/proc/{heald.process.pid}/status").read_text()
    return int([line for line in text.splitlines() if line.startswith(key + ":")][0].split()[1])


def flat(c, heald):
    def run():
        for _ in range(50):
            post_bytes(heald, b"garbage")
        before = memory(heald, "RssAnon")
        for i in range(600):
            post_bytes(heald, b"[" * 5000 if i % 2 else alert_body(b'"a":"' + b"x" * 100000 + b'"'))
            post_bytes(heald, b" " * 100000, token="wrong")
        grown = memory(heald, "RssAnon") - before
        assert grown < 1024, f"memory grew by {grown} KiB over 1,200 hostile requests"

    c.check("memory stays flat under hostile requests", run)


def tls(c, program, folder):
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    pem, key = folder / "tls.pem", folder / "tls.key"

    def certificate(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)

    certificate("first")
    heald = make(folder, "tls", program, extra=f'tls = {{ certificate = "{pem}"; key = "{key}"; }};\nlimits = {{ workers = 6; }};\n')
    heald.url = heald.url.replace("http:", "https:")

    def get(path="/health"):
        return http("GET", heald.url + path, ca=str(pem), timeout=5)[0]

    def connect():
        context = ssl.create_default_context(cafile=str(pem))
        return context.wrap_socket(socket.create_connection(("127.0.0.1", heald.port), timeout=5), server_hostname="127.0.0.1")

    def small():
        connections = [connect() for _ in range(4)]
        for s in connections:
            for _ in range(20):
                body = alert_body()
                s.sendall((f"POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {heald.tokens['alertmanager']}\r\n"
                           f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
                equal(whole_answer(s), 200, "status")
        threads, anon, rss = memory(heald, "Threads"), memory(heald, "RssAnon"), memory(heald, "VmRSS")
        print(f"        TLS, {len(connections)} kept-alive connections, {threads} threads: RssAnon {anon} KiB, RSS {rss} KiB")
        assert threads >= 10, f"{threads} threads"
        assert anon < 4096, f"RssAnon is {anon} KiB"
        assert rss < 16384, f"RSS is {rss} KiB"

    def rotates():
        certificate("second")

        def served():
            with connect() as s:
                return dict(x[0] for x in s.getpeercert()["subject"])["commonName"] == "second"

        wait_until("the new certificate being served", served, 30, 0.5)

    try:
        heald.start(wait=False)
        c.check("TLS is served", lambda: wait_until("an answer over TLS", lambda: get() == 200, 20))
        c.check("with TLS, ten threads and four connections it stays below 4 MiB of private memory", small)
        c.check("a changed certificate is taken over while running", rotates)
        c.check("SIGTERM ends it with 0 over TLS too", lambda: equal(heald.stop(), 0, "exit status"))
    finally:
        heald.kill()


def refuses_to_start(c, program, folder):
    def start(name, old, new):
        heald = make(folder, name, program)
        file = heald.folder / "heald.cfg"
        file.write_text(file.read_text().replace(old, new))
        run = subprocess.run([program, "serve", "--config", "heald.cfg"], cwd=heald.folder, capture_output=True, text=True, timeout=20)
        equal(run.returncode, 1, f"exit status ({run.stderr})")
        return run.stderr

    c.check("a non-loopback listener without TLS does not start, and says why", lambda: _says(start("open", 'listen = "127.0.0.1', 'listen = "0.0.0.0'), "tls"))
    c.check("an unknown key is named with its line and the nearest word",
            lambda: _says(start("typo", "journal =", "jurnal ="), 'heald.cfg:2', '"journal"'))

    def second():
        heald = make(folder, "lock", program).start()
        try:
            run = subprocess.run([program, "serve", "--config", "heald.cfg", "--listen", f"127.0.0.1:{free_port()}"], cwd=heald.folder, capture_output=True,
                                 text=True, timeout=20)
            equal(run.returncode, 1, "exit status")
            _says(run.stderr, "journal.db")
            heald.facts("select count(*) as n from fact")
        finally:
            heald.stop()

    c.check("a second process on the same journal is refused, and sqlite3 can still read", second)


def _says(text, *words):
    for word in words:
        assert word in text, f"{word!r} should be in {text!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--old", required=True)
    parser.add_argument("--new", required=True)
    args = parser.parse_args()
    c = Cases("intake")
    folder = Path(tempfile.mkdtemp(prefix="heald intake "))
    heald = make(folder, "main", args.program, extra='limits = { body = "4MiB"; header_time = "3s"; body_time = "3s"; };\n')
    try:
        heald.start()
        for version, program in (("0.25", args.old), ("0.34", args.new)):
            from_alertmanager(c, version, program, heald, folder)
        hostile(c, heald)
        samples(c, heald)
        flat(c, heald)
        c.check("SIGTERM ends it with 0", lambda: equal(heald.stop(), 0, "exit status"))
        tls(c, args.program, folder)
        refuses_to_start(c, args.program, folder)
        reloads(c, make(folder, "reload", args.program))
        sources(c, make(folder, "sources", args.program))
        keeping(c, make(folder, "keeping", args.program, extra=SETTINGS))
    finally:
        heald.kill()
        if not c.failed:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"logs and journals are left in {folder}")
    sys.exit(c.end())


if __name__ == "__main__":
    main()
