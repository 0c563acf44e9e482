"""A real HTTP proxy in front of the S3 server that answers some requests itself, as an overloaded service does."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Statuses and codes of the service itself, see docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
SLOW_DOWN = (503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = (500, "InternalError", "We encountered an internal error. Please try again.")
EXPIRED_TOKEN = (400, "ExpiredToken", "The provided token has expired.")
ACCESS_DENIED = (403, "AccessDenied", "Access Denied")
Fault = tuple[int, str, str]


class S3Proxy(ThreadingHTTPServer):
    """Passes requests on, except those for which `fault` returns an error.

    Attributes:
        fault: receives the number of the request (1, 2 …) and its method.
        drops: names of request headers that are not passed on, in lower case.
    """

    daemon_threads = True

    def __init__(self, target_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.target = urlsplit(target_url).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fault: Callable[[int, str], Fault | None] = lambda number, method: None
        self.drops: frozenset[str] = frozenset()
        self.n_requests = 0
        self.n_faults = 0
        self.lock = threading.Lock()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Proxy

    def _answer(self) -> None:
        server, body = self.server, self._body()
        with server.lock:
            server.n_requests += 1
            fault = server.fault(server.n_requests, self.command)
            server.n_faults += fault is not None
        if fault is not None:
            status, code, message = fault
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self._reply(status, {"Content-Type": "application/xml", "Content-Length": str(len(text))}, text)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in server.drops | HOP}
        connection = http.client.HTTPConnection(server.target)
        connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
        answer = connection.getresponse()
        data = answer.read()
        passed = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self._reply(answer.status, passed | {"Content-Length": length or "0"}, data)
        connection.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 (names that http.server calls)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


HOP = frozenset({"connection", "content-length", "transfer-encoding", "expect", "date", "server"})


@contextmanager
def s3_proxy(target_url: str) -> Iterator[S3Proxy]:
    """A running proxy, stopped on leaving."""
    with S3Proxy(target_url) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
