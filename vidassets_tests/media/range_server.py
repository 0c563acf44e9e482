"""A small HTTP server on loopback that answers range requests and counts the bytes it sends."""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RangeServer(ThreadingHTTPServer):
    """Serves `content` with `etag` at the path /`name`."""

    daemon_threads = True

    def __init__(
        self,
        content: bytes,
        *,
        knows_ranges: bool = True,
        name: str = "video.mp4",
        password: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content, self.knows_ranges, self.n_sent = content, knows_ranges, 0
        self.breaks_after_bytes: int | None = None
        self.authorization = password and f"Basic {base64.b64encode(':'.join(password).encode()).decode()}"
        self.path, self.etag = f"/{name}", "abc-1"
        self.url = f"http://127.0.0.1:{self.server_port}{self.path}"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangeServer

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        server = self.server
        if server.authorization and self.headers.get("Authorization") != server.authorization:
            self.send_error(401)
            return
        if self.path == "/forbidden.mp4":
            self.send_error(403)
            return
        if self.path != server.path:
            self.send_error(404)
            return
        if server.breaks_after_bytes is not None and server.n_sent >= server.breaks_after_bytes:
            self.close_connection = True
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if server.knows_ranges else None
        first, last = (
            (int(found[1]), int(found[2] or len(server.content) - 1)) if found else (0, len(server.content) - 1)
        )
        body = server.content[first : last + 1]
        self.send_response(206 if found else 200)
        self.send_header("ETag", f'"{server.etag}"')
        self.send_header("Content-Length", str(len(body)))
        if server.knows_ranges:
            self.send_header("Accept-Ranges", "bytes")
        if found:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(server.content)}")
        self.end_headers()
        if with_body:
            self.wfile.write(body)
            server.n_sent += len(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(
    content: bytes, *, knows_ranges: bool = True, name: str = "video.mp4", password: tuple[str, str] | None = None
) -> Iterator[RangeServer]:
    """A running server, stopped on leaving."""
    with RangeServer(content, knows_ranges=knows_ranges, name=name, password=password) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
