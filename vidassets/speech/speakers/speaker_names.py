"""Whose voice each speaker of a clip is: by a voice bank, and above it by what people decided."""

from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import EmbeddingMismatch
from vidassets.schemas.speech import SpeakerNames
from vidassets.speech.speakers.voice_encoder import unit


class _Likest(NamedTuple):
    """The two people of the voice bank whose voices are likest, and how like."""

    person: str | None = None
    similarity: float | None = None
    runner_up: str | None = None
    runner_up_similarity: float | None = None


def name_speakers(
    clip: str,
    speakers: pl.DataFrame,
    turns: pl.DataFrame,
    bank: pl.DataFrame,
    decisions: pl.DataFrame,
    threshold: float,
) -> pl.DataFrame:
    """One row per speaker, in their order; columns in `speech_schemas.SpeakerNames`.

    The voice bank gives a person's name to one speaker of a clip, the likest, and never below the threshold: of two
    who are alike enough one is somebody else, or one person is told apart into two, and nobody can say which by the
    voice. A person can: a decision names whom it wants, as many as it wants, and the voice bank then gives that name
    to nobody else. A decision for nobody (`person` null) leaves a speaker without a name, whatever the voice bank says.

    Args:
        clip: its key.
        speakers: rows of `speech_schemas.Speakers` of this clip.
        turns: rows of `speech_schemas.SpeakerTurns` of this clip.
        bank: rows of `speech_schemas.VoiceBank`; may be none.
        decisions: rows of `speech_schemas.SpeakerDecisions` of any clip, in order; may be none.
        threshold: of the cosine similarity, from which on a voice is a person's.
    Raises:
        EmbeddingMismatch: voices of the clip and of the bank are described by different models.
    """
    _held_by_one_model(clip, speakers, bank)
    decided = {speaker: person for speaker, person in _placed(clip, turns, decisions) if speaker is not None}
    people = _people(bank)
    likest = {
        speaker: _likest(np.array(embedding, np.float32), people) if embedding is not None else _Likest()
        for speaker, embedding in speakers.select("speaker", "embedding").iter_rows()
    }
    by_voice = _given(likest, decided, threshold)
    rows = [
        {
            "clip": clip,
            "speaker": speaker,
            "person": decided[speaker] if speaker in decided else by_voice.get(speaker),
            "source": "decision" if speaker in decided else "voice bank" if speaker in by_voice else None,
            "similarity": likest[speaker].similarity,
            "likest": likest[speaker].person,
            "runner_up": likest[speaker].runner_up,
            "runner_up_similarity": likest[speaker].runner_up_similarity,
            "threshold": threshold,
            "model": model,
        }
        for speaker, model in speakers.select("speaker", "model").iter_rows()
    ]
    return pl.DataFrame(rows, schema=SpeakerNames.create_empty().schema)


def unplaced_decisions(clip: str, turns: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """The decisions of this clip that name no speaker now: at their moment nobody speaks, or more than one.

    They are kept and count again as soon as a new clustering lets one speaker alone have that moment.
    """
    own = decisions.filter(pl.col("clip") == clip)
    return own.filter(pl.Series([speaker is None for speaker, _ in _placed(clip, turns, decisions)], dtype=pl.Boolean))


def _placed(clip: str, turns: pl.DataFrame, decisions: pl.DataFrame) -> list[tuple[str | None, str | None]]:
    """(speaker, person) of every decision of this clip, in order; speaker None where it is not one alone."""
    placed: list[tuple[str | None, str | None]] = []
    for at_s, person in decisions.filter(pl.col("clip") == clip).select("at_s", "person").iter_rows():
        holding = turns.filter((pl.col("start_s") <= at_s) & (pl.col("end_s") > at_s))["speaker"].unique()
        placed.append((holding[0] if len(holding) == 1 else None, person))
    return placed


def _held_by_one_model(clip: str, speakers: pl.DataFrame, bank: pl.DataFrame) -> None:
    of_clip = speakers.filter(pl.col("embedding").is_not_null())["model"].unique().sort().to_list()
    of_bank = bank["model"].unique().sort().to_list()
    if of_clip and of_bank and of_clip != of_bank:
        raise EmbeddingMismatch(
            f"{clip}: its voices are described by {', '.join(of_clip)}, the voice bank's by {', '.join(of_bank)}: they "
            "cannot be compared. Make both with one speaker_model: materialise `voices` of this clip, and `voice_bank`."
        )


def _people(bank: pl.DataFrame) -> dict[str, np.ndarray]:
    """float32 (D,) of unit length by person: the mean of its recordings, as long or short as they are."""
    return {
        str(person): unit(np.array(recordings["embedding"].to_list(), np.float32).mean(axis=0))
        for (person,), recordings in bank.sort("person", "recording").group_by(["person"], maintain_order=True)
    }


def _likest(embedding: np.ndarray, people: dict[str, np.ndarray]) -> _Likest:
    cosines = sorted(((min(1.0, float(voice @ embedding)), person) for person, voice in people.items()), reverse=True)
    (first, person), (second, runner_up) = [*cosines, (None, None), (None, None)][:2]
    return _Likest(person, first, runner_up, second)


def _given(likest: dict[str, _Likest], decided: dict[str, str | None], threshold: float) -> dict[str, str]:
    """The voice bank's names by speaker: of every person to the likest speaker of whom nothing was decided."""
    given: dict[str, str] = {}
    candidates = [
        (like.similarity, speaker, like.person)
        for speaker, like in likest.items()
        if like.person is not None and like.similarity is not None and like.similarity >= threshold
    ]
    for _, speaker, person in sorted(candidates, key=lambda candidate: -candidate[0]):
        if speaker not in decided and person not in decided.values() and person not in given.values():
            given[speaker] = person
    return given
