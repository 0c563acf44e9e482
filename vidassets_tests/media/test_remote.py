from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.media.frames import frames_at
from vidassets.media.hashing import content_hash
from vidassets.media.opening import open_bytes
from vidassets.media.probe import probe
from vidassets.remote_files import open_url
from vidassets_tests.media.range_server import serving
from vidassets_tests.media.videos import write_video
from vidassets_tests.s3_server import S3Bucket

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


def test_a_video_in_a_bucket_is_read_by_ranges_and_as_a_local_one(s3_bucket: S3Bucket, large: Path):
    s3_bucket.put("videos/a.mp4", large.read_bytes())
    url, options = f"s3://{s3_bucket.name}/videos/a.mp4", {"endpoint_url": s3_bucket.endpoint_url}
    assert probe(url, options) == probe(str(large))
    remote, local = frames_at(url, [3.0, 9.0], storage_options=options), frames_at(str(large), [3.0, 9.0])
    for picture, expected in zip(remote, local, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected.pixels)
    etag = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="videos/a.mp4")["ETag"]
    assert content_hash(url, options) == f"etag:{etag.strip(chr(34))}"


def test_reads_of_an_object_at_any_place_and_of_any_length_give_its_bytes(s3_bucket: S3Bucket):
    content = bytes(range(251)) * 5_000
    s3_bucket.put("a.mp4", content)
    with open_url(f"s3://{s3_bucket.name}/a.mp4", {"endpoint_url": s3_bucket.endpoint_url}) as file:
        for start, n_bytes in [
            (0, 1),
            (524_287, 2),
            (524_288, 524_288),
            (1_000_000, -1),
            (1_255_000, 9),
            (9_999_999, 9),
        ]:
            file.seek(start)
            assert file.read(n_bytes) == content[start:][: None if n_bytes < 0 else n_bytes]
        assert (file.seek(-3, 2), file.read()) == (1_254_997, content[-3:])


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(s3_bucket: S3Bucket):
    s3_bucket.put("a.mp4", b"old")
    with open_bytes(f"s3://{s3_bucket.name}/a.mp4", {"endpoint_url": s3_bucket.endpoint_url}) as file:
        s3_bucket.put("a.mp4", b"new")
        with pytest.raises(SourceUnreadable, match=r"a\.mp4: cannot be read"):
            file.read()


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
