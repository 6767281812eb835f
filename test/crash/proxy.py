"""A proxy between heald and the API server that can lose, delay and hold back writes.

Terminates TLS with a certificate of its own, passes Authorization through, streams answers as they come. Every write (PATCH, POST, PUT, DELETE)
is recorded; what becomes of it is asked from `judge(write)`:

  PASS    forwarded and answered
  LOST    heald is killed at once; the write is held ("sent, not delivered"): deliver(write) forwards it later, or nobody ever does
  UNREAD  forwarded; then heald is killed before the answer is passed on
  WAIT    held until write.go is set, then forwarded and, when heald is still there, answered
"""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time

PASS, LOST, UNREAD, WAIT = "pass", "lost", "unread", "wait"
WRITES = ("PATCH", "POST", "PUT", "DELETE")
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection", "te", "upgrade"}
CALL_SECONDS = 60


def certificate(folder):
    """A key and a self-signed certificate for 127.0.0.1: (certificate file, key file)."""
    cert, key = folder / "proxy.crt", folder / "proxy.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=crash test proxy", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    return cert, key


class Write:
    """One write as it arrived, and what became of it. `status` 0: it never reached the API server, or no answer came."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.raw = method, path.split("?")[0], headers, body
        self.full_path = path
        self.at, self.status, self.answer, self.fate, self.late = time.monotonic(), 0, b"", PASS, None
        self.go = threading.Event()
        try:
            self.body = json.loads(body) if body else None
        except ValueError:
            self.body = None

    @property
    def accepted(self):
        return 200 <= self.status < 300

    def __repr__(self):
        late = "" if self.late is None else f", delivered {self.late:.1f} s after the restart"
        return f"{self.method} {self.path} -> {self.status} ({self.fate}{late})"


class Connection(threading.Thread):
    def __init__(self, proxy, sock, generation):
        super().__init__(daemon=True)
        self.proxy, self.sock, self.generation = proxy, sock, generation
        self.upstream, self.streaming = None, False

    def run(self):
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self.proxy.context.wrap_socket(self.sock, server_side=True)
            reader = self.sock.makefile("rb")
            while self.request(reader):
                pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # one side left: so does the other
        finally:
            self.close()

    def close(self):
        self.proxy.forget(self)
        if self.upstream:
            self.upstream.close()
        try:
            self.sock.close()
        except OSError:
            pass

    def cut(self):
        """Its client is dead: end a stream that would otherwise wait for the API server's next event."""
        upstream = self.upstream and self.upstream.sock
        if self.streaming and upstream:
            try:
                upstream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def request(self, reader):
        line = reader.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = http.client.parse_headers(reader)
        length = int(headers.get("Content-Length") or 0)
        body = reader.read(length) if length else b""
        if len(body) < length:
            return False  # cut off while it was sent: never arrived
        passed = {k: v for k, v in headers.items() if k.lower() not in HOP}
        if line[0] in WRITES:
            return self.write(Write(line[0], line[1], passed, body))
        return self.read(line[0], line[1], passed)

    def connect(self):
        if self.upstream is None:
            self.upstream = self.proxy.connect()
        return self.upstream

    def read(self, method, path, headers):
        self.proxy.reads.wait(CALL_SECONDS)
        upstream = self.connect()
        upstream.request(method, path, headers=headers)
        answer = upstream.getresponse()
        chunked = answer.length is None
        self.streaming = chunked
        self.sock.sendall(head(answer, chunked, answer.length or 0))
        while True:
            data = answer.read1(65536)
            if not data:
                break
            self.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            self.sock.sendall(b"0\r\n\r\n")
        self.streaming = False
        return not answer.will_close

    def write(self, write):
        write.fate = self.proxy.arrived(write, self.generation)
        if write.fate == LOST:
            return False
        if write.fate == WAIT:
            write.go.wait(CALL_SECONDS)
        answer = self.proxy.forward(write)
        if write.fate == UNREAD:
            self.proxy.kill(self.generation)
            return False
        self.sock.sendall(head(answer, False, len(write.answer)) + write.answer)
        return True


def head(answer, chunked, length):
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += [f"{k}: {v}" for k, v in answer.getheaders() if k.lower() not in HOP]
    lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Proxy:
    """judge(write) says a fate; kill(generation) ends that heald and returns when it is dead. `generation` counts healds: what one sent that has
    died since is just forwarded, as a network would."""

    def __init__(self, host, port, ca, cert, key, kill):
        self.host, self.port_upstream = host, port
        self.trust = ssl.create_default_context(cafile=ca)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.kill, self.judge, self.generation = kill, None, 0
        self.lock, self.writes, self.connections = threading.Lock(), [], set()
        self.reads = threading.Event()  # cleared: reads wait (streams that run go on)
        self.reads.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                connection = Connection(self, sock, self.generation)
                self.connections.add(connection)
            connection.start()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def connect(self):
        upstream = http.client.HTTPSConnection(self.host, self.port_upstream, context=self.trust, timeout=CALL_SECONDS * 10)
        upstream.connect()
        upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return upstream

    def arrived(self, write, generation):
        with self.lock:
            self.writes.append(write)
            fate = self.judge(write) if self.judge and generation == self.generation else PASS
        if fate == LOST:
            self.kill(generation)
        return fate

    def forward(self, write):
        """Send a write to the API server on a connection of its own and record the answer."""
        upstream = self.connect()
        try:
            upstream.request(write.method, write.full_path, body=write.raw, headers=write.headers)
            answer = upstream.getresponse()
            write.answer = answer.read()
            write.status = answer.status
            return answer
        finally:
            upstream.close()

    def next_generation(self):
        """heald is dead, or about to be started: what it left behind is no longer its own."""
        with self.lock:
            self.generation += 1
            left = list(self.connections)
        for connection in left:
            connection.cut()

    def close(self):
        self.listener.close()
        self.next_generation()
