#!/usr/bin/env python3
"""The page in a real browser against a real heald, and the API against its own OpenAPI document."""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "test" / "kit"), str(Path(__file__).resolve().parent)]
from browser import Browser  # noqa: E402
from cases import Cases, Skip, equal  # noqa: E402
from cluster import Cluster  # noqa: E402
from world import Heald, http, wait_until  # noqa: E402

POLICY = """version = 1;
environments = (
  { name = "production"; match = [ "namespace=shop" ]; mode = "act"; approve = [ "restart" ]; storm = { incidents = "none"; }; shared_cause = "none"; own_rollouts = true; },
  { name = "staging"; match = [ "namespace=stage" ]; mode = "act"; storm = { incidents = "none"; }; shared_cause = "none"; own_rollouts = true; }
);
rules = (
  { name = "not-ready"; match = [ "alertname=NotReady" ]; target = { from = "deployment"; }; plan = "restart"; cooldown = "15m"; }
);
plans = { restart = { steps = ( { do = "restart"; verify = { rollout = "ignore"; alert = "quiet"; hold = "1s"; within = "20m"; }; } ); }; };
"""
OPERATORS = """operators = (
  { name = "ann"; token_file = "ann.token"; roles = [ "read", "act", "approve", "admin" ]; },
  { name = "guest"; token_file = "guest.token"; roles = [ "read" ]; },
  { name = "operator"; token_file = "operator.token"; roles = [ "read", "act", "approve", "admin" ]; } );
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
TAB, ENTER = "\ue004", "\ue007"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    def __init__(self, program, folder):
        self.cluster, self.folder, self.began = Cluster(), folder, {}
        self.heald = Heald(program, folder / "heald", POLICY, self.cluster.kubeconfig(folder / "kubeconfig"), free_port())
        config = self.heald.folder / "heald.cfg"
        config.write_text(re.sub(r"operators = .*\n", OPERATORS, config.read_text()))
        for name in ("ann", "guest"):
            (self.heald.folder / f"{name}.token").write_text(f"{name}-{os.urandom(8).hex()}")
        self.url = self.heald.url

    def token(self, name):
        return (self.heald.folder / f"{name}.token").read_text()

    def alert(self, namespace, name, status="firing"):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if status == "firing":
            self.began[namespace, name] = now
        body = {"version": "4", "groupKey": name, "status": status, "receiver": "heald", "alerts": [{
            "status": status, "startsAt": self.began[namespace, name], "endsAt": now if status == "resolved" else "0001-01-01T00:00:00Z",
            "labels": {"alertname": "NotReady", "cluster": "local", "namespace": namespace, "deployment": name, "severity": "critical"},
            "annotations": {"summary": f"{name} <b>is</b> not ready", "runbook_url": "https://runbooks.example.org/not-ready"}}]}
        code, text = http("POST", self.url + "/webhook/alertmanager", body, token=self.heald.tokens["alertmanager"])
        equal(code, 200, f"the delivery's answer {text}")

    def get(self, path, name="ann"):
        code, text = http("GET", self.url + path, token=self.token(name))
        equal(code, 200, path)
        return json.loads(text)

    def incident(self, namespace, name):
        found = self.get(f"/api/v1/incidents?namespace={namespace}&name={name}")["incidents"]
        return found[0] if found else None

    def reaches(self, namespace, name, state):
        def there():
            i = self.incident(namespace, name)
            return i and (i["state"] == state or i["outcome"] == state) and i
        return wait_until(f"{namespace}/{name} being {state}: {self.incident(namespace, name)}", there, 60, 0.2)


def log_in(b, w, name, path="/"):
    b.open(w.url + path)
    b.type("input[name=token]", w.token(name))
    b.click("form button")
    wait_until("being logged in", lambda: b.all("header.top"), 20, 0.1)


def accessible(b, axe, what):
    b.run(axe)
    found = b.run_async("const done = arguments[0]; axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
                        ".then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).slice(0, 3).join(' | '))))")
    assert not found, f"{what}: {found}"


def story(c, w, b, axe, shots):
    def shot(name):
        if shots:
            b.screenshot(shots / f"{name}.png")

    def login():
        b.open(w.url + "/")
        accessible(b, axe, "login")
        shot("login")
        b.type("input[name=token]", "wrong")
        b.click("form button")
        wait_until("the refusal", lambda: "no token of an operator" in b.text(), 20, 0.1)
        log_in(b, w, "ann")
        cookie = b.cookie("heald_session")
        equal((cookie["httpOnly"], cookie["sameSite"]), (True, "Lax"), "the cookie's marks")

    def paused():
        assert "Paused everywhere" in b.text("#pauses"), b.text("#pauses")
        shot("paused")
        b.click("#pauses button")
        wait_until("being resumed", lambda: not w.get("/status")["paused"], 20, 0.1)
        wait_until("the page to say so", lambda: b.all("#pauses") and "Paused" not in b.text("#pauses"), 20, 0.1)

    def appears():
        equal(b.all("#waiting article"), [], "questions at first")
        w.alert("shop", "web")
        wait_until("the question to appear by itself", lambda: b.all("#waiting article"), 60, 0.2)
        assert "deployment shop/web" in b.text("#waiting"), b.text("#waiting")
        shot("question")
        accessible(b, axe, "the page with a question")

    def timeline():
        b.click("#waiting article a")
        wait_until("the incident", lambda: b.all("#story"), 20, 0.1)
        text = b.text("main")
        for wanted in ("A yes is asked for", "alert NotReady firing", "incident opened by rule not-ready", "web <b>is</b> not ready", "a person is asked"):
            assert wanted in text, f"{wanted!r} in {text}"
        equal(b.run("return document.querySelector('a[href^=\"https://runbooks\"]').rel"), "noreferrer", "the runbook's link")
        accessible(b, axe, "an incident")
        shot("incident")

    def approve():
        equal(w.cluster.writes, [], "writes before the yes")
        b.phone(390, 844)
        b.open(w.url + "/")
        accessible(b, axe, "the page on a phone")
        shot("phone")
        equal(b.run("return document.documentElement.scrollWidth <= innerWidth"), True, "nothing sticks out at the side")
        b.type("#waiting input[name=reason]", "seen on the phone")
        b.click("#waiting button.yes")
        wait_until("the write", lambda: w.cluster.writes == ["web"], 30, 0.1)
        words = [d for d in w.get("/api/v1/incidents/" + w.incident("shop", "web")["id"])["decisions"] if d["kind"] == "word"]
        equal([(d["who"], d["word"], d["reason"]) for d in words], [("ann", "approve", "seen on the phone")], "the word")
        assert b.url().endswith("/incidents/" + w.incident("shop", "web")["id"]), b.url()

    def healed():
        w.alert("shop", "web", "resolved")
        w.reaches("shop", "web", "healed")
        wait_until("the outcome by itself", lambda: "healed" in b.text("#summary"), 60, 0.2)
        shot("phone-healed")
        b.run("return 0")
        b.ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})

    def deny():
        w.alert("shop", "api")
        w.reaches("shop", "api", "approval")
        b.open(w.url + "/")
        b.click("#waiting button.no")
        wait_until("the refusal to be told", lambda: "That was not done" in b.text(), 20, 0.1)
        assert "say why" in b.text(), b.text()
        accessible(b, axe, "a refusal")
        b.open(w.url + "/")
        b.type("#waiting input[name=reason]", "not now")
        b.click("#waiting button.no")
        w.reaches("shop", "api", "closed")
        equal(w.cluster.writes, ["web"], "writes")

    def refused():
        w.alert("stage", "web")
        w.reaches("stage", "web", "verifying")
        w.alert("stage", "web", "resolved")
        w.reaches("stage", "web", "healed")
        time.sleep(1.1)
        w.cluster.breaks("stage", "web")
        w.alert("stage", "web")
        w.reaches("stage", "web", "waiting")
        b.open(w.url + "/")
        assert "cooldown" in b.text("#refused"), b.text("#refused")
        assert "cooldown" in b.text("#open"), b.text("#open")
        assert "1 of 10 writes" in b.text("#budgets"), b.text("#budgets")
        shot("refused")
        b.colours("dark")
        accessible(b, axe, "the page in the dark")
        shot("dark")
        b.colours("light")

    def keyboard():
        b.open(w.url + "/explain")
        b.run("document.activeElement.blur()")
        for _ in range(40):
            b.keys(TAB)
            if b.run("return document.activeElement.name") == "labels":
                break
        else:
            raise AssertionError("the box is not reached by the keyboard")
        b.keys(*'alertname="NotReady", namespace="shop", deployment="web"')
        b.keys(TAB, ENTER)
        wait_until("the explanation", lambda: "not-ready takes it" in b.text(), 20, 0.1)
        assert "deployment shop/web" in b.text(), b.text()
        accessible(b, axe, "explain")
        shot("explain")
        b.open(w.url + "/policy")
        assert "alertname=\"NotReady\"" in b.text(), b.text()
        accessible(b, axe, "policy")
        shot("policy")
        b.open(w.url + "/incidents?outcome=healed&rule=&namespace=")
        equal(len(b.all("#list tbody tr")), 2, "healed ones")
        accessible(b, axe, "incidents")

    def pause():
        b.open(w.url + "/")
        b.click("header details summary")
        b.type("header details input[name=reason]", "a drill")
        b.click("header details button")
        wait_until("being paused", lambda: "Paused everywhere" in b.text("#pauses"), 20, 0.1)
        wait_until("ann being named", lambda: w.get("/status")["paused_by"] == "ann", 20, 0.1)
        b.click("#pauses button")
        wait_until("being resumed", lambda: not w.get("/status")["paused"], 20, 0.1)

    def guest():
        b.click("header form button")
        wait_until("being logged out", lambda: b.all("input[name=token]"), 20, 0.1)
        w.alert("shop", "cart")
        i = w.reaches("shop", "cart", "approval")
        log_in(b, w, "guest", f"/incidents/{i['id']}")
        assert b.url().endswith(f"/incidents/{i['id']}"), f"back to where the link led: {b.url()}"
        equal(b.all("button.yes, button.no, header details"), [], "buttons of a guest")
        assert "can answer" in b.text(), b.text()

    def quiet():
        found = [m for m in b.complaints() if "401" not in m and "400" not in m]
        equal(found, [], "what the browser complained of")

    for sentence, case in (("people log in by their token", login), ("a new journal is paused, and resumed by a click", paused),
                           ("a question appears by itself", appears), ("an incident is a timeline", timeline),
                           ("a phone at night is enough to approve", approve), ("the outcome appears by itself", healed),
                           ("a denial wants a reason", deny), ("what was refused is shown with its guard", refused),
                           ("the explain box works by keyboard", keyboard), ("the pause button pauses", pause),
                           ("a guest sees and cannot answer", guest), ("the browser has nothing to complain of", quiet)):
        c.check(sentence, case)


def many(w, count=10000):
    """Ten thousand incidents beside the real ones: only the tables that are read."""
    import sqlite3
    w.heald.stop()
    with sqlite3.connect(w.heald.folder / "journal.db") as db:
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO incident (opened_seq, id, changed_seq, opened_ms,"
                   " starts_ms, changed_ms, rule, source, plan, who, cluster, namespace, kind, name, state, outcome, reason, alerts) SELECT -i, 'many' || i,"
                   " 0, 1790000000000 + i * 60000, 1790000000000 + i * 60000, 0, 'rule-' || (i % 40), 'am', 'p', '', 'c', 'n' || (i % 90), 'Deployment',"
                   " 'd' || i, 'closed', iif(i % 7, 'healed', 'escalated'), 'so it was', 1 FROM n", (count,))
    db.close()
    w.heald.start()
    equal(len(w.get("/api/v1/incidents?limit=500&rule=rule-1")["incidents"]), count // 40, "incidents of a rule")
    sizes, times = [], []
    for path in ("/", "/incidents", "/api/v1/incidents", "/api/v1/stats"):
        best = 9.0
        for _ in range(5):
            r = urllib.request.Request(w.url + path, headers={"Authorization": "Bearer " + w.token("ann")})
            begin = time.monotonic()
            with urllib.request.urlopen(r) as a:
                first = time.monotonic() - begin
                sizes.append(len(a.read()))
            best = min(best, first)
        times.append(f"{path} {best * 1000:.0f} ms")
    print("page with 10,000 incidents: first byte " + ", ".join(times) + f"; largest {max(sizes) // 1024} KiB", flush=True)
    assert max(sizes) < 200 * 1024, f"an answer of {max(sizes)} bytes"


def documented(w, schemathesis, folder, examples):
    document = folder / "openapi.json"
    document.write_text(json.dumps(w.get("/api/v1/openapi.json")))
    run = subprocess.run([schemathesis, "run", str(document), "--url", w.url, "--header", "Authorization: Bearer " + w.token("ann"), "--checks", CHECKS,
                          "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--seed", "1", "--no-color"],
                         capture_output=True, text=True, cwd=folder, timeout=900)
    (folder / "schemathesis.log").write_text(run.stdout + run.stderr)
    assert run.returncode == 0, run.stdout[-3000:]
    return next((line.strip() for line in run.stdout.splitlines() if re.match(r"\s+\d+ generated", line)), "")


def metrics(w):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    for accept in ("text/plain", "application/openmetrics-text"):
        _, text = http("GET", w.url + "/metrics", headers={"Accept": accept})
        assert b"heald_" in text, text[:200]
        if accept == "text/plain":
            run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
            equal((run.returncode, run.stdout + run.stderr), (0, b""), "what promtool says")
        else:
            assert text.endswith(b"# EOF\n"), text[-100:]


def explained(w, program):
    """heald explain ID: what the alert of an incident would lead to now."""
    def explain(ident):
        return subprocess.run([program, "explain", "--config", str(w.heald.folder / "heald.cfg"), "--url", w.url, "--token-file",
                               str(w.heald.folder / "ann.token"), ident], capture_output=True, text=True, cwd=w.heald.folder)
    incident = w.get("/api/v1/incidents")["incidents"][-1]
    run = explain(incident["id"])
    equal((run.returncode, run.stderr), (0, ""), "explain of an incident")
    for word in (incident["rule"], incident["name"], "plan"):
        assert word in run.stdout, f"{word!r} is missing in {run.stdout}"
    run = explain("01mcccccccccccccc")
    equal(run.returncode, 1, "explain of an incident that there is not")
    assert "there is no incident" in run.stderr, run.stderr


def without_a_token(w):
    for path, operations in w.get("/api/v1/openapi.json")["paths"].items():
        for method, operation in operations.items():
            if "security" in operation:
                code, _ = http(method.upper(), w.url + path.replace("{id}", "0"), {} if method == "post" else None)
                equal(code, 401, f"{method} {path} without a token")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--venv", required=True, type=Path)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--driver", default="/usr/bin/chromedriver")
    parser.add_argument("--examples", type=int, default=10)
    parser.add_argument("--screenshots", type=Path)
    args = parser.parse_args()
    c = Cases("page")
    axe = next(args.venv.glob("lib/python*/site-packages/axe_playwright_python/axe.min.js")).read_text()
    if args.screenshots:
        args.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="heald-page-", ignore_cleanup_errors=True) as name:
        w = World(args.program, Path(name))
        w.heald.start()
        b = None
        try:
            b = Browser(args.browser, args.driver, Path(name) / "profile")
            story(c, w, b, axe, args.screenshots)
            c.check("promtool has nothing to say about the metrics", lambda: metrics(w))
            c.check("without a token nothing is told", lambda: without_a_token(w))
            c.check("an incident is explained by its id", lambda: explained(w, args.program))
            c.check("with 10,000 incidents it stays small", lambda: many(w))
            print("schemathesis: ", c.check("every answer is as the OpenAPI document says",
                                            lambda: documented(w, str(args.venv / "bin" / "schemathesis"), Path(name), args.examples)), flush=True)
        finally:
            if b:
                b.end()
            w.heald.stop()
            w.cluster.end()
    return c.end()


sys.exit(main())
