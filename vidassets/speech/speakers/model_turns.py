"""Tables from the output of a model that returns overlapping and exclusive turns itself."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from vidassets.schemas.speech import SpeakerTurns
from vidassets.speech.models import Diarization
from vidassets.speech.speakers.turns import SpeakerFacts, Turn, tabulate_turns


@dataclass(frozen=True)
class ModelTurns:
    """The output of a diarization model.

    Attributes:
        turns: (start_s, end_s, label) in seconds of the sound; may overlap.
        exclusive: the same, but no two turns should overlap.
        labels: the model's names of the speakers.
        embeddings: float32 (speakers, D), in the order of `labels`; not normalised; NaN or 0 if missing.
    """

    turns: Sequence[tuple[float, float, str]]
    exclusive: Sequence[tuple[float, float, str]]
    labels: Sequence[str]
    embeddings: np.ndarray


def tabulate_model_turns(
    clip: str, found: ModelTurns, start_s: float, duration_s: float, facts: SpeakerFacts
) -> Diarization:
    """Return the tables, with times on the clip's clock and within the sound.

    The exclusive turns are those of the model, not derived from the overlapping ones.

    Args:
        clip: partition key.
        found: the model's output.
        start_s: clip time of the sound's first sample.
        duration_s: of the sound.
        facts: stored with the speakers.
    """
    numbers = {label: number for number, label in enumerate(found.labels)}
    turns = _on_clock(found.turns, numbers, start_s, duration_s)
    voices = {at: voice for at, voice in enumerate(found.embeddings) if np.isfinite(voice).all() and voice.any()}
    result = tabulate_turns(clip, turns, voices, facts)
    names = {number: f"S{at}" for at, number in enumerate(dict.fromkeys(turn.label for turn in turns))}
    rows = [
        (clip, at, turn.start_s, turn.end_s, names[turn.label])
        for at, turn in enumerate(_without_overlap(_on_clock(found.exclusive, numbers, start_s, duration_s)))
    ]
    schema = SpeakerTurns.create_empty().schema
    return dataclasses.replace(result, exclusive=pl.DataFrame(rows, schema=schema, orient="row"))


def _on_clock(
    turns: Sequence[tuple[float, float, str]], numbers: dict[str, int], start_s: float, duration_s: float
) -> list[Turn]:
    # A model's last frame may end after the last sample.
    within = [(max(0.0, start), min(end, duration_s), numbers[label]) for start, end, label in turns]
    return sorted(Turn(start_s + start, start_s + end, number) for start, end, number in within if end > start)


def _without_overlap(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns without overlap: a turn starts at the end of the previous one at the earliest.

    A model that bridges gaps may make exclusive turns overlap.
    """
    separate: list[Turn] = []
    reached_s = -np.inf
    for turn in turns:
        if turn.end_s > max(turn.start_s, reached_s):
            separate.append(turn._replace(start_s=float(max(turn.start_s, reached_s))))
            reached_s = turn.end_s
    return separate
