"""The promises of `@clip_asset`: once a run, durable at once, isolated, same in a batch as alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.errors import StoreUnreachable
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.clip_step import FAILED
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.lineage import latest_observation
from vidassets.graph.parameters import DecodedAhead
from vidassets.resources.store import Store
from vidassets.storage.store import ArtifactStore
from vidassets_tests.toy_deployment import CHAIN, Toy
from vidassets_tests.toy_graph import SOURCE, number, toy_definitions


def test_a_batch_makes_every_layer_of_every_clip_in_one_run(toy: Toy):
    toy.add(a="1", b="2", c="3")
    assert toy.run(clips=("a", "c")).status == dg.DagsterRunStatus.SUCCESS
    assert [toy.artifact("report", clip) for clip in "abc"] == ["1 2", "2 4", "3 6"]
    assert toy.instance.get_runs_count() == 1


def test_a_corrupt_clip_harms_neither_its_neighbours_nor_what_is_below_them(toy: Toy):
    toy.add(**{f"c{i}": "corrupt" if i == 4 else str(i) for i in range(10)})
    assert toy.run(clips=("c0", "c9")).status == dg.DagsterRunStatus.FAILURE
    good = {f"c{i}" for i in range(10)} - {"c4"}
    assert {asset: set(toy.made(asset)) for asset in CHAIN} == dict.fromkeys(CHAIN, good)


def test_a_clip_that_failed_is_shown_as_failed_with_its_cause(toy: Toy):
    toy.add(a="1", b="corrupt", c="3")
    run = toy.run(clips=("a", "c"))
    partitions = dg.DynamicPartitionsDefinition(name="clips")
    states = toy.instance.get_status_by_partition(dg.AssetKey("number"), ["a", "b", "c"], partitions)
    assert states is not None
    assert {clip: state and state.value for clip, state in states.items()} == {
        "a": "MATERIALIZED",
        "b": "FAILED",
        "c": "MATERIALIZED",
    }
    [observed] = toy.instance.fetch_observations(dg.AssetKey("number"), limit=9).records
    assert observed.partition_key == "b"
    assert observed.asset_observation is not None
    assert observed.asset_observation.metadata[FAILED].value is True
    assert "invalid literal for int() with base 10: 'corrupt'" in str(
        observed.asset_observation.metadata["error"].value
    )
    failure = next(e for e in toy.instance.all_logs(run.run_id) if e.dagster_event and e.dagster_event.is_step_failure)
    assert "1 of 3 clips failed; the others are done. b: ValueError: invalid literal" in str(failure.dagster_event)


def test_a_clip_without_an_input_says_which_and_why(toy: Toy):
    toy.add(a="1", b="corrupt")
    toy.run(clips=("a", "b"))
    seen = {name: latest_observation(toy.instance, dg.AssetKey(name), "b") for name in ("doubled", "report")}
    assert seen["doubled"] is not None
    assert seen["report"] is not None
    assert seen["doubled"].metadata["missing_inputs"].value == "number"
    assert seen["report"].metadata["missing_inputs"].value == "number, doubled"


def test_one_clip_alone_that_fails_leaves_what_is_below_it_unmade(toy: Toy):
    toy.add(a="corrupt")
    assert toy.run(clips="a").status == dg.DagsterRunStatus.FAILURE
    assert toy.made("number") == toy.made("doubled") == {}
    assert toy.reported() == ["number a"]


def test_an_older_artifact_of_a_clip_that_failed_now_is_not_worked_on(toy: Toy):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    before = toy.made("doubled")["b"].run_id
    toy.add(b="corrupt")
    toy.run(clips=("a", "b"))
    assert toy.made("doubled")["b"].run_id == before
    assert toy.made("doubled")["a"].run_id != before


def test_a_model_is_loaded_once_for_all_clips_and_runs_of_a_process(toy: Toy):
    toy.add(a="1", b="2", c="3")
    toy.run(clips=("a", "c"))
    toy.run("doubled", clips=("a", "b"))
    assert toy.reported().count("load") == 1


@pytest.mark.parametrize("asset", CHAIN)
def test_a_batch_records_what_a_run_of_one_clip_records(toy: Toy, asset: str):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    batch = toy.made(asset)["a"]
    toy.run(asset, clips="a")
    alone = toy.made(asset)["a"]

    def comparable(tags: dict[str, str]) -> dict[str, str]:
        # Dagster's pointer is the input's latest event of any partition, the batch's that of the clip's own.
        return {name: value for name, value in tags.items() if "input_event_pointer" not in name}

    assert batch.run_id != alone.run_id
    assert comparable(dict(batch.tags)) == comparable(dict(alone.tags))
    assert {k: v.value for k, v in batch.metadata.items() if k != "seconds"} == {
        k: v.value for k, v in alone.metadata.items() if k != "seconds"
    }


@pytest.mark.parametrize("clips", [pytest.param(("a", "b"), id="batch"), pytest.param("a", id="alone")])
def test_new_code_makes_exactly_what_is_below_it_stale(toy: Toy, clips: tuple[str, str] | str):
    toy.add(a="1", b="2")
    toy.run(clips=clips)
    settings = {"doubled": {"factor": 3}}
    assert _stale(toy, {}) == {}
    assert _stale(toy, settings) == {"doubled": StaleStatus.STALE}
    definitions = toy_definitions(toy.home, settings)
    job = definitions.resolve_implicit_global_asset_job_def()
    assert (
        job.get_subset(asset_selection={dg.AssetKey("doubled")})
        .execute_in_process(instance=toy.instance, partition_key="a", resources=definitions.resources)
        .success
    )
    assert _stale(toy, settings) == {"report": StaleStatus.STALE}
    assert toy.artifact("doubled", "a") == "3"


def _stale(toy: Toy, settings: dict[str, dict[str, object]]) -> dict[str, StaleStatus]:
    """Assets of clip a that are not fresh, under a profile's settings."""
    graph = toy_definitions(toy.home, settings).resolve_asset_graph()
    from dagster._core.loader import LoadingContextForTest

    resolver = CachingStaleStatusResolver(toy.instance, graph, LoadingContextForTest(toy.instance))
    states = {asset: resolver.get_status(dg.AssetKey(asset), "a") for asset in CHAIN}
    return {asset: state for asset, state in states.items() if state != StaleStatus.FRESH}


def test_settings_given_at_launch_make_what_is_below_stale(toy: Toy):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    for clips in ("a", ("a", "b")):
        toy.run("doubled", clips=clips, config={"doubled": {"factor": 5}})
        assert toy.artifact("doubled", "a") == "5"
        assert _stale(toy, {}) == {"report": StaleStatus.STALE}
        toy.run("doubled", clips=clips)
        assert _stale(toy, {}) == {}


def test_the_next_clip_is_decoded_while_this_one_is_inferred(toy: Toy):
    decoded = {"a": threading.Event(), "b": threading.Event()}

    def pieces(number: bytes) -> Iterator[np.ndarray]:
        yield np.zeros(8, np.uint8)
        decoded["a" if number == b"1" else "b"].set()

    @clip_asset(
        group="toy",
        kinds={"txt"},
        version="1",
        extension="txt",
    )
    def watched(clip: str, decoded_ahead: Annotated[Iterator[np.ndarray], DecodedAhead(pieces)]) -> bytes:
        """Waits, in the first clip, until the second one is decoded."""
        list(decoded_ahead)
        return b"overlapped" if decoded["b"].wait(timeout=600) else b"one after the other"

    toy.add(a="1", b="2")
    toy.run("number", clips=("a", "b"))
    definitions = dg.Definitions(
        assets=DeclaredGraph([SOURCE], [number, watched]).definitions(),
        resources={"store": Store(root=str(toy.home / "data"))},
        executor=isolating_executor,
    )
    launch(definitions, toy.instance, [dg.AssetKey("watched")], ("a", "b"))
    assert toy.artifact("watched", "a") == "overlapped"


def test_checks_are_recorded_for_each_clip_of_a_batch(toy: Toy):
    toy.add(a="1", b="5000")
    toy.run(clips=("a", "b"))
    history = toy.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("number"), "small"), limit=9
    )
    evaluations = [one.event.dagster_event.event_specific_data for one in history if one.event]
    assert {one.partition: (one.passed, one.description) for one in evaluations} == {
        "a": (True, "1 against 1000"),
        "b": (False, "5000 against 1000"),
    }
    shown_with = {one.partition: one.target_materialization_data for one in evaluations}
    made = {clip: one.storage_id for clip, one in toy.made("number").items()}
    assert {clip: target.storage_id for clip, target in shown_with.items() if target} == made


@pytest.mark.parametrize("clips", [("a", "b"), ("a", "a")], ids=["batch", "alone"])
def test_of_the_checks_of_a_failed_clip_only_those_that_apply_have_failed(toy: Toy, clips: tuple[str, str]):
    toy.add(a="corrupt", b="1")
    toy.run("number", clips=clips)

    def evaluation(name: str) -> Any:
        key = dg.AssetCheckKey(dg.AssetKey("number"), name)
        history = toy.instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
        found = [record.event.dagster_event.event_specific_data for record in history if record.event]
        return next(data for data in found if data.partition == "a")

    small, is_number = evaluation("small"), evaluation("is_number")
    assert (small.passed, small.description) == (True, "not applicable: number could not be made")
    assert (is_number.passed, is_number.description.split(":")[0]) == (False, "ValueError")


def test_a_store_that_fails_once_costs_one_clip_and_the_next_run_makes_it(toy: Toy, monkeypatch: pytest.MonkeyPatch):
    toy.add(a="1", b="2", c="3")
    write, failures = ArtifactStore.write_bytes, iter([StoreUnreachable("the store: gone for a moment")])

    def fails_once(store: ArtifactStore, asset: str, key: str, ext: str, data: bytes) -> None:
        if key == "b" and (error := next(failures, None)):
            raise error
        write(store, asset, key, ext, data)

    monkeypatch.setattr(ArtifactStore, "write_bytes", fails_once)
    assert toy.run(clips=("a", "c")).status == dg.DagsterRunStatus.FAILURE
    assert set(toy.made("report")) == {"a", "c"}
    assert toy.run(clips="b").status == dg.DagsterRunStatus.SUCCESS
    assert set(toy.made("report")) == {"a", "b", "c"}


def test_a_killed_run_loses_the_clip_in_hand_and_launched_again_does_only_what_is_missing(toy: Toy):
    toy.add(**{f"c{i}": str(i) for i in range(10)})
    (toy.home / "gates" / "c5").touch()
    script = (
        "import dagster as dg, vidassets_tests.toy_graph as t; from vidassets.automation.launch import launch;"
        "launch(t.defs, dg.DagsterInstance.get(), [dg.AssetKey(n) for n in ('number', 'doubled', 'report')], "
        "('c0', 'c9'))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, env=os.environ)
    _wait_for(lambda: "number c4" in toy.reported() and len(toy.made("number")) == 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (toy.home / "gates" / "c5").unlink()
    assert set(toy.made("number")) == {"c0", "c1", "c2", "c3", "c4"}

    [killed] = toy.instance.get_runs()
    toy.instance.report_run_failed(killed)
    assert toy.run(clips=("c0", "c9"), again=killed).status == dg.DagsterRunStatus.SUCCESS
    numbers = [line for line in toy.reported() if line.startswith("number")]
    assert sorted(numbers) == [f"number c{i}" for i in range(10)]
    # The clip in hand, and those that were read ahead, may have killed the process: they come last.
    assert numbers.index("number c9") < numbers.index("number c5")
    assert {asset: len(toy.made(asset)) for asset in CHAIN} == dict.fromkeys(CHAIN, 10)


@pytest.mark.parametrize("clips", [pytest.param(("a", "b"), id="batch"), pytest.param("a", id="alone")])
def test_a_run_that_succeeded_is_made_again_when_it_is_launched_again(toy: Toy, clips: tuple[str, str] | str):
    toy.add(a="1", b="2")
    first = toy.run(clips=clips)
    again = toy.run(clips=clips, again=first)
    assert toy.made("number")["a"].run_id == again.run_id


def test_one_clip_alone_that_failed_further_down_is_taken_up_where_it_failed(toy: Toy, monkeypatch: pytest.MonkeyPatch):
    toy.add(a="1")
    write, failures = ArtifactStore.write_bytes, iter([StoreUnreachable("the store: gone for a moment")])

    def fails_once(store: ArtifactStore, asset: str, key: str, ext: str, data: bytes) -> None:
        if asset == "report" and (error := next(failures, None)):
            raise error
        write(store, asset, key, ext, data)

    monkeypatch.setattr(ArtifactStore, "write_bytes", fails_once)
    failed = toy.run(clips="a")
    assert toy.run(clips="a", again=failed).status == dg.DagsterRunStatus.SUCCESS
    assert [toy.made(asset)["a"].run_id == failed.run_id for asset in CHAIN] == [True, True, False]
    assert toy.reported().count("number a") == 1


def _wait_for(condition, timeout_s: float = 600.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)
