"""`processing_s`: the seconds that other assets took for the same clip, as they are recorded."""

from typing import Annotated

import dagster as dg
import pytest

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.parameters import SecondsOf
from vidassets.resources.store import Store
from vidassets_tests.toy_deployment import Toy
from vidassets_tests.toy_graph import SOURCE, number, register


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def squared(number: bytes) -> bytes:
    """The number times itself."""
    return str(int(number) ** 2).encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def duration(squared: bytes, processing_s: Annotated[float, SecondsOf(("number", "squared"))]) -> bytes:
    """How long it took."""
    return repr(processing_s).encode()


def run(toy: Toy, assets: list[str], clips: tuple[str, str] | str) -> None:
    made = DeclaredGraph([SOURCE], [number, squared, duration]).definitions()
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(SOURCE.name), *made],
        resources={"store": Store(root=str(toy.home / "data"))},
        executor=isolating_executor,
    )
    assert launch(definitions, toy.instance, [dg.AssetKey(name) for name in assets], clips).is_success


def seconds(toy: Toy, asset: str, clip: str) -> float:
    value = toy.made(asset)[clip].metadata["seconds"].value
    assert isinstance(value, float)
    return value


@pytest.fixture
def timed(toy: Toy) -> Toy:
    register(toy.home, toy.instance, {"a": "3", "b": "4"})
    run(toy, ["number", "squared", "duration"], ("a", "b"))
    return toy


@pytest.mark.parametrize("clip", ["a", "b"])
def test_the_seconds_of_the_clip_itself_are_added_up(timed: Toy, clip: str):
    recorded = seconds(timed, "number", clip) + seconds(timed, "squared", clip)
    assert float(timed.artifact("duration", clip)) == pytest.approx(recorded, abs=1e-6)


def test_the_latest_seconds_count(timed: Toy):
    timed.instance.report_runless_asset_event(
        dg.AssetMaterialization("squared", partition="a", metadata={"seconds": 20.5})
    )
    run(timed, ["duration"], "a")
    assert float(timed.artifact("duration", "a")) == pytest.approx(20.5 + seconds(timed, "number", "a"), abs=1e-6)


def test_what_reported_no_seconds_adds_none(timed: Toy):
    timed.instance.report_runless_asset_event(dg.AssetMaterialization("squared", partition="a"))
    run(timed, ["duration"], "a")
    assert float(timed.artifact("duration", "a")) == pytest.approx(seconds(timed, "number", "a"), abs=1e-6)


def test_seconds_are_no_input():
    assert list(duration.inputs) == ["squared"]
