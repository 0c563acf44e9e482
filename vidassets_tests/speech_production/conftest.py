"""The environment of WhisperX and pyannote, tiny models created in it, and sounds."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources import model_cache
from vidassets.schemas.speech import SpeechActivity
from vidassets_tests.media.flac import write_flac

FOLDER = Path(__file__).parent


@pytest.fixture(autouse=True, scope="session")
def workers_end_with_the_session() -> Iterator[None]:
    yield
    model_cache.free()


@pytest.fixture(scope="session")
def speech_python() -> str:
    python = os.environ.get("VIDASSETS_SPEECH_PYTHON")
    if not python:
        pytest.skip("VIDASSETS_SPEECH_PYTHON is not set: `make test-speech` runs this with WhisperX and pyannote")
    return python


@pytest.fixture(scope="session")
def checkpoints(speech_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the models of checkpoints.py: whisper, align, diarization."""
    folder = tmp_path_factory.mktemp("checkpoints")
    run_there(speech_python, "checkpoints.py", folder)
    return folder


def run_there(python: str, script: str, *arguments: object) -> str:
    """Return what a script of this folder prints in the other interpreter."""
    command = [python, "-I", FOLDER / script, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYANNOTE_METRICS_ENABLED": "0"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def two_voices(path: Path, seconds: float, start_s: float = 0.0) -> Sound:
    """Return a sound of a low and a high hum, alternating every 3 s, with some noise."""
    rng = np.random.default_rng(0)
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch_hz = np.where(times_s % 6 < 3, 110.0, 330.0)
    hum = sum(np.sin(2 * np.pi * n * pitch_hz * times_s) / n for n in range(1, 8))
    samples = 0.15 * hum * (times_s % 1.5 < 1.2) + 0.01 * rng.normal(size=len(times_s))
    write_flac(path, samples.astype(np.float32), start_s=start_s)
    return Sound.open(path)


def activity_of(*stretches: tuple[float, float], clip: str = "talk", channel: int = 0) -> pl.DataFrame:
    rows = [(clip, channel, at, start_s, end_s, 0.9) for at, (start_s, end_s) in enumerate(stretches)]
    return pl.DataFrame(rows, schema=SpeechActivity.create_empty().schema, orient="row")
