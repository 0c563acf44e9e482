"""A real HTTP server that speaks the wire format of chat completions, and misbehaves on demand."""

import base64
import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

INPUT_TOKENS, OUTPUT_TOKENS = 100, 20
STRUCTURED = {"actions": ["welding"], "tools": ["torch"], "objects": ["pipe", "bench"], "safety_gear": ["mask"]}


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    at_s: float  # monotonic clock
    n: int  # 1, 2 … over all requests
    n_of_picture: int  # 1, 2 … over the requests about this picture
    picture: str  # sha256 of the JPEG
    body: dict[str, Any]
    authorization: str
    idempotency_key: str


@dataclass
class WireServer:
    """Answers on a loopback port for as long as it is open.

    Attributes:
        behave: what to do with a request: the name of a behaviour (see `Handler.answer`).
        delay_s: how long an answer takes.
        usage: tokens reported, or None for no report.
        knows_keys: whether a request with the idempotency key of an earlier one is not charged again.
    """

    behave: Callable[[Request], str] = lambda _: "ok"
    delay_s: float = 0.0
    usage: tuple[int, int] | None = (INPUT_TOKENS, OUTPUT_TOKENS)
    knows_keys: bool = False
    requests: list[Request] = field(default_factory=list)
    charged: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)  # of charged requests
    complaints: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.http = _Server(("127.0.0.1", 0), type("Handler", (Handler,), {"wire": self}))
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def count(self, picture: str) -> int:
        return sum(request.picture == picture for request in self.requests)

    def charge(self, request: Request) -> None:
        with self.lock:
            if not self.knows_keys or request.idempotency_key not in self.keys:
                self.charged.append(request.picture)
            self.keys.add(request.idempotency_key)

    def received(self, body: dict[str, Any], headers: Message) -> Request:
        picture = self._picture(body)
        with self.lock:
            request = Request(
                time.monotonic(),
                len(self.requests) + 1,
                self.count(picture) + 1,
                picture,
                body,
                headers["authorization"],
                headers["idempotency-key"],
            )
            self.requests.append(request)
        return request

    def _picture(self, body: dict[str, Any]) -> str:
        [message] = body["messages"]
        text, image = message["content"]
        head, _, data = image["image_url"]["url"].partition(",")
        jpeg = base64.b64decode(data, validate=True)
        checks = {
            "text before image": (text["type"], image["type"]) == ("text", "image_url"),
            "a JPEG's data URL": head == "data:image/jpeg;base64" and jpeg[:2] == b"\xff\xd8",
            "a detail": image["image_url"]["detail"] in ("low", "high", "auto"),
            "a limit": body.get("max_tokens", body.get("max_completion_tokens", 0)) > 0,
        }
        self.complaints += [name for name, holds in checks.items() if not holds]
        return hashlib.sha256(jpeg).hexdigest()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    wire: WireServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.path != "/v1/chat/completions":
            return self.reply(404, {"error": {"message": f"no {self.path}", "code": "unknown_url"}})
        length = int(self.headers["content-length"])
        data = self.rfile.read(length)
        if len(data) < length:  # the sender was killed
            self.close_connection = True
            return None
        body = json.loads(data)
        request = self.wire.received(body, self.headers)
        self.wire.closing.wait(self.wire.delay_s)
        try:
            return self.answer(self.wire.behave(request), request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, behaviour: str, request: Request) -> None:
        """Act out a behaviour; see the cases here and in `charged_answer`, which bills the request."""
        match behaviour.split(" "):
            case ["status", code, *headers]:
                named = dict(header.split("=", 1) for header in headers)
                self.reply(int(code), {"error": {"message": f"status {code}", "code": named.pop("code", None)}}, named)
            case ["echo-key", code]:
                said = f"bad key {request.authorization}"
                self.reply(int(code), {"error": {"message": said, "code": None}})
            case ["retry-date", seconds]:
                moment = datetime.now(UTC) + timedelta(seconds=float(seconds))
                self.reply(429, {"error": {"message": "slow"}}, {"Retry-After": format_datetime(moment, usegmt=True)})
            case words:
                self.wire.charge(request)
                self.charged_answer(words, request)

    def charged_answer(self, words: list[str], request: Request) -> None:
        match words:
            case ["hang"]:
                self.wire.closing.wait(30)
                self.close_connection = True
            case ["cut"]:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            case ["cut-body"]:
                self.reply(200, self.completion(request, "half"), length=10_000)
                self.close_connection = True
            case ["trickle"]:
                self.head(200, 1000)
                while not self.wire.closing.wait(0.05):
                    self.wfile.write(b" ")
            case ["not-json"]:
                self.reply(200, "<html>bad gateway</html>")
            case ["says", *words]:
                self.reply(200, self.completion(request, " ".join(words)))
            case ["refusal"]:
                self.reply(200, self.completion(request, None, refusal="I cannot help with that."))
            case ["filtered"]:
                self.reply(200, self.completion(request, "", reason="content_filter"))
            case ["truncated"]:
                self.reply(200, self.completion(request, "A person is", reason="length"))
            case _:
                said = f"picture {request.picture[:8]}"
                structured = "response_format" in request.body
                self.reply(
                    200,
                    self.completion(request, json.dumps({"description": said} | STRUCTURED) if structured else said),
                )

    def completion(
        self, request: Request, content: str | None, reason: str = "stop", refusal: str | None = None
    ) -> dict[str, Any]:
        message = {"role": "assistant", "content": content, "refusal": refusal}
        usage = self.wire.usage and dict(zip(("prompt_tokens", "completion_tokens"), self.wire.usage, strict=True))
        return {
            "id": f"chatcmpl-{request.n}",
            "object": "chat.completion",
            "created": 0,
            "model": request.body["model"] + "-2024-07-18",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            **({"usage": usage} if usage else {}),
        }

    def reply(
        self, status: int, data: object, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        payload = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        self.head(status, length or len(payload), headers)
        self.wfile.write(payload)

    def head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length)}.items():
            self.send_header(name, value)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""
