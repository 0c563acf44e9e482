"""Turns, and the tables that a diarization is made of, from spans of whatever tells speakers apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.models import Diarization
from vidassets.speech.speakers.voice_encoder import unit


class Turn(NamedTuple):
    """One speaker, for a while: clip times, half-open; the label is the model's own."""

    start_s: float
    end_s: float
    label: int


@dataclass(frozen=True)
class SpeakerFacts:
    """What is told of the speakers besides their turns; see `speech_schemas.Speakers`."""

    count_basis: Literal["given", "estimated", "channels"]
    count_confidence: float | None
    model: str
    events: Sequence[str] = ()


def tabulate_turns(
    clip: str, turns: Sequence[Turn], voices: Mapping[int, np.ndarray], told: SpeakerFacts
) -> Diarization:
    """The tables of a clip's turns: its speakers are S0, S1 … in the order in which they first speak.

    Args:
        clip: its key.
        turns: in any order, may overlap; those of one speaker that touch become one.
        voices: float32 (D,) of unit length by label, of those who spoke enough.
        told: what goes with them.
    """
    joined = sorted(_joined(turns))
    names = {label: f"S{n}" for n, label in enumerate(dict.fromkeys(turn.label for turn in joined))}
    rows = [
        {
            "clip": clip,
            "speaker": name,
            "total_s": sum(turn.end_s - turn.start_s for turn in joined if turn.label == label),
            "overlapped_s": _overlapped_s(joined, label),
            "n_turns": sum(turn.label == label for turn in joined),
            "embedding": unit(voices[label]).tolist() if label in voices else None,
            "count_basis": told.count_basis,
            "count_confidence": told.count_confidence,
            "model": told.model,
        }
        for label, name in names.items()
    ]
    speakers = pl.DataFrame(rows, schema=Speakers.create_empty().schema)
    return Diarization(_table(clip, joined, names), _table(clip, exclusive(joined), names), speakers, list(told.events))


def exclusive(turns: Sequence[Turn]) -> list[Turn]:
    """The turns with nobody speaking at once: of those that hold a moment, the shortest has it, of equals the later.

    So a word thrown in is its speaker's, and he who holds the floor has it again after.

    >>> [tuple(turn) for turn in exclusive([Turn(0.0, 9.0, 0), Turn(3.0, 4.0, 1)])]
    [(0.0, 3.0, 0), (3.0, 4.0, 1), (4.0, 9.0, 0)]
    """
    apart: list[Turn] = []
    for start_s, end_s, holding in _moments(turns):
        label = min(holding, key=lambda turn: (turn.end_s - turn.start_s, -turn.start_s, turn.label)).label
        apart.append(Turn(start_s, end_s, label))
    return sorted(_joined(apart))


def diarize_channels(clip: str, activity: pl.DataFrame, model: str) -> Diarization:
    """A person on each channel: what is spoken on it is theirs. Overlap is true here; a voice that leaks is not seen.

    Speakers are numbered by first speech, not by channel, and have no embedding.

    Args:
        clip: its key.
        activity: columns start_s, end_s, channel of `speech_schemas.SpeechActivity`.
        model: which was not asked.
    """
    turns = [Turn(*row) for row in activity.select("start_s", "end_s", "channel").iter_rows()]
    return tabulate_turns(clip, turns, {}, SpeakerFacts("channels", None, model))


def channels_of_speakers(turns: pl.DataFrame, activity: pl.DataFrame) -> dict[str, int]:
    """The channel of each speaker, where each has one: that whose speech its turns hold most of.

    Args:
        turns: rows of `speech_schemas.SpeakerTurns`.
        activity: rows of `speech_schemas.SpeechActivity` of the same sound.
    """
    channels = {}
    for speaker in turns["speaker"].unique().sort():
        own = turns.filter(pl.col("speaker") == speaker).select("start_s", "end_s")
        shared = own.join(activity.select("channel", a="start_s", b="end_s"), how="cross").with_columns(
            held_s=(pl.min_horizontal("end_s", "b") - pl.max_horizontal("start_s", "a")).clip(0)
        )
        by_channel = shared.group_by("channel").agg(pl.col("held_s").sum()).sort("held_s", "channel", descending=True)
        if len(by_channel):
            channels[speaker] = int(by_channel["channel"][0])
    return channels


def spans_of_labels(edges_s: np.ndarray, labels: np.ndarray) -> list[Turn]:
    """The turns within one stretch.

    Args:
        edges_s: float64 (W + 1,), where each window's part of it begins, and its end.
        labels: int64 (W,).

    >>> [tuple(turn) for turn in spans_of_labels(np.array([0.0, 0.5, 1.0, 1.5]), np.array([1, 1, 0]))]
    [(0.0, 1.0, 1), (1.0, 1.5, 0)]
    """
    firsts = np.flatnonzero(np.r_[True, np.diff(labels) != 0])
    ends = np.r_[firsts[1:], len(labels)]
    return [Turn(float(edges_s[a]), float(edges_s[b]), int(labels[a])) for a, b in zip(firsts, ends, strict=True)]


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    """Without two turns of one speaker that touch or overlap."""
    joined: list[Turn] = []
    for turn in sorted(turns, key=lambda turn: (turn.label, turn.start_s, turn.end_s)):
        if joined and joined[-1].label == turn.label and turn.start_s <= joined[-1].end_s:
            joined[-1] = joined[-1]._replace(end_s=max(joined[-1].end_s, turn.end_s))
        else:
            joined.append(turn)
    return joined


def _moments(turns: Sequence[Turn]) -> list[tuple[float, float, list[Turn]]]:
    """(start_s, end_s, the turns that hold all of it), between neighbouring starts and ends, where somebody speaks."""
    events = sorted([(turn.start_s, 1, turn) for turn in turns] + [(turn.end_s, 0, turn) for turn in turns])
    moments: list[tuple[float, float, list[Turn]]] = []
    holding: list[Turn] = []
    before_s = 0.0
    for at_s, begins, turn in events:
        if holding and at_s > before_s:
            moments.append((before_s, at_s, list(holding)))
        holding.append(turn) if begins else holding.remove(turn)
        before_s = at_s
    return moments


def _overlapped_s(turns: Sequence[Turn], label: int) -> float:
    """How long this one speaks while another does."""
    held = ((end_s - start_s, {turn.label for turn in holding}) for start_s, end_s, holding in _moments(turns))
    return sum(length_s for length_s, labels in held if label in labels and len(labels) > 1)


def _table(clip: str, turns: Sequence[Turn], names: dict[int, str]) -> pl.DataFrame:
    rows = [(clip, n, turn.start_s, turn.end_s, names[turn.label]) for n, turn in enumerate(turns)]
    return pl.DataFrame(rows, schema=SpeakerTurns.create_empty().schema, orient="row")
