"""The conversation with a worker, by real processes; what it would load is not needed for this."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import ModelMissing, SpeechError
from vidassets.resources import model_cache
from vidassets.resources.speech_worker import SpeechWorker, speech_worker, versions

PYTHON = Path(sys.executable)
ACTIVITY = {"device": "cpu", "cpu_fallback": False, "threads": 1}
PARENT = """
import sys, time
from pathlib import Path
from vidassets.resources.speech_worker import SpeechWorker
worker = SpeechWorker(Path(sys.executable))
print(worker.ask("echo", {}).values["pid"], flush=True)
time.sleep(600)
"""

INTERRUPTED = """
import signal, sys
from pathlib import Path
from vidassets.resources.speech_worker import SpeechWorker
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background takes it away
worker = SpeechWorker(Path(sys.argv[1]))
try:
    worker.ask("echo", {})
except KeyboardInterrupt:
    print("interrupted")
"""


def interpreter_that(does: str, folder: Path) -> Path:
    """A program in the place of an interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)


def test_an_answer_holds_values_and_arrays():
    answer = SpeechWorker(PYTHON).ask("echo", {}, {"samples": np.arange(4, dtype=np.float32)}, language="de")
    assert answer.values["language"] == "de"
    np.testing.assert_array_equal(answer.arrays["samples"], np.arange(4, dtype=np.float32))


def test_large_arrays_pass():
    samples = np.random.default_rng(0).normal(size=3_000_000).astype(np.float32)
    np.testing.assert_array_equal(SpeechWorker(PYTHON).ask("echo", {}, {"a": samples}).arrays["a"], samples)


def test_one_worker_serves_a_process():
    pids = {speech_worker(PYTHON).ask("echo", {}).values["pid"] for _ in range(3)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_threads_get_their_own_answers():
    worker, answers = SpeechWorker(PYTHON), {}

    def ask(number: int) -> None:
        answers[number] = worker.ask("echo", {}, number=number).values["number"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: number for number in range(20)}


def test_free_ends_the_worker():
    pid = speech_worker(PYTHON).ask("echo", {}).values["pid"]
    model_cache.free()
    wait_until_gone(pid)


def test_a_killed_process_leaves_no_worker():
    parent = subprocess.Popen([PYTHON, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(pid)


def test_a_worker_that_died_between_questions_is_started_again():
    worker = SpeechWorker(PYTHON)
    pid = worker.ask("echo", {}).values["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert worker.ask("echo", {}).values["pid"] != pid


def test_a_worker_killed_during_an_answer_is_an_error_that_says_how_to_fix_it(tmp_path):
    worker = SpeechWorker(interpreter_that("head -c 1 >/dev/null; kill -9 $$", tmp_path))
    with pytest.raises(SpeechError, match=r"killed by signal 9 at recognition\.recognize.*batch_size"):
        worker.ask("recognition.recognize", {})


def test_a_worker_that_cannot_start_reports_its_last_lines(tmp_path):
    worker = SpeechWorker(interpreter_that("echo libcudnn is missing >&2; exit 3", tmp_path))
    with pytest.raises(SpeechError, match=r"(?s)exit code 3.*libcudnn is missing"):
        worker.ask("echo", {})


def test_a_token_is_in_no_message(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    worker = SpeechWorker(interpreter_that("echo refused: $HF_TOKEN >&2; exit 3", tmp_path))
    with pytest.raises(SpeechError) as raised:
        worker.ask("echo", {})
    assert "hf_secret" not in str(raised.value)
    assert "refused: ***" in str(raised.value)


def test_an_interrupt_ends_the_worker_whose_answer_nobody_waits_for(tmp_path):
    noted = tmp_path / "pid"
    never_answers = f"head -c 1 >/dev/null; echo $$ > '{noted}.part'; mv '{noted}.part' '{noted}'; cat >/dev/null"
    interpreter = interpreter_that(never_answers, tmp_path)
    asking = subprocess.Popen([PYTHON, "-c", INTERRUPTED, interpreter], stdout=subprocess.PIPE, text=True)
    with asking:
        while not noted.exists():
            assert asking.poll() is None
            time.sleep(0.02)
        asking.send_signal(signal.SIGINT)
        pid = int(noted.read_text())
        wait_until_gone(pid)
        assert asking.stdout is not None
        assert asking.stdout.read() == "interrupted\n"


def test_an_interpreter_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(ModelMissing, match="make speech"):
        SpeechWorker(tmp_path / "python").ask("echo", {})


def test_an_interpreter_without_whisperx_is_reported():
    pytest.importorskip("torch")
    with pytest.raises(ModelMissing, match=r"whisperx is not installed there.*requirements/speech\.txt"):
        SpeechWorker(PYTHON).ask("activity.scores", ACTIVITY, {"samples": np.zeros(9, np.float32)})


def test_an_error_of_the_worker_comes_with_its_words():
    with pytest.raises(SpeechError, match="KeyError: 'no such group'"):
        SpeechWorker(PYTHON).ask("no such group.name", {})


def test_a_worker_goes_on_after_an_error():
    worker = SpeechWorker(PYTHON)
    pid = worker.ask("echo", {}).values["pid"]
    with pytest.raises(SpeechError):
        worker.ask("nothing.at_all", {})
    assert worker.ask("echo", {}).values["pid"] == pid


def test_versions_are_those_of_the_other_interpreter():
    assert versions(PYTHON, "numpy") == {"numpy": np.__version__}


def test_a_package_that_is_missing_is_reported():
    with pytest.raises(ModelMissing, match="no-such-package is not installed there"):
        versions(PYTHON, "no-such-package")
