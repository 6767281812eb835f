"""A stand-in for an API server with Deployments that are well at once after every change: for what is about heald's own process and not about a cluster.

It answers GET, LIST and WATCH of them, of their ReplicaSets and pods, and merge PATCH of Deployments. Every PATCH is remembered."""

import copy
import hashlib
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MERGED = ("application/merge-patch+json", "application/strategic-merge-patch+json")  # alike where no list is patched


def meta(namespace, name, version, owner=None, **more):
    owners = [{"apiVersion": "apps/v1", "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}] if owner else []
    return {"namespace": namespace, "name": name, "uid": f"uid-{namespace}-{name}", "resourceVersion": str(version), "generation": 1,
            "creationTimestamp": "2026-01-05T09:00:00Z", "ownerReferences": owners, **more}


def deployment(namespace, name, version):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(namespace, name, version),
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}}


def children(d):
    """The ReplicaSet of its template, and the pods."""
    namespace, version = d["metadata"]["namespace"], d["metadata"]["resourceVersion"]
    template = copy.deepcopy(d["spec"]["template"])
    revision = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    template["metadata"]["labels"]["pod-template-hash"] = revision
    labels = template["metadata"]["labels"]
    rs = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta(namespace, f"{d['metadata']['name']}-{revision}", version, d, labels=labels),
          "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}, "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2}}
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": meta(namespace, f"{rs['metadata']['name']}-{k}", version, rs, labels=labels), "spec": template["spec"],
             "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                        "containerStatuses": [{"name": "c", "restartCount": 0, "ready": True, "state": {"running": {}}}]}} for k in range(2)]
    return [rs, *pods]


def merged(old, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value)
    return new


def in_path(path, o):
    """Whether a collection's path lists this object."""
    return path.endswith("/" + o["kind"].lower() + "s") and ("/namespaces/" not in path or f"/namespaces/{o['metadata']['namespace']}/" in path)


class Cluster:
    def __init__(self, *names):
        """`names` are "namespace/name"."""
        self.lock, self.version, self.watches, self.patches = threading.Lock(), len(names), [], []
        self.objects = {n: deployment(*n.split("/"), i + 1) for i, n in enumerate(names)}
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                cluster.get(self)

            def do_PATCH(self):
                cluster.patch(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, file):
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
                                    "users": [{"name": "u", "user": {"token": "t"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return file

    def end(self):
        with self.lock:
            for w in self.watches:
                w.put(None)
        self.server.shutdown()
        self.server.server_close()

    # ---- requests ----

    def answer(self, request, value, status=200):
        body = json.dumps(value).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def not_found(self, request):
        self.answer(request, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}, 404)

    def named(self, path):
        """The object that a path names, by namespace/name; None for a collection."""
        parts = path.split("/")
        if "deployments" in parts and parts[-1] != "deployments":
            return f"{parts[parts.index('namespaces') + 1]}/{parts[-1]}"
        return None

    def get(self, request):
        path, _, query = request.path.partition("?")
        name = self.named(path)
        if name:
            with self.lock:
                found = copy.deepcopy(self.objects.get(name))
            return self.answer(request, found) if found else self.not_found(request)
        if "watch=" in query:
            return self.watch(request, path)
        if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            return self.answer(request, {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": path.split("/")[-1], "uid": "u", "resourceVersion": "1"}})
        with self.lock:
            items = [copy.deepcopy(o) for d in self.objects.values() for o in [d, *children(d)] if in_path(path, o)]
            version = str(self.version)
        return self.answer(request, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})

    def watch(self, request, path):
        events = queue.Queue()
        with self.lock:
            self.watches.append(events)
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            while (event := events.get()) is not None:
                if in_path(path, event["object"]):
                    line = json.dumps(event).encode() + b"\n"
                    request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            request.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            with self.lock:
                self.watches.remove(events)
            request.close_connection = True

    def tell(self, what, objects):
        for w in self.watches:
            for o in objects:
                w.put({"type": what, "object": {**o, "metadata": {**o["metadata"], "resourceVersion": str(self.version)}}})

    def patch(self, request):
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        name = self.named(request.path.partition("?")[0])
        with self.lock:
            old = self.objects.get(name)
            new = merged(old, body) if old and request.headers["Content-Type"] in MERGED else None
            if new:
                self.version += 1
                new["metadata"]["resourceVersion"] = str(self.version)
                new["metadata"]["generation"] += 1
                new["status"]["observedGeneration"] = new["metadata"]["generation"]
                self.objects[name] = new
                self.patches.append((name, body))
                self.tell("MODIFIED", [new])
                if new["spec"]["template"] != old["spec"]["template"]:
                    self.tell("ADDED", children(new))
                    self.tell("DELETED", children(old)[1:])
        if not new:
            return self.not_found(request)
        return self.answer(request, new)
