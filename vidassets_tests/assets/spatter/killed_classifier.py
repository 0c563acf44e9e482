"""A `spatter_classifier` whose process is killed in its third epoch, before that is kept. `python -m … STORE`."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vidassets.assets.spatter.classifier import spatter_classifier
from vidassets.resources.experiment_tracker import TrackedRun
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets_tests.assets.spatter.deployed_builds import SETTINGS

KILLED_IN_EPOCH = 3


class Killer:
    """A tracker that ends the process."""

    @contextmanager
    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
        yield self

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        if step == KILLED_IN_EPOCH:
            os.kill(os.getpid(), signal.SIGKILL)

    def artifact(self, name: str, content: bytes) -> None: ...


if __name__ == "__main__":
    store = Store(root=sys.argv[1])
    index = store.open().read_table("spatter_index", "all")
    config = spatter_classifier.configured(SETTINGS["spatter_classifier"])
    assert config is not None
    spatter_classifier.function(index, config(), Trainer(), Killer(), store)
