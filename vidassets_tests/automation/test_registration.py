"""What becomes a partition, what is noticed when looked at again, what is refused."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.registration import (
    Registration,
    data_version,
    read_source,
    refresh,
    register,
    unregister,
)
from vidassets.graph.lineage import latest
from vidassets.sources.find import find_videos
from vidassets.sources.source import Kind, Source
from vidassets.storage.store import ArtifactStore

SOURCE_VIDEO = dg.AssetKey("source_video")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "data")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.mp4").write_bytes(name.encode() * 10)
    return folder


def registered(
    instance: dg.DagsterInstance, store: ArtifactStore, place: Path, kind: Kind = "clip"
) -> dict[str, object]:
    """What registering a place found, less what it did not."""
    return _reported(register(instance, store, find_videos(place, kind).sources))


def _reported(result: Registration) -> dict[str, object]:
    return {name: value for name, value in vars(result).items() if value}


def partitions(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    return {name: list(instance.get_dynamic_partitions(name)) for name in ("clips", "episodes", "builds")}


def n_events(instance: dg.DagsterInstance) -> int:
    return len(instance.fetch_materializations(SOURCE_VIDEO, limit=99).records)


def test_a_folder_of_videos_becomes_partitions_each_with_its_place(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    assert registered(instance, store, videos) == {"added": ["a", "b"]}
    assert partitions(instance) == {"clips": ["a", "b"], "episodes": [], "builds": []}
    source = read_source(store, "a")
    assert source is not None
    assert (source.uri, source.kind, source.size_bytes) == (str(videos / "a.mp4"), "clip", 10)
    assert latest(instance, SOURCE_VIDEO, ["a"])["a"].data_version == data_version(source)


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        pytest.param("clip", {"episodes": [], "builds": []}, id="clip"),
        pytest.param("episode", {"episodes": ["a", "b"], "builds": []}, id="episode"),
        pytest.param("build", {"episodes": [], "builds": ["a", "b"]}, id="build"),
    ],
)
def test_a_kind_decides_the_partition_sets_and_clips_holds_all(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path, kind: Kind, others: dict[str, list[str]]
):
    registered(instance, store, videos, kind)
    assert partitions(instance) == {"clips": ["a", "b"], **others}


def test_another_kind_moves_a_video_to_the_sets_of_that_kind(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos, "episode")
    registered(instance, store, videos / "a.mp4", "build")
    assert partitions(instance) == {"clips": ["a", "b"], "episodes": ["b"], "builds": ["a"]}


def test_registering_again_changes_nothing(instance: dg.DagsterInstance, store: ArtifactStore, videos: Path):
    registered(instance, store, videos)
    assert registered(instance, store, videos) == {"unchanged": ["a", "b"]}
    assert n_events(instance) == 2


def test_a_replaced_video_is_recorded_again_and_its_neighbour_is_not(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos)
    (videos / "a.mp4").write_bytes(b"another")
    assert registered(instance, store, videos) == {"replaced": ["a"], "unchanged": ["b"]}
    assert n_events(instance) == 3


def test_a_changed_sidecar_is_noticed(instance: dg.DagsterInstance, store: ArtifactStore, videos: Path):
    registered(instance, store, videos)
    (videos / "a.json").write_text("{}")
    assert registered(instance, store, videos) == {"replaced": ["a"], "unchanged": ["b"]}


def test_a_moved_video_keeps_its_key_and_is_reported_as_moved(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos)
    videos.rename(videos.parent / "elsewhere")
    assert registered(instance, store, videos.parent / "elsewhere") == {"moved": ["a", "b"]}
    assert partitions(instance)["clips"] == ["a", "b"]


def test_a_key_of_another_video_that_is_still_there_is_refused_and_both_are_named(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos)
    other = videos.parent / "other"
    other.mkdir()
    for name in ("a.mp4", "c.mp4"):
        (other / name).write_bytes(b"1")
    outcome = registered(instance, store, other)
    refusal = (
        f"{other / 'a.mp4'} and {videos / 'a.mp4'} would both have the key a. "
        "Rename one, or remove the other first: `vidassets remove a`."
    )
    assert outcome == {"added": ["c"], "refused": {str(other / "a.mp4"): refusal}}
    source = read_source(store, "a")
    assert source is not None
    assert source.uri == str(videos / "a.mp4")


def test_looking_again_records_what_was_replaced_and_reports_what_is_gone(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos, "episode")
    (videos / "a.mp4").write_bytes(b"another")
    (videos / "b.mp4").unlink()
    assert refresh(instance, store) == {"b": str(videos / "b.mp4")}
    source = read_source(store, "a")
    assert source is not None
    assert (source.size_bytes, source.kind) == (7, "episode")
    assert partitions(instance)["episodes"] == ["a", "b"]


def test_what_is_taken_out_can_be_registered_again(instance: dg.DagsterInstance, store: ArtifactStore, videos: Path):
    registered(instance, store, videos, "episode")
    unregister(instance, store, "a")
    assert partitions(instance) == {"clips": ["b"], "episodes": ["b"], "builds": []}
    assert registered(instance, store, videos, "episode") == {"added": ["a"], "unchanged": ["b"]}


@pytest.mark.parametrize(
    ("step", "replaced"),
    [
        pytest.param("write_bytes", False, id="before a new video's place is written"),
        pytest.param("add_dynamic_partitions", False, id="before it is a partition"),
        pytest.param("report_runless_asset_event", False, id="before its event"),
        pytest.param("write_bytes", True, id="before a replaced video's place is written"),
        pytest.param("report_runless_asset_event", True, id="before its event, replaced"),
    ],
)
def test_a_registration_that_was_cut_short_is_completed_by_the_next(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    videos: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    replaced: bool,
):
    if replaced:
        registered(instance, store, videos)
        (videos / "a.mp4").write_bytes(b"another")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store if step == "write_bytes" else instance, step, killed)
        with pytest.raises(KeyboardInterrupt):
            registered(instance, store, videos)
    registered(instance, store, videos)
    source = read_source(store, "a")
    assert source is not None
    assert source == find_videos(videos / "a.mp4", "clip").sources[0]
    assert partitions(instance)["clips"] == ["a", "b"]
    assert latest(instance, SOURCE_VIDEO, ["a"])["a"].data_version == data_version(source)


def test_a_damaged_record_of_a_place_is_mended_by_adding_the_video_again(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos)
    store.write_bytes("source_video", "a", "json", b"{")
    registered(instance, store, videos)
    assert read_source(store, "a") == find_videos(videos / "a.mp4", "clip").sources[0]


def test_the_version_of_a_source_reports_every_field(videos: Path):
    source = find_videos(videos / "a.mp4", "clip").sources[0]
    others = [
        replace(source, **{name: value})
        for name, value in {
            "uri": "/elsewhere",
            "kind": "build",
            "size_bytes": 11,
            "fingerprint": "other",
            "sidecar_uri": "/a.json",
            "sidecar_fingerprint": "1",
        }.items()
    ]
    assert len({data_version(changed) for changed in [source, *others]}) == 7


def test_a_touched_file_is_a_replaced_one_until_its_content_is_hashed(
    instance: dg.DagsterInstance, store: ArtifactStore, videos: Path
):
    registered(instance, store, videos)
    os.utime(videos / "a.mp4", ns=(1, 1))
    assert registered(instance, store, videos) == {"replaced": ["a"], "unchanged": ["b"]}


def test_many_videos_of_one_second_are_all_registered_once(instance: dg.DagsterInstance, store: ArtifactStore):
    sources = [Source(f"{number:04d}", f"s3://bucket/{number:04d}.mp4", "clip", 1, "etag:1") for number in range(40)]
    register(instance, store, sources)
    assert _reported(register(instance, store, sources)) == {"unchanged": [source.key for source in sources]}
    assert len(instance.get_dynamic_partitions("clips")) == 40
