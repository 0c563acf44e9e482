import socket

import pytest

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.sources.find import find_videos
from vidassets_tests.s3_server import S3Bucket


def test_every_video_of_many_pages_is_found(crowded_bucket: S3Bucket, s3_credentials: None):
    found = find_videos(f"s3://{crowded_bucket.name}/videos", "clip", {"endpoint_url": crowded_bucket.endpoint_url})
    assert [source.key for source in found.sources] == [f"{number:04d}" for number in range(2_100)]


def test_a_prefix_gives_the_objects_below_it_and_no_others(s3_bucket: S3Bucket):
    for key in ("videos/a b.mp4", "videos/deep/c.mp4", "videos/a b.json", "videos/notes.txt", "videos-2/d.mp4"):
        s3_bucket.put(key, b"12345")
    deep, a = reversed(
        find_videos(f"s3://{s3_bucket.name}/videos/", "build", {"endpoint_url": s3_bucket.endpoint_url}).sources
    )
    assert (a.key, a.uri, a.kind, a.size_bytes) == ("a-b", f"s3://{s3_bucket.name}/videos/a b.mp4", "build", 5)
    assert (a.sidecar_uri, deep.key) == (f"s3://{s3_bucket.name}/videos/a b.json", "deep.c")


def test_a_whole_bucket_is_a_place(s3_bucket: S3Bucket):
    s3_bucket.put("a.mp4", b"")
    found = find_videos(f"s3://{s3_bucket.name}", "clip", {"endpoint_url": s3_bucket.endpoint_url})
    assert [source.key for source in found.sources] == ["a"]


def test_one_object_and_its_sidecar_are_a_place(s3_bucket: S3Bucket):
    for key in ("videos/a.mp4", "videos/a.json", "videos/b.mp4"):
        s3_bucket.put(key, b"")
    url = f"s3://{s3_bucket.name}/videos/a.mp4"
    [source] = find_videos(url, "clip", {"endpoint_url": s3_bucket.endpoint_url}).sources
    assert (source.key, source.uri, source.sidecar_uri) == ("a", url, url.replace("mp4", "json"))


def test_a_replaced_object_has_another_fingerprint(s3_bucket: S3Bucket):
    fingerprints = []
    for body in (b"old", b"new", b"new"):
        s3_bucket.put("a.mp4", body)
        [source] = find_videos(f"s3://{s3_bucket.name}", "clip", {"endpoint_url": s3_bucket.endpoint_url}).sources
        fingerprints.append(source.fingerprint)
    assert fingerprints[0] != fingerprints[1] == fingerprints[2]


@pytest.mark.parametrize("place", ["s3://no-such-bucket/videos", "s3://{bucket}/no-such-prefix"])
def test_a_place_that_is_not_there_is_missing(s3_bucket: S3Bucket, place: str):
    with pytest.raises(SourceMissing):
        find_videos(place.format(bucket=s3_bucket.name), "clip", {"endpoint_url": s3_bucket.endpoint_url})


def test_an_endpoint_that_refuses_connections_is_unreadable(s3_bucket: S3Bucket):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        options = {"endpoint_url": f"http://127.0.0.1:{reserved.getsockname()[1]}"}
        with pytest.raises(SourceUnreadable, match="endpoint"):
            find_videos("s3://bucket/videos", "clip", options)


def test_an_endpoint_that_never_answers_is_unreadable(s3_bucket: S3Bucket):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}", "read_timeout_s": 0.2}
        with pytest.raises(SourceUnreadable, match="endpoint"):
            find_videos("s3://bucket/videos", "clip", options)


def test_a_url_that_nothing_opens_is_unreadable():
    with pytest.raises(SourceUnreadable, match="nonsense"):
        find_videos("nonsense://videos", "clip")
