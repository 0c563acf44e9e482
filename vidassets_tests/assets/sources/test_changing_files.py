"""A file that is replaced or written to: its facts, its hash and what is made of it are always of the same content."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidassets.assets.frames import Sampling, frames
from vidassets.errors import SourceChanged
from vidassets.media import probe as probing
from vidassets.media.hashing import content_hash, unchanging
from vidassets_tests.assets.films import clip_file, raw
from vidassets_tests.builders import Home, film

LONG_S, SHORT_S = 10.0, 2.0


def replace_whole(path: Path, other: Path) -> None:
    """Move another file to the path, as a download does at its end."""
    shutil.copy2(other, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def write_into(path: Path, other: Path) -> None:
    """Write another content into the same file, as `cp` does."""
    path.write_bytes(other.read_bytes())


def keep_times(path: Path, other: Path) -> None:
    """Move a file of the same size and modification time to the path: only the inode differs."""
    before = path.stat()
    content = other.read_bytes()[: before.st_size].ljust(before.st_size, b"\0")
    path.with_suffix(".part").write_bytes(content)
    os.utime(path.with_suffix(".part"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_suffix(".part").replace(path)


REPLACEMENTS = [replace_whole, write_into, keep_times]


@pytest.fixture
def films(tmp_path: Path) -> tuple[Path, Path]:
    """A long film, and a short one with other pictures elsewhere."""
    return film(tmp_path / "a.mp4", (LONG_S,)), film(tmp_path / "other" / "b.mp4", (SHORT_S,), place=3)


def during_the_probe(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Change something when the facts of a file are measured, and its content is not hashed yet."""
    real = probing.probe

    def probe(*args: Any) -> probing.Probe:
        found = real(*args)
        monkeypatch.setattr(probing, "probe", real)
        change()
        return found

    monkeypatch.setattr(probing, "probe", probe)


@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_a_file_that_is_replaced_while_its_facts_are_measured_fails_with_that_reason(
    films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, replace: Callable[[Path, Path], None]
):
    path, other = films
    during_the_probe(monkeypatch, lambda: replace(path, other))
    with pytest.raises(SourceChanged, match=r"a\.mp4: was replaced or written to while it was read"):
        raw(path)


def test_the_next_run_measures_the_new_content_and_its_frames_are_of_it(
    tmp_path: Path, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    path, other = films
    home = Home(tmp_path / "home")
    home.command("add", str(path))
    during_the_probe(monkeypatch, lambda: replace_whole(path, other))
    said = home.command("run", "--select", "raw_clip,frames")
    assert (said.code, "SourceChanged" in said.out) == (1, True)
    assert home.command("run", "--select", "raw_clip,frames").code == 0
    facts = home.table("raw_clip", "a").row(0, named=True)
    assert (facts["duration_s"], facts["content_hash"]) == (SHORT_S, content_hash(str(other)))
    assert home.table("frames", "a")["pts_s"].to_list() == [SHORT_S / 2]


def test_an_error_that_comes_from_reading_two_contents_is_called_a_change(films: tuple[Path, Path]):
    path, _ = films

    def read() -> None:
        with unchanging(str(path)):
            path.write_bytes(b"")
            probing.probe(str(path))

    with pytest.raises(SourceChanged):
        read()


def test_a_file_written_to_within_a_step_of_the_clock_is_noticed(tmp_path: Path):
    """Two writes of the same length right after each other may get the same modification time."""
    path = tmp_path / "a.mp4"
    for _ in range(20):
        path.write_bytes(b"old")
        with pytest.raises(SourceChanged), unchanging(str(path)):
            path.write_bytes(b"new")


@pytest.mark.parametrize("replace", [replace_whole, write_into])
def test_what_decodes_a_file_that_is_no_longer_what_raw_clip_described_fails(
    films: tuple[Path, Path], replace: Callable[[Path, Path], None]
):
    path, other = films
    clip = clip_file(path)
    replace(path, other)
    with pytest.raises(SourceChanged, match="is not the file that `raw_clip` describes"):
        frames.function(clip, None, Sampling())
    with pytest.raises(SourceChanged), clip.opened():
        pass


def test_a_file_that_is_replaced_while_it_is_decoded_gives_no_result(films: tuple[Path, Path]):
    path, other = films
    pictures = clip_file(path).pictures_at([0.5, 9.5], lambda _: None)
    next(pictures)
    replace_whole(path, other)
    with pytest.raises(SourceChanged):
        list(pictures)


def test_a_file_that_was_only_touched_or_copied_is_still_the_same(films: tuple[Path, Path]):
    path, _ = films
    clip = clip_file(path)
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)
    os.utime(path)
    assert [picture.wanted_s for picture in clip.pictures_at([1.0], lambda _: None)] == [1.0]
