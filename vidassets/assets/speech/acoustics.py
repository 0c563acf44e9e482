"""The assets of acoustic features: pitch, loudness and timbre, every 10 ms, per word and per segment."""

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.graph.artifact import StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.preview import picture
from vidassets.schemas import speech as speech_schemas


@clip_asset(group="speech_acoustics", kinds={"parquet", "numpy"}, version="1", schema=speech_schemas.AcousticFrames)
def acoustic_frames(clip: str, audio: StoredFile) -> pl.DataFrame:
    """Pitch, intensity, harmonicity and spectral shape every 10 ms, in speech and elsewhere."""
    from vidassets.media.sound import Sound
    from vidassets.speech.acoustics.grid import measure_frames

    with audio.path() as path:
        return measure_frames(clip, Sound.open(path))


class Levels(dg.Config, extra="forbid"):
    """Bounds of the levels, relative to the median of the same speaker in the clip."""

    low_db: float = Field(default=-6.0, description="A word below this is low.")
    high_db: float = Field(default=3.0, description="A word is high from this on.")
    emphasis_db: float = Field(default=6.0, description="A word is emphasised from this on.")
    emphasis_semitones: float = Field(
        default=4.0, description="A high word is also emphasised if its pitch is this far above the median."
    )


def _pitch_and_level(artifact: pl.DataFrame, acoustic_frames: pl.DataFrame, clip: str) -> str:
    from vidassets.speech.acoustics.picture import draw_acoustics

    if acoustic_frames.is_empty():
        return "This clip has no sound."
    return picture(draw_acoustics(clip, acoustic_frames, artifact), "pitch, intensity and words over time")


@clip_asset(
    group="speech_acoustics",
    kinds={"parquet", "numpy"},
    version="1",
    schema=speech_schemas.WordAcoustics,
    also={"segment_acoustics": speech_schemas.SegmentAcoustics},
    preview=_pitch_and_level,
)
def word_acoustics(
    clip: str,
    audio: StoredFile,
    transcript: pl.DataFrame,
    transcript_words: pl.DataFrame,
    speech_activity: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    acoustic_frames: pl.DataFrame,
    config: Levels,
) -> AssetResult:
    """Acoustic features of every word, measured on its own samples; level and pitch are relative to the speaker.

    `segment_acoustics` has the same features for every segment.
    """
    from vidassets.media.sound import Sound
    from vidassets.speech.acoustics.features import LevelThresholds, measure_segments, measure_words
    from vidassets.speech.speakers.turns import channels_of_speakers

    levels = LevelThresholds(**config.model_dump())
    with audio.path() as path:
        sound = Sound.open(path)
        channels = channels_of_speakers(speaker_turns, speech_activity) if sound.channels > 1 else None
        words = measure_words(clip, transcript_words, sound, levels, channels)
        segments = measure_segments(clip, transcript, sound, levels, channels)
    counts = {f"words_{level}": n for level, n in words["level"].drop_nulls().value_counts().iter_rows()}
    return AssetResult(words, counts, also={"segment_acoustics": segments})
