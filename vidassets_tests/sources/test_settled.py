import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vidassets.sources import settled
from vidassets.sources.find import find_videos
from vidassets.sources.settled import without_unsettled
from vidassets_tests.automation.test_sensors import tick
from vidassets_tests.builders import Home, film, flat


@pytest.fixture(autouse=True)
def _a_short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "QUIET_S", 0.4)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Another program that appends to a file until the block ends."""
    started, ended = threading.Event(), threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not ended.is_set():
                file.write(b"x")
                started.set()
                time.sleep(0.02)

    writer = threading.Thread(target=append)
    writer.start()
    started.wait()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_file_that_is_still_written_waits_and_its_neighbour_does_not(tmp_path: Path):
    (tmp_path / "done.mp4").write_bytes(b"1")
    with writing(tmp_path / "growing.mp4"):
        found = without_unsettled(find_videos(tmp_path, "clip"))
    assert [source.key for source in found.sources] == ["done"]
    assert [refused.uri for refused in found.refused] == [str(tmp_path / "growing.mp4")]
    assert "is still being written. It can be added once it is complete" in found.refused[0].reason
    assert [source.key for source in without_unsettled(find_videos(tmp_path, "clip")).sources] == ["done", "growing"]


def test_the_members_of_a_tar_that_is_still_written_wait(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"1")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(tmp_path / "a.mp4", "b.mp4")
    with writing(tmp_path / "x.tar"):
        found = without_unsettled(find_videos(tmp_path, "clip"))
    assert [source.key for source in found.sources] == ["a"]


def test_a_file_that_goes_away_meanwhile_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.mp4").write_bytes(b"1")
    found = find_videos(tmp_path, "clip")
    monkeypatch.setattr(settled.time, "sleep", lambda _: (tmp_path / "a.mp4").unlink())
    assert without_unsettled(found).sources == []


@pytest.mark.parametrize(
    "age",
    [pytest.param(lambda now: now - 60, id="old"), pytest.param(lambda now: now, id="new, and complete")],
)
def test_a_complete_file_is_registered(tmp_path: Path, age: Callable[[float], float]):
    (tmp_path / "a.mp4").write_bytes(b"1")
    os.utime(tmp_path / "a.mp4", times=(age(time.time()),) * 2)
    assert len(without_unsettled(find_videos(tmp_path, "clip")).sources) == 1


def test_add_and_the_sensor_leave_out_what_is_still_written_and_take_it_later(tmp_path: Path):
    home = Home(tmp_path / "home")
    film(home.videos / "done.mp4")
    growing = film(home.videos / "growing.mp4", place=1)
    with writing(growing):
        said = home.command("add", str(home.videos))
        with home.deployment() as deployment:
            message = tick(deployment.instance, home.path, f"clip={home.videos}")
    assert (said.code, said.out) == (1, "clips: 1 added, 1 refused\n")
    assert f"{growing}: is still being written" in flat(said.err)
    assert message == f"{home.videos}: 0 added, 0 replaced, 0 moved"
    assert home.command("add", str(home.videos)).out == "clips: 1 added, 1 unchanged\n"
