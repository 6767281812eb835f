"""A stand-in for an API server that knows every Deployment: broken until it is written to, then well."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def merge(into, patch):
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


class Cluster:
    def __init__(self):
        self.writes, self.objects = [], {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, body):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                path = self.path.split("?")[0].split("/")
                if "watch=" in self.path:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    outer.ended.wait(60)
                    self.wfile.write(b"0\r\n\r\n")
                elif len(path) > 2 and path[-2] == "deployments":
                    self.answer(outer.deployment(path[-3], path[-1]))
                elif len(path) > 2 and path[-2] == "namespaces":
                    self.answer({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": path[-1], "uid": "u-" + path[-1]}})
                else:
                    self.answer({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})

            def do_PATCH(self):
                path = self.path.split("?")[0].split("/")
                patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.write(path[-3], path[-1], patch)
                self.answer(outer.deployment(path[-3], path[-1]))

        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def deployment(self, namespace, name):
        return self.objects.setdefault((namespace, name), {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "resourceVersion": "7", "generation": 1,
                         "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1}})

    def write(self, namespace, name, patch):
        """A merge patch, or a JSON patch; then it is well."""
        d = self.deployment(namespace, name)
        if isinstance(patch, list):
            for step in patch:
                *before, last = [k.replace("~1", "/").replace("~0", "~") for k in step["path"].split("/")[1:]]
                at = d
                for k in before:
                    at = at[int(k)] if isinstance(at, list) else at.setdefault(k, {})
                if step["op"] in ("add", "replace"):
                    at[last] = step["value"]
        else:
            merge(d, patch)
        self.writes.append(name)
        generation = d["metadata"]["generation"] + 1
        d["metadata"].update(generation=generation, resourceVersion=str(int(d["metadata"]["resourceVersion"]) + 1))
        d["status"] = {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}

    def breaks(self, namespace, name):
        self.deployment(namespace, name)["status"].update(readyReplicas=1, availableReplicas=1, unavailableReplicas=1)

    def kubeconfig(self, file):
        file.write_text(f"""apiVersion: v1
kind: Config
current-context: c
clusters: [{{ name: c, cluster: {{ server: "http://127.0.0.1:{self.port}" }} }}]
users: [{{ name: u, user: {{ token: t }} }}]
contexts: [{{ name: c, context: {{ cluster: c, user: u }} }}]
""")
        return str(file)

    def end(self):
        self.ended.set()
        self.server.shutdown()
