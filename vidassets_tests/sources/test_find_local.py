import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidassets.errors import InvalidKey, KeyCollision, SourceError, SourceMissing, SourceUnreadable
from vidassets.sources.find import Found, find_videos


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"video")


def keys(found: Found) -> list[str]:
    return [source.key for source in found.sources]


def refusals(found: Found) -> list[tuple[str, type[SourceError]]]:
    return [(Path(refused.uri).name, type(refused.error)) for refused in found.refused]


def test_a_folder_gives_its_videos_at_any_depth_by_key(tmp_path: Path):
    touch(tmp_path, "b.mp4", "deep/er/a.MKV", "a.webm")
    assert keys(find_videos(tmp_path, "clip")) == ["a", "b", "deep.er.a"]


def test_other_files_are_ignored(tmp_path: Path):
    touch(tmp_path, "a.mp4", "a.json", "a.truth.json", "notes.txt", ".hidden.mp4", ".cache/b.mp4", "a.mp4.part")
    found = find_videos(tmp_path, "clip")
    assert (keys(found), found.refused) == (["a"], [])


def test_a_source_has_the_uri_kind_and_size_of_its_video(tmp_path: Path):
    touch(tmp_path, "a name.mp4")
    [source] = find_videos(tmp_path, "episode").sources
    assert (source.uri, source.kind, source.size_bytes) == (str(tmp_path / "a name.mp4"), "episode", 5)


def test_a_replaced_video_has_another_fingerprint(tmp_path: Path):
    touch(tmp_path, "a.mp4")
    [before] = find_videos(tmp_path, "clip").sources
    os.utime(tmp_path / "a.mp4", ns=(1, 1))
    [after] = find_videos(tmp_path, "clip").sources
    assert before.fingerprint != after.fingerprint


def test_an_untouched_video_keeps_its_source(tmp_path: Path):
    touch(tmp_path, "a.mp4")
    assert find_videos(tmp_path, "clip") == find_videos(tmp_path, "clip")


def test_a_sidecar_belongs_to_the_video_of_its_name(tmp_path: Path):
    touch(tmp_path, "a.mp4", "a.json", "b.mp4", "sub/b.json")
    a, b = find_videos(tmp_path, "clip").sources
    assert (a.sidecar_uri, b.sidecar_uri) == (str(tmp_path / "a.json"), None)
    assert a.sidecar_fingerprint


def test_one_file_is_a_place(tmp_path: Path):
    touch(tmp_path, "a.mp4", "a.json", "b.mp4")
    [source] = find_videos(tmp_path / "a.mp4", "clip").sources
    assert (source.key, source.sidecar_uri) == ("a", str(tmp_path / "a.json"))


def test_a_relative_place_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path, "videos/a.mp4")
    monkeypatch.chdir(tmp_path)
    assert [source.uri for source in find_videos("videos", "clip").sources] == [str(tmp_path / "videos" / "a.mp4")]


def test_files_that_will_fail_later_are_still_sources(tmp_path: Path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    assert keys(find_videos(tmp_path, "clip")) == ["empty", "text"]


def test_a_folder_named_like_a_video_is_looked_into(tmp_path: Path):
    touch(tmp_path, "a.mp4/b.mp4")
    assert keys(find_videos(tmp_path, "clip")) == ["a.mp4.b"]


def test_videos_that_would_share_a_key_are_all_refused_and_harm_no_other(tmp_path: Path):
    touch(tmp_path, "a.mp4", "a.mkv", "b.mp4")
    found = find_videos(tmp_path, "clip")
    assert keys(found) == ["b"]
    assert refusals(found) == [("a.mkv", KeyCollision), ("a.mp4", KeyCollision)]
    assert all("a.mkv and " in refused.reason and "a.mp4" in refused.reason for refused in found.refused)


def test_a_name_that_gives_no_key_is_refused_and_harms_no_other(tmp_path: Path):
    touch(tmp_path, f"{'a' * 210}.mp4", "b.mp4")
    found = find_videos(tmp_path, "clip")
    assert (keys(found), refusals(found)) == (["b"], [(f"{'a' * 210}.mp4", InvalidKey)])


def test_a_linked_video_is_a_video(tmp_path: Path):
    touch(tmp_path, "elsewhere/a.mp4")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "b.mp4").symlink_to(tmp_path / "elsewhere" / "a.mp4")
    assert keys(find_videos(tmp_path / "videos", "clip")) == ["b"]


def test_a_folder_reachable_by_links_is_listed_once_under_its_own_name(tmp_path: Path):
    touch(tmp_path, "real/a.mp4")
    (tmp_path / "another").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "self").symlink_to("self")
    assert keys(find_videos(tmp_path, "clip")) == ["real.a"]


def test_a_link_to_a_folder_above_is_refused(tmp_path: Path):
    touch(tmp_path, "outside.mp4", "videos/a.mp4")
    (tmp_path / "videos" / "up").symlink_to(tmp_path)
    found = find_videos(tmp_path / "videos", "clip")
    assert (keys(found), refusals(found)) == (["a"], [("up", SourceUnreadable)])


def test_a_broken_link_and_a_pipe_are_refused_and_harm_no_other(tmp_path: Path):
    touch(tmp_path, "a.mp4")
    (tmp_path / "broken.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    found = find_videos(tmp_path, "clip")
    assert keys(found) == ["a"]
    assert refusals(found) == [("broken.mp4", SourceMissing), ("pipe.mp4", SourceUnreadable)]


def test_a_name_that_is_not_utf_8_is_refused_and_harms_no_other(tmp_path: Path):
    touch(tmp_path, "a.mp4", "caf\udce9.mp4")
    found = find_videos(tmp_path, "clip")
    assert (keys(found), refusals(found)) == (["a"], [("caf\\udce9.mp4", SourceUnreadable)])


@pytest.fixture
def folder_with_secrets() -> Iterator[Path]:
    """A file and a folder that this process may not read, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        touch(folder, "a.mp4", "secret.mp4", "vault/b.mp4")
        (folder / "secret.mp4").chmod(0)
        (folder / "vault").chmod(0)
        as_root = os.geteuid() == 0
        if as_root:
            os.seteuid(65534)
        yield folder
        if as_root:
            os.seteuid(0)
        (folder / "vault").chmod(0o755)


def test_what_may_not_be_read_is_refused_and_harms_no_other(folder_with_secrets: Path):
    found = find_videos(folder_with_secrets, "clip")
    assert keys(found) == ["a"]
    assert refusals(found) == [("secret.mp4", SourceUnreadable), ("vault", SourceUnreadable)]


def test_a_place_that_is_not_there_is_missing(tmp_path: Path):
    with pytest.raises(SourceMissing, match="nothing is there"):
        find_videos(tmp_path / "gone", "clip")


def test_a_place_without_videos_is_missing_and_the_error_lists_the_extensions(tmp_path: Path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(SourceMissing, match=r"Looked for .*\.mp4"):
        find_videos(tmp_path, "clip")


def test_an_unknown_kind_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="clip, episode, build"):
        find_videos(tmp_path, "film")  # type: ignore[arg-type]


def test_a_link_that_leads_back_to_itself_is_called_that(tmp_path: Path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")
    film = tmp_path / "c.mp4"
    film.write_bytes(b"x")
    found = find_videos(tmp_path, "clip")
    assert [source.key for source in found.sources] == ["c"]
    assert [refused.reason for refused in found.refused] == [
        f"{tmp_path / name}: Too many levels of symbolic links. The link leads back to itself: remove or correct it."
        for name in ("a.mp4", "b.mp4")
    ]
    [alone] = find_videos(tmp_path / "a.mp4", "clip").refused
    assert "leads back to itself" in alone.reason
