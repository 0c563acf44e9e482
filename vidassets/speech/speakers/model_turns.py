"""Tables of turns, from a model that tells overlap and exclusive turns itself, in its own labels and times."""

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
    """What a diarization says.

    Attributes:
        turns: (start_s, end_s, label), seconds of the sound; may overlap.
        exclusive: the same, of which no two should hold one moment.
        labels: the model's names of the speakers.
        embeddings: float32 (speakers, D), in the order of `labels`; not normalised; NaN or 0 where there is none.
    """

    turns: Sequence[tuple[float, float, str]]
    exclusive: Sequence[tuple[float, float, str]]
    labels: Sequence[str]
    embeddings: np.ndarray


def tabulate_model_turns(
    clip: str, apart: ModelTurns, start_s: float, duration_s: float, told: SpeakerFacts
) -> Diarization:
    """Turns on the clip's clock, within the sound; the exclusive ones are the model's, not made of those that overlap.

    Args:
        clip: its key.
        apart: what the model says.
        start_s: clip time of the sound's first sample.
        duration_s: of the sound.
        told: what goes with the speakers.
    """
    numbers = {label: number for number, label in enumerate(apart.labels)}
    turns = _on_clock(apart.turns, numbers, start_s, duration_s)
    voices = {at: voice for at, voice in enumerate(apart.embeddings) if np.isfinite(voice).all() and voice.any()}
    result = tabulate_turns(clip, turns, voices, told)
    names = {number: f"S{at}" for at, number in enumerate(dict.fromkeys(turn.label for turn in turns))}
    rows = [
        (clip, at, turn.start_s, turn.end_s, names[turn.label])
        for at, turn in enumerate(_one_at_a_time(_on_clock(apart.exclusive, numbers, start_s, duration_s)))
    ]
    schema = SpeakerTurns.create_empty().schema
    return dataclasses.replace(result, exclusive=pl.DataFrame(rows, schema=schema, orient="row"))


def _on_clock(
    turns: Sequence[tuple[float, float, str]], numbers: dict[str, int], start_s: float, duration_s: float
) -> list[Turn]:
    # A model's last frame may lie beyond the last sample.
    within = [(max(0.0, start), min(end, duration_s), numbers[label]) for start, end, label in turns]
    return sorted(Turn(start_s + start, start_s + end, number) for start, end, number in within if end > start)


def _one_at_a_time(turns: Sequence[Turn]) -> list[Turn]:
    """Each begins where the one before ends, at the earliest: gaps that a model bridges may run into each other."""
    apart: list[Turn] = []
    reached_s = -np.inf
    for turn in turns:
        if turn.end_s > max(turn.start_s, reached_s):
            apart.append(turn._replace(start_s=float(max(turn.start_s, reached_s))))
            reached_s = turn.end_s
    return apart
