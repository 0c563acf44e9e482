"""What goes to a describer and what comes back: frames, answers, and the protocol between them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import polars as pl

from vidassets.descriptions.ledger import Entry, Ledger
from vidassets.descriptions.prices import usd

Status = Literal["ok", "truncated", "refused", "failed", "over_budget"]


@dataclass(frozen=True, slots=True)
class FrameToDescribe:
    """One sampled picture: a JPEG, its size in pixels, and when it is on screen."""

    frame_index: int
    pts_s: float
    width: int
    height: int
    jpeg: bytes

    @property
    def image_hash(self) -> str:
        """The sha256 of the JPEG, 64 hex digits."""
        return hashlib.sha256(self.jpeg).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one frame, by whom, at what cost; the columns of `schemas.FrameDescriptions`.

    `cost_usd` is what the answer shown cost when it was paid. Where `reused` is true nothing was paid this time: the
    money of one run is the sum over the rows that are not reused, that of all time is in `schemas.DescriptionCosts`.
    """

    frame_index: int
    pts_s: float
    image_hash: str
    model: str
    status: Status
    description: str | None = None
    actions: list[str] | None = None
    tools: list[str] | None = None
    objects: list[str] | None = None
    safety_gear: list[str] | None = None
    prompt_hash: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    error: str | None = None
    reused: bool = False
    described_at: datetime | None = None


class Describer(Protocol):
    """Anything that says what is to be seen on frames: a measuring function, or an endpoint."""

    def identity(self) -> dict[str, str]:
        """What changes the answers (model, prompt, parameters), never keys, speeds or budgets."""
        ...

    def describe(self, clip: str, frames: Sequence[FrameToDescribe], ledger: Ledger) -> Iterator[Answer]:
        """One answer per frame, in the order in which they are known; whatever was paid is in the ledger by then.

        Raises:
            DescriberError: no answer can be had at all (key refused, model unknown, endpoint down).
            BudgetError: a budget that cannot be held.
        """
        ...


def frames_to_describe(frames: pl.DataFrame) -> list[FrameToDescribe]:
    """The rows of a `schemas.Frames` table, in order of time."""
    return [
        FrameToDescribe(row["frame_index"], row["pts_s"], row["width"], row["height"], row["image"]["bytes"])
        for row in frames.sort("frame_index").iter_rows(named=True)
    ]


def parameters_hash(parameters: Mapping[str, object]) -> str:
    """The sha256 of a request without its picture: prompt, model and all that shapes the answer. 64 hex digits.

    The endpoint's address is left out: a proxy, a mirror or another port must not make anyone pay again. Two endpoints
    that serve different weights should name their models differently.
    """
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def call_key(image_hash: str, parameters_hash: str) -> str:
    """What makes two calls the same call: picture, prompt, model, parameters. 64 hex digits."""
    return hashlib.sha256(f"{image_hash}:{parameters_hash}".encode()).hexdigest()


def shown(frame: FrameToDescribe, entry: Entry, *, reused: bool) -> Answer:
    """What the ledger holds of a call, as the answer to a frame; `reused` if it was paid before."""
    return Answer(
        frame_index=frame.frame_index,
        pts_s=frame.pts_s,
        image_hash=frame.image_hash,
        model=entry.model,
        status=entry.status,  # pyright: ignore[reportArgumentType] (an answer's entry has an answer's status)
        description=entry.description,
        actions=entry.actions,
        tools=entry.tools,
        objects=entry.objects,
        safety_gear=entry.safety_gear,
        prompt_hash=entry.prompt_hash,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        cost_usd=usd(entry.cost_nanousd),
        latency_s=entry.latency_s,
        error=entry.error,
        reused=reused,
        described_at=datetime.fromisoformat(entry.at),
    )
