"""A graph of three small assets over text files, made with the real decorators: what tests of the machinery run.

`number` reads `TOY_HOME/inputs/KEY.txt`, waits at a gate if one is there, and fails on anything but a number.
"""

import os
import time
from pathlib import Path

import dagster as dg

from vidassets.assets.clip_asset import clip_asset
from vidassets.assets.clip_check import ClipCheck, Verdict
from vidassets.assets.dataset_asset import AllClips, dataset_asset
from vidassets.automation.executor import isolating_executor
from vidassets.resources.model_cache import cached
from vidassets.resources.store import Store


class Scale(dg.Config):
    """Settings of `doubled`."""

    factor: int = 2


class Model(dg.ConfigurableResource):
    """A model whose loads and uses are told in a file."""

    home: str

    def identity(self) -> dict[str, str]:
        return {"model": "toy"}

    def execution(self) -> dict[str, str]:
        return {"device": "cpu"}

    def times(self, number: int, factor: int) -> int:
        def load() -> object:
            _tell(self.home, "load")
            return object()

        cached(("toy", self.home), load)
        _tell(self.home, f"use {number}")
        return number * factor


def _tell(home: str, line: str) -> None:
    with (Path(home) / "told.txt").open("a") as file:
        file.write(line + "\n")


def _is_small(value: bytes) -> Verdict:
    return Verdict(int(value) < 1000, f"{int(value)} against 1000")


@clip_asset(
    group="toy", kinds={"txt"}, version="1", extension="txt", checks=[ClipCheck("small", "Is it small?", _is_small)]
)
def number(clip: str) -> bytes:
    """The number in a clip's file."""
    home = Path(os.environ["TOY_HOME"])
    while (home / "gates" / clip).exists():
        time.sleep(0.02)
    _tell(str(home), f"number {clip}")
    return str(int((home / "inputs" / f"{clip}.txt").read_text())).encode()


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


def toy_definitions(home: Path, settings: dict[str, dict[str, object]] | None = None) -> dg.Definitions:
    """The graph over a folder."""
    assets, whole = [number, doubled, report], [total]
    catalog = {one.name: one.artifact for one in (*assets, *whole)}
    model = Model(home=str(home))
    return dg.Definitions(
        assets=[
            one.definition(catalog, {"describer": model.identity()}, (settings or {}).get(one.name, {}))
            for one in assets
        ]
        + [one.definition(catalog) for one in whole],
        resources={"store": Store(root=str(home / "data")), "describer": model},
        executor=isolating_executor,
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "automation",
                target=dg.AssetSelection.all(),
                minimum_interval_seconds=1,
                default_status=dg.DefaultSensorStatus.RUNNING
                if os.environ.get("TOY_AUTOMATION")
                else dg.DefaultSensorStatus.STOPPED,
            )
        ],
    )


if "TOY_HOME" in os.environ:
    defs = toy_definitions(Path(os.environ["TOY_HOME"]))
