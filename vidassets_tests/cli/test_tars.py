"""Videos inside tar files, from `add` to the last asset: on a disk, in a bucket, on a web server."""

import tarfile
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from vidassets.fingerprints import located
from vidassets.media.sound import Sound
from vidassets.remote_files import BLOCK_BYTES, open_url
from vidassets.sources.find import find_videos
from vidassets.sources.recheck import recheck_sources
from vidassets_tests.builders import Home, changed, film, flat
from vidassets_tests.media.range_server import serving
from vidassets_tests.media.videos import write_video
from vidassets_tests.s3_server import S3Bucket

SELECTED = "raw_clip,frames,audio"


def pack(path: Path, *members: tuple[str, Path]) -> Path:
    """A tar of these files under these names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, file in members:
            tar.add(file, name)
    return path


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """A video with sound, and its sidecar."""
    path = write_video(tmp_path / "made" / "loud.mp4", with_audio=True)
    path.with_suffix(".json").write_text('{"worker_id": 7}')
    return path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()


@pytest.fixture
def packed(loud: Path, tmp_path: Path) -> Path:
    """A tar of two videos in folders and a sidecar."""
    quiet = film(tmp_path / "made" / "quiet.mkv")
    members = (("./f/loud.mp4", loud), ("./f/loud.json", loud.with_suffix(".json")), ("f/g/quiet.mkv", quiet))
    return pack(tmp_path / "tars" / "part 0.tar", *members)


@pytest.fixture(params=["disk", "bucket", "web"])
def place(request: pytest.FixtureRequest, packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the tar lies, as `add` is given it."""
    if request.param == "disk":
        yield str(packed)
    elif request.param == "bucket":
        bucket: S3Bucket = request.getfixturevalue("s3_bucket")
        monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint_url)
        bucket.put("sets/part 0.tar", packed.read_bytes())
        yield f"s3://{bucket.name}/sets"
    else:
        pytest.importorskip("aiohttp", reason="reading over HTTP needs aiohttp")
        with serving(packed.read_bytes(), name="part0.tar") as server:
            yield server.url


def test_the_videos_of_a_tar_become_facts_frames_and_sound(home: Home, loud: Path, place: str):
    assert home.command("add", place).out == "clips: 2 added\n"
    said = home.command("run", "--select", SELECTED)
    assert said.code == 0, said.out
    facts = home.table("raw_clip", "loud").row(0, named=True)
    assert (facts["size_bytes"], facts["duration_s"], facts["n_frames"]) == (loud.stat().st_size, 1.6, 40)
    assert facts["sidecar_json"] == '{"worker_id": 7}'
    assert [len(home.table("frames", key)) for key in ("loud", "quiet")] == [1, 1]
    with home.store.local_path("audio", "loud", "flac") as path:
        assert Sound.open(path).duration_s == pytest.approx(1.6, abs=0.1)
    assert "nothing to do" in home.command("run", "--select", SELECTED).out


def test_a_tar_that_is_packed_again_is_read_again_and_what_has_the_same_bytes_stays(
    home: Home, packed: Path, loud: Path, tmp_path: Path
):
    home.command("add", str(packed))
    assert home.command("run", "--select", "raw_clip,frames").code == 0
    before = home.events()
    first = film(tmp_path / "made" / "first.mp4", place=3)
    quiet = film(tmp_path / "made" / "quiet.mkv", (0.9,), place=5)
    # Every member lies elsewhere now; `quiet` has another content, and a link has the name of a video.
    pack(packed, ("f/first.mp4", first), ("f/g/quiet.mkv", quiet), ("./f/loud.mp4", loud))
    assert home.command("run", "--select", "raw_clip,frames").code == 0
    assert changed(before, home.events()) == {"loud": ["raw_clip"], "quiet": ["raw_clip", "frames"]}
    assert home.table("raw_clip", "loud")["content_hash"].item() == f"sha256:{sha256(loud.read_bytes()).hexdigest()}"
    assert home.table("raw_clip", "loud")["sidecar_json"].item() is None
    assert home.table("raw_clip", "quiet")["duration_s"].item() == 0.9


def test_a_tar_in_a_bucket_that_is_replaced_under_a_clip_is_read_again(
    home: Home, packed: Path, loud: Path, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.endpoint_url)
    s3_bucket.put("x.tar", packed.read_bytes())
    home.command("add", f"s3://{s3_bucket.name}/x.tar")
    assert home.command("run", "--select", "raw_clip,frames").code == 0
    first = film(loud.with_name("first.mp4"), place=3)
    s3_bucket.put("x.tar", pack(packed, ("a.mp4", first), ("./f/loud.mp4", loud)).read_bytes())
    before = home.events()
    said = home.command("run", "--select", "raw_clip,frames")
    assert changed(before, home.events()) == {"loud": ["raw_clip", "frames"]}
    assert f"gone quiet: tar://f/g/quiet.mkv::s3://{s3_bucket.name}/x.tar" in flat(said.err)


def test_a_member_that_became_a_link_fails_and_is_not_followed(home: Home, packed: Path, loud: Path):
    home.command("add", str(packed))
    with tarfile.open(packed, "w") as tar:
        link = tarfile.TarInfo("./f/loud.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, str(loud)
        tar.addfile(link)
    said = home.command("run", "--select", "raw_clip")
    assert said.code == 1
    assert "SourceMissing" in said.out
    assert not home.store.exists("raw_clip", "loud", "parquet")


def test_a_name_in_two_tars_is_refused_with_both_named(home: Home, packed: Path, loud: Path):
    other = pack(packed.with_name("part 1.tar"), ("g/loud.mp4", loud))
    home.command("add", str(packed))
    said = home.command("add", str(other))
    assert said.code == 1
    assert f"tar://g/loud.mp4::file://{other} and tar://./f/loud.mp4::file://{packed}" in flat(said.err)


def test_ten_thousand_members_are_found_in_one_pass_over_the_headers_and_rechecked_in_none(tmp_path: Path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for number in range(10_000):
            member = tarfile.TarInfo(f"f/{number:05d}.mp4")
            member.size = 700
            tar.addfile(member, BytesIO(bytes(700)))
    content = (tmp_path / "x.tar").read_bytes()
    pytest.importorskip("aiohttp", reason="reading over HTTP needs aiohttp")
    with serving(content, name="x.tar") as server:
        found = find_videos(server.url, "clip").sources
        assert [source.key for source in found] == [f"{number:05d}" for number in range(10_000)]
        assert server.n_sent <= len(content)
        server.n_sent = 0
        assert recheck_sources(found) == {source.key: source for source in found}
        assert find_videos(server.url, "clip").sources == found
        assert server.n_sent == 0
        with open_url(located(found[9_000].uri, found[9_000].fingerprint)) as member:
            assert member.read(700) == bytes(700)
        assert server.n_sent <= BLOCK_BYTES
