"""The assets of a clip's sound: 16 kHz on the clip's own clock, and the stretches in which somebody speaks."""

from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import ClipFile
from vidassets.graph.artifact import StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.parameters import IdentityOnly
from vidassets.graph.preview import table
from vidassets.schemas import speech as speech_schemas

if TYPE_CHECKING:
    from pathlib import Path

    from vidassets.speech.models import SpeechModel


class SoundExtraction(dg.Config, extra="forbid"):
    """Which audio stream of a video is used."""

    stream: int | None = Field(default=None, ge=0, description="Index of the stream in the file. None: by language.")
    language: str | None = Field(
        default=None, min_length=2, description="Use the first stream with this tag. None: the first audio stream."
    )
    separate_channels: bool = Field(
        default=False, description="Keep the channels separate, for recordings with one person per channel."
    )


def _facts(artifact: StoredFile, audio_facts: pl.DataFrame) -> str:
    row = audio_facts.row(0, named=True)
    if not row["has_audio"]:
        return "No sound: " + (
            "; ".join(problem["detail"] for problem in row["problems"]) or "the file has no audio stream."
        )
    shares = {
        name: f"{row[f'{name}_share']:.2%}" for name in ("clipped", "silence") if row[f"{name}_share"] is not None
    }
    facts: dict[str, object] = {
        "source": f"{row['codec']}, {row['source_sample_rate_hz']} Hz, {row['source_layout']}, "
        f"stream {row['stream_index']}, language {row['language'] or 'unknown'}",
        "loudness": "too short or silent" if row["loudness_lufs"] is None else f"{row['loudness_lufs']:.1f} LUFS",
        "peak": "silence" if row["peak_dbfs"] is None else f"{row['peak_dbfs']:.1f} dBFS",
        **shares,
        "signal to noise": "no estimate" if row["snr_db"] is None else f"{row['snr_db']:.0f} dB",
        "holes": "; ".join(f"{hole['start_s']:.3f}-{hole['end_s']:.3f} s: {hole['cause']}" for hole in row["holes"])
        or "none",
        "problems": "; ".join(f"{problem['code']}: {problem['detail']}" for problem in row["problems"]) or "none",
    }
    return table(facts)


@clip_asset(
    group="speech_sound",
    kinds={"flac", "ffmpeg"},
    version="3",
    extension="flac",
    also={"audio_facts": speech_schemas.AudioFacts},
    preview=_facts,
)
def audio(clip: str, raw_clip: ClipFile, output: "Path", config: SoundExtraction) -> AssetResult:
    """The clip's sound as 16 kHz mono FLAC, aligned to the clip's clock: second 7.3 is second 7.3 of the clip.

    Sound that is missing in the container becomes silence and is listed in `audio_facts`, with loudness, clipping,
    silence and noise. A clip without sound has a FLAC of one millisecond of silence, titled "no sound", and all assets
    made from it are empty.
    """
    from vidassets.speech.sound.extraction import extract_audio

    stream = config.stream if config.stream is not None else config.language
    with raw_clip.opened() as uri:
        facts = extract_audio(clip, uri, output, stream=stream, separate_channels=config.separate_channels)
    row = facts.row(0, named=True)
    shown = ("has_audio", "duration_s", "loudness_lufs", "clipped_share", "silence_share", "snr_db")
    metadata: dict[str, Any] = {name: row[name] for name in shown if row[name] is not None}
    return AssetResult(None, metadata | {"holes": len(row["holes"])}, also={"audio_facts": facts})


@clip_asset(
    group="speech_sound",
    kinds={"parquet", "onnx"},
    version="1",
    schema=speech_schemas.SpeechScores,
    pool="speech_model",
)
def speech_scores(clip: str, audio: StoredFile, speech_model: "SpeechModel") -> pl.DataFrame:
    """The probability of speech in each short window of the sound, computed by the profile's model."""
    from vidassets.media.sound import Sound

    with audio.path() as path:
        return speech_model.score_speech(clip, Sound.open(path))


class Activity(dg.Config, extra="forbid"):
    """How speech scores become stretches of speech; needs no inference."""

    threshold: float | None = Field(
        default=None, gt=0, lt=1, description="Least score of a window with speech. None: the model's own."
    )
    min_silence_s: float = Field(default=0.3, ge=0, description="Shorter silences do not split a stretch.")
    min_speech_s: float = Field(default=0.25, ge=0, description="Shorter stretches are dropped.")
    pad_s: float = Field(default=0.13, ge=0, description="Seconds added at both ends of a stretch.")


@clip_asset(
    group="speech_sound",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.SpeechActivity,
)
def speech_activity(
    clip: str, speech_scores: pl.DataFrame, speech_model: Annotated["SpeechModel", IdentityOnly()], config: Activity
) -> pl.DataFrame:
    """The stretches in which somebody speaks, from a threshold on the speech scores."""
    from vidassets.speech.transcript.activity import find_speech

    threshold = speech_model.activity_threshold if config.threshold is None else config.threshold
    return find_speech(clip, speech_scores, threshold, config.min_silence_s, config.min_speech_s, config.pad_s)
