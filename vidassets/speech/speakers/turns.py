"""Speaker turns, and the tables of a diarization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.models import Diarization
from vidassets.speech.speakers.voice_encoder import unit


class Turn(NamedTuple):
    """A half-open span of clip time in which one speaker speaks; `label` is the model's own."""

    start_s: float
    end_s: float
    label: int


@dataclass(frozen=True)
class SpeakerFacts:
    """Facts about the speakers besides their turns; see `speech_schemas.Speakers`."""

    count_basis: Literal["given", "estimated", "channels"]
    count_confidence: float | None
    model: str
    events: Sequence[str] = ()


def tabulate_turns(
    clip: str, turns: Sequence[Turn], voices: Mapping[int, np.ndarray], facts: SpeakerFacts
) -> Diarization:
    """Return the tables of a clip's turns; speakers are named S0, S1 … in the order in which they first speak.

    Args:
        clip: partition key.
        turns: in any order, may overlap; turns of one speaker that touch are merged.
        voices: float32 (D,) of unit length by label, for speakers who spoke long enough.
        facts: stored with the speakers.
    """
    merged = sorted(_merge(turns))
    names = {label: f"S{n}" for n, label in enumerate(dict.fromkeys(turn.label for turn in merged))}
    rows = [
        {
            "clip": clip,
            "speaker": name,
            "total_s": sum(turn.end_s - turn.start_s for turn in merged if turn.label == label),
            "overlapped_s": _overlapped_s(merged, label),
            "n_turns": sum(turn.label == label for turn in merged),
            "embedding": unit(voices[label]).tolist() if label in voices else None,
            "count_basis": facts.count_basis,
            "count_confidence": facts.count_confidence,
            "model": facts.model,
        }
        for label, name in names.items()
    ]
    speakers = pl.DataFrame(rows, schema=Speakers.create_empty().schema)
    return Diarization(
        _table(clip, merged, names), _table(clip, remove_overlap(merged), names), speakers, list(facts.events)
    )


def remove_overlap(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns without overlap: each moment goes to its shortest turn, of equally long ones to the later.

    So an interjection belongs to its speaker, and the longer turn goes on after it.

    >>> [tuple(turn) for turn in remove_overlap([Turn(0.0, 9.0, 0), Turn(3.0, 4.0, 1)])]
    [(0.0, 3.0, 0), (3.0, 4.0, 1), (4.0, 9.0, 0)]
    """
    separate: list[Turn] = []
    for start_s, end_s, active in _moments(turns):
        label = min(active, key=lambda turn: (turn.end_s - turn.start_s, -turn.start_s, turn.label)).label
        separate.append(Turn(start_s, end_s, label))
    return sorted(_merge(separate))


def diarize_channels(clip: str, activity: pl.DataFrame, model: str) -> Diarization:
    """Return a diarization with one speaker per channel, to whom all speech on the channel belongs.

    Overlap is exact; a voice that leaks into another channel is not detected. Speakers are numbered by their first
    speech, not by channel, and have no embedding.

    Args:
        clip: partition key.
        activity: columns start_s, end_s, channel of `speech_schemas.SpeechActivity`.
        model: name of the configured model, which was not run.
    """
    turns = [Turn(*row) for row in activity.select("start_s", "end_s", "channel").iter_rows()]
    return tabulate_turns(clip, turns, {}, SpeakerFacts("channels", None, model))


def channels_of_speakers(turns: pl.DataFrame, activity: pl.DataFrame) -> dict[str, int]:
    """Return the channel of each speaker: the one whose speech overlaps most with the speaker's turns.

    Args:
        turns: rows of `speech_schemas.SpeakerTurns`.
        activity: rows of `speech_schemas.SpeechActivity` of the same sound.
    """
    channels = {}
    for speaker in turns["speaker"].unique().sort():
        own = turns.filter(pl.col("speaker") == speaker).select("start_s", "end_s")
        shared = own.join(activity.select("channel", a="start_s", b="end_s"), how="cross").with_columns(
            shared_s=(pl.min_horizontal("end_s", "b") - pl.max_horizontal("start_s", "a")).clip(0)
        )
        by_channel = (
            shared.group_by("channel").agg(pl.col("shared_s").sum()).sort("shared_s", "channel", descending=True)
        )
        if len(by_channel):
            channels[speaker] = int(by_channel["channel"][0])
    return channels


def spans_of_labels(edges_s: np.ndarray, labels: np.ndarray) -> list[Turn]:
    """Return the turns within one stretch: runs of windows with the same label.

    Args:
        edges_s: float64 (W + 1,), the start of each window's part of the stretch, and the end.
        labels: int64 (W,).

    >>> [tuple(turn) for turn in spans_of_labels(np.array([0.0, 0.5, 1.0, 1.5]), np.array([1, 1, 0]))]
    [(0.0, 1.0, 1), (1.0, 1.5, 0)]
    """
    firsts = np.flatnonzero(np.r_[True, np.diff(labels) != 0])
    ends = np.r_[firsts[1:], len(labels)]
    return [Turn(float(edges_s[a]), float(edges_s[b]), int(labels[a])) for a, b in zip(firsts, ends, strict=True)]


def _merge(turns: Sequence[Turn]) -> list[Turn]:
    """Merge turns of the same speaker that touch or overlap."""
    merged: list[Turn] = []
    for turn in sorted(turns, key=lambda turn: (turn.label, turn.start_s, turn.end_s)):
        if merged and merged[-1].label == turn.label and turn.start_s <= merged[-1].end_s:
            merged[-1] = merged[-1]._replace(end_s=max(merged[-1].end_s, turn.end_s))
        else:
            merged.append(turn)
    return merged


def _moments(turns: Sequence[Turn]) -> list[tuple[float, float, list[Turn]]]:
    """Return (start_s, end_s, active turns) for each span between neighbouring starts and ends with any speech."""
    events = sorted([(turn.start_s, 1, turn) for turn in turns] + [(turn.end_s, 0, turn) for turn in turns])
    moments: list[tuple[float, float, list[Turn]]] = []
    active: list[Turn] = []
    before_s = 0.0
    for at_s, begins, turn in events:
        if active and at_s > before_s:
            moments.append((before_s, at_s, list(active)))
        active.append(turn) if begins else active.remove(turn)
        before_s = at_s
    return moments


def _overlapped_s(turns: Sequence[Turn], label: int) -> float:
    """Return for how long this speaker speaks while another does."""
    spans = ((end_s - start_s, {turn.label for turn in active}) for start_s, end_s, active in _moments(turns))
    return sum(length_s for length_s, labels in spans if label in labels and len(labels) > 1)


def _table(clip: str, turns: Sequence[Turn], names: dict[int, str]) -> pl.DataFrame:
    rows = [(clip, n, turn.start_s, turn.end_s, names[turn.label]) for n, turn in enumerate(turns)]
    return pl.DataFrame(rows, schema=SpeakerTurns.create_empty().schema, orient="row")
