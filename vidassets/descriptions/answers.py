"""The interface of a describer: the frames it is given and the answers it returns."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import polars as pl

from vidassets.descriptions.ledger import Ledger, PaidCall
from vidassets.descriptions.prices import usd

Status = Literal["ok", "truncated", "refused", "failed", "over_budget"]


@dataclass(frozen=True, slots=True)
class FrameToDescribe:
    """One sampled picture: a JPEG, its size in pixels, and its presentation time."""

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
    """The description of one frame, its model and its cost; the columns of `schemas.FrameDescriptions`.

    `cost_usd` is what the answer cost when it was paid for. If `reused` is true, nothing was paid this time: the cost
    of a run is the sum over rows that are not reused, and the total of all runs is in `schemas.DescriptionCosts`.
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
    """Anything that describes frames in words: measured facts, or an endpoint."""

    def identity(self) -> dict[str, str]:
        """Return what changes the answers (model, prompt, parameters), without keys, speeds or budgets."""
        ...

    def describe(self, clip: str, frames: Sequence[FrameToDescribe], ledger: Ledger) -> Iterator[Answer]:
        """Yield one answer per frame as it becomes known; its cost is in the ledger by then.

        Raises:
            DescriberError: no frame can be described (key refused, model unknown, endpoint down).
            BudgetError: a budget is set that cannot be enforced.
        """
        ...


def frames_to_describe(frames: pl.DataFrame) -> list[FrameToDescribe]:
    """Return the rows of a `schemas.Frames` table, in order of time."""
    return [
        FrameToDescribe(row["frame_index"], row["pts_s"], row["width"], row["height"], row["image"]["bytes"])
        for row in frames.sort("frame_index").iter_rows(named=True)
    ]


def parameters_hash(parameters: Mapping[str, object]) -> str:
    """Return the sha256 of a request without its picture: prompt, model and all other parameters. 64 hex digits.

    The endpoint's address is left out, because a proxy, a mirror or another port must not cause a second payment. Two
    endpoints that serve different weights should name their models differently.
    """
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def call_key(image_hash: str, parameters_hash: str) -> str:
    """Return the key under which equal calls (picture, prompt, model, parameters) are the same. 64 hex digits."""
    return hashlib.sha256(f"{image_hash}:{parameters_hash}".encode()).hexdigest()


def answer_from_call(frame: FrameToDescribe, call: PaidCall, *, reused: bool) -> Answer:
    """Return the ledger's record of a call as the answer to a frame; `reused` if it was paid for earlier."""
    return Answer(
        frame_index=frame.frame_index,
        pts_s=frame.pts_s,
        image_hash=frame.image_hash,
        model=call.model,
        status=call.status,  # pyright: ignore[reportArgumentType] (an answered call has an answer's status)
        description=call.description,
        actions=call.actions,
        tools=call.tools,
        objects=call.objects,
        safety_gear=call.safety_gear,
        prompt_hash=call.prompt_hash,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost_usd=usd(call.cost_nanousd),
        latency_s=call.latency_s,
        error=call.error,
        reused=reused,
        described_at=datetime.fromisoformat(call.at),
    )
