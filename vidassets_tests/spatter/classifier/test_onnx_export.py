import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from vidassets.errors import ArtifactDamaged, ModelMissing, TrainingError
from vidassets.spatter.classifier.architectures import build_network
from vidassets.spatter.classifier.onnx_export import export_onnx, max_difference

NOTES = {"architecture": "lenet5", "data_sha256": "0" * 64}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return build_network("lenet5").eval()


@pytest.fixture(scope="module")
def exported(network) -> bytes:
    return export_onnx(network, NOTES)


def inference(exported: bytes, crops: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    return session.run(["logit", "embedding"], {"crops": crops})


@pytest.mark.parametrize("n_crops", [1, 2, 3, 1024])
def test_any_number_of_crops_gives_what_torch_gives(network, exported, n_crops):
    crops = np.random.default_rng(n_crops).random((n_crops, 3, 32, 32), np.float32)
    logit, embedding = inference(exported, crops)
    with torch.inference_mode():
        expected = [output.numpy() for output in network(torch.from_numpy(crops))]
    assert (logit.shape, embedding.shape) == ((n_crops,), (n_crops, 84))
    assert max(np.abs(logit - expected[0]).max(), np.abs(embedding - expected[1]).max()) < 1e-4


def test_no_crop_gives_no_logit(exported):
    logit, embedding = inference(exported, np.empty((0, 3, 32, 32), np.float32))
    assert (logit.shape, embedding.shape) == ((0,), (0, 84))


@pytest.mark.parametrize("architecture", ["lenet5-classical", "resnet18"])
def test_every_kind_of_network_is_exported(architecture):
    if architecture != "lenet5-classical":
        pytest.importorskip("transformers", reason="the extra `architectures` is not installed")
    network = build_network(architecture).eval()
    assert max_difference(network, export_onnx(network, {})) < 1e-4


def test_the_file_holds_classes_preprocessing_and_notes(exported):
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    assert {name: json.loads(value) for name, value in notes.items()} == {
        "classes": ["low", "high"],
        "preprocessing": {
            "colour": "rgb",
            "resize_px": 40,
            "resize": "area",
            "centre_crop_px": 32,
            "scale": "divided by 255",
        },
        **NOTES,
    }


def test_the_file_is_valid_and_has_the_names_of_the_contract(exported):
    model = onnx.load_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["crops"]
    assert [value.name for value in model.graph.output] == ["logit", "embedding"]


def test_the_same_network_gives_the_same_bytes(network, exported):
    assert export_onnx(network, NOTES) == exported


def test_no_path_of_this_machine_is_in_the_file(exported):
    assert b".py" not in exported
    assert sys.prefix.encode() not in exported


def test_a_network_that_gives_no_number_is_not_exported():
    network = build_network("lenet5")
    torch.nn.init.constant_(network.output.weight, float("nan"))
    with pytest.raises(TrainingError, match="differs from the trained one by nan"):
        export_onnx(network, {})


@pytest.mark.parametrize("damaged", [b"", b"no onnx", pytest.param(None, id="half of one")])
def test_a_damaged_file_is_refused(network, exported, damaged):
    with pytest.raises(ArtifactDamaged, match="run --select spatter_classifier --force"):
        max_difference(network, exported[: len(exported) // 2] if damaged is None else damaged)


def test_without_onnx_runtime_the_error_names_the_extra_to_install(monkeypatch, network, exported):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelMissing, match=r"onnxruntime.*pip install 'vidassets\[spatter\]'"):
        max_difference(network, exported)
