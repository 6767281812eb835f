"""A proxy between heald and the API server that can hold, deliver late, or drop a write, and tell when to kill.

It speaks plain HTTP to heald (loopback only) and TLS to the API server, and passes everything else through."""

import http.client
import json
import socket
import socketserver
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

WRITES = ("PATCH", "POST", "PUT", "DELETE")


class Write:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status, self.at = None, time.time()

    def annotations(self):
        """heald's hints on the object: which incident this write belongs to."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document.get("metadata", {}).get("annotations", {}) if isinstance(document, dict) else {}

    def restarted_at(self):
        document = json.loads(self.body)
        return document["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]


class Proxy:
    """`on_write(write)` decides: "pass", "before" (told to kill before it is delivered), "after" (delivered, then told to kill), "drop"."""

    def __init__(self, api_url, ca_file):
        parts = urlsplit(api_url)
        self.host, self.port_up = parts.hostname, parts.port
        self.context = ssl.create_default_context(cafile=ca_file)
        self.writes, self.lock = [], threading.Lock()
        self.on_write = lambda write: "pass"
        self.kill = lambda write, how: None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = handle_any

            def setup(self):
                super().setup()
                self.up = None

            def finish(self):
                if self.up:
                    self.up.close()
                try:
                    super().finish()
                except OSError:
                    pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # heald was killed in the middle of a request: that is the point

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def connect(self):
        c = http.client.HTTPSConnection(self.host, self.port_up, context=self.context, timeout=400)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def deliver(self, write):
        """To the API server, on a connection of its own."""
        c = self.connect()
        try:
            c.request(write.method, write.path, body=write.body, headers=write.headers)
            answer = c.getresponse()
            data = answer.read()
            write.status, write.at = answer.status, time.time()
            return answer, data
        finally:
            c.close()

    def handle(self, h):
        length = int(h.headers.get("Content-Length", 0))
        body = h.rfile.read(length) if length else b""
        headers = {k: v for k, v in h.headers.items() if k.lower() not in ("host", "connection", "content-length")}
        if h.command in WRITES:
            self.handle_write(h, Write(h.command, h.path, headers, body))
        else:
            self.handle_read(h, headers)

    def handle_write(self, h, write):
        with self.lock:
            self.writes.append(write)
            how = self.on_write(write)
        if how == "pass":
            answer, data = self.deliver(write)
            self.reply(h, answer, data)
            return
        h.close_connection = True
        if how == "after":
            self.deliver(write)
        self.kill(write, how)

    def handle_read(self, h, headers):
        h.up = h.up or self.connect()
        try:
            h.up.request("GET", h.path, headers=headers)
            answer = h.up.getresponse()
        except (http.client.HTTPException, OSError):
            h.up.close()
            h.up = self.connect()
            h.up.request("GET", h.path, headers=headers)
            answer = h.up.getresponse()
        if "watch=" in h.path:
            h.close_connection = True
            h.send_response(answer.status)
            h.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            h.send_header("Transfer-Encoding", "chunked")
            h.end_headers()
            while True:
                data = answer.read1(65536)
                if not data:
                    break
                h.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                h.wfile.flush()
            h.wfile.write(b"0\r\n\r\n")
            return
        self.reply(h, answer, answer.read())

    @staticmethod
    def reply(h, answer, data):
        h.send_response(answer.status)
        for name in ("Content-Type", "Retry-After", "Warning"):
            if answer.headers.get(name):
                h.send_header(name, answer.headers[name])
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)
