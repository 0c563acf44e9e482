"""How it sounds: pitch, loudness, timbre, every 10 ms, per word and per segment."""

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.graph.artifact import StoredFile
from vidassets.graph.clip_asset import ClipResult, clip_asset
from vidassets.graph.preview import picture
from vidassets.schemas import speech as speech_schemas


@clip_asset(group="speech", kinds={"parquet", "numpy"}, version="1", schema=speech_schemas.AcousticFrames)
def acoustic_frames(clip: str, audio: StoredFile) -> pl.DataFrame:
    """Pitch, intensity, harmonicity and the shape of the spectrum every 10 ms, speech or not."""
    from vidassets.media.sound import Sound
    from vidassets.speech.acoustics.grid import acoustic_frames

    with audio.path() as path:
        return acoustic_frames(clip, Sound.open(path))


class Levels(dg.Config, extra="forbid"):
    """What is low, high, and emphasis: relative to the median of the same speaker in the clip."""

    low_db: float = Field(default=-6.0, description="Low is below it.")
    high_db: float = Field(default=3.0, description="High begins here.")
    emphasis_db: float = Field(default=6.0, description="Emphasis begins here.")
    emphasis_semitones: float = Field(
        default=4.0, description="What is high, and as far above in pitch, is emphasis too."
    )


def _pitch_and_level(artifact: pl.DataFrame, acoustic_frames: pl.DataFrame, clip: str) -> str:
    from vidassets.speech.acoustics.picture import acoustic_picture

    if acoustic_frames.is_empty():
        return "This clip has no sound."
    return picture(acoustic_picture(clip, acoustic_frames, artifact), "pitch, intensity and words over time")


@clip_asset(
    group="speech",
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
) -> ClipResult:
    """How every word sounds, from the samples under it; relative to its speaker where that is what counts.

    The same of every segment in `segment_acoustics`.
    """
    from vidassets.media.sound import Sound
    from vidassets.speech.acoustics.features import LevelThresholds, segment_acoustics, word_acoustics
    from vidassets.speech.speakers.turns import channels_of_speakers

    levels = LevelThresholds(**config.model_dump())
    with audio.path() as path:
        sound = Sound.open(path)
        channels = channels_of_speakers(speaker_turns, speech_activity) if sound.channels > 1 else None
        words = word_acoustics(clip, transcript_words, sound, levels, channels)
        segments = segment_acoustics(clip, transcript, sound, levels, channels)
    counts = {f"words_{level}": n for level, n in words["level"].drop_nulls().value_counts().iter_rows()}
    return ClipResult(words, counts, also={"segment_acoustics": segments})
