"""pyannote's pipeline for real: its networks are tiny and arbitrary, its clustering is its own."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import InvalidSetting, SpeechError
from vidassets.media.sound import Sound
from vidassets.resources import pyannote_speakers
from vidassets.resources.pyannote_speakers import PyannoteSpeakers
from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.models import SpeakerOptions
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech_production.conftest import activity_of, run_there, two_voices

START_S = 3.5
NOBODY = activity_of()
BUSY_PARENT = """
import sys
from pathlib import Path
import numpy as np
from vidassets.resources.speech_worker import SpeechWorker
worker, model = SpeechWorker(Path(sys.argv[1])), {"device": "cpu", "cpu_fallback": False, "threads": 1}
pid = worker.ask("echo", {}).values["pid"]
worker.ask("activity.scores", model, {"samples": np.zeros(16_000, np.float32)})
print(pid, flush=True)
worker.ask("activity.scores", model, {"samples": np.zeros(16_000 * 3600, np.float32)})
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return two_voices(tmp_path_factory.mktemp("sound") / "talk.flac", seconds=25.3, start_s=START_S)


@pytest.fixture(scope="module")
def pyannote(speech_python: str, checkpoints: Path) -> PyannoteSpeakers:
    return PyannoteSpeakers(python=speech_python, model=str(checkpoints / "diarization"), device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def voices(pyannote: PyannoteSpeakers, sound: Sound) -> bytes:
    return pyannote.infer_voices("talk", sound, NOBODY)


@pytest.mark.parametrize("n_speakers", [None, 2], ids=["estimated", "two"])
def test_turns_are_those_of_the_pipeline_in_one_piece(pyannote, voices, sound, speech_python, checkpoints, n_speakers):
    result = pyannote.cluster_voices("talk", voices, SpeakerOptions(n_speakers=n_speakers))
    arguments = (checkpoints / "diarization", sound.path, n_speakers or 0)
    expected = json.loads(run_there(speech_python, "reference.py", "diarization", *arguments))
    assert len(expected["turns"]) > 5
    for table, of_it in [(result.turns, expected["turns"]), (result.exclusive, expected["exclusive"])]:
        within = [turn for turn in of_it if turn[0] < sound.duration_s]
        starts_s, labels = [START_S + turn[0] for turn in within], [turn[2] for turn in within]
        assert table.sort("start_s", "end_s")["start_s"].to_list() == pytest.approx(sorted(starts_s))
        assert table["speaker"].n_unique() == len(set(labels))
    assert result.speakers["count_basis"].unique().to_list() == ["given" if n_speakers else "estimated"]


def test_tables_keep_their_schemas(pyannote, voices):
    result = pyannote.cluster_voices("talk", voices, SpeakerOptions())
    SpeakerTurns.validate(result.turns)
    SpeakerTurns.validate(result.exclusive)
    Speakers.validate(result.speakers)
    assert result.speakers["embedding"].drop_nulls().list.len().unique().to_list() == [32]


def test_overlap_is_kept_and_exclusive_turns_have_none(pyannote, voices):
    result = pyannote.cluster_voices("talk", voices, SpeakerOptions(n_speakers=2))
    assert result.speakers["overlapped_s"].sum() > 0
    ends_s, starts_s = result.exclusive["end_s"].to_list(), result.exclusive["start_s"].to_list()
    assert all(end_s <= start_s + 1e-9 for end_s, start_s in zip(ends_s, starts_s[1:], strict=False))


def test_voices_in_blocks_are_those_of_the_whole(pyannote, voices, sound, monkeypatch):
    monkeypatch.setattr(pyannote_speakers, "BLOCK_S", 4.0)
    in_blocks, whole = (
        np.load(io.BytesIO(stored)) for stored in (pyannote.infer_voices("talk", sound, NOBODY), voices)
    )
    np.testing.assert_array_equal(in_blocks["segmentations"], whole["segmentations"])
    np.testing.assert_allclose(in_blocks["embeddings"], whole["embeddings"], atol=1e-4)


@pytest.mark.parametrize("seconds", [0.05, 10.0, 11.0], ids=["shorter than a frame", "one chunk", "two chunks"])
def test_the_edges_of_length_are_no_errors(pyannote, tmp_path, seconds):
    sound = two_voices(tmp_path / "talk.flac", seconds=seconds)
    result = pyannote.cluster_voices("talk", pyannote.infer_voices("talk", sound, NOBODY), SpeakerOptions())
    SpeakerTurns.validate(result.turns)
    assert result.turns["end_s"].max() is None or result.turns["end_s"].max() <= seconds


def test_a_sound_of_no_samples_has_no_speakers(pyannote, tmp_path):
    write_flac(tmp_path / "none.flac", np.zeros(0, np.float32))
    voices = pyannote.infer_voices("talk", Sound.open(tmp_path / "none.flac"), NOBODY)
    result = pyannote.cluster_voices("talk", voices, SpeakerOptions(n_speakers=2))
    assert (len(result.turns), len(result.exclusive), len(result.speakers)) == (0, 0, 0)


def test_more_speakers_than_voices_are_reduced_and_reported(pyannote, voices):
    result = pyannote.cluster_voices("talk", voices, SpeakerOptions(n_speakers=500))
    assert len(result.speakers) < 500
    assert any("500 speakers were requested" in event for event in result.events)


def test_bounds_that_contradict_each_other_are_refused(pyannote, voices):
    with pytest.raises(InvalidSetting, match="min_speakers 3 is above max_speakers 2"):
        pyannote.cluster_voices("talk", voices, SpeakerOptions(min_speakers=3, max_speakers=2))


def test_a_voice_is_of_unit_length(pyannote, sound):
    embedding = pyannote.embed_samples(sound.samples(START_S, START_S + 3))
    assert embedding.shape == (32,)
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)


def test_too_little_of_a_voice_is_an_error(pyannote):
    with pytest.raises(SpeechError, match="too short"):
        pyannote.embed_samples(np.zeros(10, np.float32))


def test_the_device_used_is_reported(pyannote):
    assert pyannote.execution() == {"device": "cpu", "batch_size": 4, "lowered": ""}


def test_a_killed_process_leaves_no_worker_during_an_inference(speech_python):
    command = [sys.executable, "-c", BUSY_PARENT, speech_python]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(1.0)  # it has begun by then, or begins to read: either way it is to end
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
