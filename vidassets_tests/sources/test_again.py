import os
import tarfile
from pathlib import Path

import pytest

from vidassets.sources.again import look_again
from vidassets.sources.find import find_videos
from vidassets.sources.source import Source


@pytest.fixture
def videos(tmp_path: Path) -> dict[str, Source]:
    for name in "ab":
        (tmp_path / f"{name}.mp4").write_bytes(b"1")
    return {source.key: source for source in find_videos(tmp_path, "episode").sources}


def test_what_nobody_touched_is_as_it_was(videos: dict[str, Source]):
    assert look_again(videos.values()) == videos


def test_a_replaced_file_keeps_key_and_kind_and_has_another_fingerprint(videos: dict[str, Source]):
    Path(videos["a"].uri).write_bytes(b"22")
    now = look_again(videos.values())["a"]
    assert now is not None
    assert (now.key, now.kind, now.size_bytes) == ("a", "episode", 2)
    assert now.fingerprint != videos["a"].fingerprint


def test_a_file_that_is_gone_is_none_and_its_neighbour_is_not(videos: dict[str, Source]):
    Path(videos["a"].uri).unlink()
    assert look_again(videos.values()) == {"a": None, "b": videos["b"]}


def test_a_sidecar_that_came_since_is_seen(videos: dict[str, Source]):
    sidecar = Path(videos["a"].uri).with_suffix(".json")
    sidecar.write_text("{}")
    now = look_again(videos.values())["a"]
    assert now is not None
    assert now.sidecar_uri == str(sidecar)


def test_a_folder_where_a_file_was_is_no_video(videos: dict[str, Source]):
    path = Path(videos["a"].uri)
    path.unlink()
    path.mkdir()
    assert look_again(videos.values())["a"] is None
    (path / "inside.mp4").write_bytes(b"1")
    assert look_again(videos.values())["a"] is None


def test_a_link_that_broke_is_gone(tmp_path: Path, videos: dict[str, Source]):
    (tmp_path / "c.mp4").symlink_to(tmp_path / "a.mp4")
    [linked] = find_videos(tmp_path / "c.mp4", "clip").sources
    (tmp_path / "a.mp4").unlink()
    assert look_again([linked]) == {"c": None}


def test_what_cannot_be_looked_at_just_now_is_as_it_was(videos: dict[str, Source]):
    path = Path(videos["a"].uri)
    path.unlink()
    os.mkfifo(path)
    assert look_again(videos.values()) == videos


def test_members_of_a_tar_are_looked_at_together(tmp_path: Path, videos: dict[str, Source]):
    path = tmp_path / "set.tar"
    _pack(path, tmp_path, "a", "b")
    known = {source.key: source for source in find_videos(path, "clip").sources}
    assert look_again(known.values()) == known
    _pack(path, tmp_path, "b")
    now = look_again(known.values())
    assert (now["a"], now["b"] is None) == (None, False)


def _pack(path: Path, folder: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.add(folder / f"{name}.mp4", f"{name}.mp4")
