"""Who each speaker of a clip is: by a voice bank, and with precedence by decisions of people."""

from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import EmbeddingMismatch
from vidassets.schemas.speech import SpeakerNames
from vidassets.speech.shown_names import shown_name
from vidassets.speech.speakers.voice_encoder import unit


class _Match(NamedTuple):
    """The two people of the voice bank with the most similar voices, and their cosine similarities."""

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
    """Return one row per speaker, in the order of `speakers`, with the columns of `speech_schemas.SpeakerNames`.

    The voice bank gives a person's name to at most one speaker of a clip: the most similar, if it reaches the
    threshold. If two speakers are similar enough, either one of them is somebody else or one person was split in two,
    and the voice cannot show which. A decision of people takes precedence: it may give one name to several speakers,
    and the voice bank then gives that name to nobody else. A decision with `person` null leaves the speaker unnamed,
    whatever the voice bank says.

    Args:
        clip: partition key.
        speakers: rows of `speech_schemas.Speakers` of this clip.
        turns: rows of `speech_schemas.SpeakerTurns` of this clip.
        bank: rows of `speech_schemas.VoiceBank`; may be empty.
        decisions: rows of `speech_schemas.SpeakerDecisions` of any clip, in order; may be empty.
        threshold: least cosine similarity to a person's voice.
    Raises:
        EmbeddingMismatch: the embeddings of the clip and of the bank are of different models.
    """
    _check_same_model(clip, speakers, bank)
    # Later decisions on a speaker replace earlier ones.
    decided = {speaker: person for speaker, person in _placed(clip, turns, decisions) if speaker is not None}
    people = _people(bank)
    matches = {
        speaker: _match(np.array(embedding, np.float32), people) if embedding is not None else _Match()
        for speaker, embedding in speakers.select("speaker", "embedding").iter_rows()
    }
    by_voice = _names_by_voice(matches, decided, threshold)
    named = {speaker: decided[speaker] if speaker in decided else by_voice.get(speaker) for speaker in matches}
    rows = [
        {
            "clip": clip,
            "speaker": speaker,
            "name": shown_name(speaker, named[speaker]),
            "person": named[speaker],
            "source": "decision" if speaker in decided else "voice bank" if speaker in by_voice else None,
            "similarity": matches[speaker].similarity,
            "likest": matches[speaker].person,
            "runner_up": matches[speaker].runner_up,
            "runner_up_similarity": matches[speaker].runner_up_similarity,
            "threshold": threshold,
            "model": model,
        }
        for speaker, model in speakers.select("speaker", "model").iter_rows()
    ]
    return pl.DataFrame(rows, schema=SpeakerNames.create_empty().schema)


def unplaced_decisions(clip: str, turns: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the decisions of this clip that apply to no speaker: nobody speaks at their moment, or several do.

    They are kept, and apply again if a new clustering puts exactly one speaker at that moment.
    """
    own = decisions.filter(pl.col("clip") == clip)
    return own.filter(pl.Series([speaker is None for speaker, _ in _placed(clip, turns, decisions)], dtype=pl.Boolean))


def _placed(clip: str, turns: pl.DataFrame, decisions: pl.DataFrame) -> list[tuple[str | None, str | None]]:
    """Return (speaker, person) of every decision of this clip, in order; speaker None unless exactly one speaks."""
    placed: list[tuple[str | None, str | None]] = []
    for at_s, person in decisions.filter(pl.col("clip") == clip).select("at_s", "person").iter_rows():
        speaking = turns.filter((pl.col("start_s") <= at_s) & (pl.col("end_s") > at_s))["speaker"].unique()
        placed.append((speaking[0] if len(speaking) == 1 else None, person))
    return placed


def _check_same_model(clip: str, speakers: pl.DataFrame, bank: pl.DataFrame) -> None:
    clip_models = speakers.filter(pl.col("embedding").is_not_null())["model"].unique().sort().to_list()
    bank_models = bank["model"].unique().sort().to_list()
    if clip_models and bank_models and clip_models != bank_models:
        raise EmbeddingMismatch(
            f"{clip}: its embeddings are of {', '.join(clip_models)}, those of the voice bank of "
            f"{', '.join(bank_models)}: they cannot be compared. Compute both with one speaker_model: materialise "
            "`voices` of this clip, and `voice_bank`."
        )


def _people(bank: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return float32 (D,) of unit length per person: the mean over the recordings, unweighted."""
    return {
        str(person): unit(np.array(recordings["embedding"].to_list(), np.float32).mean(axis=0))
        for (person,), recordings in bank.sort("person", "recording").group_by(["person"], maintain_order=True)
    }


def _match(embedding: np.ndarray, people: dict[str, np.ndarray]) -> _Match:
    cosines = sorted(((min(1.0, float(voice @ embedding)), person) for person, voice in people.items()), reverse=True)
    (first, person), (second, runner_up) = [*cosines, (None, None), (None, None)][:2]
    return _Match(person, first, runner_up, second)


def _names_by_voice(matches: dict[str, _Match], decided: dict[str, str | None], threshold: float) -> dict[str, str]:
    """Return names by speaker: each person's name goes to the most similar speaker without a decision."""
    names: dict[str, str] = {}
    candidates = [
        (match.similarity, speaker, match.person)
        for speaker, match in matches.items()
        if match.person is not None and match.similarity is not None and match.similarity >= threshold
    ]
    for _, speaker, person in sorted(candidates, key=lambda candidate: -candidate[0]):
        if speaker not in decided and person not in decided.values() and person not in names.values():
            names[speaker] = person
    return names
