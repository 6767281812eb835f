#!/usr/bin/env python3
"""kill -9 at any moment loses nothing and repeats nothing: named points, random kills under load, a full disk, SIGTERM during a write."""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "deploy" / "local"), str(HERE.parents[1] / "test" / "kit")]
from cases import Cases  # noqa: E402
from disk import Disk  # noqa: E402
from lane import deployment  # noqa: E402
from load import Load  # noqa: E402
from points import Points  # noqa: E402
from proxy import certificate  # noqa: E402
from world import World, http, wait_until  # noqa: E402


class Suite:
    """What all lanes share: the world, the program, the proxy's certificate, namespaces."""

    def __init__(self, args):
        self.world, self.program, self.args = World(args.state), Path(args.program).resolve(), args
        self.world.env.update({"GRAFANA_URL": args.grafana, "GRAFANA_TOKEN_FILE": args.grafana_token_file})
        self.folder = Path(args.folder).resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.certificate = certificate(self.folder)
        self.run = "%05d" % (os.getpid() % 100000)
        self.spaces, self.lanes, self.lock = [], [], threading.Lock()

    def space(self, name):
        """A namespace of this run, in which heald may write."""
        space = f"crash-{self.run}-{name}"
        with self.lock:
            self.spaces.append(space)
        self.world.kubectl("create", "namespace", space)
        self.world.kubectl("create", "rolebinding", "heald", "--clusterrole=heald-write", "--user=heald", "-n", space)
        return space

    def deploy(self, space, names):
        items = [deployment(name, space) for name in names]
        self.world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def wait_deployed(self, space, names):
        def ready():
            found = {d["metadata"]["name"]: d["status"].get("availableReplicas") for d in self.world.get("-n", space, "deployments")["items"]}
            return all(found.get(name) == 1 for name in names)

        wait_until(f"the workloads of {space} running: {names}", ready, 240, 0.5)

    def annotation_records(self):
        return [r for r in json.loads(http("GET", self.world["GRAFANA_URL"] + "/stand-in/annotations")[1]) if not r.get("deleted")]

    def end(self):
        for lane in self.lanes:
            lane.end()
        if not self.args.keep and self.spaces:
            self.world.kubectl("delete", "namespace", *self.spaces, "--wait=false", check=False)


def named(suite, cases, args, half_done):
    """The named cases, some at the same time; each has workloads of its own, which go with it."""
    parts = [make(suite, suite.space(name)) for name, make in (("points", Points), ("disk", Disk)) if name in args.parts.split(",")]
    wanted = [(part.space, *c) for part in parts for c in part.cases if args.only in c[0]]
    done = []

    def run(space, workloads, function):
        try:
            suite.deploy(space, workloads)
            suite.wait_deployed(space, workloads)
            function()
            return True
        finally:
            done.append(workloads)
            if len(done) * 2 >= len(wanted):
                half_done.set()
            if not args.keep:
                suite.world.kubectl("-n", space, "delete", "deployment", *workloads, "--wait=false", check=False)

    with ThreadPoolExecutor(args.parallel) as pool:
        futures = [(sentence, pool.submit(run, space, workloads, function)) for space, sentence, workloads, function in wanted]
        for sentence, future in futures:
            cases.check(sentence, future.result)
    half_done.set()


def run_all(suite, cases, args):
    begin = time.monotonic()
    half_done = threading.Event()
    load = Load(suite, args.lanes, args.kills, args.seed) if "load" in args.parts.split(",") else None

    def deploy():  # a node takes 110 pods: not all at once
        half_done.wait()
        load.deploy()

    deploying = threading.Thread(target=deploy, daemon=True)
    if load:
        deploying.start()
    named(suite, cases, args, half_done)
    print(f"        the named cases took {time.monotonic() - begin:.0f} s", flush=True)
    if load:
        deploying.join()
        load.run(cases)
        print(f"        all took {time.monotonic() - begin:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--grafana", required=True)
    parser.add_argument("--grafana-token-file", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="0: a random one, which is printed")
    parser.add_argument("--lanes", type=int, default=4, help="healds under load at the same time")
    parser.add_argument("--parallel", type=int, default=12, help="named cases at the same time")
    parser.add_argument("--parts", default="points,disk,load")
    parser.add_argument("--only", default="", help="only the named cases with this text")
    parser.add_argument("--keep", action="store_true", help="leave the namespaces")
    args = parser.parse_args()
    args.seed = args.seed or random.SystemRandom().randrange(1, 10**9)
    print(f"        seed {args.seed}, {args.kills} random kills (again: --seed {args.seed} --kills {args.kills})", flush=True)
    suite, cases = Suite(args), Cases("crash")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        cases.check("the run came to its end", lambda: run_all(suite, cases, args))
    finally:
        suite.end()
    sys.stdout.flush()
    status = cases.end()
    sys.stdout.flush()
    os._exit(status)  # threads of dead connections are not waited for


if __name__ == "__main__":
    main()
