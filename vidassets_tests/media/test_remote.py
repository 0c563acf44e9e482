from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.media.frames import frames_at
from vidassets.media.hashing import content_hash
from vidassets.media.probe import probe
from vidassets_tests.media.range_server import serving
from vidassets_tests.media.videos import write_video

pytest.importorskip("aiohttp", reason="reading over HTTP needs aiohttp")


@pytest.fixture(scope="module", params=["mp4", "mkv", "faststart"])
def large(request, tmp_path_factory) -> Path:
    """About 9 MB in 300 frames of a keyframe each 10."""
    folder, fast = tmp_path_factory.mktemp("large"), request.param == "faststart"
    return write_video(
        folder / f"large.{'mp4' if fast else request.param}",
        n_frames=300,
        gop=10,
        size=(256, 160),
        options={"qp": "4", "preset": "ultrafast"},
        container_options={"movflags": "faststart"} if fast else {},
    )


def test_a_sample_of_a_remote_video_reads_a_fraction_of_it_and_is_exact(large):
    times_s = [3.0, 9.0]
    local = list(frames_at(str(large), times_s))
    with serving(large.read_bytes()) as server:
        remote = list(frames_at(server.url, times_s))
        assert server.n_sent < 0.5 * len(server.content)
    assert [picture.pts_s for picture in remote] == [picture.pts_s for picture in local]
    for expected, picture in zip(local, remote, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected.pixels)


def test_a_remote_video_is_probed_as_a_local_one(tmp_path):
    path = write_video(tmp_path / "a.mp4", with_audio=True)
    with serving(path.read_bytes()) as server:
        assert probe(server.url) == probe(str(path))


def test_a_remote_video_is_known_by_its_etag_without_reading_it(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    with serving(path.read_bytes()) as server:
        assert content_hash(server.url) == "etag:abc-1"
        assert server.n_sent == 0


def test_a_remote_file_that_is_not_there_is_reported():
    with serving(b"") as server, pytest.raises(SourceMissing, match=r"gone\.mp4"):
        probe(server.url.replace("video", "gone"))


def test_a_remote_file_that_may_not_be_read_is_reported():
    with serving(b"") as server, pytest.raises(SourceUnreadable, match=r"forbidden\.mp4"):
        probe(server.url.replace("video", "forbidden"))


def test_a_server_that_is_not_there_is_reported():
    with serving(b"") as server:
        url = server.url
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        probe(url)


def test_a_server_without_ranges_is_reported(large):
    with serving(large.read_bytes(), knows_ranges=False) as server, pytest.raises(SourceUnreadable, match="range"):
        probe(server.url)


def test_a_connection_that_breaks_under_way_is_reported(large):
    with serving(large.read_bytes()) as server:
        server.breaks_after_bytes = 1_500_000
        with pytest.raises(SourceUnreadable, match="cannot be read"):
            probe(server.url)
