"""The assets of speakers: who speaks when, and who each speaker is."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.speech.transcript import events_metadata
from vidassets.edited_tables import read_edited_csv
from vidassets.errors import SpeechError, VidassetsError
from vidassets.graph.artifact import Blob, StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.declared_asset import AssetResult, Figure
from vidassets.graph.edited_file import content_of
from vidassets.graph.parameters import IdentityOnly
from vidassets.schemas import speech as speech_schemas

if TYPE_CHECKING:
    from vidassets.speech.models import SpeakerModel, SpeechModel
    from vidassets.speech.speakers.voice_bank import Reference


@clip_asset(group="speech_speakers", kinds={"numpy"}, version="1", extension="npz", pool="speaker_model")
def voices(clip: str, audio: StoredFile, speech_activity: pl.DataFrame, speaker_model: "SpeakerModel") -> bytes:
    """What the profile's speaker model computes from the sound: the inference, before any clustering."""
    from vidassets.media.sound import Sound

    with audio.path() as path:
        return speaker_model.infer_voices(clip, Sound.open(path), speech_activity)


class SpeakerCount(dg.Config, extra="forbid"):
    """How many speakers there are; needs no inference."""

    n_speakers: int | None = Field(default=None, ge=1, description="Exact number. None: estimated from the sound.")
    min_speakers: int | None = Field(default=None, ge=1, description="Least number.")
    max_speakers: int | None = Field(default=None, ge=1, description="Greatest number.")


def _speaking_times(artifact: pl.DataFrame, speakers: pl.DataFrame) -> str:
    from vidassets.speech.shown_names import shown_name

    if speakers.is_empty():
        return "Nobody speaks in this clip."
    lines = ["| speaker | in tables | speaks | overlapped | turns |", "|---|---|---|---|---|"]
    for row in speakers.iter_rows(named=True):
        times = f"{row['total_s']:.1f} s | {row['overlapped_s']:.1f} s | {row['n_turns']}"
        lines.append(f"| {shown_name(row['speaker'])} | {row['speaker']} | {times} |")
    basis, confidence = speakers["count_basis"][0], speakers["count_confidence"][0]
    certainty = "" if confidence is None else f", confidence {confidence:.2f}"
    return "\n".join([*lines, "", f"Number of speakers: {basis}{certainty}."])


@clip_asset(
    group="speech_speakers",
    kinds={"parquet", "rttm"},
    version="2",
    schema=speech_schemas.SpeakerTurns,
    also={
        "exclusive_turns": speech_schemas.SpeakerTurns,
        "speakers": speech_schemas.Speakers,
        "speaker_turns_rttm": Blob("rttm", "The turns of a clip in NIST's Rich Transcription Time Marked format."),
    },
    preview=_speaking_times,
    figures=[Figure("speakers", "n_speakers")],
)
def speaker_turns(clip: str, voices: bytes, speaker_model: "SpeakerModel", config: SpeakerCount) -> AssetResult:
    """Who speaks when: `speaker_turns` may overlap, `exclusive_turns` never do, `speakers` has one row per speaker.

    Clusters the stored `voices`: a change of the number of speakers needs no inference.
    """
    from vidassets.speech.models import SpeakerOptions
    from vidassets.speech.speakers.rttm import to_rttm

    options = SpeakerOptions(config.n_speakers, config.min_speakers, config.max_speakers)
    diarization = speaker_model.cluster_voices(clip, voices, options)
    metadata: dict[str, Any] = {"n_speakers": len(diarization.speakers)} | events_metadata(diarization.events)
    if len(diarization.speakers):
        metadata["count_basis"] = diarization.speakers["count_basis"][0]
    also = {
        "exclusive_turns": diarization.exclusive,
        "speakers": diarization.speakers,
        "speaker_turns_rttm": to_rttm(diarization.turns).encode(),
    }
    return AssetResult(diarization.turns, metadata, also=also)


RECORDINGS = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".mp4", ".mov", ".mkv", ".webm"}


class VoiceBankFolder(dg.Config, extra="forbid"):
    """Where recordings of known people are stored."""

    folder: str | None = Field(
        default=None,
        description="Folder of PERSON/recording.wav, any audio or video format. None: no voice bank.",
    )


def _recordings(config: VoiceBankFolder) -> list[Path]:
    if config.folder is None:
        return []
    paths = [path for path in Path(config.folder).glob("*/*") if path.suffix.lower() in RECORDINGS]
    return sorted(path for path in paths if path.is_file() or path.is_symlink())


def _check_links(config: VoiceBankFolder) -> None:
    """Refuse a recording that is a link out of the folder, or into nowhere: it is none that somebody put there.

    Raises:
        SpeechError: naming the link.
    """
    for path in _recordings(config):
        if not path.is_file() or not path.resolve().is_relative_to(Path(str(config.folder)).resolve()):
            raise SpeechError(
                f"{path}: a link that leads out of the voice bank, or to no file. Copy the recording into "
                f"{config.folder}, or remove the link."
            )


def _bank_content(config: VoiceBankFolder) -> str:
    """Return a hash that changes when a recording is added, removed or changed."""
    stats = [
        (str(path.relative_to(str(config.folder))), path.stat() if path.exists() else path.lstat())
        for path in _recordings(config)
    ]
    listing = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return sha256(f"{config.folder}\n{listing}".encode()).hexdigest()[:16]


@dataset_asset(
    group="speech_speakers",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.VoiceBank,
    pool="speaker_model",
    watches=_bank_content,
)
def voice_bank(speech_model: "SpeechModel", speaker_model: "SpeakerModel", config: VoiceBankFolder) -> AssetResult:
    """The voices of known people, from a folder of recordings of each person; empty if no folder is configured."""
    from vidassets.speech.speakers.voice_bank import embed_references

    if config.folder is not None and not _recordings(config):
        raise SpeechError(
            f"{config.folder}: contains no PERSON/recording. Add a folder of recordings for each person, or remove "
            "`assets: voice_bank: folder` from the profile."
        )
    _check_links(config)
    bank = embed_references(_references(config, speech_model), speaker_model)
    return AssetResult(bank, {"people": bank["person"].n_unique()}, data_version=_bank_content(config))


def _references(config: VoiceBankFolder, speech_model: "SpeechModel") -> "Iterator[Reference]":
    """Yield the speech of each recording, without its pauses."""
    import numpy as np

    from vidassets.media.sound import Sound
    from vidassets.speech.sound.extraction import extract_audio
    from vidassets.speech.speakers.voice_bank import Reference
    from vidassets.speech.transcript.activity import find_speech

    for recording in _recordings(config):
        person = recording.parent.name
        with TemporaryDirectory(prefix="vidassets-voices-") as folder:
            path = Path(folder) / "voice.flac"
            try:
                extract_audio("reference", str(recording), path)
            except VidassetsError as error:
                raise SpeechError(f"{error} Or remove {recording} from the voice bank.") from error
            sound = Sound.open(path)
            scores = speech_model.score_speech("reference", sound)
            stretches = find_speech("reference", scores, speech_model.activity_threshold)
            parts = [sound.samples(start, end) for start, end in stretches.select("start_s", "end_s").iter_rows()]
        yield Reference(person, recording.name, np.concatenate([np.zeros(0, np.float32), *parts]))


class DecisionsTable(dg.Config, extra="forbid"):
    """Where the table of decisions is stored."""

    table: str | None = Field(
        default=None, description="Path of a CSV with the columns clip, at_s, person, decided_by. None: no decisions."
    )


def _decisions_content(config: DecisionsTable) -> str:
    return content_of(config.table)


@dataset_asset(
    group="speech_speakers",
    kinds={"parquet", "csv"},
    version="1",
    schema=speech_schemas.SpeakerDecisions,
    watches=_decisions_content,
)
def speaker_decisions(config: DecisionsTable) -> AssetResult:
    """Who a speaker is according to people: an append-only table in which the last decision on a speaker counts.

    A row names a moment at which exactly one speaker speaks, so it stays valid after a new clustering.
    """
    schema = speech_schemas.SpeakerDecisions.create_empty().schema
    if config.table is None:
        table = pl.DataFrame(schema=schema)
    else:
        try:
            table = read_edited_csv(Path(config.table).read_bytes())
            table = table.with_columns(
                pl.lit(None, pl.String).alias(name) for name in ("decided_by",) if name not in table.columns
            )
            table = table.select(schema.names()).cast(schema)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise SpeechError(
                f"{config.table}: cannot be read as speaker decisions ({str(error).splitlines()[0]}). Give a "
                "CSV with the columns clip, at_s, person, and optionally decided_by."
            ) from error
    return AssetResult(table, {"table": config.table or "none"}, data_version=_decisions_content(config))


class Naming(dg.Config, extra="forbid"):
    """When a speaker is given the name of a person in the voice bank."""

    threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Least cosine similarity to the person's voice. None: the model's default.",
    )


def _names_table(artifact: pl.DataFrame) -> str:
    if artifact.is_empty():
        return "Nobody speaks in this clip."
    from vidassets.speech.shown_names import shown_name

    lines = ["| speaker | in tables | person | by | most similar | similarity |", "|---|---|---|---|---|---|"]
    for row in artifact.iter_rows(named=True):
        similarity = "" if row["similarity"] is None else f"{row['similarity']:.2f}"
        names = (shown_name(row["speaker"]), row["speaker"], row["person"] or "unknown")
        lines.append("| " + " | ".join([*names, row["source"] or "", row["likest"] or "", similarity]) + " |")
    return "\n".join(lines)


@clip_asset(
    group="speech_speakers",
    kinds={"parquet"},
    version="2",
    schema=speech_schemas.SpeakerNames,
    preview=_names_table,
)
def speaker_names(
    clip: str,
    speakers: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    voice_bank: pl.DataFrame,
    speaker_decisions: pl.DataFrame,
    speaker_model: Annotated["SpeakerModel", IdentityOnly()],
    config: Naming,
) -> AssetResult:
    """Who each speaker is: by people's decisions, else by the voice bank if the similarity reaches the threshold."""
    from vidassets.speech.speakers.speaker_names import name_speakers, unplaced_decisions

    threshold = speaker_model.name_threshold if config.threshold is None else config.threshold
    names = name_speakers(clip, speakers, speaker_turns, voice_bank, speaker_decisions, threshold)
    unplaced = unplaced_decisions(clip, speaker_turns, speaker_decisions)
    metadata: dict[str, Any] = {"named": int(names["person"].count()), "decisions_without_a_speaker": len(unplaced)}
    return AssetResult(names, metadata)
