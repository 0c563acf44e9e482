"""What a run says while it works: a bar on a terminal, lines anywhere else."""

import io
import json
from collections.abc import Iterator

import pytest
from rich.console import Console

from vidassets.cli.progress import LINE_EVERY_S, SLOW_S, ProgressLines
from vidassets.progress import PROGRESS, counted, report_part, report_progress, working_on
from vidassets_tests.builders import Home, film
from vidassets_tests.descriptions.wire_server import WireServer

DESCRIBED = """
describer: {{class: vidassets.resources.describers.OpenAICompatibleDescriber, model: m, base_url: {base_url}}}
assets: {{frames: {{interval_s: 0.2}}}}
"""


class Log:
    """A log file, a clock that the test sets, and the handler that writes lines."""

    def __init__(self) -> None:
        self.text, self.now = io.StringIO(), 0.0
        self.handler = ProgressLines(Console(file=self.text, soft_wrap=True), lambda: self.now)

    @property
    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    PROGRESS.addHandler(log.handler)
    yield log
    PROGRESS.removeHandler(log.handler)


def _work(log: Log, clip: str, seconds: float, event: str = "done") -> None:
    report_progress("shots", clip, "started")
    log.now += seconds
    report_progress("shots", clip, event)  # type: ignore[arg-type]


def test_a_slow_asset_of_a_clip_and_a_failure_have_a_line_and_a_quick_one_has_none(log: Log):
    log.handler.total = 3
    _work(log, "quick", SLOW_S / 2)
    _work(log, "slow", SLOW_S)
    _work(log, "broken", 0.1, "failed")
    assert log.lines == ["[2/3, 0:01] slow shots: done in 1.0 s", "[3/3, 0:01] failed broken shots"]


def test_many_quick_assets_write_a_line_every_few_seconds_and_no_more(log: Log):
    for number in range(10_000):
        _work(log, f"c{number}", 0.01)
    assert log.now == pytest.approx(100)
    assert len(log.lines) == pytest.approx(100 / LINE_EVERY_S, abs=2)


def test_a_long_asset_says_how_far_it_is(log: Log):
    with working_on("frames", "a"):
        for _ in counted(range(1000), "frames", 1000):
            log.now += 0.25
    assert log.lines[:2] == ["[0/0, 0:05] a frames: 20 of 1,000 frames", "[0/0, 0:10] a frames: 40 of 1,000 frames"]


def test_what_a_thread_that_reads_ahead_counts_is_not_shown(log: Log):
    log.now = 2 * LINE_EVERY_S
    report_part(1, 2, "frames")
    assert log.lines == []


def test_a_run_without_a_terminal_prints_lines_to_stderr_and_json_alone_to_stdout(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    with WireServer(delay_s=SLOW_S) as server:
        home.profile(DESCRIBED.format(base_url=server.base_url))
        with home.process("run", "--select", "raw_clip,frames,frame_descriptions", "--json") as process:
            printed, said = process.communicate()
    assert (process.returncode, [row["clip"] for row in json.loads(printed)]) == (0, ["a"])
    assert "] a frame_descriptions: done in " in said
    assert "\x1b" not in said


def test_a_run_on_a_terminal_shows_how_far_the_current_asset_is(home: Home):
    film(home.videos / "a.mp4", (1.0,))
    home.command("add", str(home.videos))
    with WireServer(delay_s=0.5) as server:
        home.profile(DESCRIBED.format(base_url=f"{server.base_url}, concurrency: 1"))
        said = home.on_terminal("run", "--select", "raw_clip,frames,frame_descriptions", columns=80)
    assert "2/3" in said
    assert "a frame_descriptions: 2 of 5 frames" in said
    assert "up to date" in said
