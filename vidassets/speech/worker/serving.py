"""The loop of a worker, which answers requests until its input ends."""

import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from typing import Any, BinaryIO

from vidassets.errors import DeviceUnavailable
from vidassets.speech.worker.failure import WorkerFailure
from vidassets.speech.worker.framing import Message, read_message, write_message
from vidassets.speech.worker.operations import Operations


def serve() -> None:
    """Answer requests; never returns.

    A thread reads the input, so that the process exits as soon as the input ends, even during an inference.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which ends this one
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # telemetry is on by default; this must be set before the import
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    requests, answers = _pipes()
    waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    operations = Operations()
    while True:
        _answer(answers, operations, waiting.get())


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take over the standard streams as pipes; what libraries print goes to the error stream instead."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def _listen(requests: BinaryIO, waiting: "queue.SimpleQueue[Message]") -> None:
    while (request := read_message(requests)) is not None:
        waiting.put(request)
    os._exit(0)


def _answer(answers: BinaryIO, operations: Operations, request: Message) -> None:
    values: dict[str, Any]
    arrays = {}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            result = operations.perform(request.values, request.arrays)
        for warning in caught:
            print(warnings.formatwarning(warning.message, warning.category, warning.filename, warning.lineno))
        values, arrays = {"result": result.values}, result.arrays
    except DeviceUnavailable as error:
        values = {"failure": "device_unavailable", "message": str(error)}
    except WorkerFailure as failure:
        values = {"failure": failure.kind, "message": str(failure)}
    except Exception as error:  # noqa: BLE001 - every error is reported to the process that asks
        traceback.print_exc()
        values = {"failure": "failed", "message": f"{type(error).__name__}: {error}"}
    try:
        write_message(answers, values, arrays)
    except BrokenPipeError:
        os._exit(0)
