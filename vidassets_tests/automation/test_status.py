"""What a board says of each asset and clip, and that Dagster's own staleness says the same."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from vidassets.automation.event_log import EventLog, StoredKeys
from vidassets.automation.launch import launch
from vidassets.automation.plan import contiguous
from vidassets.automation.status import Board, Selection, State
from vidassets.automation.work import Workload
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.resources.store import Store
from vidassets.storage.store import ArtifactStore
from vidassets_tests.toy_deployment import CHAIN, Toy
from vidassets_tests.toy_graph import SOURCE, Model, doubled, number, report, total, toy_definitions

Settings = dict[str, dict[str, object]]


def board(toy: Toy, profile: Settings | None = None, launch: Settings | None = None) -> Board:
    clips = toy.instance.get_dynamic_partitions("clips")
    store = ArtifactStore(toy.home / "data")
    definitions, assets, whole = toy_definitions(toy.home, profile), [number, doubled, report], [total]
    catalog = {SOURCE.name: SOURCE} | {asset.name: asset.artifact for asset in (*assets, *whole)}
    return Workload(definitions, toy.instance, store, catalog, assets, whole, clips, launch or {}).board()


def states(found: Board, clip: str = "a") -> list[tuple[State, str]]:
    return [(found.cells[asset, clip].state, found.cells[asset, clip].reason) for asset in CHAIN]


FRESH = (State.FRESH, "")


def test_what_was_never_made_is_missing(toy: Toy):
    toy.add(a="1")
    assert states(board(toy)) == [(State.MISSING, "")] * 3


def test_what_was_made_is_up_to_date(toy: Toy):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    assert states(board(toy)) == states(board(toy), "b") == [FRESH] * 3


def test_the_cause_of_a_failure_is_reported_until_it_is_made(toy: Toy):
    toy.add(a="1", b="corrupt")
    toy.run(clips=("a", "b"))
    found = board(toy)
    assert found.cells["number", "b"].state is State.FAILED
    assert found.cells["number", "b"].reason.endswith("invalid literal for int() with base 10: 'corrupt'")
    assert states(found) == [FRESH] * 3
    toy.add(b="2")
    toy.run(clips="b")
    assert states(board(toy), "b") == [FRESH] * 3


def test_what_failed_after_it_was_made_is_failed_and_keeps_what_is_known_of_it(toy: Toy):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    toy.add(b="corrupt")
    toy.run(clips=("a", "b"))
    cell = board(toy).cells["number", "b"]
    assert (cell.state, cell.made is not None) == (State.FAILED, True)


def test_an_artifact_that_is_gone_from_the_store_is_missing(toy: Toy):
    toy.add(a="1")
    toy.run(clips="a")
    Path(toy.home / "data" / "doubled" / "a.txt").unlink()
    assert states(board(toy)) == [FRESH, (State.MISSING, "its artifact is gone from the store"), FRESH]


def test_settings_of_the_profile_make_their_asset_stale(toy: Toy):
    toy.add(a="1")
    toy.run(clips="a")
    assert states(board(toy, {"doubled": {"factor": 3}})) == [
        FRESH,
        (State.STALE, "code, settings or model changed"),
        FRESH,
    ]


def test_settings_given_for_a_launch_make_what_was_made_with_others_stale(toy: Toy):
    toy.add(a="1")
    toy.run(clips="a")
    launch: Settings = {"doubled": {"factor": 3}}
    assert states(board(toy, launch=launch)) == [FRESH, (State.STALE, "made with other settings"), FRESH]
    toy.run("doubled", clips="a", config=launch)
    assert states(board(toy, launch=launch)) == [FRESH, FRESH, (State.STALE, "doubled changed")]
    other = (State.STALE, "made with other settings")
    assert states(board(toy)) == [FRESH, other, (State.STALE, "doubled changed")]


@pytest.mark.parametrize("clips", [pytest.param("a", id="alone"), pytest.param(("a", "b"), id="batch")])
def test_what_is_stale_here_is_stale_to_dagster(toy: Toy, clips: tuple[str, str] | str):
    toy.add(a="1", b="2")
    toy.run(clips=clips)
    toy.run("doubled", clips=clips, config={"doubled": {"factor": 5}})
    graph = toy_definitions(toy.home).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(toy.instance, graph, LoadingContextForTest(toy.instance))
    theirs = [resolver.get_status(dg.AssetKey(asset), "a") is StaleStatus.STALE for asset in CHAIN]
    ours = [state is State.STALE for state, _ in states(board(toy, launch={"doubled": {"factor": 5}}))]
    assert ours == theirs == [False, False, True]


def test_what_reads_an_asset_over_all_clips_waits_while_that_is_not_made(toy: Toy):
    toy.add(a="1")
    toy.run("number", "doubled", clips="a")
    waits = below_the_total(toy).cells["share", "a"]
    assert (waits.state, waits.reason) == (
        State.WAITING,
        "total has not been made yet, and is not selected: `vidassets run --select '*total'` makes it",
    )
    assert below_the_total(toy).to_do("a", ["number", "doubled", "share"]) == []


def test_once_that_is_made_it_is_missing(toy: Toy):
    toy.add(a="1")
    toy.run("number", "doubled", clips="a")
    launch(toy_definitions(toy.home), toy.instance, total.keys)
    assert below_the_total(toy).to_do("a", ["number", "doubled", "share"]) == ["share"]


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def share(number: bytes, total: bytes) -> bytes:
    """Of the sum over all clips."""
    return f"{int(number) / int(total)}".encode()


def below_the_total(toy: Toy) -> Board:
    assets = [number, doubled, share]
    model, store = Model(home=str(toy.home)), Store(root=str(toy.home / "data"))
    graph = DeclaredGraph([SOURCE], [*assets, total])
    definitions = dg.Definitions(
        graph.definitions({"describer": model.identity()}), resources={"describer": model, "store": store}
    )
    selection = Selection.of(definitions.resolve_asset_graph(), assets, [], graph.artifacts)
    return Board(selection, ["a"], EventLog(toy.instance), StoredKeys(store.open()))


@pytest.mark.parametrize(
    ("keys", "at_most", "ranges"),
    [
        pytest.param("", 9, [], id="none"),
        pytest.param("abcd", 9, ["abcd"], id="all"),
        pytest.param("d", 9, ["d"], id="the last"),
        pytest.param("abd", 9, ["ab", "d"], id="a gap"),
        pytest.param("abcd", 3, ["abc", "d"], id="more than a run takes"),
        pytest.param("dcba", 9, ["abcd"], id="another order"),
    ],
)
def test_ranges_hold_the_wanted_keys_and_no_other(keys: str, at_most: int, ranges: list[str]):
    assert ["".join(run) for run in contiguous(list(keys), list("abcd"), at_most)] == ranges
