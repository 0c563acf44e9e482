"""`frame_descriptions` and `description_document` of a real clip, by measured facts."""

import json
from pathlib import Path

import polars as pl
import pytest

from vidassets.assets.descriptions import description_document, frame_descriptions
from vidassets.assets.frames import Sampling, frames
from vidassets.descriptions.ledger import Ledger
from vidassets.graph.declared_asset import AssetResult
from vidassets.resources.describers import MeasuredDescriber
from vidassets.sources.find import find_videos
from vidassets.storage.store import ArtifactStore
from vidassets.storage.tables import check_table
from vidassets_tests.assets.films import clip_file, made
from vidassets_tests.builders import film


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sidecar = {"factory_id": "f1", "worker_id": 7, "duration": "3 s", "deep": {"a": [1, None, "ü"]}}
    return film(tmp_path_factory.mktemp("film") / "a.mp4", (1.0, 2.0), sidecar=sidecar)


@pytest.fixture(scope="module")
def result(path: Path, tmp_path_factory: pytest.TempPathFactory) -> AssetResult:
    table = made(frames, clip_file(path), None, Sampling(interval_s=1))
    ledger = Ledger(ArtifactStore(tmp_path_factory.mktemp("store")).records("paid_calls"))
    return frame_descriptions.function("a", table, MeasuredDescriber(), ledger)


def test_every_frame_has_a_sentence_that_cost_nothing(result: AssetResult):
    assert frame_descriptions.artifact.schema is not None
    table = check_table(result.value, frame_descriptions.artifact.schema)
    assert table.select("pts_s", "status", "model", "cost_usd").rows() == [
        (moment, "ok", "measured", 0.0) for moment in (0.5, 1.5, 2.5)
    ]
    assert table["description"].str.ends_with(".").all()
    assert (result.incomplete, result.metadata["cost_usd"], result.metadata["model"]) == (0, 0.0, "measured")


def test_the_check_passes_where_every_frame_has_an_answer(result: AssetResult):
    [check] = frame_descriptions.checks
    verdict = check.answer(result.value)
    assert (verdict.passed, verdict.description) == (True, "all 3 frames are described")


def test_the_check_reports_how_many_wait_and_why(result: AssetResult):
    waits = pl.col("frame_index") == 1
    table = result.value.with_columns(
        status=pl.when(waits).then(pl.lit("over_budget")).otherwise("status"),
        error=pl.when(waits).then(pl.lit("0 USD is left")),
    )
    [check] = frame_descriptions.checks
    verdict = check.answer(table)
    assert not verdict.passed
    assert verdict.description == "1 of 3 frames not described: 0 USD is left. The next run retries them."
    assert verdict.metadata == {"n_ok": 2, "n_over_budget": 1}


def test_the_document_has_the_sidecar_as_it_is_and_every_frame_by_its_time(path: Path, result: AssetResult):
    [source] = find_videos(path, "clip").sources
    document = json.loads(description_document.function(source, clip_file(path), result.value))
    assert document["metadata"] == json.loads(path.with_suffix(".json").read_text())
    assert document["video"]["uri"] == str(path)
    assert [one["timestamp"] for one in document["frames"]] == [0.5, 1.5, 2.5]
    assert [one["description"] for one in document["frames"]] == result.value["description"].to_list()
    assert document["totals"]["cost_usd"] == 0.0


def test_its_page_shows_times_and_sentences(result: AssetResult):
    assert frame_descriptions.preview is not None
    lines = str(frame_descriptions.preview(result.value)).splitlines()
    assert lines[0] == "| time | description | status |"
    assert lines[2].endswith(f"| {result.value['description'][0]} | ok |")
