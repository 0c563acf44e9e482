"""The device that a torch model runs on, and batches that shrink until its memory holds them.

The speech worker imports this module too, in an interpreter that has none of the project's dependencies: so it imports
only the standard library and `vidassets.errors`, and torch inside functions.
"""

import gc
from collections.abc import Callable
from typing import TypeVar

from vidassets.errors import DeviceUnavailable

Result = TypeVar("Result")


def resolve_device(wanted: str, how_to_fix: str, allow_mps: bool = False) -> str:
    """Return the torch device for a setting: cpu, cuda:N, or mps.

    Args:
        wanted: auto, cpu, cuda, cuda:N, or mps; auto is the first available of cuda, mps (if allowed), cpu.
        how_to_fix: ends the error message; says which setting to change.
        allow_mps: whether the caller's model runs on Apple's GPUs.
    Raises:
        DeviceUnavailable: torch has no such device.
    """
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = allow_mps and torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda:0" if n_gpus else "mps" if has_mps else "cpu"
    kind, _, index = wanted.partition(":")
    if kind == "cuda" and (index or "0") in map(str, range(n_gpus)):
        return f"cuda:{index or 0}"
    if wanted == "cpu" or (kind == "mps" and has_mps):
        return kind
    raise DeviceUnavailable(f"{wanted}: torch {torch.__version__} sees {n_gpus} GPUs and no such device. {how_to_fix}")


def device_name(device: str) -> str:
    """Return the device; for a CUDA GPU with its model name."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


class FittingBatch:
    """A batch size that is halved each time the device's memory runs out, and stays reduced.

    Args:
        unit: what is batched, for the steps: "windows".
        too_large: the error message if the memory does not hold a batch of one.
    """

    def __init__(self, unit: str, too_large: str) -> None:
        self.steps: list[str] = []
        self._unit = unit
        self._too_large = too_large
        self._limit: int | None = None

    def size(self, wanted: int) -> int:
        """Return the batch size wanted, or less if the memory has turned out to hold less."""
        return wanted if self._limit is None else min(self._limit, wanted)

    def attempt(self, wanted: int, run: Callable[[int], Result]) -> Result:
        """Return what `run` returns: called with a batch size, and with half of it each time memory runs out.

        Raises:
            DeviceUnavailable: the memory does not hold a batch of one.
        """
        while True:
            size = self.size(wanted)
            try:
                return run(size)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self._halve(size)  # after the except clause: until then the traceback keeps tensors alive

    def _halve(self, size: int) -> None:
        empty_cache()
        if size == 1:
            raise DeviceUnavailable(self._too_large)
        self._limit = size // 2
        self.steps.append(f"out of memory: {size} → {self._limit} {self._unit}")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error of torch, CTranslate2 or pyannote says that a device's memory ran out.

    >>> is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))
    True
    """
    import torch

    words = str(error).lower()
    # pyannote turns torch's error into a MemoryError.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("out of memory" in words or "cudnn_status_not_supported" in words)
    )


def empty_cache() -> None:
    """Return the GPU memory that torch keeps for later to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
