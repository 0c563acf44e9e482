import warnings
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
import torch
from onnx import load_model_from_string

from vidassets.errors import ArtifactDamaged, DeviceUnavailable, InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.stored_crops import StoredCrops
from vidassets.spatter.verdicts.prediction import CropClassifier, jpegs_in_order, predict_crops
from vidassets_tests.spatter.crops_files import model_input
from vidassets_tests.spatter.scored_builds import jpeg_of, spatter_picture


class Redness(torch.nn.Module):
    """Logit: how much redder than 0.5; embedding: the mean of each channel."""

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        means = crops.mean(dim=(2, 3))
        return 20 * (means[:, 0] - 0.5), means


def onnx_of(module: torch.nn.Module, outputs: tuple[str, ...] = ("logit", "embedding"), size: int = 32) -> bytes:
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no other package says that it is old
        torch.onnx.export(
            module.eval(), (torch.zeros(2, 3, size, size),), file, dynamo=False, opset_version=17,
            input_names=["crops"], output_names=list(outputs),
            dynamic_axes={name: {0: "n"} for name in ("crops", *outputs)},
        )  # fmt: skip
    return file.getvalue()


@pytest.fixture(scope="module")
def redness() -> CropClassifier:
    return CropClassifier(onnx_of(Redness()))


def plain(bgr: tuple[int, int, int]) -> bytes:
    return jpeg_of(np.full((50, 60, 3), bgr, np.uint8))


def test_a_crop_is_scored_in_rgb_order(redness):
    table = predict_crops("b", [plain((0, 0, 255)), plain((255, 0, 0))], redness)
    spatter_schemas.SpatterPredictions.validate(table)
    assert table["event_index"].to_list() == [0, 1]
    assert table["probability"].to_list() == pytest.approx([1.0, 0.0], abs=1e-4)
    assert table["embedding"][0].to_list() == pytest.approx([1.0, 0.0, 0.0], abs=0.02)


def test_a_classifier_trained_on_gray_gets_gray():
    onnx = onnx_of(Redness())
    model = load_model_from_string(onnx)
    entry = model.metadata_props.add()
    entry.key, entry.value = "preprocessing", '{"colour": "gray"}'
    table = predict_crops("b", [plain((0, 0, 255))], CropClassifier(model.SerializeToString()))
    luma = 0.299
    assert table["embedding"][0].to_list() == pytest.approx([luma] * 3, abs=0.02)


def test_a_score_does_not_depend_on_the_batch(redness):
    rng = np.random.default_rng(0)
    jpegs = [jpeg_of(spatter_picture(rng, high_flow=bool(i % 2))) for i in range(23)]
    expected = redness.score(np.stack([model_input(jpeg) for jpeg in jpegs])).logit
    for batch_crops in (1, 7, 23, 100):
        table = predict_crops("b", jpegs, redness, batch_crops)
        assert np.allclose(table["probability"], 1 / (1 + np.exp(-expected)), atol=1e-6)


def test_a_crop_that_is_no_picture_is_excluded_with_the_reason_and_its_neighbours_are_scored(redness):
    jpegs = [plain((9, 9, 200)), plain((0, 0, 0)), b"no JPEG", b"", plain((9, 9, 200))]
    table = predict_crops("b", jpegs, redness, batch_crops=2)
    spatter_schemas.SpatterPredictions.validate(table)
    assert table["excluded"].to_list() == [None, "all black", "undecodable", "undecodable", None]
    assert table["probability"].is_null().to_list() == [False, True, True, True, False]


def test_a_build_without_a_usable_crop_has_predictions_all_the_same(redness):
    spatter_schemas.SpatterPredictions.validate(predict_crops("b", [], redness))
    spatter_schemas.SpatterPredictions.validate(predict_crops("b", [b""], redness))


def test_crops_are_read_as_they_are_needed(redness):
    read = []

    def stream():
        for index in range(10):
            read.append(index)
            assert len(read) <= scored[0] + 4
            yield plain((9, 9, 200))

    scored = [0]

    class Counting:
        model, colour = redness.model, redness.colour

        def score(self, crops):
            scored[0] += len(crops)
            return redness.score(crops)

    assert len(predict_crops("b", stream(), Counting(), batch_crops=4)) == 10  # type: ignore[arg-type]


def test_the_model_of_a_prediction_is_identified_by_its_file(redness):
    other = CropClassifier(onnx_of(torch.nn.Sequential(Redness())))
    assert redness.model == CropClassifier(onnx_of(Redness())).model
    assert predict_crops("b", [plain((1, 1, 1))], other)["model"].to_list() == [other.model]


def test_crops_of_a_build_come_in_the_order_of_its_events(tmp_path: Path):
    file = tmp_path / "b.h5"
    with h5py.File(file, "w") as crops:
        for number in (0, 1, 10, 2):
            data = np.empty(3, object)
            data[:] = [np.array([number, index], np.uint8) for index in range(3)]
            crops.create_dataset(f"b_{number}", data=data, dtype=h5py.vlen_dtype(np.uint8))
    events = pl.DataFrame(
        {
            "event_index": range(12),
            "dataset": [f"b_{number}" for number in (0, 1, 2, 10) for _ in range(3)],
            "ds_idx": [0, 1, 2] * 4,
        }
    ).sample(fraction=1, shuffle=True, seed=1)
    jpegs = jpegs_in_order(StoredCrops(), str(file), events, batch_crops=2)
    assert [bytes(jpeg) for jpeg in jpegs] == [bytes([n, i]) for n in (0, 1, 2, 10) for i in range(3)]


class OneOutput(torch.nn.Module):
    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return crops.mean(dim=(1, 2, 3))


class TwoLogits(torch.nn.Module):
    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return crops.mean(dim=(2, 3))[:, :2], crops.mean(dim=(2, 3))


class Infinite(torch.nn.Module):
    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return crops.mean(dim=(1, 2, 3)) / 0.0, crops.mean(dim=(2, 3))


def test_a_file_that_is_no_model_is_refused():
    with pytest.raises(ArtifactDamaged, match=r"lenet\.onnx: ONNX Runtime cannot load it .* Train"):
        CropClassifier(b"no model", name="lenet.onnx")


def test_a_model_of_another_form_is_refused():
    with pytest.raises(ArtifactDamaged, match=r"gives \['logit'\]"):
        CropClassifier(onnx_of(OneOutput(), outputs=("logit",)))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        pytest.param(TwoLogits(), r"logits \(1, 2\)", id="two logits"),
        pytest.param(Infinite(), "not finite", id="infinite"),
    ],
)
def test_outputs_of_another_form_are_refused(module, message):
    with pytest.raises(ArtifactDamaged, match=message):
        predict_crops("b", [plain((9, 9, 200))], CropClassifier(onnx_of(module)))


def test_a_missing_provider_is_refused():
    with pytest.raises(DeviceUnavailable, match="not NoSuchProvider"):
        CropClassifier(onnx_of(Redness()), providers=["NoSuchProvider", "CPUExecutionProvider"])


def test_an_empty_batch_is_refused(redness):
    with pytest.raises(InvalidSetting, match="batch_crops is 0"):
        predict_crops("b", [], redness, batch_crops=0)
