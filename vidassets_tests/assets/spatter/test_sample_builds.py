"""The whole chain on the sample builds, whose truth is known."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vidassets_tests.assets.spatter.deployed_builds import Builds
from vidassets_tests.spatter.crops.recordings import SAMPLES
from vidassets_tests.test_samples import overlap_ratio

FLOWS = {"high-flow": "high", "low-flow": "low"}
# The project's own defaults, but for a second training, and for the many numbers of kinds that are tried.
SETTINGS: dict[str, dict[str, Any]] = {
    "spatter_crops": {"min_area_px": 2000, "layer_gap_frames": 700},
    "spatter_classifier": {"epochs": 20, "min_steps": 1500, "compare_with_random": False, "learning_rate": 1e-3},
    "spatter_types": {"n_clusters": [5, 6], "n_requests": 50},
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    with Builds.at(tmp_path_factory.mktemp("samples")) as builds:
        for name in FLOWS:
            for extension in ("mp4", "json"):
                shutil.copy(SAMPLES / f"{name}.{extension}", builds.videos)
        builds.set(**SETTINGS)
        builds.add()
        worked = builds.run()
        assert (worked.failures, builds.states()) == ({}, {})
        yield builds


def truth_of(build: str) -> list[dict[str, Any]]:
    truth = json.loads((SAMPLES / f"{build}.truth.json").read_text())
    return [event for event in truth["events"] if event["counts"]]


def matched(truth: list[dict[str, Any]], found: pl.DataFrame) -> int:
    """How many events of the truth have a row of their own, of the same frame, whose box overlaps theirs by half."""
    boxes: dict[int, list[tuple[int, ...]]] = {}
    for frame, *box in found.select("video_frame", *(f"box_{corner}" for corner in ("x1", "y1", "x2", "y2"))).rows():
        boxes.setdefault(frame, []).append(tuple(box))
    n_matched = 0
    for event in truth:
        candidates = boxes.get(event["frame"], [])
        best = max(candidates, key=lambda box: overlap_ratio(tuple(event["box_xyxy"]), box), default=None)
        if best is not None and overlap_ratio(tuple(event["box_xyxy"]), best) > 0.5:
            candidates.remove(best)
            n_matched += 1
    return n_matched


@pytest.mark.parametrize("build", FLOWS)
def test_of_the_events_that_are_there_and_of_those_found_nineteen_in_twenty_are_the_same(samples: Builds, build: str):
    truth, found = truth_of(build), samples.table("spatter_events", build)
    n_matched = matched(truth, found)
    assert n_matched / len(truth) >= 0.95, "recall"
    assert n_matched / len(found) >= 0.95, "precision"


@pytest.mark.parametrize("build", FLOWS)
def test_layers_are_separated_by_what_the_sidecar_says_of_the_recording(samples: Builds, build: str):
    layers = samples.table("spatter_events", build).sort("event_index")["layer"]
    assert layers.unique().to_list() == [0, 1, 2, 3] == sorted({event["layer"] for event in truth_of(build)})


@pytest.mark.parametrize("build", FLOWS)
def test_the_verdict_on_a_build_is_its_flow(samples: Builds, build: str):
    assert samples.table("spatter_verdict", build)["verdict"].to_list() == [FLOWS[build]]


@pytest.mark.parametrize("build", FLOWS)
def test_a_build_that_was_learned_from_is_not_unlike_what_was_learned(samples: Builds, build: str):
    row = samples.table("spatter_drift", build).row(0, named=True)
    assert not row["alarm"], row["detail"]


@pytest.mark.parametrize("build", FLOWS)
def test_the_log_of_frames_is_exported_as_it_is_stored(samples: Builds, build: str):
    table = samples.table("spatter_frame_log", build)
    assert table["n_spatters"].sum() == len(samples.table("spatter_events", build))
    assert pl.read_csv(samples.blob("spatter_frame_log_csv", "csv", build)).rows() == table.rows()


def test_the_index_is_exported_in_its_own_order_and_in_another(samples: Builds):
    index = samples.table("spatter_index")
    exported = [pl.read_csv(samples.blob(f"spatter_{name}_csv", "csv")) for name in ("unshuffled_images", "images")]
    assert exported[0].rows() == index.select(exported[0].columns).rows()
    assert exported[1].rows() != exported[0].rows()
    assert sorted(exported[1].rows(), key=str) == sorted(exported[0].rows(), key=str)


def test_the_verdicts_are_exported_as_they_are_stored(samples: Builds):
    table = samples.table("spatter_verdicts")
    assert table["clip"].to_list() == sorted(FLOWS)
    assert samples.blob("spatter_verdicts_csv", "csv").decode() == table.write_csv()
    assert "| high-flow | **high** |" in samples.figures("spatter_verdicts")["preview"]


def test_the_classifier_runs_in_onnx_runtime_and_reports_what_it_was_made_by(samples: Builds):
    import onnxruntime

    session = onnxruntime.InferenceSession(samples.blob("spatter_classifier", "onnx"))
    logit, embedding = session.run(["logit", "embedding"], {"crops": np.zeros((2, 3, 32, 32), np.float32)})
    assert (np.asarray(logit).shape, np.asarray(embedding).shape) == ((2,), (2, 84))
    figures = samples.figures("spatter_classifier")
    assert figures["onnx_max_difference"] < 1e-4
    assert figures["advised_split"].startswith("split_layer: ")


def test_the_weights_for_torch_are_those_of_the_classifier(samples: Builds, tmp_path: Path):
    import torch

    path = tmp_path / "classifier.pt"
    path.write_bytes(samples.blob("spatter_checkpoint", "pt"))
    kept = torch.load(path, weights_only=True)
    assert (kept["notes"]["architecture"], kept["notes"]["split"]) == ("lenet5", "split_layer")
    assert "network" in kept


@pytest.mark.parametrize(
    ("asset", "key", "shown"),
    [
        ("spatter_crops", "low-flow", "spatter crops](data:image/"),
        ("spatter_verdict", "low-flow", "![probability of high flow over layers](data:image/"),
        ("spatter_index", "all", "**Judge a model by `split_layer`.**"),
        ("spatter_classifier", "all", "![learning_curves.png](data:image/"),
        ("spatter_types", "all", "kinds of spatter](data:image/jpeg"),
    ],
)
def test_what_a_person_may_look_at_is_on_the_page_of_the_asset(samples: Builds, asset: str, key: str, shown: str):
    assert shown in samples.figures(asset, key)["preview"]


def test_every_kind_of_spatter_has_its_sentence_and_the_crops_worth_a_label_are_listed(samples: Builds):
    facts, types = samples.table("spatter_type_facts"), samples.table("spatter_types")
    assert len(facts) in SETTINGS["spatter_types"]["n_clusters"]
    assert facts["description"].str.len_chars().min() > 20  # type: ignore[operator]
    assert len(types) == sum(len(samples.table("spatter_events", build)) for build in FLOWS)
    assert len(samples.table("spatter_label_requests")) == 50
