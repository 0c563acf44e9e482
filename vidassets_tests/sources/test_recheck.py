import os
import tarfile
from pathlib import Path

import pytest

from vidassets.sources.find import find_videos
from vidassets.sources.recheck import recheck_sources
from vidassets.sources.source import Source


@pytest.fixture
def videos(tmp_path: Path) -> dict[str, Source]:
    for name in "ab":
        (tmp_path / f"{name}.mp4").write_bytes(b"1")
    return {source.key: source for source in find_videos(tmp_path, "episode").sources}


def test_untouched_videos_are_unchanged(videos: dict[str, Source]):
    assert recheck_sources(videos.values()) == videos


def test_a_replaced_file_keeps_key_and_kind_and_has_another_fingerprint(videos: dict[str, Source]):
    Path(videos["a"].uri).write_bytes(b"22")
    now = recheck_sources(videos.values())["a"]
    assert now is not None
    assert (now.key, now.kind, now.size_bytes) == ("a", "episode", 2)
    assert now.fingerprint != videos["a"].fingerprint


def test_a_file_that_is_gone_is_none_and_its_neighbour_is_not(videos: dict[str, Source]):
    Path(videos["a"].uri).unlink()
    assert recheck_sources(videos.values()) == {"a": None, "b": videos["b"]}


def test_a_sidecar_added_later_is_found(videos: dict[str, Source]):
    sidecar = Path(videos["a"].uri).with_suffix(".json")
    sidecar.write_text("{}")
    now = recheck_sources(videos.values())["a"]
    assert now is not None
    assert now.sidecar_uri == str(sidecar)


def test_a_folder_where_a_file_was_is_no_video(videos: dict[str, Source]):
    path = Path(videos["a"].uri)
    path.unlink()
    path.mkdir()
    assert recheck_sources(videos.values())["a"] is None
    (path / "inside.mp4").write_bytes(b"1")
    assert recheck_sources(videos.values())["a"] is None


def test_a_video_behind_a_broken_link_is_gone(tmp_path: Path, videos: dict[str, Source]):
    (tmp_path / "c.mp4").symlink_to(tmp_path / "a.mp4")
    [linked] = find_videos(tmp_path / "c.mp4", "clip").sources
    (tmp_path / "a.mp4").unlink()
    assert recheck_sources([linked]) == {"c": None}


def test_a_video_that_cannot_be_inspected_is_unchanged(videos: dict[str, Source]):
    path = Path(videos["a"].uri)
    path.unlink()
    os.mkfifo(path)
    assert recheck_sources(videos.values()) == videos


def test_members_of_a_tar_are_rechecked(tmp_path: Path, videos: dict[str, Source]):
    path = tmp_path / "set.tar"
    _pack(path, tmp_path, "a", "b")
    known = {source.key: source for source in find_videos(path, "clip").sources}
    assert recheck_sources(known.values()) == known
    _pack(path, tmp_path, "b")
    now = recheck_sources(known.values())
    assert (now["a"], now["b"] is None) == (None, False)


def _pack(path: Path, folder: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.add(folder / f"{name}.mp4", f"{name}.mp4")
