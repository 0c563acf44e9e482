"""The sensor that registers: new, replaced, refused, in folders and in a bucket that others write to."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.sensors import automation_sensor, new_videos_sensor, watched
from vidassets.errors import ProfileError
from vidassets.resources.store import Store
from vidassets_tests.s3_server import S3Bucket
from vidassets_tests.toy_graph import TOY_GRAPH


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        yield instance


def tick(instance: dg.DagsterInstance, tmp_path: Path, watch: str | None) -> str | None:
    """Return what a tick reports."""
    with dg.build_sensor_context(instance=instance, resources={"store": Store(root=str(tmp_path / "data"))}) as context:
        data = new_videos_sensor(watch).evaluate_tick(context)
    assert data.run_requests == []
    return data.skip_message


def test_a_watched_folder_is_registered_and_its_next_tick_finds_only_what_is_new(
    instance: dg.DagsterInstance, tmp_path: Path
):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"1")
    assert tick(instance, tmp_path, f"episode={videos}") == f"{videos}: 1 added, 0 replaced, 0 moved"
    (videos / "b.mp4").write_bytes(b"1")
    (videos / "a.mp4").write_bytes(b"22")
    assert tick(instance, tmp_path, f"episode={videos}") == f"{videos}: 1 added, 1 replaced, 0 moved"
    assert tick(instance, tmp_path, f"episode={videos}") == f"{videos}: 0 added, 0 replaced, 0 moved"
    assert instance.get_dynamic_partitions("episodes") == ["a", "b"]


def test_a_place_that_is_gone_keeps_no_other_from_being_registered(instance: dg.DagsterInstance, tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"1")
    said = tick(instance, tmp_path, f"clip={tmp_path / 'gone'}; build={tmp_path / 'a.mp4'}")
    assert said == f"{tmp_path / 'gone'}: SourceMissing; {tmp_path / 'a.mp4'}: 1 added, 0 replaced, 0 moved"
    assert instance.get_dynamic_partitions("builds") == ["a"]


def test_a_bucket_that_others_write_to_is_seen_as_it_is_now(
    instance: dg.DagsterInstance, tmp_path: Path, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.endpoint_url)
    place = f"s3://{s3_bucket.name}/videos"
    s3_bucket.put("videos/a.mp4", b"1")
    assert tick(instance, tmp_path, f"clip={place}") == f"{place}: 1 added, 0 replaced, 0 moved"
    s3_bucket.put("videos/b.mp4", b"1")
    s3_bucket.put("videos/a.mp4", b"22")
    assert tick(instance, tmp_path, f"clip={place}") == f"{place}: 1 added, 1 replaced, 0 moved"


def test_nothing_is_watched_by_default(instance: dg.DagsterInstance, tmp_path: Path):
    assert tick(instance, tmp_path, None) == "VIDASSETS_WATCH names no location"


@pytest.mark.parametrize("text", ["films=/data", "/data", "clip=", "clip=/a; /b"])
def test_a_watch_that_is_no_kind_and_place_is_refused_with_an_example(text: str):
    with pytest.raises(ProfileError, match="write kind=location, such as clip=s3://bucket/videos"):
        list(watched(text))


def test_automation_is_off_until_a_person_turns_it_on():
    assert automation_sensor(TOY_GRAPH, {}).default_status == dg.DefaultSensorStatus.STOPPED
