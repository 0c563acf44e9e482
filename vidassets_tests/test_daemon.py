"""What the daemon and the UI make of the graph: backfills, single runs, a killed worker, automation.

Real processes (`daemon_process.py`) over one instance with the project's own dagster.yaml; every test has clips of
its own.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus
from dagster._core.loader import LoadingContextForTest

from vidassets.graph.lineage import Made
from vidassets_tests.daemon_process import Ui, dagster_processes, project_instance, wait_for
from vidassets_tests.toy_deployment import CHAIN, Toy
from vidassets_tests.toy_graph import toy_definitions

MODULE = "vidassets_tests.toy_graph"
PARTITIONS = dg.DynamicPartitionsDefinition(name="clips")


@dataclass
class Server:
    """A toy graph, and Dagster's processes over it."""

    toy: Toy
    ui: Ui

    def finished(self, run_id: str) -> dg.DagsterRun:
        def run() -> dg.DagsterRun | None:
            found = self.toy.instance.get_run_by_id(run_id)
            return found if found and found.is_finished else None

        return wait_for(run, f"run {run_id}")

    def backfilled(self, backfill_id: str) -> BulkActionStatus:
        def status() -> BulkActionStatus | None:
            backfill = self.toy.instance.get_backfill(backfill_id)
            return backfill.status if backfill and backfill.status in BULK_ACTION_TERMINAL_STATUSES else None

        return wait_for(status, f"backfill {backfill_id}")

    def runs_of(self, backfill_id: str) -> list[dg.DagsterRun]:
        return list(self.toy.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id})))

    def made(self, asset: str, clips: list[str]) -> set[str]:
        return set(self.toy.made(asset)) & set(clips)

    def clips_in_total(self) -> int:
        event = self.toy.instance.get_latest_materialization_event(dg.AssetKey("total"))
        made = event.asset_materialization if event else None
        return int(str(made.metadata["clips"].value)) if made else 0

    def wait_for_ticks(self, more: int) -> None:
        """Until the automation sensor has looked so many times more."""
        before = self.ui.last_tick("automation")
        wait_for(lambda: self.ui.last_tick("automation") >= before + more, f"{more} ticks")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    for folder in ("gates", "dagster"):
        (home / folder).mkdir()
    (home / "dagster" / "dagster.yaml").write_text(project_instance())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOY_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        with (
            dg.DagsterInstance.from_config(str(home / "dagster")) as instance,
            dagster_processes(home, MODULE) as ui,
        ):
            yield Server(Toy(home, instance), ui)


@pytest.fixture(scope="module")
def backfill(server: Server) -> tuple[str, list[str]]:
    """A finished backfill of all layers over ten clips, of which the fifth is corrupt."""
    clips = [f"b{i}" for i in range(10)]
    server.toy.add(**{clip: "corrupt" if clip == "b4" else str(i) for i, clip in enumerate(clips)})
    backfill_id = server.ui.backfill([*CHAIN, "total"], clips)
    server.backfilled(backfill_id)
    return backfill_id, clips


def test_a_backfill_from_the_ui_makes_all_layers_of_all_clips_but_the_corrupt_one(
    server: Server, backfill: tuple[str, list[str]]
):
    backfill_id, clips = backfill
    good = set(clips) - {"b4"}
    assert {asset: server.made(asset, clips) for asset in CHAIN} == dict.fromkeys(CHAIN, good)
    assert server.backfilled(backfill_id) == BulkActionStatus.COMPLETED_FAILED


def test_a_backfill_of_ten_clips_is_one_run_that_is_not_retried(server: Server, backfill: tuple[str, list[str]]):
    backfill_id, clips = backfill
    [run] = server.runs_of(backfill_id)
    assert run.asset_selection == {dg.AssetKey(asset) for asset in CHAIN}
    assert run.tags["dagster/will_retry"] == "false"
    assert [server.toy.reported().count(f"number {clip}") for clip in clips] == [1] * 10


def test_a_backfill_shows_exactly_the_corrupt_clip_as_failed(server: Server, backfill: tuple[str, list[str]]):
    _, clips = backfill
    states = server.toy.instance.get_status_by_partition(dg.AssetKey("number"), clips, PARTITIONS)
    assert states is not None
    assert {clip for clip, state in states.items() if state and state.value == "FAILED"} == {"b4"}


def test_a_backfill_leaves_out_what_is_over_all_clips_if_one_of_them_failed(
    server: Server, backfill: tuple[str, list[str]]
):
    assert server.toy.instance.get_latest_materialization_event(dg.AssetKey("total")) is None


@pytest.mark.parametrize("asset", CHAIN)
def test_a_backfill_records_what_a_run_from_the_command_line_records(
    server: Server, backfill: tuple[str, list[str]], asset: str
):
    by_daemon = server.toy.made(asset)["b0"]
    assert _stale(server.toy, "b0") == {}
    server.toy.run(asset, clips="b0")
    by_command = server.toy.made(asset)["b0"]
    assert by_daemon.run_id != by_command.run_id
    assert _comparable(by_daemon) == _comparable(by_command)
    assert _stale(server.toy, "b0") == {}


def test_one_clip_launched_from_the_ui_is_made(server: Server):
    server.toy.add(single="5")
    run = server.finished(server.ui.launch(CHAIN, partition="single"))
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert server.toy.artifact("report", "single") == "5 10"


def test_a_range_launched_from_the_ui_is_made_and_what_is_over_all_clips_after_it(server: Server):
    server.toy.add(r0="1", r1="corrupt", r2="3")
    bounds = {"asset_partition_range_start": "r0", "asset_partition_range_end": "r2"}
    assert server.finished(server.ui.launch(CHAIN, **bounds)).status == dg.DagsterRunStatus.FAILURE
    assert server.made("report", ["r0", "r1", "r2"]) == {"r0", "r2"}
    assert server.finished(server.ui.launch(["total"])).status == dg.DagsterRunStatus.SUCCESS
    event = server.toy.instance.get_latest_materialization_event(dg.AssetKey("total"))
    assert event is not None
    assert event.asset_materialization is not None
    unmade = set(server.toy.instance.get_dynamic_partitions("clips")) - set(server.toy.made("doubled"))
    assert event.asset_materialization.metadata["clips_without_input"].value == len(unmade)


def test_a_killed_worker_is_replaced_by_one_that_does_only_what_is_missing(server: Server):
    clips = [f"k{i}" for i in range(10)]
    server.toy.add(**{clip: str(i) for i, clip in enumerate(clips)})
    gate = server.toy.home / "gates" / "k5"
    gate.touch()
    backfill_id = server.ui.backfill(CHAIN, clips)
    wait_for(lambda: len(server.made("number", clips)) == 5, "five of ten clips")
    [killed] = server.runs_of(backfill_id)
    os.kill(_worker(server.toy.instance, killed), signal.SIGKILL)
    wait_for(lambda: (run := server.toy.instance.get_run_by_id(killed.run_id)) and run.is_finished, "the run to fail")
    gate.unlink()
    assert server.backfilled(backfill_id) == BulkActionStatus.COMPLETED_SUCCESS
    assert {asset: server.made(asset, clips) for asset in CHAIN} == {asset: set(clips) for asset in CHAIN}
    assert [server.toy.reported().count(f"number {clip}") for clip in clips] == [1] * 10
    assert {run.parent_run_id for run in server.runs_of(backfill_id)} == {None, killed.run_id}


@pytest.fixture(scope="module")
def automated(server: Server) -> list[str]:
    """Clips registered before and after the automation sensor was turned on; one of them is corrupt."""
    server.toy.add(before="6")
    server.ui.start_sensor("automation")
    server.wait_for_ticks(1)
    clips = [f"a{i}" for i in range(4)]
    server.toy.add(**{clip: "corrupt" if clip == "a2" else "7" for clip in clips})
    return clips


def test_new_clips_are_worked_on_by_themselves_down_to_what_is_over_all_clips(server: Server, automated: list[str]):
    good = set(automated) - {"a2"}
    wait_for(lambda: server.made("report", automated) == good, "the good clips")
    wait_for(lambda: len(server.toy.made("doubled")) == server.clips_in_total(), "the total of them")


def test_clips_registered_before_the_sensor_was_turned_on_are_worked_on_too(server: Server, automated: list[str]):
    wait_for(lambda: server.made("report", ["before"]), "the clip that was there before")


def test_a_clip_that_failed_is_not_tried_again_by_itself(server: Server, automated: list[str]):
    wait_for(lambda: server.toy.reported().count("number a2"), "the corrupt clip")
    server.wait_for_ticks(2)
    assert [server.toy.reported().count(f"number {clip}") for clip in automated] == [1] * 4


def test_a_replaced_source_is_worked_on_by_itself(server: Server, automated: list[str]):
    server.toy.add(a2="8", a3="9")
    wait_for(lambda: {"a2", "a3"} <= server.made("report", automated), "the replaced clips")
    wait_for(lambda: server.toy.artifact("report", "a3") == "9 18", "the replaced clips")
    assert [server.toy.reported().count(f"number {clip}") for clip in automated] == [1, 1, 2, 2]


def test_what_was_made_with_other_settings_is_made_again_by_itself(server: Server, automated: list[str]):
    wait_for(lambda: server.made("report", ["a0"]), "the clip")
    server.toy.run("doubled", clips="a0", config={"doubled": {"factor": 5}})
    wait_for(lambda: server.toy.artifact("report", "a0") == "7 14", "the report with the settings of the profile")
    assert server.toy.reported().count("number a0") == 1


def test_a_source_that_was_only_registered_again_is_not_worked_on(server: Server, automated: list[str]):
    wait_for(lambda: server.made("report", ["a1"]), "the clip")
    server.wait_for_ticks(1)
    server.toy.add(a1="7")
    server.wait_for_ticks(3)
    assert server.toy.reported().count("number a1") == 1


def _worker(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Return the id of the process that works on a run, from its event log."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if "pid" in metadata:
            return int(str(metadata["pid"].value))
    raise LookupError(f"{run.run_id}: no event names its process")


def _comparable(made: Made) -> dict[str, str]:
    # Dagster's pointer is the input's latest event of any partition, the batch's that of the clip's own.
    return {name: value for name, value in made.tags.items() if "input_event_pointer" not in name}


def _stale(toy: Toy, clip: str) -> dict[str, StaleStatus]:
    """Assets of a clip that Dagster does not call fresh."""
    graph = toy_definitions(toy.home).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(toy.instance, graph, LoadingContextForTest(toy.instance))
    states = {asset: resolver.get_status(dg.AssetKey(asset), clip) for asset in CHAIN}
    return {asset: state for asset, state in states.items() if state != StaleStatus.FRESH}
