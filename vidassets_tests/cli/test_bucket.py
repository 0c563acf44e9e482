"""Videos and store in a bucket."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vidassets.media import frames as decoding
from vidassets.media.pictures import Picture
from vidassets_tests.assets.sources.test_changing_files import during_the_probe
from vidassets_tests.builders import CLIP_ASSETS, VIDEO, Home, changed, film, flat
from vidassets_tests.s3_server import S3Bucket


def test_videos_and_store_in_a_bucket_are_added_run_replaced_and_removed(
    home: Home, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.endpoint_url)
    home.environment["VIDASSETS__STORE__ROOT"] = f"s3://{s3_bucket.name}/data"
    for place, name in enumerate("ab"):
        path = film(home.videos / f"{name}.mp4", (1.0, 0.5), place=place, sidecar={"worker_id": name})
        s3_bucket.put(f"videos/{name}.mp4", path.read_bytes())
        s3_bucket.put(f"videos/{name}.json", path.with_suffix(".json").read_bytes())
    assert home.command("add", f"s3://{s3_bucket.name}/videos").out == "clips: 2 added\n"
    assert home.command("run").code == 0
    kept = {f"data/{asset}/{clip}" for asset in (*CLIP_ASSETS, "source_video") for clip in "ab"}
    kept |= {f"data/{asset}/{clip}" for asset in ("audio", "transcript", "subtitles") for clip in "ab"}
    stored = {key.rpartition(".")[0] for key in _stored(s3_bucket)}
    assert stored >= kept | {"data/description_costs/all"}
    assert {key.rpartition("/")[2] for key in stored} == {"a", "b", "all"}
    assert [row["shots"] for row in home.command("status", "--json").json] == [2, 2]
    assert json.loads(_body(s3_bucket, "data/description_document/a.json"))["metadata"] == {"worker_id": "a"}
    assert "nothing to do" in home.command("run").out

    before = home.events()
    s3_bucket.put("videos/b.mp4", film(home.videos / "b.mp4", (0.8,), place=7).read_bytes())
    s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="videos/a.mp4")
    said = home.command("run", "--select", VIDEO)
    assert (said.code, changed(before, home.events())) == (0, {"b": CLIP_ASSETS})
    assert f"gone a: s3://{s3_bucket.name}/videos/a.mp4" in flat(said.err)

    assert home.command("remove", "a", "--artifacts").code == 0
    assert not [key for key in _stored(s3_bucket) if "/a." in key]
    assert home.partitions() == {"clips": ["b"]}


def _stored(bucket: S3Bucket) -> list[str]:
    keys = bucket.keys()
    return [key for key in keys if key.startswith("data/")]


def _body(bucket: S3Bucket, key: str) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()


@pytest.mark.parametrize("moment", ["while raw_clip reads it", "while frames reads it"])
def test_an_object_that_is_replaced_during_a_run_fails_with_that_reason_and_the_next_run_takes_the_new_content(
    home: Home, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch, moment: str
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.endpoint_url)
    s3_bucket.put("a.mp4", film(home.videos / "a.mp4", (10.0,)).read_bytes())
    home.command("add", f"s3://{s3_bucket.name}/a.mp4")
    new = film(home.videos / "new.mp4", (2.0,), place=3).read_bytes()
    if moment == "while raw_clip reads it":
        during_the_probe(monkeypatch, lambda: s3_bucket.put("a.mp4", new))
    else:
        after_the_first_picture(monkeypatch, lambda: s3_bucket.put("a.mp4", new))
    words = ("run", "--select", "raw_clip,frames", "--set", "frames.interval_s=1")
    said = home.command(*words)
    assert (said.code, "SourceChanged" in said.out) == (1, True)
    assert not home.store.exists("frames", "a", "parquet")
    assert home.command(*words).code == 0
    assert home.table("raw_clip", "a")["duration_s"].item() == 2.0
    assert home.table("frames", "a")["pts_s"].to_list() == [0.5, 1.5]


def after_the_first_picture(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Change something when the first picture of a clip is decoded."""
    real = decoding.frames_at

    def frames_at(*args: Any, **options: Any) -> Iterator[Picture]:
        monkeypatch.setattr(decoding, "frames_at", real)
        for picture in real(*args, **options):
            yield picture
            if picture.wanted_s < 1:
                change()

    monkeypatch.setattr(decoding, "frames_at", frames_at)
