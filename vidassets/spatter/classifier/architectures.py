"""Networks by name. Each maps float32 (N, 3, 32, 32) in [0, 1] to a logit (N,) and an embedding (N, D).

LeNet-5 is implemented in `lenet.py`. The larger networks come from the optional package `transformers` and are built
from their configuration with random weights: nothing is downloaded. Needs torch: import it inside functions only.
"""

from collections.abc import Callable
from types import ModuleType

import torch
from torch import nn

from vidassets.errors import InvalidSetting, ModelMissing
from vidassets.spatter.classifier.lenet import CROP_SIZE_PX, LeNet

INSTALL = "pip install 'vidassets[architectures]'"


class PooledNetwork(nn.Module):
    """A backbone of `transformers` with one linear layer on its pooled features."""

    def __init__(self, backbone: nn.Module, embedding_size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.output = nn.Linear(embedding_size, 1)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logit of high gas flow (N,) and the pooled features (N, D)."""
        embedding = self.backbone(crops).pooler_output.flatten(1)
        return self.output(embedding).squeeze(1), embedding


def build_network(architecture: str, width: float = 1.0) -> nn.Module:
    """Return a new network with weights drawn from torch's generator.

    Args:
        architecture: one of `architectures()`.
        width: factor on the width of the layers, 1 as published; LeNet only.
    Raises:
        InvalidSetting: the architecture is unknown, or does not have this width.
        ModelMissing: the architecture needs the optional package, which is not installed.
    """
    if architecture in LENETS:
        if not 0 < width <= 16:
            raise InvalidSetting(f"width {width}: must be above 0 and at most 16. 1 is LeNet-5 as published.")
        return LeNet(classical=LENETS[architecture], width=width)
    if architecture not in BACKBONES:
        raise InvalidSetting(f"architecture {architecture}: unknown. Choose one of {', '.join(architectures())}.")
    if width != 1:
        raise InvalidSetting(f"width {width}: {architecture} has one width only. Leave width at 1.")
    return BACKBONES[architecture](_transformers(architecture))


def architectures() -> tuple[str, ...]:
    """Return the names that `build_network` accepts."""
    return (*LENETS, *BACKBONES)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def _transformers(architecture: str) -> ModuleType:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise ModelMissing(
            f"{architecture} needs the package {error.name}, which is not installed. `{INSTALL}`, or choose "
            f"{' or '.join(LENETS)}."
        ) from error
    return transformers


def _resnet(transformers: ModuleType, depths: list[int]) -> nn.Module:
    """He et al., "Deep residual learning for image recognition", CVPR 2016."""
    config = transformers.ResNetConfig(
        layer_type="basic", depths=depths, embedding_size=64, hidden_sizes=[64, 128, 256, 512]
    )
    return PooledNetwork(transformers.ResNetModel(config), embedding_size=512)


def _efficientnet(transformers: ModuleType, depth: float) -> nn.Module:
    """Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019."""
    config = transformers.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=depth, hidden_dim=1280, image_size=CROP_SIZE_PX, dropout_rate=0.2
    )
    return PooledNetwork(transformers.EfficientNetModel(config), embedding_size=1280)


def _vit(transformers: ModuleType) -> nn.Module:
    """Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; in the tiny size of Touvron et al.,
    "Training data-efficient image transformers", ICML 2021, with patches of 4 px because crops are 32 px wide.
    """
    config = transformers.ViTConfig(
        image_size=CROP_SIZE_PX,
        patch_size=4,
        hidden_size=192,
        num_hidden_layers=12,
        num_attention_heads=3,
        intermediate_size=768,
    )
    return PooledNetwork(transformers.ViTModel(config), embedding_size=192)


LENETS = {"lenet5": False, "lenet5-classical": True}
BACKBONES: dict[str, Callable[[ModuleType], nn.Module]] = {
    "resnet18": lambda package: _resnet(package, [2, 2, 2, 2]),
    "resnet34": lambda package: _resnet(package, [3, 4, 6, 3]),
    "efficientnet-b0": lambda package: _efficientnet(package, depth=1.0),
    "efficientnet-b1": lambda package: _efficientnet(package, depth=1.1),
    "vit-tiny": _vit,
}
