"""The wire format of a chat completion with one picture: building the request and reading the answer."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

LISTS = ("actions", "tools", "objects", "safety_gear")

ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "description": {"type": "string"},
        **{name: {"type": "array", "items": {"type": "string"}} for name in LISTS},
    },
    "required": ["description", *LISTS],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Question:
    """The request made for every frame. Every field changes the answers, so all are part of a call's key."""

    model: str
    prompt: str
    max_tokens: int
    detail: Literal["low", "high", "auto"]
    structured: bool
    temperature: float | None
    seed: int | None
    token_limit_name: Literal["max_tokens", "max_completion_tokens"]

    def parameters(self) -> dict[str, Any]:
        """Return the request's body without its messages; parameters that are None are left out."""
        body: dict[str, Any] = {"model": self.model, self.token_limit_name: self.max_tokens}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.seed is not None:
            body["seed"] = self.seed
        if self.structured:
            schema = {"name": "frame_description", "strict": True, "schema": dict(ANSWER_SCHEMA)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def identity(self) -> dict[str, Any]:
        """Return everything that changes the answer, except the picture."""
        return self.parameters() | {"prompt": self.prompt, "detail": self.detail}

    def text(self) -> str:
        """Return all text that is sent and may count as input tokens."""
        return self.prompt + (json.dumps(ANSWER_SCHEMA) if self.structured else "")

    def body(self, jpeg: bytes) -> dict[str, Any]:
        """Return the whole request for one picture, which is included as a data URL."""
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        content = [
            {"type": "text", "text": self.prompt},
            {"type": "image_url", "image_url": {"url": url, "detail": self.detail}},
        ]
        return self.parameters() | {"messages": [{"role": "user", "content": content}]}


@dataclass(frozen=True, slots=True)
class Completion:
    """A parsed answer. `malformed`: an answer came and may cost money, but it is not what was requested."""

    status: Literal["ok", "truncated", "refused", "malformed"]
    model: str | None = None
    description: str | None = None
    lists: Mapping[str, list[str]] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None


def read_completion(body: bytes, structured: bool) -> Completion:
    """Parse an endpoint's answer; anything that is not a completion is `malformed`, never an exception."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
        usage = data.get("usage") or {}
        reported = {
            "model": _text(data.get("model")),
            "input_tokens": _count(usage.get("prompt_tokens")),
            "output_tokens": _count(usage.get("completion_tokens")),
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Completion("malformed", error="the answer is not a chat completion")
    if refusal or reason == "content_filter":
        return Completion("refused", error=_text(refusal) or "stopped by the endpoint's content filter", **reported)
    if reason == "length":
        return Completion("truncated", description=_text(content), error="max_tokens reached", **reported)
    if _text(content) is None:
        return Completion("malformed", error="the answer holds no text", **reported)
    if not structured:
        return Completion("ok", description=content.strip(), **reported)
    return _structured(content, reported)


def _structured(content: str, reported: dict[str, Any]) -> Completion:
    try:
        answer = json.loads(content)
        description = answer["description"]
        lists = {name: answer[name] for name in LISTS}
    except (ValueError, LookupError, TypeError, RecursionError):
        return Completion("malformed", error="the answer does not keep the JSON schema that was asked for", **reported)
    wrong = [name for name, items in lists.items() if not _is_strings(items)]
    if not isinstance(description, str) or wrong:
        error = f"wrong type in the structured answer: {', '.join(wrong) or 'description'}"
        return Completion("malformed", error=error, **reported)
    return Completion("ok", description=description.strip(), lists=lists, **reported)


def _is_strings(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, str) for item in items)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
