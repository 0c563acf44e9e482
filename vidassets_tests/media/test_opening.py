import os
from pathlib import Path

import pytest

from vidassets.errors import EmptyVideo, SourceMissing, SourceUnreadable, TruncatedVideo, UnreadableVideo
from vidassets.media.opening import open_container
from vidassets_tests.media.videos import write_video


def opened(uri: object) -> int:
    with open_container(str(uri)) as container:
        return len(container.streams.video)


@pytest.mark.parametrize(
    "name",
    [
        "a name with spaces.mp4",
        "it's.mp4",
        'say "it".mp4',
        "ünïcode 影.mp4",
        "a:b.mp4",
        "http:.mp4",
        "%03d.mp4",
        "-i.mp4",
    ],
)
def test_a_name_may_hold_anything(tmp_path, name):
    path = write_video(tmp_path / "plain.mp4", n_frames=2).rename(tmp_path / name)
    assert opened(path) == 1


def test_a_file_url_is_a_path(tmp_path):
    assert opened(f"file://{write_video(tmp_path / 'plain.mp4', n_frames=2)}") == 1


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(SourceMissing, match=r"gone\.mp4: no such file"):
        opened(tmp_path / "gone.mp4")


def test_a_broken_link_is_reported(tmp_path):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gone.mp4")
    with pytest.raises(SourceMissing, match=r"link\.mp4: a link to a file that does not exist"):
        opened(tmp_path / "link.mp4")


def test_a_link_that_points_to_itself_is_reported(tmp_path):
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    with pytest.raises(SourceUnreadable, match=r"loop\.mp4"):
        opened(tmp_path / "loop.mp4")


def test_a_directory_is_reported(tmp_path):
    with pytest.raises(SourceUnreadable, match="is a directory, not a video file"):
        opened(tmp_path)


def test_a_pipe_is_reported_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceUnreadable, match="a pipe"):
        opened(tmp_path / "pipe.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path):
    path = write_video(tmp_path / "secret.mp4", n_frames=2)
    path.chmod(0)
    with pytest.raises(SourceUnreadable, match="no permission"):
        opened(path)


def test_zero_bytes_are_reported(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(EmptyVideo, match="zero bytes"):
        opened(tmp_path / "empty.mp4")


def test_a_text_file_is_reported(tmp_path):
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    with pytest.raises(UnreadableVideo, match="not a video that can be opened"):
        opened(tmp_path / "text.mp4")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_an_mp4_that_has_lost_its_index_is_reported(tmp_path, kept):
    path = write_video(tmp_path / "cut.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(TruncatedVideo, match="moov"):
        opened(path)


def test_a_playlist_that_calls_itself_a_video_opens_nothing_else(tmp_path):
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableVideo):
        opened(tmp_path / "list.mp4")


def test_an_unknown_protocol_is_reported():
    with pytest.raises(SourceUnreadable, match="nosuch://"):
        opened("nosuch://bucket/a.mp4")


def test_an_error_raised_by_the_caller_is_not_translated(tmp_path):
    path = write_video(tmp_path / "plain.mp4", n_frames=2)
    with pytest.raises(ZeroDivisionError), open_container(str(Path(path))):
        raise ZeroDivisionError
