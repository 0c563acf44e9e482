import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.launch import launch
from vidassets.graph.lineage import Made, latest
from vidassets.resources import model_cache
from vidassets_tests.toy_graph import register, toy_definitions

CHAIN = ["number", "doubled", "report"]


@dataclass
class Toy:
    """The toy graph on an instance of its own."""

    home: Path
    instance: dg.DagsterInstance

    def add(self, **contents: str) -> None:
        register(self.home, self.instance, contents)

    def run(
        self,
        *assets: str,
        clips: tuple[str, str] | str,
        config: Mapping[str, dict[str, object]] | None = None,
        again: dg.DagsterRun | None = None,
    ) -> dg.DagsterRun:
        keys = [dg.AssetKey(name) for name in assets or CHAIN]
        return launch(toy_definitions(self.home), self.instance, keys, clips, config, again=again)

    def made(self, asset: str) -> dict[str, Made]:
        return latest(self.instance, dg.AssetKey(asset), self.instance.get_dynamic_partitions("clips"))

    def reported(self) -> list[str]:
        path = self.home / "calls.txt"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def artifact(self, asset: str, clip: str) -> str:
        return (self.home / "data" / asset / f"{clip}.txt").read_text()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    for folder in ("gates", "dagster"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("TOY_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    model_cache.free()
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        yield Toy(tmp_path, instance)
