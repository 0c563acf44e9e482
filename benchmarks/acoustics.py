"""Acoustic features compared with Praat, and their cost: python -m benchmarks.acoustics [--footage FOLDER]

Data: the two voices of the sample episode and, if a folder of real footage is given (or VIDASSETS_FOOTAGE names it),
the first 30 s of each of its recordings of speech. Needs praat-parselmouth, librosa and pyworld, which the project
itself does not need.

Praat runs with autocorrelation for pitch (75 to 600 Hz) and harmonicity (3 and 4.5 periods per window; and
cross-correlation, 1 period), with intensity for pitches above 100 Hz, and its defaults otherwise, at the times of our
windows. The pitch error is over frames that both call voiced. Voicing agrees where both or neither call a frame voiced.
CPU-s are per minute of sound; set OMP_NUM_THREADS=1 for a single thread. pYIN is timed after its first call, which
compiles it. WORLD is pyworld's DIO with StoneMask, and Harvest.
The last table counts the syllable nuclei of the episode's sentences; two of them are spoken at the same time.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import parselmouth
import pyworld
from rich.console import Console
from rich.table import Table

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.speech.acoustics.features import measure_unit
from vidassets.speech.acoustics.grid import STEP_SAMPLES, measure_windows
from vidassets.speech.acoustics.pitch import CEILING_HZ, FLOOR_HZ, PERIODS_PER_WINDOW
from vidassets_tests.speech.acoustics.test_references import EPISODE, STEP_S, at, decoded, window_middles_s

RECORDINGS = ["phone-call.wav", "meeting-00.wav", "meeting-01.wav", "city-upon-a-hill.flac", "narration.opus"]
RECORDINGS += ["libri-1088.wav", "lj-1813.wav", "lj-press-yard.wav"]
# Syllables of the episode's sentences, counted by hand.
SYLLABLES = [15, 11, 11, 8, 11, 12, 11, 8]
PASCALS_DB = 20 * np.log10(2e-5)


def timed(measure: Callable[[], object], samples: np.ndarray) -> tuple[object, str]:
    """Return the result of `measure` and its CPU-s per minute of samples."""
    begin = time.process_time()
    result = measure()
    return result, f"{(time.process_time() - begin) * 60 * SAMPLE_RATE_HZ / len(samples):.2f}"


def pitch_agreement(f0_hz: np.ndarray, praat_hz: np.ndarray) -> list[str]:
    """Return the median error, the share of errors above 5 %, and the agreement in voicing."""
    both = ~np.isnan(f0_hz) & ~np.isnan(praat_hz)
    error = np.abs(f0_hz[both] / praat_hz[both] - 1)
    agreement = np.mean(np.isnan(f0_hz) == np.isnan(praat_hz))
    return [f"{np.median(error):.2%}", f"{np.mean(error > 0.05):.1%}", f"{agreement:.1%}"]


def pyin(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times and pitch, NaN where unvoiced."""
    f0_hz, _, _ = librosa.pyin(
        samples, fmin=FLOOR_HZ, fmax=CEILING_HZ, sr=SAMPLE_RATE_HZ, frame_length=1024, hop_length=STEP_SAMPLES
    )
    return np.arange(len(f0_hz)) * STEP_S, f0_hz


def dio(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times and pitch, NaN where unvoiced."""
    samples = samples.astype(np.float64)
    options = {"f0_floor": FLOOR_HZ, "f0_ceil": CEILING_HZ, "frame_period": 1000 * STEP_S}
    f0_hz, at_s = pyworld.dio(samples, SAMPLE_RATE_HZ, **options)
    f0_hz = pyworld.stonemask(samples, f0_hz, at_s, SAMPLE_RATE_HZ)
    return at_s, np.where(f0_hz > 0, f0_hz, np.nan)


def harvest(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times and pitch, NaN where unvoiced."""
    options = {"f0_floor": FLOOR_HZ, "f0_ceil": CEILING_HZ, "frame_period": 1000 * STEP_S}
    f0_hz, at_s = pyworld.harvest(samples.astype(np.float64), SAMPLE_RATE_HZ, **options)
    return at_s, np.where(f0_hz > 0, f0_hz, np.nan)


def praat_pitch(samples: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Return the pitch in Hz, NaN where unvoiced."""
    sound = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE_HZ)
    pitch = sound.to_pitch_ac(time_step=STEP_S, pitch_floor=FLOOR_HZ, pitch_ceiling=CEILING_HZ)
    return np.array([pitch.get_value_at_time(moment_s) for moment_s in at_s])


def level_row(name: str, samples: np.ndarray) -> list[str]:
    """Return a row of correlation and difference in intensity, difference to Praat's three harmonicities, and CPU-s."""
    measures, cpu_s = timed(lambda: measure_windows(samples), samples)
    assert isinstance(measures, dict)
    middles_s = window_middles_s(samples)
    sound = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE_HZ)

    def all_of_praat() -> list[object]:
        return [
            sound.to_pitch_ac(time_step=STEP_S, pitch_floor=FLOOR_HZ, pitch_ceiling=CEILING_HZ),
            sound.to_intensity(100, STEP_S),
            sound.to_harmonicity_ac(STEP_S, FLOOR_HZ, 0.1, PERIODS_PER_WINDOW),
            sound.to_harmonicity_ac(STEP_S, FLOOR_HZ, 0.1, 4.5),
            sound.to_harmonicity_cc(STEP_S, FLOOR_HZ, 0.1, 1.0),
        ]

    tracks, praat_cpu_s = timed(all_of_praat, samples)
    assert isinstance(tracks, list)
    intensity_db = at(tracks[1], middles_s) + PASCALS_DB
    audible = ~np.isnan(intensity_db) & (measures["intensity_db"] > -80)
    difference_db = np.median(measures["intensity_db"][audible] - intensity_db[audible])
    row = [
        name,
        f"{np.corrcoef(intensity_db[audible], measures['intensity_db'][audible])[0, 1]:.4f}",
        f"{difference_db:+.2f}",
    ]
    for track in tracks[2:]:
        difference = (measures["harmonicity_db"] - at(track, middles_s, nothing=-200))[~np.isnan(measures["f0_hz"])]
        difference = difference[~np.isnan(difference)]
        row.append(f"{np.median(difference):+.2f} ({np.median(np.abs(difference)):.2f})")
    return [*row, cpu_s, praat_cpu_s]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=os.environ.get("VIDASSETS_FOOTAGE"))
    folder = parser.parse_args().footage
    recordings = {"sample episode": decoded(EPISODE)}
    if folder:
        recordings |= {name: decoded(Path(folder) / "speech" / name) for name in RECORDINGS}

    pitch = Table(
        "recording", "by", "median error", "> 5 %", "voicing agrees", "CPU-s/min", title="pitch, against Praat"
    )
    levels = Table("recording", "r", "dB", "3 periods", "4.5 periods", "cross-corr.", "CPU-s/min", "Praat's")
    levels.title = "intensity and harmonicity, against Praat: median difference (median absolute)"
    pyin(recordings["sample episode"][:SAMPLE_RATE_HZ])
    for name, samples in recordings.items():
        ours, cpu_s = timed(lambda samples=samples: measure_windows(samples), samples)
        assert isinstance(ours, dict)
        pitch.add_row(
            name, "this", *pitch_agreement(ours["f0_hz"], praat_pitch(samples, window_middles_s(samples))), cpu_s
        )
        for by, track in {"pYIN": pyin, "DIO": dio, "Harvest": harvest}.items():
            theirs, cpu_s = timed(lambda samples=samples, track=track: track(samples), samples)
            assert isinstance(theirs, tuple)
            pitch.add_row("", by, *pitch_agreement(theirs[1], praat_pitch(samples, theirs[0])), cpu_s)
        pitch.add_section()
        levels.add_row(*level_row(name, samples))

    truth = json.loads(EPISODE.with_name("episode.truth.json").read_text())
    episode, words_cpu_s, words_s = recordings["sample episode"], 0.0, 0.0
    for word in truth["words"]:
        samples = episode[round(word["start_s"] * SAMPLE_RATE_HZ) : round(word["end_s"] * SAMPLE_RATE_HZ)]
        begin = time.process_time()
        measure_unit(samples)
        words_cpu_s, words_s = words_cpu_s + time.process_time() - begin, words_s + word["end_s"] - word["start_s"]
    syllables = Table("sentence", "syllables", "nuclei", title="syllable nuclei")
    for sentence, n_syllables in zip(truth["sentences"], SYLLABLES, strict=True):
        samples = episode[round(sentence["start_s"] * SAMPLE_RATE_HZ) : round(sentence["end_s"] * SAMPLE_RATE_HZ)]
        nuclei = measure_unit(samples)["speaking_rate_hz"] * len(samples) / SAMPLE_RATE_HZ
        syllables.add_row(sentence["text"], str(n_syllables), f"{nuclei:.0f}")

    console = Console(width=140)
    for table in (pitch, levels, syllables):
        console.print(table)
    console.print(
        f"{len(truth['words'])} words, each by itself: {words_cpu_s * 60 / words_s:.2f} CPU-s per minute of them"
    )


if __name__ == "__main__":
    main()
