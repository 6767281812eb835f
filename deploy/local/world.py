"""The local world as the demo and the tests see it: the API server, Prometheus, Alertmanager, Grafana, and a heald process.

Only Python's own library. Everything is asked from outside, as a user could."""

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wait_until(what, check, limit=60.0, pause=0.2):
    """The first true value of check(); an AssertionError that says what did not happen."""
    end = time.monotonic() + limit
    last = None
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
        except (OSError, urllib.error.URLError, ValueError, KeyError, IndexError) as e:
            last = e
        time.sleep(pause)
    raise AssertionError(f"{what}: did not happen within {limit:g} s" + (f" (last: {last})" if last else ""))


def http(method, url, body=None, token=None, ca=None, headers=None, timeout=10, insecure=False):
    """(status, bytes) of one request; errors of HTTP are answers, not exceptions."""
    data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if isinstance(body, (dict, list)) and "Content-type" not in request.headers:
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    context = None
    if url.startswith("https"):
        context = ssl.create_default_context(cafile=ca)
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def read_env(file):
    """A shell env file written by deploy/local."""
    text = subprocess.run(["bash", "-c", 'set -a; source "$1"; env -0', "_", str(file)], capture_output=True, text=True, check=True,
                          env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}).stdout
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


class World:
    """A cluster with its monitoring, by the env file of deploy/local (or a reader's own kubeconfig)."""

    def __init__(self, state):
        self.state = Path(state)
        self.env = read_env(self.state / "env")

    def __getitem__(self, name):
        return self.env[name]

    def kubectl(self, *args, check=True, stdin=None):
        run = subprocess.run([self["KUBECTL"], "--kubeconfig", self["KUBECONFIG"], *args], capture_output=True, text=True, input=stdin)
        if check and run.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(args)}: {run.stderr.strip()}")
        return run.stdout

    def get(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def raw(self, path):
        return self.kubectl("get", "--raw", path, check=False)

    def prometheus(self, path):
        return json.loads(http("GET", self["PROMETHEUS_URL"] + path)[1])["data"]

    def annotations(self, tag="heald"):
        token = Path(self["GRAFANA_TOKEN_FILE"]).read_text().strip()
        query = urllib.parse.urlencode({"tags": tag, "from": 1, "to": 10**13, "limit": 1000})
        status, body = http("GET", f"{self['GRAFANA_URL']}/api/annotations?{query}", token=token)
        if status != 200:
            raise OSError(f"Grafana answered {status}")
        return json.loads(body)


def quote(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Heald:
    """A heald process with its own folder: configuration, journal, log."""

    def __init__(self, program, folder, policy, kubeconfig, port, prometheus=None, grafana=None, grafana_token_file=None, namespaces=(),
                 extra="", cluster="local", only=()):
        self.program, self.folder, self.port = str(Path(program).resolve()), Path(folder), port
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self.process, self.prefix = None, []  # the prefix: an instrument to run it under
        self.tokens = {}
        for name in ("alertmanager", "operator"):
            file = self.folder / f"{name}.token"
            if not file.exists():
                file.write_text(os.urandom(16).hex())
            self.tokens[name] = file.read_text()
        (self.folder / "policy.cfg").write_text(policy)
        spaces = ", ".join(quote(n) for n in namespaces)
        lines = [
            f'listen = "127.0.0.1:{port}";', 'journal = "journal.db";', 'policy = "policy.cfg";',
            'sources = ( { name = "alertmanager"; type = "alertmanager"; token_file = "alertmanager.token"; only = [ '
            + ", ".join(quote(o) for o in only) + " ]; } );",
            'operators = ( { name = "operator"; token_file = "operator.token"; roles = [ "read", "act", "admin" ]; } );',
            f'clusters = ( {{ name = {quote(cluster)}; kubeconfig = {quote(kubeconfig)}; namespaces = [ {spaces} ]; }} );',
            'log = { level = "info"; format = "json"; };',
        ]
        if prometheus:
            lines.append(f"prometheus = {{ url = {quote(prometheus)}; }};")
        if grafana:
            lines.append(f"grafana = {{ url = {quote(grafana)}; token_file = {quote(grafana_token_file)}; }};")
        (self.folder / "heald.cfg").write_text("\n".join(lines) + "\n" + extra)
        self.log = self.folder / "heald.log"

    def start(self, environment=None, wait=True):
        self.process = subprocess.Popen([*self.prefix, self.program, "serve", "--config", "heald.cfg"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log.open("a"), env={**os.environ, **(environment or {})},
                                        start_new_session=True)
        if wait:
            wait_until(f"heald being ready (see {self.log})", self.ready, 30, 0.05)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"heald ended with {self.process.returncode}; the end of its log:\n" + self.log.read_text()[-2000:])
        return http("GET", self.url + "/ready", timeout=2)[0] == 200

    def stop(self, limit=30):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def status(self):
        code, body = http("GET", self.url + "/status", token=self.tokens["operator"])
        if code != 200:
            raise OSError(f"/status answered {code}")
        return json.loads(body)

    def command(self, *args):
        return subprocess.run([self.program, *args, "--url", self.url, "--token-file", str(self.folder / "operator.token")],
                              capture_output=True, text=True)

    def resume(self):
        run = self.command("resume", "--reason", "ready to act")
        if run.returncode != 0:
            raise RuntimeError(run.stderr)

    def events(self):
        """Its log lines, parsed."""
        out = []
        for line in self.log.read_text().splitlines():
            try:
                out.append(json.loads(line))
            except ValueError:
                pass
        return out

    def facts(self, query):
        """Ask the journal by the sqlite3 shell, as an on-call person would."""
        run = subprocess.run(["sqlite3", "-readonly", "-cmd", ".timeout 10000", "-json", str(self.folder / "journal.db"), query], capture_output=True, text=True, check=True)
        return json.loads(run.stdout or "[]")

    def closed(self, rule):
        """Incidents of a rule that have ended, newest first."""
        return [i for i in self.status()["recent"] if i["rule"] == rule]
