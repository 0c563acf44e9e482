"""Calls in a process of their own: every asset of the graph can be called so, and limits end a child."""

import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest

from vidassets.definitions import GRAPH, Settings
from vidassets.errors import ProcessKilled
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.isolation import IsolatedCall, run_isolated
from vidassets.resources.store import Store
from vidassets_tests.graph.test_two_processes import wait_for
from vidassets_tests.toy_deployment import Toy
from vidassets_tests.toy_graph import SOURCE, Model, doubled, number

PROFILE = Settings.from_environment({"VIDASSETS_PROFILE": "cpu"}).profile()


def configured(asset: ClipAsset) -> dg.Config | None:
    kind = asset.configured(PROFILE.assets.get(asset.name, {}))
    return kind() if kind else None


@pytest.mark.parametrize("asset", GRAPH.clip_assets, ids=lambda asset: asset.name)
def test_the_call_of_an_asset_can_be_sent_to_another_process(asset: ClipAsset):
    config = configured(asset)
    names = {*asset.parameters.resources, "store"}
    resources = {name: PROFILE.resources[name] for name in names}
    call = IsolatedCall.of(asset, GRAPH.artifacts, asset.wanted_inputs(config), "clip", resources, config, {})
    sent = pickle.loads(pickle.dumps(call))
    module, name = sent.asset
    assert getattr(import_module(module), name) is asset
    rebuilt = {name: kind(**fields) for name, (kind, fields) in sent.resources.items()}
    assert {name: type(value) for name, value in rebuilt.items()} == {
        name: type(value) for name, value in resources.items()
    }
    assert [value.model_dump() for value in rebuilt.values()] == [value.model_dump() for value in resources.values()]
    assert (sent.config is None) == (config is None)
    if sent.config and config:
        assert sent.config[0](**sent.config[1]).model_dump() == config.model_dump()


def call_of(toy: Toy, asset: ClipAsset) -> IsolatedCall:
    resources = {"store": Store(root=str(toy.home / "data")), "describer": Model(home=str(toy.home))}
    config = asset.parameters.config_type() if asset.parameters.config_type else None
    catalog = {SOURCE.name: SOURCE, "number": number.artifact}
    return IsolatedCall.of(asset, catalog, list(asset.inputs), "a", resources, config, {})


def test_a_call_stores_what_it_makes_and_returns_its_result(toy: Toy):
    toy.add(a="7")
    assert run_isolated(call_of(toy, number)).value == b"7"
    assert run_isolated(call_of(toy, doubled)).value == b"14"
    assert toy.artifact("doubled", "a") == "14"


def test_an_error_of_the_function_is_raised_as_it_is(toy: Toy):
    toy.add(a="corrupt")
    with pytest.raises(ValueError, match="invalid literal for int"):
        run_isolated(call_of(toy, number))


def test_a_call_that_is_not_done_in_time_is_ended(toy: Toy):
    toy.add(a="7")
    (toy.home / "gates" / "a").touch()
    with pytest.raises(ProcessKilled, match="alone in a process it was not done after"):
        run_isolated(call_of(toy, number), max_seconds=5)


def test_a_child_ends_when_its_parent_is_killed(toy: Toy):
    toy.add(a="7")
    (toy.home / "gates" / "a").touch()
    script = (
        "import pickle, sys; from vidassets.graph.isolation import run_isolated;"
        "run_isolated(pickle.load(sys.stdin.buffer))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    assert parent.stdin is not None
    pickle.dump(call_of(toy, number), parent.stdin)
    parent.stdin.flush()
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    wait_for(lambda: bool(children.read_text()))
    child = Path("/proc") / children.read_text().strip()
    parent.kill()
    parent.communicate()
    wait_for(lambda: not child.exists())
