"""A worker process of another interpreter, which has WhisperX and pyannote, and the requests to it.

The reason for a process: docs/decisions/0005. The code that it runs: `vidassets.speech.worker`.
"""

import json
import os
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import dagster as dg
import numpy as np
from pydantic import Field

from vidassets.errors import (
    DeviceUnavailable,
    InvalidSetting,
    LanguageUnsupported,
    ModelMissing,
    SpeechError,
    VidassetsError,
)
from vidassets.resources.model_cache import cached
from vidassets.shipped import DEFAULT_HOME, IS_CHECKOUT, PACKAGE, requirements_file
from vidassets.speech.worker.framing import Message, read_message, write_message

SCRIPT = PACKAGE / "speech" / "worker" / "__main__.py"
REQUIREMENTS = requirements_file("speech.txt")
ENVIRONMENT = DEFAULT_HOME / ".venv-speech"
INSTALL = (
    "make speech"
    if IS_CHECKOUT
    else f"python3 -m venv {ENVIRONMENT} && {ENVIRONMENT}/bin/python -m pip install -r {REQUIREMENTS}"
)
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
PATIENCE_S = 5.0
TAIL_LINES = 12
ERRORS: Mapping[str, type[VidassetsError]] = {
    "language_unsupported": LanguageUnsupported,
    "model_missing": ModelMissing,
    "device_unavailable": DeviceUnavailable,
    "invalid_setting": InvalidSetting,
}
_VERSIONS = """
import importlib.metadata, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


class SpeechWorker:
    """Sends requests to a process of one interpreter, which is started at the first request, and again if it died.

    Args:
        interpreter: the Python of an environment made by requirements/speech.txt.
    """

    def __init__(self, interpreter: Path) -> None:
        self._interpreter = interpreter
        self._lock = threading.Lock()
        self._process: _Process | None = None

    def ask(
        self,
        operation: str,
        model: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        **arguments: Any,
    ) -> Message:
        """Return the answer to a request; requests of several threads are answered one after the other.

        Args:
            operation: one of `vidassets.speech.worker.operations`.
            model: the settings to load it with, if it is not loaded yet.
            arrays: by name.
            arguments: of the operation.
        Raises:
            LanguageUnsupported, ModelMissing, DeviceUnavailable, InvalidSetting: as reported by the worker.
            SpeechError: the worker failed for another reason, or died.
        """
        request = {"operation": operation, "model": dict(model), "arguments": arguments}
        with self._lock:
            process = self._started()
            try:
                answer = process.exchange(request, arrays)
                if answer is None:
                    raise SpeechError(self._died(operation, process.wait(), process.tail()))
            except BaseException:  # after an interrupt, the pending answer must not become that of the next request
                self._end()
                raise
        if "failure" in answer.values:
            raise self._failed(operation, answer.values["failure"], answer.values["message"], process)
        return Message(answer.values["result"], answer.arrays)

    def _started(self) -> "_Process":
        if self._process is not None and not self._process.is_alive():
            self._end()
        if self._process is None:
            self._process = _Process(self._interpreter)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _died(self, operation: str, exit_code: int, tail: str) -> str:
        cause = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        how_to_fix = (
            "Signal 9 is usually sent by the kernel when memory runs out: lower `batch_size`, or use a smaller `model`."
            if exit_code == -9
            else f"Start it by hand to see more: `{self._interpreter} -I {SCRIPT}`; or reinstall its environment: "
            f"`{INSTALL}`"
        )
        return f"{self._interpreter}: the speech worker {cause} at {operation}. {how_to_fix}{tail}"

    def _failed(self, operation: str, kind: str, message: str, process: "_Process") -> VidassetsError:
        if kind in ERRORS:
            return ERRORS[kind](without_secrets(message))
        return SpeechError(
            f"{self._interpreter}: {operation} failed in the speech worker: {without_secrets(message)}{process.tail()}"
        )


class _Process:
    """A running worker. It ends with this object, with `end`, and with the process that started it."""

    def __init__(self, interpreter: Path) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vidassets-speech-")
        self._log = Path(folder.name) / "errors.log"
        with self._log.open("wb") as log:
            try:
                process = subprocess.Popen(
                    [interpreter, "-I", SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={
                        **os.environ,
                        "TMPDIR": folder.name,
                        "PYANNOTE_METRICS_ENABLED": "0",
                        "VIDASSETS_REQUIREMENTS": REQUIREMENTS,
                    },
                )
            except OSError as error:
                folder.cleanup()
                raise interpreter_missing(interpreter) from error
        if process.stdin is None or process.stdout is None:
            raise SpeechError(f"{interpreter}: the speech worker has no pipes.")
        self._requests: BinaryIO = process.stdin  # type: ignore[assignment]
        self._answers: BinaryIO = process.stdout  # type: ignore[assignment]
        self._process = process
        self.end = weakref.finalize(self, _end, process, folder)  # called once, at the latest when Python exits

    def exchange(self, request: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None) -> Message | None:
        """Return the answer; None if the process has ended."""
        try:
            write_message(self._requests, request, arrays)
            return read_message(self._answers)
        except BrokenPipeError:
            return None

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Return the exit code; kill the process if it has closed its output but does not end."""
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def tail(self) -> str:
        """Return the last lines that it wrote, for the end of a message; "" if there are none."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        except FileNotFoundError:
            return ""
        return without_secrets("\nIts last lines:\n" + "\n".join(lines)) if lines else ""


def _end(process: subprocess.Popen[bytes], folder: "tempfile.TemporaryDirectory[str]") -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()  # the worker exits at the end of its input
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    folder.cleanup()


class WorkerModel(dg.ConfigurableResource, extra="forbid"):
    """The fields that all models of the speech worker share."""

    python: str = Field(
        default=".venv-speech/bin/python", description="interpreter that has requirements/speech.txt installed"
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:N, or auto: cuda if available, else cpu",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads")
    cache_folder: str | None = Field(default=None, description="folder for downloads; by default that of each library")

    def _worker(self) -> SpeechWorker:
        return speech_worker(interpreter_path(self.python))


def speech_worker(interpreter: Path) -> SpeechWorker:
    """Return the worker of this interpreter, one per process; `model_cache.free` ends it."""
    # The key has the process id, because a fork must not share the pipes.
    return cached((SpeechWorker, interpreter, os.getpid()), lambda: SpeechWorker(interpreter))


def interpreter_path(python: str) -> Path:
    """Return the absolute path of an interpreter; a relative one starts from `shipped.DEFAULT_HOME`.

    Links are not resolved: the interpreter of a virtual environment is a link, and works only under its own path.

    Raises:
        ModelMissing: the file does not exist.
    """
    path = DEFAULT_HOME / Path(python).expanduser()
    if not path.is_file():
        raise interpreter_missing(path)
    return path


def interpreter_missing(path: Path) -> ModelMissing:
    """Return the error for an interpreter that cannot be run."""
    return ModelMissing(f"{path}: not a Python that can be run. Install its environment: `{INSTALL}`; or set `python`.")


def versions(interpreter: Path, *distributions: str) -> dict[str, str]:
    """Return the versions of packages in another interpreter, asked once per process.

    Raises:
        ModelMissing: the interpreter or a package is not installed.
    """
    return dict(_versions(interpreter, distributions))


@cache
def _versions(interpreter: Path, distributions: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    command = [interpreter, "-I", "-c", _VERSIONS, *distributions]
    try:
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise interpreter_missing(interpreter) from error
    if absent := [name for name, version in found.items() if version is None]:
        raise ModelMissing(
            f"{interpreter}: {', '.join(absent)} is not installed there. "
            f"`{interpreter} -m pip install -r {REQUIREMENTS}`"
        )
    return tuple(found.items())


def without_secrets(text: str) -> str:
    """Return the text with the hub's tokens replaced by ***."""
    for secret in filter(None, (os.environ.get(name) for name in SECRETS)):
        text = text.replace(secret, "***")
    return text
