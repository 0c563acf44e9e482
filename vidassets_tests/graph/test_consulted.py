"""A resource that an asset only asks what it is: its model is not loaded for that, and no device is reported."""

from typing import Annotated

import dagster as dg

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.parameters import IdentityOnly
from vidassets.resources.store import Store
from vidassets_tests.toy_deployment import Toy
from vidassets_tests.toy_graph import SOURCE, Model, number, register


class Costly(Model):
    """Loads its model to tell the device."""

    def execution(self) -> dict[str, str]:
        self.times(1, 1)
        return {"device": "gpu"}


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def named(number: bytes, describer: Annotated[Costly, IdentityOnly()]) -> bytes:
    """The number, and what the model is called."""
    return number + describer.identity()["model"].encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def worked(number: bytes, describer: Costly) -> bytes:
    """The same by an asset that does not say so."""
    return number + describer.identity()["model"].encode()


def test_a_resource_that_is_only_consulted_loads_nothing_and_reports_no_device(toy: Toy):
    register(toy.home, toy.instance, {"a": "3"})
    model = Costly(home=str(toy.home))
    definitions = dg.Definitions(
        assets=[
            dg.AssetSpec(SOURCE.name),
            *DeclaredGraph([SOURCE], [number, named, worked]).definitions({"describer": model.identity()}),
        ],
        resources={"store": Store(root=str(toy.home / "data")), "describer": model},
        executor=isolating_executor,
    )

    def made(asset: str) -> dict[str, object]:
        assert launch(definitions, toy.instance, [dg.AssetKey(asset)], "a").is_success
        return dict(toy.made(asset)["a"].metadata)

    made("number")
    assert "device" not in made("named")
    assert "load" not in (toy.home / "calls.txt").read_text()
    assert "device" in made("worked")
    assert "load" in (toy.home / "calls.txt").read_text()
