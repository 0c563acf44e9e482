"""Several processes on one instance: a cell is made once, and one that kills its process is made by itself."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from vidassets.automation.launch import launch
from vidassets.graph.declared_asset import FAILED
from vidassets.graph.lineage import latest_observation
from vidassets.graph.step import PLANNED_AT_TAG
from vidassets_tests.toy_deployment import CHAIN, Toy
from vidassets_tests.toy_graph import toy_definitions

WAIT_S = 300
STARTED: list[subprocess.Popen] = []


def start(assets: list[str], clips: tuple[str, str] | None, planned_at: float | None = None) -> subprocess.Popen:
    """Run assets of the toy graph in another process, as a command does."""
    tags = {PLANNED_AT_TAG: str(planned_at)} if planned_at else {}
    script = (
        "import dagster as dg, vidassets_tests.toy_graph as t; from vidassets.automation.launch import launch;"
        f"run = launch(t.defs, dg.DagsterInstance.get(), [dg.AssetKey(n) for n in {assets}], {clips}, tags={tags});"
        "raise SystemExit(0 if run.is_success else 1)"
    )
    STARTED.append(process := subprocess.Popen([sys.executable, "-c", script], env=os.environ))
    return process


@pytest.fixture(autouse=True)
def _leave_no_process() -> Iterator[None]:
    yield
    for process in STARTED:
        process.kill()
        process.wait()
    STARTED.clear()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def made_twice(toy: Toy, *assets: str) -> dict[tuple[str, str | None], int]:
    """Return the cells that were materialised more than once."""
    counts = Counter(
        (asset, record.partition_key)
        for asset in assets
        for record in toy.instance.fetch_materializations(dg.AssetKey(asset), limit=999).records
    )
    return {cell: count for cell, count in counts.items() if count > 1}


def claimed(toy: Toy) -> list[Path]:
    """Return the files of the claims that are held, or were left behind."""
    return [path for path in (toy.home / "dagster" / "claims").rglob("*") if path.is_file()]


def cause(toy: Toy, asset: str, clip: str) -> str:
    seen = latest_observation(toy.instance, dg.AssetKey(asset), clip)
    assert seen is not None
    assert FAILED in seen.metadata
    return str(seen.metadata["error"].value)


def test_two_processes_share_the_clips_and_make_each_cell_once(toy: Toy):
    toy.add(**{f"c{i}": "corrupt" if i == 3 else str(i) for i in range(8)})
    now = time.time()
    both = [start([*CHAIN], ("c0", "c7"), now) for _ in range(2)]
    assert [process.wait(WAIT_S) for process in both] == [1, 1]  # c3 fails
    assert {asset: len(toy.made(asset)) for asset in CHAIN} == dict.fromkeys(CHAIN, 7)
    assert made_twice(toy, *CHAIN) == {}
    assert sorted(line for line in toy.reported() if line.startswith("number")) == [f"number c{i}" for i in range(8)]


def test_a_process_waits_for_a_cell_that_another_has_and_takes_it_when_that_one_dies(toy: Toy):
    toy.add(a="1", b="2", c="3", d="4", e="5")
    (toy.home / "gates" / "a").touch()
    now = time.time()
    first = start(["number"], ("a", "e"), now)
    wait_for(lambda: len(claimed(toy)) == 3)  # a is in hand, b and c are read ahead
    second = start(["number"], ("a", "e"), now)
    wait_for(lambda: set(toy.made("number")) == {"d", "e"})
    first.send_signal(signal.SIGKILL)
    first.wait()
    (toy.home / "gates" / "a").unlink()
    assert second.wait(WAIT_S) == 0
    assert set(toy.made("number")) == set("abcde")
    assert made_twice(toy, "number") == {}


def test_an_asset_over_all_clips_is_made_by_one_process(toy: Toy):
    toy.add(a="1", b="2")
    toy.run(clips=("a", "b"))
    now = time.time()
    both = [start(["total"], None, now) for _ in range(2)]
    assert [process.wait(WAIT_S) for process in both] == [0, 0]
    assert len(toy.instance.fetch_materializations(dg.AssetKey("total"), limit=9).records) == 1


def test_what_another_run_made_with_other_settings_is_made_again(toy: Toy):
    toy.add(a="1", b="2")
    asked = time.time()
    toy.run(clips=("a", "b"), config={"doubled": {"factor": 3}})
    keys = [dg.AssetKey(name) for name in CHAIN]
    launch(toy_definitions(toy.home), toy.instance, keys, ("a", "b"), tags={PLANNED_AT_TAG: str(asked)})
    assert toy.artifact("doubled", "a") == "2"
    assert made_twice(toy, "number") == {}


def test_a_clip_that_killed_a_process_is_tried_by_itself_and_fails_with_the_reason(toy: Toy):
    toy.add(a="1", b="die", c="3", d="4", e="5", f="6")
    assert start([*CHAIN], ("a", "f")).wait(WAIT_S) == -signal.SIGKILL
    assert toy.run(clips=("a", "f")).status == dg.DagsterRunStatus.FAILURE
    assert {asset: set(toy.made(asset)) for asset in CHAIN} == {asset: set("acdef") for asset in CHAIN}
    assert cause(toy, "number", "b").startswith("ProcessKilled: It killed a process before, and now the one of its own")
    assert "SIGKILL" in cause(toy, "number", "b")

    # It is dangerous for as long as it does not succeed, and not any longer.
    assert toy.run(clips="b").status == dg.DagsterRunStatus.FAILURE
    toy.add(b="2")
    assert toy.run(clips="b").status == dg.DagsterRunStatus.SUCCESS
    assert toy.artifact("report", "b") == "2 4"
    assert claimed(toy) == []


def test_a_clip_in_hand_of_a_process_that_was_killed_from_outside_is_made(toy: Toy):
    toy.add(a="1")
    (toy.home / "gates" / "a").touch()
    process = start([*CHAIN], ("a", "a"))
    wait_for(lambda: len(claimed(toy)) == 1)
    process.kill()
    process.wait()
    (toy.home / "gates" / "a").unlink()
    assert toy.run(clips="a").status == dg.DagsterRunStatus.SUCCESS
    assert toy.artifact("report", "a") == "1 2"


@pytest.mark.parametrize("bounds", [("a", "d"), ("b", "b")], ids=["batch", "alone"])
def test_a_run_that_is_resumed_under_its_own_id_repeats_nothing(toy: Toy, bounds: tuple[str, str]):
    toy.add(a="1", b="2", c="3", d="4")
    run = toy.run("number", clips=bounds)
    job = toy_definitions(toy.home).resolve_implicit_global_asset_job_def()
    subset = InMemoryJob(job.get_subset(asset_selection={dg.AssetKey("number")}))
    # A run launcher that resumes runs, such as that of Kubernetes, executes a run again that it takes for dead.
    events = list(execute_run_iterator(subset, _as_started(toy, run), toy.instance, resume_from_failure=True))
    assert events
    assert made_twice(toy, "number") == {}


def _as_started(toy: Toy, run: dg.DagsterRun) -> dg.DagsterRun:
    return run.with_status(dg.DagsterRunStatus.STARTED)
