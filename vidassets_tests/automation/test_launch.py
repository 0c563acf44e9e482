"""Runs that a command launches, as real processes: killed, interrupted, and taken up again."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.launch import PROCESS_TAG, close_dead_runs
from vidassets_tests.builders import CLIP_ASSETS, Home, changed, film
from vidassets_tests.daemon_process import project_instance
from vidassets_tests.descriptions.wire_server import Request, WireServer

DESCRIBER = """
describer:
  class: vidassets.resources.describers.OpenAICompatibleDescriber
  base_url: {base_url}
  concurrency: 1
  max_retries: 0
"""
CLIPS = ["a", "b", "c", "d"]


@dataclass
class Gated:
    """Four clips; the endpoint that describes them keeps the third picture waiting until the gate opens."""

    home: Home
    server: WireServer
    gate: threading.Event = field(default_factory=threading.Event)

    def behave(self, request: Request) -> str:
        if request.n >= 3:
            self.gate.wait(60)
        return "ok"

    def started(self, *words: str) -> "subprocess.Popen[str]":
        """A run that stands at the gate."""
        process = self.home.process("run", *words)
        wait_for(lambda: len(self.server.requests) == 3 or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[Gated]:
    home = Home(tmp_path)
    # The project's own instance: its pools have one slot, which a killed run cannot give back.
    (tmp_path / "dagster" / "dagster.yaml").write_text(project_instance())
    for place, name in enumerate(CLIPS):
        film(home.videos / f"{name}.mp4", place=place)
    with WireServer() as server:
        gated = Gated(home, server)
        server.behave = gated.behave
        home.profile(DESCRIBER.format(base_url=server.base_url))
        home.command("add", str(home.videos))
        yield gated
        gated.gate.set()


def test_after_a_kill_the_next_run_frees_what_was_held_does_what_is_missing_and_asks_nothing_answered_again(
    gated: Gated,
):
    process = gated.started()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = gated.home.events()
    assert {clip for asset, clip in before if asset == "frame_descriptions"} == {"a", "b"}

    gated.gate.set()
    assert gated.home.command("run").code == 0
    assert changed(before, gated.home.events()) == {
        "a": ["shots", "description_document"],
        "b": ["shots", "description_document"],
        "c": ["shots", "frame_descriptions", "description_document"],
        "d": ["shots", "frame_descriptions", "description_document"],
    }
    with gated.home.deployment() as deployment:
        statuses = [run.status for run in deployment.instance.get_runs()]
        held = deployment.instance.event_log_storage.get_concurrency_info("describer").active_slot_count
    assert (held, statuses.count(dg.DagsterRunStatus.FAILURE)) == (0, 1)
    assert not {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED} & set(statuses)

    asked = sorted(gated.server.count(picture) for picture in {request.picture for request in gated.server.requests})
    assert asked == [1, 1, 1, 2]  # the one under way when it was killed is asked again


def test_an_interrupted_run_ends_at_once_begins_no_other_and_keeps_what_is_finished(gated: Gated):
    # d lacks one thing less than the others, so that it is a run of its own, after theirs.
    gated.home.command("run", "--select", "raw_clip", "--clips", "d")
    process = gated.started()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    gated.gate.set()
    assert process.returncode not in (0, None)
    assert "Traceback" not in said
    made = {clip for asset, clip in gated.home.events() if asset == "frame_descriptions"}
    assert made == {"a", "b"}
    assert changed({}, gated.home.events())["d"] == ["raw_clip"]
    assert gated.home.command("run").code == 0
    assert changed({}, gated.home.events()) == dict.fromkeys(CLIPS, CLIP_ASSETS)


def test_a_run_of_a_process_that_lives_is_left_alone(tmp_path: Path):
    process = subprocess.Popen(["sleep", "60"])
    try:
        with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
            alive = _run_of(instance, process.pid)
            assert close_dead_runs(instance) == []
            process.kill()
            process.wait()
            assert close_dead_runs(instance) == [alive]
            assert close_dead_runs(instance) == []
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "tag", [pytest.param(None, id="of the daemon"), pytest.param("elsewhere:1@2", id="of another machine")]
)
def test_a_run_that_no_command_of_this_machine_launched_is_left_alone(tmp_path: Path, tag: str | None):
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        instance.create_run_for_job(
            _nothing, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: tag} if tag else {}
        )
        assert close_dead_runs(instance) == []


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path: Path):
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        run_id = _run_of(instance, 1, started="0")
        assert close_dead_runs(instance) == [run_id]


@dg.job
def _nothing() -> None:
    """A job of no steps."""


def _run_of(instance: dg.DagsterInstance, pid: int, started: str | None = None) -> str:
    from vidassets.automation.launch import _process

    tag = _process(pid)
    tag = tag if started is None else tag.partition("@")[0] + "@" + started
    run = instance.create_run_for_job(_nothing, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: tag})
    return run.run_id


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)
