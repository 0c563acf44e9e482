"""Who speaks when, and whose voice it is."""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.speech.transcript import events_metadata
from vidassets.errors import SpeechError, VidassetsError
from vidassets.graph.artifact import Blob, StoredFile
from vidassets.graph.clip_asset import ClipResult, clip_asset
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.edited_file import content_of
from vidassets.schemas import speech as speech_schemas

if TYPE_CHECKING:
    from vidassets.speech.models import SpeakerModel, SpeechModel
    from vidassets.speech.speakers.voice_bank import Reference


@clip_asset(group="speech", kinds={"numpy"}, version="1", extension="npz", pool="speaker_model")
def voices(clip: str, audio: StoredFile, speech_activity: pl.DataFrame, speaker_model: "SpeakerModel") -> bytes:
    """What the profile's speaker model hears of the voices: the part that costs an inference."""
    from vidassets.media.sound import Sound

    with audio.path() as path:
        return speaker_model.voices(clip, Sound.open(path), speech_activity)


class SpeakerCount(dg.Config, extra="forbid"):
    """How many voices there are; no inference."""

    n_speakers: int | None = Field(default=None, ge=1, description="Exactly so many. None: judged from the sound.")
    min_speakers: int | None = Field(default=None, ge=1, description="At least.")
    max_speakers: int | None = Field(default=None, ge=1, description="At most.")


def _speaking_times(artifact: pl.DataFrame, speakers: pl.DataFrame) -> str:
    if speakers.is_empty():
        return "Nobody speaks in this clip."
    lines = ["| speaker | speaks | of it while another does | turns |", "|---|---|---|---|"]
    for row in speakers.iter_rows(named=True):
        lines.append(f"| {row['speaker']} | {row['total_s']:.1f} s | {row['overlapped_s']:.1f} s | {row['n_turns']} |")
    basis, confidence = speakers["count_basis"][0], speakers["count_confidence"][0]
    sure = "" if confidence is None else f", confidence {confidence:.2f}"
    return "\n".join([*lines, "", f"Number of speakers: {basis}{sure}."])


@clip_asset(
    group="speech",
    kinds={"parquet", "rttm"},
    version="1",
    schema=speech_schemas.SpeakerTurns,
    also={
        "exclusive_turns": speech_schemas.SpeakerTurns,
        "speakers": speech_schemas.Speakers,
        "speaker_turns_rttm": Blob("rttm", "The turns of a clip in NIST's Rich Transcription Time Marked format."),
    },
    preview=_speaking_times,
)
def speaker_turns(clip: str, voices: bytes, speaker_model: "SpeakerModel", config: SpeakerCount) -> ClipResult:
    """Who speaks when, overlap kept; in `exclusive_turns` nobody at the same time, in `speakers` the voices.

    Clustering alone: another number of speakers costs no inference.
    """
    from vidassets.speech.models import SpeakerOptions
    from vidassets.speech.speakers.rttm import to_rttm

    options = SpeakerOptions(config.n_speakers, config.min_speakers, config.max_speakers)
    found = speaker_model.turns(clip, voices, options)
    metadata: dict[str, Any] = {"n_speakers": len(found.speakers)} | events_metadata(found.events)
    if len(found.speakers):
        metadata["count_basis"] = found.speakers["count_basis"][0]
    also = {
        "exclusive_turns": found.exclusive,
        "speakers": found.speakers,
        "speaker_turns_rttm": to_rttm(found.turns).encode(),
    }
    return ClipResult(found.turns, metadata, also=also)


RECORDINGS = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".mp4", ".mov", ".mkv", ".webm"}


class VoiceBankFolder(dg.Config, extra="forbid"):
    """Where recordings of known people lie."""

    folder: str | None = Field(
        default=None,
        description="A folder of folders, PERSON/recording.wav, of any audio or video. None: there is none.",
    )


def _recordings(config: VoiceBankFolder) -> list[Path]:
    if config.folder is None:
        return []
    return sorted(one for one in Path(config.folder).glob("*/*") if one.is_file() and one.suffix.lower() in RECORDINGS)


def _bank_content(config: VoiceBankFolder) -> str:
    """Changes when a recording does, or comes, or goes."""
    stats = [(str(one.relative_to(str(config.folder))), one.stat()) for one in _recordings(config)]
    told = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return sha256(f"{config.folder}\n{told}".encode()).hexdigest()[:16]


@dataset_asset(
    group="speech",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.VoiceBank,
    pool="speaker_model",
    watches=_bank_content,
)
def voice_bank(speech_model: "SpeechModel", speaker_model: "SpeakerModel", config: VoiceBankFolder) -> ClipResult:
    """The voices of known people, out of a folder of recordings of each; empty where none is named."""
    from vidassets.speech.speakers.voice_bank import voice_bank

    if config.folder is not None and not _recordings(config):
        raise SpeechError(
            f"{config.folder}: holds no PERSON/recording. Put a folder of recordings for each person there, or take "
            "`assets: voice_bank: folder` out of the profile."
        )
    bank = voice_bank(_references(config, speech_model), speaker_model)
    return ClipResult(bank, {"people": bank["person"].n_unique()}, data_version=_bank_content(config))


def _references(config: VoiceBankFolder, speech_model: "SpeechModel") -> "Iterator[Reference]":
    """The speech in every recording, without its pauses."""
    import numpy as np

    from vidassets.media.sound import Sound
    from vidassets.speech.sound.extraction import extract_audio
    from vidassets.speech.speakers.voice_bank import Reference
    from vidassets.speech.transcript.activity import speech_activity

    for recording in _recordings(config):
        person = recording.parent.name
        with TemporaryDirectory(prefix="vidassets-voices-") as folder:
            path = Path(folder) / "voice.flac"
            try:
                extract_audio("reference", str(recording), path)
            except VidassetsError as error:
                raise SpeechError(f"{error} Or take {recording} out of the voice bank.") from error
            sound = Sound.open(path)
            scores = speech_model.speech_scores("reference", sound)
            stretches = speech_activity("reference", scores, speech_model.activity_threshold)
            parts = [sound.samples(start, end) for start, end in stretches.select("start_s", "end_s").iter_rows()]
        yield Reference(person, recording.name, np.concatenate([np.zeros(0, np.float32), *parts]))


class DecisionsTable(dg.Config, extra="forbid"):
    """Where a person's table lies."""

    table: str | None = Field(default=None, description="Path of a CSV: clip, at_s, person, decided_by. None: none.")


def _decisions_content(config: DecisionsTable) -> str:
    return content_of(config.table)


@dataset_asset(
    group="speech",
    kinds={"parquet", "csv"},
    version="1",
    schema=speech_schemas.SpeakerDecisions,
    watches=_decisions_content,
)
def speaker_decisions(config: DecisionsTable) -> ClipResult:
    """Whose voice people say it is: rows of a table that is added to and never changed; the last word counts.

    A row names a moment at which one speaker alone speaks, so that it outlives a new clustering.
    """
    schema = speech_schemas.SpeakerDecisions.create_empty().schema
    if config.table is None:
        table = pl.DataFrame(schema=schema)
    else:
        try:
            table = pl.read_csv(BytesIO(Path(config.table).read_bytes()), schema_overrides=schema)
            table = table.with_columns(
                pl.lit(None, pl.String).alias(name) for name in ("decided_by",) if name not in table.columns
            )
            table = table.select(schema.names())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SpeechError(
                f"{config.table}: does not read as decisions on speakers ({str(error).splitlines()[0]}). Give a CSV "
                "with the columns clip, at_s, person, and if you like decided_by."
            ) from error
    return ClipResult(table, {"table": config.table or "none"}, data_version=_decisions_content(config))


class Naming(dg.Config, extra="forbid"):
    """When a voice is somebody's."""

    threshold: float | None = Field(
        default=None, ge=-1, le=1, description="Least cosine similarity to a person's voice. None: the model's own."
    )


def _named(artifact: pl.DataFrame) -> str:
    if artifact.is_empty():
        return "Nobody speaks in this clip."
    lines = ["| speaker | person | by | likest | similarity |", "|---|---|---|---|---|"]
    for row in artifact.iter_rows(named=True):
        similarity = "" if row["similarity"] is None else f"{row['similarity']:.2f}"
        cells = (row["speaker"], row["person"] or "unknown", row["source"] or "", row["likest"] or "", similarity)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


@clip_asset(
    group="speech",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.SpeakerNames,
    preview=_named,
    consults=["speaker_model"],
)
def speaker_names(
    clip: str,
    speakers: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    voice_bank: pl.DataFrame,
    speaker_decisions: pl.DataFrame,
    speaker_model: "SpeakerModel",
    config: Naming,
) -> ClipResult:
    """Whose voice each speaker is: by the voice bank, never below the threshold, and above it by people's decisions."""
    from vidassets.speech.speakers.speaker_names import speaker_names, unplaced_decisions

    threshold = speaker_model.name_threshold if config.threshold is None else config.threshold
    names = speaker_names(clip, speakers, speaker_turns, voice_bank, speaker_decisions, threshold)
    unplaced = unplaced_decisions(clip, speaker_turns, speaker_decisions)
    metadata: dict[str, Any] = {"named": int(names["person"].count()), "decisions_without_a_speaker": len(unplaced)}
    return ClipResult(names, metadata)
