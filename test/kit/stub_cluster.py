"""A stand-in for an API server with its controllers (and for Grafana), in this process: Deployments, ReplicaSets and pods that break, and get well by new pods.

For long or instrumented runs of the real daemon, where a real node would be the slowest part. It knows what heald asks for: lists, watches with bookmarks, single
objects, patches with preconditions, deletions. What goes wrong is drawn by `trouble`: refusals, slow answers, forgotten versions (410), tokens that end (401)."""

import hashlib
import json
import random
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

EVENTS_KEPT = 400  # older versions are gone: 410
READY_S = 0.4      # a new pod is ready after this time
BOOKMARK_S = 5.0
PREFIXES = {"deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "daemonsets": "/apis/apps/v1", "pods": "/api/v1"}
KINDS = {"deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod"}


def stamp(at=None):
    return datetime.fromtimestamp(at or time.time(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(into, patch):
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


class Refused(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.body = code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


class StubCluster:
    def __init__(self, seed=1):
        self.lock, self.changed = threading.RLock(), threading.Condition()
        self.version, self.uids, self.objects, self.events = 10, 0, {k: {} for k in PREFIXES}, {k: [] for k in PREFIXES}
        self.oldest = {k: 0 for k in PREFIXES}
        self.broken, self.due = set(), []
        self.random = random.Random(seed)
        self.trouble, self.token, self.over = 0.0, None, False
        self.annotations = {}  # Grafana's, by id
        self.counts = {"requests": 0, "writes": 0, "refused": 0, "gone": 0, "slow": 0, "conflicts": 0}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def any(self):
                try:
                    stub.serve(self)
                except (OSError, ValueError):
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # heald has gone away, which is what the tests want

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.server.serve_forever, self.control)]
        for t in self.threads:
            t.start()

    def close(self):
        self.over = True
        with self.changed:
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self.threads[1].join()

    def kubeconfig(self, file, token_file):
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"tokenFile": str(token_file)}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return str(file)

    # ---- objects ----

    def store(self, kind, o, event):
        """Under the lock."""
        self.version += 1
        m = o["metadata"]
        m["resourceVersion"] = str(self.version)
        key = (m["namespace"], m["name"])
        if event == "DELETED":
            self.objects[kind].pop(key, None)
        else:
            self.objects[kind][key] = o
        log = self.events[kind]
        log.append((self.version, json.dumps({"type": event, "object": {"kind": KINDS[kind], "apiVersion": "apps/v1" if kind != "pods" else "v1", **o}}).encode() + b"\n"))
        if len(log) > EVENTS_KEPT:
            self.oldest[kind] = log[len(log) // 2][0]
            del log[:len(log) // 2 + 1]
        with self.changed:
            self.changed.notify_all()

    def meta(self, namespace, name, labels, owner=None):
        self.uids += 1
        m = {"namespace": namespace, "name": name, "uid": f"uid-{self.uids}", "labels": labels, "annotations": {}, "creationTimestamp": stamp(), "generation": 1}
        if owner:
            m["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1]["metadata"]["name"], "uid": owner[1]["metadata"]["uid"],
                                     "controller": True, "blockOwnerDeletion": True}]
        return m

    def make(self, namespace, name, replicas=2):
        with self.lock:
            template = {"metadata": {"labels": {"app": name}, "annotations": {}}, "spec": {"containers": [{"name": "c", "image": "example:1"}]}}
            d = {"metadata": self.meta(namespace, name, {"app": name}),
                 "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, "progressDeadlineSeconds": 60},
                 "status": {}}
            self.store("deployments", d, "ADDED")
            self.roll(d)

    def of(self, kind, namespace, name):
        return [o for (s, _), o in self.objects[kind].items() if s == namespace and o["metadata"]["labels"].get("app") == name]

    def roll(self, d):
        """The Deployment's controller: a ReplicaSet for its template, and pods of it."""
        m, template = d["metadata"], d["spec"]["template"]
        hashed = hashlib.sha1(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        name = f"{m['name']}-{hashed}"
        sets = self.of("replicasets", m["namespace"], m["name"])
        mine = [r for r in sets if r["metadata"]["name"] == name]
        if not mine:
            revision = 1 + max([int(r["metadata"]["annotations"].get("deployment.kubernetes.io/revision", 0)) for r in sets], default=0)
            labels = {"app": m["name"], "pod-template-hash": hashed}
            copy = json.loads(json.dumps(template))
            copy["metadata"]["labels"]["pod-template-hash"] = hashed
            mine = [{"metadata": self.meta(m["namespace"], name, labels, ("Deployment", d)),
                     "spec": {"replicas": d["spec"]["replicas"], "selector": {"matchLabels": labels}, "template": copy}, "status": {}}]
            mine[0]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(revision)
            self.store("replicasets", mine[0], "ADDED")
        for old in sorted(sets, key=lambda r: int(r["metadata"]["annotations"].get("deployment.kubernetes.io/revision", 0)))[:-4]:
            if old is not mine[0]:
                self.store("replicasets", old, "DELETED")
        for pod in self.of("pods", m["namespace"], m["name"]):
            self.store("pods", pod, "DELETED")
        self.broken.discard((m["namespace"], m["name"]))
        for _ in range(d["spec"]["replicas"]):
            self.new_pod(mine[0], m["name"])
        self.say_status(d)

    def new_pod(self, rs, app):
        m = rs["metadata"]
        self.uids += 1
        pod = {"metadata": self.meta(m["namespace"], f"{m['name']}-{self.uids:05d}", dict(m["labels"]), ("ReplicaSet", rs)),
               "spec": {"nodeName": "node", "containers": [{"name": "c", "image": "example:1"}]},
               "status": self.pod_status(False)}
        self.store("pods", pod, "ADDED")
        self.due.append((time.monotonic() + READY_S, m["namespace"], pod["metadata"]["name"], app))

    def pod_status(self, ready, waiting=None, restarts=0):
        state = {"running": {"startedAt": stamp()}} if ready else {"waiting": {"reason": waiting or "ContainerCreating"}}
        c = {"name": "c", "ready": ready, "restartCount": restarts, "state": state, "image": "example:1", "imageID": "example@sha256:1"}
        if restarts:
            c["lastState"] = {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": stamp()}}
        return {"phase": "Running" if ready or restarts else "Pending", "startTime": stamp(), "containerStatuses": [c],
                "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp()}]}

    def say_status(self, d):
        m = d["metadata"]
        pods = self.of("pods", m["namespace"], m["name"])
        ready = sum(p["status"]["conditions"][0]["status"] == "True" for p in pods)
        wanted = d["spec"]["replicas"]
        d["status"] = {"observedGeneration": m["generation"], "replicas": len(pods), "updatedReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready,
                       "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" if ready == wanted else "ReplicaSetUpdated"},
                                      {"type": "Available", "status": "True" if ready == wanted else "False"}]}
        self.store("deployments", d, "MODIFIED")

    def control(self):
        """What takes time: pods become ready, unless the workload is broken."""
        while not self.over:
            time.sleep(0.05)
            with self.lock:
                now = time.monotonic()
                for at, namespace, name, app in [x for x in self.due if x[0] <= now]:
                    self.due.remove((at, namespace, name, app))
                    pod, d = self.objects["pods"].get((namespace, name)), self.objects["deployments"].get((namespace, app))
                    if pod and d and (namespace, app) not in self.broken:
                        pod["status"] = self.pod_status(True)
                        self.store("pods", pod, "MODIFIED")
                        self.say_status(d)

    def break_it(self, namespace, name):
        """Its pods crash until there are new ones."""
        with self.lock:
            self.broken.add((namespace, name))
            for pod in self.of("pods", namespace, name):
                pod["status"] = self.pod_status(False, "CrashLoopBackOff", 1 + pod["status"]["containerStatuses"][0]["restartCount"])
                self.store("pods", pod, "MODIFIED")
            self.say_status(self.objects["deployments"][namespace, name])

    def deploy(self, namespace, name, image):
        with self.lock:
            d = self.objects["deployments"][namespace, name]
            d["spec"]["template"]["spec"]["containers"][0]["image"] = image
            d["metadata"]["generation"] += 1
            self.roll(d)

    def well(self, namespace, name):
        with self.lock:
            d = self.objects["deployments"][namespace, name]
            return (namespace, name) not in self.broken and d["status"].get("readyReplicas") == d["spec"]["replicas"]

    # ---- requests ----

    def serve(self, r):
        url = urlsplit(r.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        body = r.rfile.read(int(r.headers.get("Content-Length") or 0))
        with self.lock:
            self.counts["requests"] += 1
            draw, which = self.random.random(), self.random.random()
        try:
            if url.path.startswith("/api/annotations"):
                return self.reply(r, 200, self.annotate(r.command, url, body))
            if self.token and r.headers.get("Authorization") != "Bearer " + self.token:
                raise Refused(401, "Unauthorized", "Unauthorized")
            if draw < self.trouble:
                self.make_trouble(which)
            if query.get("watch") == "true":
                return self.watch(r, self.scope(url.path), query)
            answer = self.answer(r, url.path, query, body)
            code = 200
        except Refused as e:
            code, answer = e.code, e.body
            self.counts["refused"] += 1
        self.reply(r, code, answer)

    def annotate(self, method, url, body):
        """As much of Grafana as an incident needs."""
        with self.lock:
            if method == "POST":
                self.annotations[len(self.annotations) + 1] = json.loads(body)
                return {"message": "Annotation added", "id": len(self.annotations)}
            if method == "PATCH":
                self.annotations[int(url.path.rsplit("/", 1)[1])].update(json.loads(body))
                return {"message": "Annotation patched"}
            wanted = parse_qs(url.query).get("tags", [])
            return [{"id": n, **a} for n, a in self.annotations.items() if all(t in a["tags"] for t in wanted)]

    def reply(self, r, code, answer):
        data = json.dumps(answer).encode()
        r.send_response(code)
        r.send_header("Content-Type", "application/json")
        r.send_header("Content-Length", str(len(data)))
        r.end_headers()
        r.wfile.write(data)

    def make_trouble(self, which):
        if which < 0.5:
            self.counts["slow"] += 1
            time.sleep(which)
        elif which < 0.7:
            raise Refused(500, "InternalError", "etcdserver: leader changed")
        elif which < 0.9:
            raise Refused(429, "TooManyRequests", "too many requests")
        else:
            raise Refused(503, "ServiceUnavailable", "apiserver is shutting down")

    def scope(self, path):
        """(kind, namespace, name, subresource) of a path; parts that are not there are empty."""
        words = path.strip("/").split("/")
        words = words[3:] if words[0] == "apis" else words[2:]
        namespace = words[1] if words[0] == "namespaces" and len(words) > 2 else ""
        words = words[2:] if namespace else words
        return (words + ["", ""])[0], namespace, (words + ["", ""])[1], (words + ["", "", ""])[2]

    def answer(self, r, path, query, body):
        kind, namespace, name, sub = self.scope(path)
        with self.lock:
            if kind == "namespaces" and name:
                return {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name, "uid": "ns-" + name, "resourceVersion": "1", "labels": {}}}
            if not name:
                items = [o for (s, _), o in self.objects.get(kind, {}).items() if not namespace or s == namespace]
                for word in filter(None, query.get("labelSelector", "").split(",")):
                    label, _, value = word.replace("==", "=").partition("=")
                    items = [o for o in items if o["metadata"]["labels"].get(label) == value]
                return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(self.version)}, "items": json.loads(json.dumps(items))}
            o = self.objects.get(kind, {}).get((namespace, name))
            if not o:
                raise Refused(404, "NotFound", f'{kind} "{name}" not found')
            if r.command == "PATCH":
                self.patch(kind, o, sub, r.headers.get("Content-Type"), json.loads(body))
            elif r.command == "DELETE":
                self.delete(kind, o, json.loads(body or b"{}"))
            return {"kind": KINDS[kind], "apiVersion": "v1" if kind == "pods" else "apps/v1", **json.loads(json.dumps(o))}

    def conflict(self, what):
        self.counts["conflicts"] += 1
        raise Refused(409, "Conflict", f"the object has been modified: {what}")

    def patch(self, kind, o, sub, content_type, body):
        m = o["metadata"]
        if kind != "deployments":
            raise Refused(405, "MethodNotAllowed", "only Deployments are patched here")
        before = json.dumps(o["spec"], sort_keys=True)
        if content_type == "application/json-patch+json":
            self.json_patch(o, body)
        else:
            wanted = body.get("metadata", {})
            if wanted.get("uid", m["uid"]) != m["uid"] or wanted.get("resourceVersion", m["resourceVersion"]) != m["resourceVersion"]:
                self.conflict("resourceVersion")
            if sub != "scale":
                merge(m["annotations"], wanted.get("annotations", {}))
            merge(o["spec"], body.get("spec", {}))
        self.counts["writes"] += 1
        if json.dumps(o["spec"], sort_keys=True) != before:
            m["generation"] += 1
            self.roll(o)

    def json_patch(self, o, body):
        def place(path):
            words, at = [w.replace("~1", "/").replace("~0", "~") for w in path.strip("/").split("/")], o
            for w in words[:-1]:
                at = at[w]
            return at, words[-1]

        for op in body:
            at, last = place(op["path"])
            if op["op"] == "test" and at.get(last) != op["value"]:
                raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        for op in body:
            at, last = place(op["path"])
            if op["op"] in ("replace", "add"):
                at[last] = op["value"]
            elif op["op"] == "remove":
                at.pop(last)

    def delete(self, kind, o, options):
        m = o["metadata"]
        if kind != "pods":
            raise Refused(405, "MethodNotAllowed", "only pods are deleted here")
        if options.get("preconditions", {}).get("uid", m["uid"]) != m["uid"]:
            self.conflict("uid")
        self.counts["writes"] += 1
        app, namespace = m["labels"]["app"], m["namespace"]
        rs = self.objects["replicasets"].get((namespace, m["ownerReferences"][0]["name"]))
        self.store("pods", o, "DELETED")
        d = self.objects["deployments"].get((namespace, app))
        if rs and d:
            self.broken.discard((namespace, app))
            self.new_pod(rs, app)
            self.say_status(d)

    # ---- watches ----

    def watch(self, r, scope, query):
        kind, namespace = scope[0], scope[1]
        at, ends = int(query.get("resourceVersion") or 0), time.monotonic() + float(query.get("timeoutSeconds") or 300)
        r.send_response(200)
        r.send_header("Content-Type", "application/json")
        r.send_header("Transfer-Encoding", "chunked")
        r.end_headers()
        told = time.monotonic()
        while not self.over and time.monotonic() < ends:
            with self.lock:
                gone = at < self.oldest.get(kind, 0)
                lines = b"".join(line for v, line in self.events.get(kind, []) if v > at and (not namespace or f'"namespace": "{namespace}"'.encode() in line))
                version = self.version
            if gone:
                self.counts["gone"] += 1
                lines = json.dumps({"type": "ERROR", "object": Refused(410, "Expired", "too old resource version").body}).encode() + b"\n"
            elif not lines and time.monotonic() - told > BOOKMARK_S:
                lines = json.dumps({"type": "BOOKMARK", "object": {"kind": KINDS.get(kind, "List"), "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}}}).encode() + b"\n"
            if lines:
                r.wfile.write(b"%x\r\n%s\r\n" % (len(lines), lines))
                told, at = time.monotonic(), version
            if gone:
                break
            with self.changed:
                if self.version == at:
                    self.changed.wait(0.5)
        r.wfile.write(b"0\r\n\r\n")

    def forget(self):
        """Every watch has to list again."""
        with self.lock:
            self.version += 1
            for kind in self.events:
                self.oldest[kind] = self.version
                self.events[kind].clear()
