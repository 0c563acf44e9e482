"""Models that are loaded: once in a process, kept for the next clip and the next asset.

This is the one place of the project that keeps state for a whole process: a model outlives the resource that loaded
it, since Dagster makes a new resource for each run.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Model = TypeVar("Model")


class _Slot:
    """One model to be: its lock is held while it loads, so that two threads load it once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.models: list[Any] = []


_guard = threading.Lock()
_slots: dict[Hashable, _Slot] = {}
_loads: Counter[Hashable] = Counter()


def cached(key: Hashable, load: Callable[[], Model]) -> Model:
    """The model of this key: loaded now, or long since.

    Args:
        key: what makes it another model: its class, its identity, the device it is on.
        load: called without arguments, at most once per key until `free`; what it raises is raised, and not kept.
    """
    with _guard:
        slot = _slots.setdefault(key, _Slot())
    with slot.lock:
        if not slot.models:
            slot.models.append(load())
            with _guard:
                _loads[key] += 1
        return slot.models[0]


def loads(key: Hashable) -> int:
    """How often a model of this key has been loaded by this process."""
    with _guard:
        return _loads[key]


def free() -> None:
    """Let go of every model; one that is in use goes when its user is done."""
    with _guard:
        _slots.clear()
    torch = sys.modules.get("torch")  # not imported for this: without torch nothing lies on a GPU
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
