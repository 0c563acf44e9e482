import io
import tarfile
from pathlib import Path

import fsspec
import pytest

from vidassets.errors import KeyCollision, SourceUnreadable
from vidassets.sources.find import find_videos
from vidassets.sources.remote import open_source
from vidassets.sources.sidecar import read_sidecar
from vidassets_tests.s3_server import S3Bucket


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_the_videos_of_a_tar_are_opened_in_place(tmp_path: Path):
    tar = make_tar(tmp_path / "part 0.tar", {"factory_001/F1_W2.mp4": b"first", "factory_001/f1_w3.mp4": b"second"})
    found = find_videos(tar, "clip")
    assert [source.key for source in found.sources] == ["f1_w2", "f1_w3"]
    with fsspec.open(found.sources[0].uri) as first, fsspec.open(found.sources[1].uri) as second:
        assert (first.read(), second.read()) == (b"first", b"second")
    assert sorted(tmp_path.iterdir()) == [tar]


def test_a_member_is_read_from_any_point_of_it(tmp_path: Path):
    [source] = find_videos(make_tar(tmp_path / "x.tar", {"a.mp4": bytes(range(200))}), "clip").sources
    with open_source(source.uri, {}) as video:
        video.seek(150)
        assert video.read(3) == bytes([150, 151, 152])


def test_a_sidecar_inside_a_tar_is_read(tmp_path: Path):
    members = {"f/a.mp4": b"video", "f/a.json": b'{"worker_id": 7}', "f/b.mp4": b"video"}
    a, b = find_videos(make_tar(tmp_path / "x.tar", members), "clip").sources
    assert (read_sidecar(a.sidecar_uri), read_sidecar(b.sidecar_uri)) == ({"worker_id": 7}, None)


def test_the_tars_of_a_folder_are_looked_into(tmp_path: Path):
    make_tar(tmp_path / "factory_001" / "part0.tar", {"a.mp4": b"1"})
    make_tar(tmp_path / "factory_002" / "part0.tar", {"b.mp4": b"2"})
    (tmp_path / "c.mp4").touch()
    assert [source.key for source in find_videos(tmp_path, "clip").sources] == ["a", "b", "c"]


def test_members_of_one_stem_in_two_tars_are_refused(tmp_path: Path):
    for number in (1, 2):
        make_tar(tmp_path / f"part{number}.tar", {f"folder_{number}/a.mp4": b"1"})
    found = find_videos(tmp_path, "clip")
    assert ([type(refused.error) for refused in found.refused], found.sources) == ([KeyCollision] * 2, [])


def test_names_that_begin_with_a_dot_and_slash_open(tmp_path: Path):
    [source] = find_videos(make_tar(tmp_path / "x.tar", {"./f/a.mp4": b"video"}), "clip").sources
    with open_source(source.uri, {}) as video:
        assert (source.key, video.read()) == ("a", b"video")


def test_a_later_member_of_the_same_name_counts(tmp_path: Path):
    tar = make_tar(tmp_path / "x.tar", {"a.mp4": b"old"})
    with tarfile.open(tar, "a") as opened:
        member = tarfile.TarInfo("a.mp4")
        member.size = 5
        opened.addfile(member, io.BytesIO(b"newer"))
    [source] = find_videos(tar, "clip").sources
    with open_source(source.uri, {}) as video:
        assert (source.size_bytes, video.read()) == (5, b"newer")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("../a.mp4", tarfile.REGTYPE, id="a path that leaves"),
        pytest.param("/etc/a.mp4", tarfile.REGTYPE, id="an absolute path"),
        pytest.param("a.mp4", tarfile.SYMTYPE, id="a link"),
        pytest.param("a.mp4", tarfile.LNKTYPE, id="a hard link"),
        pytest.param("a.mp4", tarfile.FIFOTYPE, id="a pipe"),
        pytest.param("f::a.mp4", tarfile.REGTYPE, id="a divider of URLs"),
        pytest.param("a\n.mp4", tarfile.REGTYPE, id="a line break"),
    ],
)
def test_an_unsafe_member_is_refused_and_harms_no_other(tmp_path: Path, name: str, kind: bytes):
    tar = make_tar(tmp_path / "x.tar", {"good.mp4": b"video"})
    with tarfile.open(tar, "a") as opened:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        opened.addfile(member)
    found = find_videos(tar, "clip")
    assert [source.key for source in found.sources] == ["good"]
    assert [type(refused.error) for refused in found.refused] == [SourceUnreadable]


def test_a_cut_tar_gives_its_whole_members_and_is_reported(tmp_path: Path):
    tar = make_tar(tmp_path / "x.tar", {"a.mp4": b"1" * 1000, "b.mp4": b"2" * 5000})
    tar.write_bytes(tar.read_bytes()[:4000])
    found = find_videos(tar, "clip")
    assert [source.key for source in found.sources] == ["a"]
    assert ["not a complete tar" in refused.reason for refused in found.refused] == [True, False]
    assert "b.mp4" in found.refused[1].reason


def test_a_text_named_tar_is_reported(tmp_path: Path):
    (tmp_path / "x.tar").write_text("not a tar" * 100)
    found = find_videos(tmp_path, "clip")
    assert "not a complete tar" in found.refused[0].reason


def test_a_compressed_tar_is_reported_with_the_fix(tmp_path: Path):
    (tmp_path / "x.tar.gz").touch()
    [refused] = find_videos(tmp_path, "clip").refused
    assert "Decompress it" in refused.reason


def test_the_videos_of_a_tar_in_a_bucket_are_opened_in_place(s3_bucket: S3Bucket, tmp_path: Path):
    s3_bucket.put("data/x.tar", make_tar(tmp_path / "x.tar", {"f/a.mp4": b"video", "f/a.json": b"{}"}).read_bytes())
    options = {"endpoint_url": s3_bucket.endpoint_url}
    [source] = find_videos(f"s3://{s3_bucket.name}/data", "clip", options).sources
    with open_source(source.uri, options) as video:
        assert (source.key, video.read(), read_sidecar(source.sidecar_uri, options)) == ("a", b"video", {})
