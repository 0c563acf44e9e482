"""Batches that shrink until a GPU's memory holds them."""

import gc
from collections.abc import Callable
from typing import TypeVar

from .failure import WorkerFailure

Result = TypeVar("Result")


class FittingBatch:
    """A batch size that is halved when memory runs out, and stays so.

    Args:
        size: the batch wanted.
        what: names what is batched, for people.
    """

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self.what = what
        self.steps: list[str] = []

    def attempt(self, run: Callable[[int], Result]) -> Result:
        """What `run` gives, called with the batch size, again with half of it each time memory runs out.

        Raises:
            WorkerFailure: memory does not hold a batch of one.
        """
        while True:
            try:
                return run(self.size)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self._halve()  # outside of the clause: the error's traceback holds on to tensors

    def _halve(self) -> None:
        empty_cache()
        if self.size == 1:
            raise WorkerFailure(
                "device_unavailable",
                f"The device's memory does not hold one of the {self.what}. Free it (`nvidia-smi` shows who uses it), "
                "choose a smaller model or compute_type, or set `device: cpu` or `cpu_fallback: true` in the profile.",
            )
        self.steps.append(f"out of memory: {self.size} → {self.size // 2} {self.what} at once")
        self.size //= 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device's memory ran out, in torch's, CTranslate2's or pyannote's words.

    >>> is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))
    True
    """
    words = str(error).lower()
    # torch.OutOfMemoryError is a RuntimeError; pyannote makes a MemoryError of it.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in words or "cudnn_status_not_supported" in words)
    )


def empty_cache() -> None:
    """Give the GPU's memory back that torch keeps for later."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
