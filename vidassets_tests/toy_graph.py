"""A graph of small assets over text files, made with the real decorators, for tests of the machinery.

`source` is registered, not made, as `source_video` is. `number` writes each call to `TOY_HOME/calls.txt`, waits while
the file `TOY_HOME/gates/KEY` exists, fails on anything but a number, and kills its process on `die`.
"""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from vidassets.automation.executor import isolating_executor
from vidassets.automation.sensors import automation_sensor
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.clip_check import ClipCheck, Verdict
from vidassets.graph.dagster_internals import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.partitions import clips
from vidassets.graph.settings import digest
from vidassets.resources.model_cache import cached
from vidassets.resources.store import Store

SOURCE = Artifact("source", extension="txt")


class Scale(dg.Config):
    """Settings of `doubled`."""

    factor: int = 2


class Model(dg.ConfigurableResource):
    """A model that writes its loads and uses to a file."""

    home: str

    def identity(self) -> dict[str, str]:
        return {"model": "toy"}

    def execution(self) -> dict[str, str]:
        return {"device": "cpu"}

    def times(self, number: int, factor: int) -> int:
        def load() -> object:
            _log_call(self.home, "load")
            return object()

        cached(("toy", self.home), load)
        _log_call(self.home, f"use {number}")
        return number * factor


def _log_call(home: str, line: str) -> None:
    with (Path(home) / "calls.txt").open("a") as file:
        file.write(line + "\n")


def _is_small(value: bytes) -> Verdict:
    return Verdict(int(value) < 1000, f"{int(value)} against 1000")


CHECKS = [
    ClipCheck("small", "Is it small?", _is_small),
    ClipCheck("is_number", "Is it a number?", lambda _: Verdict(True, "it is"), covers_failure=True),
]


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt", checks=CHECKS)
def number(clip: str, source: bytes) -> bytes:
    """The number in a clip's source."""
    home = Path(os.environ["TOY_HOME"])
    while (home / "gates" / clip).exists():
        time.sleep(0.02)
    _log_call(str(home), f"number {clip}")
    if source == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    return str(int(source.decode())).encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def doubled(number: bytes, describer: Model, config: Scale) -> bytes:
    """Twice the number, by a model."""
    return str(describer.times(int(number), config.factor)).encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def report(number: bytes, doubled: bytes) -> bytes:
    """Both numbers in a line."""
    return number + b" " + doubled


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def total(doubled: AllClips) -> bytes:
    """The sum over all clips."""
    return str(sum(int(value) for _, value in doubled)).encode()


TOY_GRAPH = DeclaredGraph([SOURCE], [number, doubled, report, total])


def register(home: Path, instance: dg.DagsterInstance, contents: Mapping[str, str]) -> None:
    """Make clips known, or their replaced sources, in the order in which registration of videos does it."""
    store = Store(root=str(home / "data")).open()
    for clip, text in contents.items():
        SOURCE.write(store, clip, text.encode())
        instance.add_dynamic_partitions(str(clips.name), [clip])
        tags = {DATA_VERSION_TAG: digest(text), DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
        instance.report_runless_asset_event(dg.AssetMaterialization(SOURCE.name, partition=clip, tags=tags))


def toy_definitions(home: Path, settings: dict[str, dict[str, object]] | None = None) -> dg.Definitions:
    """The graph over a folder."""
    model = Model(home=str(home))
    made = TOY_GRAPH.definitions({"describer": model.identity()}, settings)
    return dg.Definitions(
        assets=[dg.AssetSpec(SOURCE.name, partitions_def=clips), *made],
        resources={"store": Store(root=str(home / "data")), "describer": model},
        executor=isolating_executor,
        sensors=[automation_sensor(TOY_GRAPH, settings or {}, every_s=1)],
    )


if "TOY_HOME" in os.environ:
    defs = toy_definitions(Path(os.environ["TOY_HOME"]))
