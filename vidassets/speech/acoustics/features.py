"""Acoustic features of each word and each segment, measured on its own samples and compared with its speaker.

A unit is a word or a segment. Its windows, every 10 ms, are entirely inside it, so that they contain nothing of its
neighbours; they are not the windows of `acoustic_frames`. Means of spectral features are over the windows that are not
silent, means of harmonicity and pitch over the voiced windows. A unit without samples has nulls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vidassets.errors import InvalidSetting
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.schemas import speech as speech_schemas
from vidassets.speech.acoustics.grid import SILENCE_DB, Measures, decibels, measure_windows
from vidassets.speech.acoustics.syllables import silence_threshold_db, syllable_nuclei

SEMITONES_PER_OCTAVE = 12


@dataclass(frozen=True)
class LevelThresholds:
    """Bounds of the levels, in dB above the median of the speaker's units.

    Chosen here: in a minute of clear narration, 6 % of the words are low, 6 % high and 6 % emphasis, and the last are
    those that the speaker stresses.

    Attributes:
        low_db: a unit below this is low.
        high_db: a unit is high from this on.
        emphasis_db: a unit is emphasis from this on.
        emphasis_semitones: a high unit is also emphasis if its pitch is this far above the speaker's median.
    """

    low_db: float = -6.0
    high_db: float = 3.0
    emphasis_db: float = 6.0
    emphasis_semitones: float = 4.0

    def __post_init__(self) -> None:
        if not self.low_db < self.high_db <= self.emphasis_db:
            raise InvalidSetting(
                f"The levels {self.low_db:g}, {self.high_db:g} and {self.emphasis_db:g} dB are not in order: low_db "
                "must be below high_db, and high_db must not be above emphasis_db."
            )


def measure_words(
    clip: str,
    words: pl.DataFrame,
    sound: Sound,
    levels: LevelThresholds,
    channel_of_speaker: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Return one row per word, with the columns of `speech_schemas.WordAcoustics`.

    Args:
        clip: key of the clip.
        words: rows of `speech_schemas.TranscriptWords`.
        sound: the clip's sound.
        levels: bounds of the levels.
        channel_of_speaker: the channel to measure for each speaker; for other speakers, the mean of all channels.
    """
    columns = ["start_s", "end_s", "speaker", "word_index", "text"]
    units = _measure_units(words.select(columns), sound, channel_of_speaker or {})
    return speech_schemas.WordAcoustics.cast(_compare(clip, units, levels))


def measure_segments(
    clip: str,
    segments: pl.DataFrame,
    sound: Sound,
    levels: LevelThresholds,
    channel_of_speaker: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Return one row per segment, with the columns of `speech_schemas.SegmentAcoustics`.

    The arguments are those of `measure_words`. Levels are relative to the speaker's other segments, not to the words.
    """
    columns = ["start_s", "end_s", "speaker", "segment_index"]
    units = _measure_units(segments.select(columns), sound, channel_of_speaker or {})
    return speech_schemas.SegmentAcoustics.cast(_compare(clip, units, levels))


def measure_unit(samples: np.ndarray) -> dict[str, Any]:
    """Return the features of a single unit, by column of `speech_schemas.Acoustics`; an empty dict without samples.

    Args:
        samples: float32 (N,).
    """
    if not len(samples):
        return {}
    measures = measure_windows(samples)
    mean_db = decibels(np.mean(np.square(samples - samples.mean(), dtype=np.float64)))
    # (T,): over the windows of the unit.
    intensity_db = measures["intensity_db"]
    silent = (intensity_db < silence_threshold_db(intensity_db)) | (intensity_db <= SILENCE_DB)
    voiced = ~np.isnan(measures["f0_hz"])
    n_nuclei = len(syllable_nuclei(intensity_db, voiced))
    return {
        "intensity_mean_db": float(mean_db),
        "intensity_max_db": float(intensity_db.max()),
        "voiced_share": float(voiced.mean()),
        "silence_share": float(silent.mean()),
        "speaking_rate_hz": n_nuclei * SAMPLE_RATE_HZ / len(samples),
        **_pitch_features(measures, voiced),
        **_spectral_features(measures, ~silent),
    }


def _pitch_features(measures: Measures, voiced: np.ndarray) -> dict[str, float]:
    if not voiced.any():
        return {}
    f0_hz, harmonicity_db = measures["f0_hz"][voiced], measures["harmonicity_db"][voiced]
    return {
        "f0_median_hz": float(np.median(f0_hz)),
        "f0_mean_hz": float(f0_hz.mean()),
        "f0_std_hz": float(f0_hz.std()),
        "f0_min_hz": float(f0_hz.min()),
        "f0_max_hz": float(f0_hz.max()),
        "f0_range_semitones": SEMITONES_PER_OCTAVE * float(np.log2(f0_hz.max() / f0_hz.min())),
        "harmonicity_db": float(harmonicity_db.mean()),
    }


def _spectral_features(measures: Measures, sounding: np.ndarray) -> dict[str, Any]:
    if not sounding.any():
        return {}
    kept = {name: values[sounding] for name, values in measures.items()}
    return {
        "spectral_centroid_mean_hz": float(kept["spectral_centroid_hz"].mean()),
        "spectral_centroid_std_hz": float(kept["spectral_centroid_hz"].std()),
        "spectral_rolloff_mean_hz": float(kept["spectral_rolloff_hz"].mean()),
        "spectral_bandwidth_mean_hz": float(kept["spectral_bandwidth_hz"].mean()),
        "zero_crossing_rate_mean": float(kept["zero_crossing_rate"].mean()),
        "mfcc_mean": kept["mfcc"].mean(axis=0).tolist(),
        "mfcc_std": kept["mfcc"].std(axis=0).tolist(),
    }


def _measure_units(units: pl.DataFrame, sound: Sound, channel_of_speaker: Mapping[str, int]) -> pl.DataFrame:
    """Add the columns of `measure_unit` to the units."""
    schema = speech_schemas.Acoustics.create_empty().schema
    features = {name: dtype for name, dtype in schema.items() if name != "clip" and name not in units.columns}
    rows = [
        measure_unit(sound.samples(start_s, end_s, channel_of_speaker.get(speaker)))
        for start_s, end_s, speaker in units.select("start_s", "end_s", "speaker").iter_rows()
    ]
    return units.hstack(pl.DataFrame(rows, schema=features))


def _compare(clip: str, units: pl.DataFrame, levels: LevelThresholds) -> pl.DataFrame:
    """Add how each unit compares with the speaker's others: pauses, pitch, intensity, level. Null without a speaker."""
    of_speaker = {"partition_by": "speaker", "order_by": ["start_s", "end_s"]}
    since_s = pl.col("start_s") - pl.col("end_s").cum_max().shift(1).over(**of_speaker)
    until_s = pl.col("start_s").shift(-1).over(**of_speaker) - pl.col("end_s")
    octaves = (pl.col("f0_median_hz") / pl.col("f0_median_hz").median().over("speaker")).log(2)
    above_db = pl.col("intensity_mean_db") - pl.col("intensity_mean_db").median().over("speaker")
    comparisons = {
        "pause_before_s": since_s.clip(0),
        "pause_after_s": until_s.clip(0),
        "f0_to_speaker_semitones": SEMITONES_PER_OCTAVE * octaves,
        "intensity_to_speaker_db": above_db,
    }
    known = pl.col("speaker").is_not_null()
    compared = units.with_columns(
        pl.lit(clip).alias("clip"), *(pl.when(known).then(value).alias(name) for name, value in comparisons.items())
    )
    return compared.with_columns(level=_level(levels))


def _level(levels: LevelThresholds) -> pl.Expr:
    above_db, raised = pl.col("intensity_to_speaker_db"), pl.col("f0_to_speaker_semitones")
    high = above_db >= levels.high_db
    return (
        pl.when(above_db < levels.low_db)
        .then(pl.lit("low"))
        .when((above_db >= levels.emphasis_db) | (high & (raised >= levels.emphasis_semitones)))
        .then(pl.lit("emphasis"))
        .when(high)
        .then(pl.lit("high"))
        .when(above_db.is_not_null())
        .then(pl.lit("medium"))
    )
