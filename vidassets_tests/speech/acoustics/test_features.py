from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.schemas import speech as speech_schemas
from vidassets.speech.acoustics.features import LevelThresholds, measure_segments, measure_unit, measure_words
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech.acoustics.acoustic_sounds import gliding, noise, silence, syllables, times_s, tone, voice

START_S = 5.0
COMPARISONS = ["f0_to_speaker_semitones", "intensity_to_speaker_db", "level", "pause_before_s", "pause_after_s"]


def words_of(*spans: tuple[float, float], speakers: str | None = None) -> pl.DataFrame:
    """Words at these times after START_S. `speakers` has a digit per word, as "0010"; None: no speaker is known."""
    names = [f"S{digit}" for digit in speakers] if speakers else [None] * len(spans)
    return pl.DataFrame(
        {
            "clip": pl.repeat("clip", len(spans), dtype=pl.String, eager=True),
            "word_index": pl.int_range(len(spans), dtype=pl.Int32, eager=True),
            "segment_index": pl.repeat(0, len(spans), dtype=pl.Int32, eager=True),
            "start_s": pl.Series([START_S + start_s for start_s, _ in spans], dtype=pl.Float64),
            "end_s": pl.Series([START_S + end_s for _, end_s in spans], dtype=pl.Float64),
            "text": pl.Series([f"word{index}" for index in range(len(spans))], dtype=pl.String),
            "speaker": pl.Series(names, dtype=pl.String),
        }
    )


def sound_of(folder: Path, *parts: np.ndarray) -> Sound:
    write_flac(folder / "sound.flac", np.concatenate(parts, axis=-1), START_S)
    return Sound.open(folder / "sound.flac")


def acoustics(sound: Sound, words: pl.DataFrame, **options) -> pl.DataFrame:
    levels = options.pop("levels", LevelThresholds())
    return speech_schemas.WordAcoustics.validate(measure_words("clip", words, sound, levels, **options))


def test_each_word_has_the_features_of_its_own_tone(tmp_path):
    sound = sound_of(tmp_path, tone(100, 0.3), tone(200, 0.3, amplitude=0.1), tone(400, 0.3, amplitude=0.05))
    rows = acoustics(sound, words_of((0, 0.3), (0.3, 0.6), (0.6, 0.9)))
    for name in ["f0_median_hz", "f0_mean_hz", "f0_min_hz", "f0_max_hz", "spectral_centroid_mean_hz"]:
        np.testing.assert_allclose(rows[name], [100, 200, 400], rtol=0.005)
    np.testing.assert_allclose(
        rows["intensity_mean_db"], 20 * np.log10(np.array([0.25, 0.1, 0.05]) / np.sqrt(2)), atol=0.01
    )
    np.testing.assert_allclose(rows["zero_crossing_rate_mean"], [0.0125, 0.025, 0.05], atol=0.001)
    assert rows["voiced_share"].to_list() == [1, 1, 1]
    assert rows["silence_share"].to_list() == [0, 0, 0]
    assert rows["f0_range_semitones"].max() < 0.05
    assert rows["harmonicity_db"].min() > 30


def test_the_range_of_a_rise_by_an_octave_is_twelve_semitones():
    features = measure_unit(gliding(150 * 2 ** times_s(1)))
    # The middles of the first and the last window are 20 ms inside the word.
    assert features["f0_range_semitones"] == pytest.approx(12 * 0.96, abs=0.1)
    assert features["f0_median_hz"] == pytest.approx(150 * np.sqrt(2), rel=0.005)


def test_a_word_of_noise_has_no_pitch_and_no_syllable():
    features = measure_unit(noise(0.5))
    assert features["voiced_share"] < 0.05
    assert features["speaking_rate_hz"] == 0
    assert features["intensity_mean_db"] == pytest.approx(-20, abs=0.2)


def test_the_means_and_deviations_of_the_spectrum_are_those_of_its_halves():
    features = measure_unit(np.concatenate([tone(500, 1), tone(1500, 1)]))
    assert features["spectral_centroid_mean_hz"] == pytest.approx(1000, rel=0.005)
    assert features["spectral_centroid_std_hz"] == pytest.approx(500, rel=0.02)
    assert np.shape(features["mfcc_mean"]) == np.shape(features["mfcc_std"]) == (13,)
    assert max(features["mfcc_std"]) > 1
    assert max(measure_unit(tone(500, 1))["mfcc_std"]) < 0.5


def test_silence_within_a_segment_counts_in_its_share_but_not_in_the_spectrum():
    features = measure_unit(np.concatenate([tone(300, 0.5), silence(1), tone(300, 0.5)]))
    assert features["silence_share"] == pytest.approx(0.5, abs=0.03)
    assert features["spectral_centroid_mean_hz"] == pytest.approx(300, rel=0.01)


@pytest.mark.parametrize(("n_syllables", "rate_hz"), [(1, 3), (2, 5), (8, 4), (15, 6)])
def test_the_speaking_rate_is_the_syllables_a_second(n_syllables, rate_hz):
    assert measure_unit(syllables(n_syllables, rate_hz))["speaking_rate_hz"] == pytest.approx(rate_hz, rel=0.001)


def test_a_swelling_of_less_than_two_decibels_is_no_syllable():
    swelling = 1 + 0.1 * np.sin(2 * np.pi * 4 * times_s(2))
    assert measure_unit((voice(120, 2) * swelling).astype(np.float32))["speaking_rate_hz"] == 0.5


def test_a_word_of_digital_silence_says_so():
    features = measure_unit(silence(0.3))
    assert features == {
        "intensity_mean_db": -120,
        "intensity_max_db": -120,
        "voiced_share": 0,
        "silence_share": 1,
        "speaking_rate_hz": 0,
    }


@pytest.mark.parametrize("duration_s", [0.015, 0.025, 0.039])
def test_a_word_shorter_than_a_window_is_measured_on_all_its_samples(tmp_path, duration_s):
    sound = sound_of(tmp_path, noise(0.3), tone(300, duration_s), noise(0.3))
    row = acoustics(sound, words_of((0.3, 0.3 + duration_s))).row(0, named=True)
    assert row["f0_median_hz"] == pytest.approx(300, rel=0.02)
    assert row["intensity_mean_db"] == pytest.approx(20 * np.log10(0.25 / np.sqrt(2)), abs=0.5)


@pytest.mark.parametrize(
    "span",
    [
        pytest.param((0.2, 0.2), id="no length"),
        pytest.param((7.0, 8.0), id="after the end"),
        pytest.param((-3.0, -2.0), id="before the beginning"),
    ],
)
def test_a_word_without_a_sample_has_nulls(tmp_path, span):
    row = acoustics(sound_of(tmp_path, tone(200)), words_of(span, speakers="0")).row(0, named=True)
    assert {row[name] for name in row.keys() - {"clip", "start_s", "end_s", "speaker", "word_index", "text"}} == {None}


def test_no_words_make_no_rows_and_no_sound_makes_nulls(tmp_path):
    nothing = sound_of(tmp_path, np.zeros(0, np.float32))
    assert len(acoustics(nothing, words_of())) == 0
    assert acoustics(nothing, words_of((0, 1)))["intensity_mean_db"].to_list() == [None]


@settings(max_examples=25, deadline=None)
@given(
    start=st.integers(0, 4000),
    length=st.integers(1, 4000),
    seed=st.integers(0, 999),
    kind=st.sampled_from(["noise", "tone", "silence"]),
)
def test_the_features_of_a_word_do_not_change_when_the_sound_around_it_does(
    tmp_path_factory, start, length, seed, kind
):
    word = voice(90 + seed / 5, 0.5)[:length] + noise(0.5, deviation=0.01, seed=seed)[:length]
    around = {"noise": noise(1, seed=seed), "tone": tone(300, 1, amplitude=0.9), "silence": silence(1)}[kind]
    folder = tmp_path_factory.mktemp("around")
    other = sound_of(folder, around[:start], word, around[start:])
    span = words_of((start / SAMPLE_RATE_HZ, (start + length) / SAMPLE_RATE_HZ))
    within_other = acoustics(other, span)
    alone = acoustics(sound_of(folder, silence(start / SAMPLE_RATE_HZ), word), span)
    assert within_other.equals(alone)


def test_levels_and_pitch_are_relative_to_the_speaker(tmp_path):
    amplitudes = [0.1, 0.1, 0.1, 0.04, 0.15, 0.25, 0.01, 0.01, 0.01]
    pitches_hz = [120, 120, 120, 120, 120, 120, 240, 240, 480]
    parts = [tone(f0_hz, 0.2, amplitude) for f0_hz, amplitude in zip(pitches_hz, amplitudes, strict=True)]
    spans = [(0.2 * index, 0.2 * (index + 1)) for index in range(len(parts))]
    rows = acoustics(sound_of(tmp_path, *parts), words_of(*spans, speakers="000000111"))
    assert rows["level"].to_list() == [*["medium"] * 3, "low", "high", "emphasis", *["medium"] * 3]
    np.testing.assert_allclose(rows["f0_to_speaker_semitones"], [0, 0, 0, 0, 0, 0, 0, 0, 12], atol=0.05)
    expected_db = [20 * np.log10(amplitude / 0.1) for amplitude in amplitudes[:6]] + [0, 0, 0]
    np.testing.assert_allclose(rows["intensity_to_speaker_db"], expected_db, atol=0.02)


def test_what_is_high_and_raised_in_pitch_is_emphasis(tmp_path):
    parts = [tone(120, 0.2, 0.1), tone(120, 0.2, 0.1), tone(120, 0.2, 0.1), tone(160, 0.2, 0.15), tone(120, 0.2, 0.15)]
    spans = [(0.2 * index, 0.2 * (index + 1)) for index in range(5)]
    rows = acoustics(sound_of(tmp_path, *parts), words_of(*spans, speakers="00000"))
    assert rows["level"].to_list() == ["medium", "medium", "medium", "emphasis", "high"]


def test_the_thresholds_of_levels_are_settings(tmp_path):
    sound = sound_of(tmp_path, tone(120, 0.2, 0.1), tone(120, 0.2, 0.1), tone(120, 0.2, 0.05))
    words = words_of((0, 0.2), (0.2, 0.4), (0.4, 0.6), speakers="000")
    levels = LevelThresholds(low_db=-3, high_db=-0.5, emphasis_db=20)
    assert acoustics(sound, words, levels=levels)["level"].to_list() == ["high", "high", "low"]


@pytest.mark.parametrize("thresholds", [{"low_db": 4}, {"high_db": 7}, {"low_db": float("nan")}])
def test_levels_out_of_order_are_refused(thresholds):
    with pytest.raises(InvalidSetting, match="low_db must be below high_db"):
        LevelThresholds(**thresholds)


def test_without_a_speaker_no_feature_is_relative(tmp_path):
    rows = acoustics(sound_of(tmp_path, tone(120), tone(120)), words_of((0, 0.3), (0.5, 0.9)))
    assert rows.select(pl.col(COMPARISONS).is_null().all()).row(0) == (True,) * 5
    assert rows["intensity_mean_db"].null_count() == 0


def test_pauses_are_between_words_of_one_speaker(tmp_path):
    spans = [(0.0, 0.2), (0.3, 0.4), (0.5, 0.6), (0.55, 0.9), (1.2, 1.3)]
    rows = acoustics(sound_of(tmp_path, noise(2)), words_of(*spans, speakers="01001"))
    before_s, after_s = rows["pause_before_s"].to_list(), rows["pause_after_s"].to_list()
    assert before_s == [None, None, pytest.approx(0.3), 0, pytest.approx(0.8)]
    assert after_s == [pytest.approx(0.3), pytest.approx(0.8), 0, None, None]


def test_a_speaker_with_a_channel_is_measured_there(tmp_path):
    write_flac(tmp_path / "sound.flac", np.stack([tone(110), tone(330)]), START_S)
    sound = Sound.open(tmp_path / "sound.flac")
    words = words_of((0, 0.5), (0, 0.5), speakers="01")
    rows = acoustics(sound, words, channel_of_speaker={"S0": 0, "S1": 1})
    np.testing.assert_allclose(rows["f0_median_hz"], [110, 330], rtol=0.005)


def test_a_segment_is_measured_as_a_whole(tmp_path):
    sound = sound_of(tmp_path, syllables(4, 4), silence(1), syllables(4, 4))
    segments = words_of((0, 3), speakers="0").drop("segment_index").rename({"word_index": "segment_index"})
    rows = speech_schemas.SegmentAcoustics.validate(measure_segments("clip", segments, sound, LevelThresholds()))
    assert rows["speaking_rate_hz"].to_list() == [pytest.approx(8 / 3)]
    assert rows["level"].to_list() == ["medium"]
    assert 0.3 < rows["silence_share"].item() < 0.6
