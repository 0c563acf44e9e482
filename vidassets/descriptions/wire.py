"""The wire format of a chat completion with one picture: the request as it is sent, the answer as it is read."""

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
    """What is asked of every frame. All of it changes the answers, and so is part of a call's key."""

    model: str
    prompt: str
    max_tokens: int
    detail: Literal["low", "high", "auto"]
    structured: bool
    temperature: float | None
    seed: int | None
    token_limit_name: Literal["max_tokens", "max_completion_tokens"]

    def parameters(self) -> dict[str, Any]:
        """The request's body without its messages; parameters that are not set are not sent."""
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
        """All that shapes an answer, but the picture."""
        return self.parameters() | {"prompt": self.prompt, "detail": self.detail}

    def text(self) -> str:
        """All text that is sent and may count as input tokens."""
        return self.prompt + (json.dumps(ANSWER_SCHEMA) if self.structured else "")

    def body(self, jpeg: bytes) -> dict[str, Any]:
        """The whole request for one picture, which travels inside as a data URL."""
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        content = [
            {"type": "text", "text": self.prompt},
            {"type": "image_url", "image_url": {"url": url, "detail": self.detail}},
        ]
        return self.parameters() | {"messages": [{"role": "user", "content": content}]}


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer as it was read. `malformed`: it came, and may cost, but is not what was asked for."""

    status: Literal["ok", "truncated", "refused", "malformed"]
    model: str | None = None
    description: str | None = None
    lists: Mapping[str, list[str]] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None


def read_completion(body: bytes, structured: bool) -> Completion:
    """What an endpoint answered; anything that is not a completion is `malformed`, never an exception."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
        usage = data.get("usage") or {}
        told = {
            "model": _text(data.get("model")),
            "input_tokens": _count(usage.get("prompt_tokens")),
            "output_tokens": _count(usage.get("completion_tokens")),
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Completion("malformed", error="the answer is not a chat completion")
    if refusal or reason == "content_filter":
        return Completion("refused", error=_text(refusal) or "stopped by the endpoint's content filter", **told)
    if reason == "length":
        return Completion("truncated", description=_text(content), error="max_tokens reached", **told)
    if _text(content) is None:
        return Completion("malformed", error="the answer holds no text", **told)
    if not structured:
        return Completion("ok", description=content.strip(), **told)
    return _structured(content, told)


def _structured(content: str, told: dict[str, Any]) -> Completion:
    try:
        answer = json.loads(content)
        description = answer["description"]
        lists = {name: answer[name] for name in LISTS}
    except (ValueError, LookupError, TypeError, RecursionError):
        return Completion("malformed", error="the answer does not keep the JSON schema that was asked for", **told)
    wrong = [name for name, items in lists.items() if not _is_strings(items)]
    if not isinstance(description, str) or wrong:
        error = f"wrong type in the structured answer: {', '.join(wrong) or 'description'}"
        return Completion("malformed", error=error, **told)
    return Completion("ok", description=description.strip(), lists=lists, **told)


def _is_strings(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, str) for item in items)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
