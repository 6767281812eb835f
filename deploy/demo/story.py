#!/usr/bin/env python3
"""The demo's story: version 2 crash-loops and is rolled back; then the shop hangs and is restarted. Prints one timeline."""

import argparse
import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "local"), str(HERE / "stage")]
import monitoring  # noqa: E402
from world import Heald, World, http, wait_until  # noqa: E402

BOLD, DIM, GREEN, PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[0m") if sys.stdout.isatty() else ("", "", "", "")


class Timeline:
    """Who said what, when: wall time, and seconds since the last fault."""

    def __init__(self):
        self.fault = None
        self.lock = threading.Lock()

    def say(self, who, what, at=None):
        at = at or time.time()
        since = f"{at - self.fault:+6.1f} s" if self.fault else " " * 8
        clock = datetime.fromtimestamp(at).strftime("%H:%M:%S")
        with self.lock:
            print(f"  {DIM}{clock}{PLAIN} {since}  {who:<12} {what}", flush=True)


class Probe(threading.Thread):
    """Asks the shop for its front page all the time, through the API server."""

    def __init__(self, story):
        super().__init__(daemon=True)
        self.story, self.good, self.bad, self.ended, self.state = story, 0, 0, False, None
        server, self.ca, token = monitoring.kubeconfig_access(story.world["KUBECONFIG"])
        self.url = f"{server}/api/v1/namespaces/{story.namespace}/services/shop:http/proxy/"
        self.token = Path(token).read_text().strip() if token else None

    def ask(self):
        try:
            return http("GET", self.url, token=self.token, ca=self.ca, timeout=1)[0] == 200
        except OSError:
            return False

    def run(self):
        while not self.ended:
            good = self.ask()
            self.good += good
            self.bad += not good
            if good != self.state and self.state is not None:
                self.story.line.say("probe", "the shop answers again" if good else "the shop does not answer")
            self.state = good
            time.sleep(0.25)


class Story:
    def __init__(self, args):
        self.args, self.world, self.namespace, self.line = args, World(args.state), args.namespace, Timeline()
        w = self.world
        port = int(w["HEALD_PORT"])
        self.heald = Heald(w["HEALD_PROGRAM"], Path(args.state) / "heald", (HERE / "stage" / "policy.cfg").read_text(), w["HEALD_KUBECONFIG"], port,
                           prometheus=w["PROMETHEUS_URL"], grafana=w["GRAFANA_URL"], grafana_token_file=w["GRAFANA_TOKEN_FILE"],
                           namespaces=[self.namespace], only=[f"namespace={self.namespace}"])
        self.seen = 0

    def kubectl(self, *args, **kw):
        return self.world.kubectl("-n", self.namespace, *args, **kw)

    def deploy(self):
        own = self.args.own_cluster
        manifest = (HERE / "stage" / "shop.yaml").read_text().replace("IMAGE_PREFIX", self.args.image_prefix)
        manifest = manifest.replace("IMAGE_PULL_POLICY", "IfNotPresent" if own else "Never")
        self.world.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=true") if not own else None
        self.world.kubectl("create", "namespace", self.namespace, check=False)
        if not own:
            self.kubectl("create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald")
        self.kubectl("apply", "-f", "-", stdin=manifest)
        self.kubectl("rollout", "status", "deployment/shop", "--timeout=120s")
        self.line.say("kubernetes", "shop version 1 is rolled out, 2 pods")

    def launch(self, name, url, *command):
        """Through deploy/local's own bookkeeping, so that `end` finds it."""
        script = 'source "$1/deploy/local/lib/common.sh"; shift; launch "$@"'
        root = str(HERE.parents[1])
        subprocess.run(["bash", "-c", script, "_", root, name, *command], check=True, env={**os.environ, "HEALD_STATE": str(self.world.state)})
        wait_until(f"{name} being ready", lambda: http("GET", url + "/-/ready", timeout=2)[0] == 200, 30)
        self.line.say(name, url)

    def start_monitoring(self):
        w, folder = self.world, self.world.state
        (folder / "alertmanager.yml").write_text(monitoring.alertmanager(self.heald.url, self.heald.tokens["alertmanager"]))
        (folder / "prometheus.yml").write_text(monitoring.prometheus(w, HERE / "stage" / "alerts.yml", self.namespace))
        self.launch("alertmanager", w["ALERTMANAGER_URL"], w["TOOLS"] + "/alertmanager", "--config.file", str(folder / "alertmanager.yml"),
                    "--storage.path", str(folder / "alertmanager"), "--web.listen-address", "127.0.0.1:" + w["ALERTMANAGER_PORT"],
                    "--cluster.listen-address=")
        self.launch("prometheus", w["PROMETHEUS_URL"], "prometheus", "--config.file", str(folder / "prometheus.yml"), "--storage.tsdb.path",
                    str(folder / "prometheus"), "--web.listen-address", "127.0.0.1:" + w["PROMETHEUS_PORT"], "--log.level", "warn")

    def start_heald(self):
        self.heald.start()
        pid = self.heald.process.pid  # recorded, so that `end` finds it
        started = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        (self.world.state / "run" / "heald.pid").write_text(f"{pid} {started}\n")
        self.line.say("heald", f"{self.heald.url}; a new journal starts paused")
        self.heald.resume()
        self.line.say("operator", "heald resume")
        wait_until("the shop's template being proven well", lambda: self.heald.status()["workloads_proven"] >= 1, 120)
        self.tell_log()

    def tell_log(self):
        """heald's own words since the last time."""
        events = self.heald.events()
        for e in events[self.seen:]:
            if e.get("incident") or e["msg"].startswith("template"):
                at = datetime.fromisoformat(e["ts"].replace("Z", "+00:00")).timestamp()
                detail = " ".join(str(e[k]) for k in ("rule", "step", "action", "state", "verdict", "outcome", "target", "guard") if e.get(k))
                self.line.say("heald", f"{e['msg']}: {detail}" + (f" ({e['reason']})" if e.get("reason") else ""), at)
        self.seen = len(events)

    def firing(self, name):
        return [a for a in self.world.prometheus("/api/v1/alerts")["alerts"] if a["labels"]["alertname"] == name and a["state"] == "firing"]

    def follow(self, alert, rule, before):
        """Until the incident of the rule has ended."""
        told = False
        end = time.monotonic() + 240
        while time.monotonic() < end:
            if not told and self.firing(alert):
                self.line.say("prometheus", f"alert {alert} fires")
                told = True
            self.tell_log()
            closed = self.heald.closed(rule)
            if len(closed) > before:
                self.tell_log()
                return closed[0]
            time.sleep(0.3)
        raise AssertionError(f"no incident of rule {rule} ended within 240 s; see {self.heald.log}")

    def template_image(self):
        d = self.world.get("-n", self.namespace, "deployment", "shop")
        return d["spec"]["template"]["spec"]["containers"][0]["image"]

    def bad_release(self):
        print(f"\n{BOLD}   version 2 is rolled out; it crashes at start{PLAIN}")
        before = len(self.heald.closed("crash-looping"))
        self.line.fault = time.time()
        self.kubectl("set", "image", "deployment/shop", f"shop={self.args.image_prefix}/shop:2")
        self.line.say("you", f"kubectl set image deployment/shop shop={self.args.image_prefix}/shop:2")
        incident = self.follow("ShopCrashLooping", "crash-looping", before)
        self.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
        self.line.say("kubernetes", f"the Deployment's image is {self.template_image()}")
        return incident

    def hang(self):
        print(f"\n{BOLD}   the shop hangs: it accepts connections and never answers{PLAIN}")
        wait_until("the first alert being quiet", lambda: not self.firing("ShopCrashLooping"), 60)
        before = len(self.heald.closed("not-answering"))
        self.line.fault = time.time()
        for pod in self.world.get("-n", self.namespace, "pods", "-l", "app=shop")["items"]:
            if pod["metadata"].get("deletionTimestamp"):
                continue
            path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}:8080/proxy/fault?kind=hang"
            self.kubectl("create", "--raw", path, "-f", "-", check=False, stdin="")
            self.line.say("you", f"POST /fault?kind=hang to pod {pod['metadata']['name']}")
        incident = self.follow("ShopNotAnswering", "not-answering", before)
        return incident

    def regions(self, incidents):
        ids = [i["id"] for i in incidents]

        def both():
            found = [a for a in self.world.annotations() for i in ids if f"incident:{i}" in a["tags"] and "outcome:open" not in a["tags"]]
            return found if len(found) >= len(ids) else None

        print(f"\n{BOLD}   as Grafana has them{PLAIN}")
        for a in sorted(wait_until("both annotations having their outcome", both, 30), key=lambda a: a["time"]):
            begin = datetime.fromtimestamp(a["time"] / 1000, timezone.utc).astimezone().strftime("%H:%M:%S")
            end = datetime.fromtimestamp(a["timeEnd"] / 1000, timezone.utc).astimezone().strftime("%H:%M:%S")
            print(f"  region {a['id']}  {begin} - {end}  {' '.join(a['tags'])}")
            for part in a["text"].split("<br>"):
                print(f"    {part}")

    def run(self):
        self.deploy()
        self.start_monitoring()
        self.start_heald()
        probe = Probe(self)
        probe.start()
        incidents = [self.bad_release(), self.hang()]
        wait_until("the shop answering", probe.ask, 60)
        probe.ended = True
        self.regions(incidents)
        healed = all(i["outcome"] == "healed" for i in incidents)
        print(f"\n  the probe was answered {probe.good} times, and {probe.bad} times not")
        print(f"  {GREEN if healed else ''}{BOLD}{'both faults are healed, and verified' if healed else 'NOT HEALED'}{PLAIN}: "
              + ", ".join(f"{i['rule']} {i['outcome']}" for i in incidents))
        return healed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--namespace", default="demo")
    parser.add_argument("--image-prefix", default="heald.local")
    parser.add_argument("--own-cluster", action="store_true")
    story = Story(parser.parse_args())
    try:
        healed = story.run()
    except AssertionError as e:
        print(f"heald: demo: {e}", file=sys.stderr)
        healed = False
    sys.exit(0 if healed else 1)


if __name__ == "__main__":
    main()
