import sys

import pytest
import torch
from torch import nn

from vidassets.errors import InvalidSetting, ModelMissing
from vidassets.spatter.classifier.architectures import architectures, build_network, count_parameters
from vidassets.spatter.classifier.lenet import LeNet


def layers(network: nn.Module) -> list[str]:
    return [type(module).__name__ for module in network.modules() if not list(module.children())]


@pytest.mark.parametrize("classical", [pytest.param(False, id="max-pool"), pytest.param(True, id="classical")])
def test_lenet_5_has_456_2416_48120_10164_and_85_parameters(classical):
    network = LeNet(classical)
    learning = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [count_parameters(module) for module in learning] == [456, 2416, 48120, 10164, 85]
    assert count_parameters(network) == 61241


def test_the_max_pooled_form_has_no_activation_after_a_convolution():
    convolutions = ["Conv2d", "MaxPool2d", "Conv2d", "MaxPool2d", "Flatten"]
    assert layers(LeNet()) == [*convolutions, "Linear", "ReLU", "Linear", "ReLU", "Linear"]


def test_the_classical_form_has_tanh_and_a_sigmoid_after_each_average_pool():
    convolutions = [*["Conv2d", "Tanh", "AvgPool2d", "Sigmoid"] * 2, "Flatten"]
    assert layers(LeNet(classical=True)) == [*convolutions, "Linear", "Tanh", "Linear", "Tanh", "Linear"]


def test_the_logit_is_the_last_layer_over_the_embedding():
    network = LeNet()
    logits, embedding = network(torch.rand(5, 3, 32, 32))
    assert (logits.shape, embedding.shape) == ((5,), (5, 84))
    torch.testing.assert_close(logits, (embedding @ network.output.weight.T + network.output.bias).squeeze(1))


def test_half_the_width_halves_every_layer_but_the_last():
    network = LeNet(width=0.5)
    assert [tuple(weights.shape[:2]) for name, weights in network.named_parameters() if name.endswith("weight")] == [
        (3, 3),
        (8, 3),
        (60, 200),
        (42, 60),
        (1, 42),
    ]


@pytest.mark.parametrize(
    ("architecture", "n_parameters", "embedding_size"),
    [
        # As published, without the thousand classes and with one logit.
        pytest.param("resnet18", 11_176_512 + 513, 512, id="resnet18"),
        pytest.param("resnet34", 21_284_672 + 513, 512, id="resnet34"),
        pytest.param("efficientnet-b0", 4_007_548 + 1281, 1280, id="efficientnet-b0"),
        pytest.param("efficientnet-b1", 6_513_184 + 1281, 1280, id="efficientnet-b1"),
        pytest.param("vit-tiny", 5_397_888 + 193, 192, id="vit-tiny"),
    ],
)
def test_larger_networks_come_by_name(architecture, n_parameters, embedding_size):
    pytest.importorskip("transformers", reason="the extra `architectures` is not installed")
    with torch.device("meta"):  # shapes without numbers: millions of them need not be drawn
        network = build_network(architecture).eval()
        logits, embedding = network(torch.rand(2, 3, 32, 32))
    assert (logits.shape, embedding.shape) == ((2,), (2, embedding_size))
    assert count_parameters(network) == n_parameters


def test_a_larger_network_without_its_package_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelMissing, match=r"resnet18 needs .*pip install 'vidassets\[architectures\]'.*lenet5"):
        build_network("resnet18")


@pytest.mark.parametrize(
    ("architecture", "width", "message"),
    [
        pytest.param("lenet6", 1.0, "Choose one of lenet5, lenet5-classical, resnet18", id="unknown"),
        pytest.param("lenet5", 0.0, "1 is LeNet-5 as published", id="no width"),
        pytest.param("vit-tiny", 0.5, "Leave width at 1", id="width of another"),
    ],
)
def test_what_cannot_be_built_is_refused(architecture, width, message):
    with pytest.raises(InvalidSetting, match=message):
        build_network(architecture, width)


def test_every_name_is_listed_once():
    assert len(set(architectures())) == len(architectures()) == 7


def test_lenet_needs_no_other_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert count_parameters(build_network("lenet5")) == 61241
