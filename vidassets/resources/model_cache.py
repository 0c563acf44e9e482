"""Loaded models, kept by the process for the next clip and the next asset.

Only this module keeps state for a whole process. A model must outlive the resource that loaded it, because Dagster
creates a new resource for each run.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from vidassets.devices import empty_cache

Model = TypeVar("Model")


class _Slot:
    """A place for one model; its lock is held while it loads, so that two threads load it once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.models: list[Any] = []


_guard = threading.Lock()
_slots: dict[Hashable, _Slot] = {}
_loads: Counter[Hashable] = Counter()


def cached(key: Hashable, load: Callable[[], Model]) -> Model:
    """Return the model of this key, loaded now or earlier.

    Args:
        key: identifies the model: its class, identity and device.
        load: called at most once per key until `free`; its exceptions are raised and not cached.
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
    """Return how often this process has loaded a model of this key."""
    with _guard:
        return _loads[key]


def free() -> None:
    """Drop every model; a model in use is freed when its user is done."""
    with _guard:
        _slots.clear()
    if "torch" in sys.modules:  # torch is not imported for this: without it nothing is stored on a GPU
        empty_cache()
