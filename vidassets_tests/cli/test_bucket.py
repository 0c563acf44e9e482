"""Videos and store in a bucket."""

import json

import pytest

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
