import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vidassets.errors import EmptyVideo, SourceMissing, SourceUnreadable, TruncatedVideo, UnreadableVideo
from vidassets.media.opening import open_container
from vidassets.media.probe import probe
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


LISTS = {
    "a list of files": "ffconcat version 1.0\nfile other.mp4\n",
    "a list that names itself": "ffconcat version 1.0\nfile list.mp4\n",
    "a session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "a DASH manifest": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_a_list_that_calls_itself_a_video_opens_nothing_else(tmp_path: Path, text: str):
    write_video(tmp_path / "other.mp4", n_frames=2)
    (tmp_path / "list.mp4").write_text(text)
    # In a process of its own: ffmpeg crashes when a list opens itself.
    code = "import sys; from vidassets.media.probe import probe; probe(sys.argv[1])"
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "list.mp4"], capture_output=True, text=True)
    assert (found.returncode, "UnreadableVideo" in found.stderr) == (1, True)


def test_a_picture_that_calls_itself_a_video_is_reported(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    with pytest.raises(
        UnreadableVideo, match="not a video or a sound, but for example a playlist, a picture or a text"
    ):
        opened(tmp_path / "a.mp4")


def test_pictures_above_the_limit_are_reported_before_memory_is_taken(tmp_path: Path):
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8_200, 8_200, "gray"
        frame = av.VideoFrame(8_200, 8_200, "gray")
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableVideo, match=r"at most 67 million pixels a picture \(8192x8192\)"):
        probe(str(tmp_path / "a.mov"))


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of the boxes of an MP4 between two positions."""
    while start < end:
        size = int.from_bytes(content[start : start + 4], "big")
        yield content[start + 4 : start + 8], start, start + size
        start += size


def mp4_of_many_streams(path: Path, n_streams: int) -> None:
    """Write an MP4 whose only track is declared many times."""
    content = write_video(path, n_frames=2).read_bytes()
    [(moov, end)] = [(start, end) for kind, start, end in boxes(content, 0, len(content)) if kind == b"moov"]
    [(track, after)] = [(start, end) for kind, start, end in boxes(content, moov + 8, end) if kind == b"trak"]
    index = content[moov + 4 : track] + n_streams * content[track:after] + content[after:end]
    path.write_bytes(content[:moov] + (len(index) + 4).to_bytes(4, "big") + index + content[end:])


def mkv_of_many_streams(path: Path, n_streams: int) -> None:
    """Write the header of a Matroska file that declares many tracks of sound."""

    def element(name: str, content: bytes | int) -> bytes:
        content = content.to_bytes(4, "big") if isinstance(content, int) else content
        return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8, "big") + content

    tracks = b"".join(
        element("ae", element("d7", number) + element("83", 2) + element("86", b"A_PCM/INT/LIT"))
        for number in range(1, n_streams + 1)
    )
    cluster = element("e7", 0) + element("a3", b"\x81\0\0\x80" + bytes(320))
    segment = element("1654ae6b", tracks) + element("1f43b675", cluster)
    path.write_bytes(element("1a45dfa3", element("4282", b"matroska")) + element("18538067", segment))


@pytest.mark.parametrize("write", [mp4_of_many_streams, mkv_of_many_streams])
def test_ten_thousand_streams_are_reported(tmp_path: Path, write: Callable[[Path, int], None]):
    write(tmp_path / "a.mp4", 10_000)
    with pytest.raises(UnreadableVideo, match="has 256 streams or more"):
        opened(tmp_path / "a.mp4")


def test_an_unknown_protocol_is_reported():
    with pytest.raises(SourceUnreadable, match="nosuch://"):
        opened("nosuch://bucket/a.mp4")


def test_an_error_raised_by_the_caller_is_not_translated(tmp_path):
    path = write_video(tmp_path / "plain.mp4", n_frames=2)
    with pytest.raises(ZeroDivisionError), open_container(str(Path(path))):
        raise ZeroDivisionError
