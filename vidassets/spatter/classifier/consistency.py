"""Consistency training on a few labelled and many unlabelled crops, compared with training on the labels alone.

FixMatch (Sohn et al., "FixMatch: simplifying semi-supervised learning with consistency and confidence", NeurIPS 2020):
a confident prediction for a weakly distorted crop is the target for the same crop under strong distortion. Different
here: the distortions are chosen for spatter. Weak: mirroring and shifts of up to 2 px. Strong: also rotation by up to
45°, scaling, changes of brightness and a square cut out (DeVries and Taylor, 2017). The colour changes of RandAugment
are left out, because hot metal has only one colour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vidassets.errors import InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.classifier.lenet import LeNet
from vidassets.spatter.classifier.training import deterministic_torch
from vidassets.spatter.dataset.torch_crops import TorchCrops


@dataclass(frozen=True)
class ConsistencySettings:
    """The settings of a training. The defaults of threshold, ratio and weight are those of FixMatch."""

    steps: int = 600
    batch_crops: int = 32  # labelled, drawn with replacement
    unlabelled_ratio: int = 7  # unlabelled crops per labelled crop
    min_confidence: float = 0.95  # of a target: less confident predictions are ignored
    unlabelled_weight: float = 1.0
    learning_rate: float = 1e-3
    seed: int = 1234


class Comparison(NamedTuple):
    """Accuracies on test crops of two trainings with the same network, labels, steps and seed."""

    n_labelled: int
    n_unlabelled: int
    n_test: int
    supervised_accuracy: float
    consistency_accuracy: float


def compare_label_counts(
    train: TorchCrops,
    test: TorchCrops,
    n_labelled: Sequence[int],
    max_crops: int,
    settings: ConsistencySettings,
) -> pl.DataFrame:
    """Return `compare_with_supervised` of LeNet-5 for several numbers of labels; columns in `SpatterConsistency`.

    Args:
        train: crops to learn from. All but n_labelled lose their label.
        test: crops to measure the accuracy on.
        n_labelled: numbers of crops that keep their label, a row each.
        max_crops: drawn from each part at most; all are held in memory.
        settings: of every training.

    Raises:
        InvalidSetting: a number of labelled crops that leaves no crop with or without a label.
    """
    rng, rows = np.random.default_rng(settings.seed), []
    with deterministic_torch("cpu", 1):
        crops, classes = _draw_crops(train, max_crops, rng)
        tested = _draw_crops(test, max_crops, rng)
        for n in sorted(set(n_labelled)):
            if not 0 < n < len(crops):
                raise InvalidSetting(f"n_labelled {n}: must be above 0 and below the number of crops, {len(crops)}.")
            compared = compare_with_supervised(LeNet, (crops[:n], classes[:n]), crops[n:], tested, settings)
            rows.append(compared._asdict())
    return spatter_schemas.SpatterConsistency.validate(pl.DataFrame(rows), cast=True)


def compare_with_supervised(
    build_network: Callable[[], nn.Module],
    labelled: tuple[NDArray[np.float32], NDArray[np.int64]],
    unlabelled: NDArray[np.float32],
    test: tuple[NDArray[np.float32], NDArray[np.int64]],
    settings: ConsistencySettings | None = None,
) -> Comparison:
    """Compare training on the labels alone with training on the labels and the unlabelled crops.

    Args:
        build_network: returns an untrained network, initialised by torch's generator. The network maps float32
            (N, 3, H, W) to logits (N, classes), or (N,) of class 1 against class 0, or a tuple that begins with them.
        labelled: crops float32 (N, 3, H, W) in [0, 1] and classes int64 (N,).
        unlabelled: crops float32 (M, 3, H, W).
        test: crops and classes that are not used in training.
        settings: None for the defaults.

    Raises:
        InvalidSetting: there is no labelled, unlabelled or test crop, or a setting is below 1.
    """
    settings = settings or ConsistencySettings()
    if not len(test[0]) or not len(unlabelled):
        raise InvalidSetting(
            f"{len(unlabelled)} crops without labels and {len(test[0])} test crops: at least one of each is needed."
        )
    accuracies = []
    for crops in (None, unlabelled):
        network = train_consistency(build_network, *labelled, crops, settings)
        accuracies.append(float((classes_of(network, test[0]) == test[1]).mean()))
    return Comparison(len(labelled[0]), len(unlabelled), len(test[0]), *accuracies)


def train_consistency(
    build_network: Callable[[], nn.Module],
    crops: NDArray[np.float32],
    classes: NDArray[np.int64],
    unlabelled: NDArray[np.float32] | None,
    settings: ConsistencySettings,
) -> nn.Module:
    """Return a network trained on the CPU. The same seed gives the same network; torch's generator is left unchanged.

    Args:
        build_network, crops, classes: see `compare_with_supervised`.
        unlabelled: crops float32 (M, 3, H, W). None trains on the labels alone, with the same weak distortions.
        settings: of the training.

    Raises:
        InvalidSetting: there is no labelled crop, or a setting is below 1.
    """
    if not len(crops) or min(settings.steps, settings.batch_crops, settings.unlabelled_ratio) < 1:
        raise InvalidSetting(
            f"{len(crops)} labelled crops, {settings.steps} steps, batches of {settings.batch_crops}, "
            f"{settings.unlabelled_ratio} unlabelled crops per labelled crop: each must be at least 1."
        )
    labelled, targets = torch.from_numpy(crops), torch.from_numpy(classes)
    others = None if unlabelled is None else torch.from_numpy(unlabelled)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network().train()
        # Labelled batches have a generator of their own: they come in the same order with and without unlabelled crops.
        order = torch.Generator().manual_seed(settings.seed)
        optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
        for _ in range(settings.steps):
            # Supervised loss of a labelled batch (B, 3, H, W) under weak distortion.
            rows = torch.randint(len(labelled), (settings.batch_crops,), generator=order)
            loss = functional.cross_entropy(_logits(network, weakly_distorted(labelled[rows])), targets[rows])
            # Plus the consistency loss of a batch of unlabelled crops.
            if others is not None:
                loss = loss + settings.unlabelled_weight * _consistency_loss(network, others, settings)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def classes_of(network: nn.Module, crops: NDArray[np.float32], batch_crops: int = 512) -> NDArray[np.int64]:
    """Return the most probable class of each crop, int64 (N,)."""
    with torch.inference_mode():
        parts = [_logits(network, part).argmax(dim=1) for part in torch.from_numpy(crops).split(batch_crops)]
    return torch.cat(parts).numpy()


def weakly_distorted(crops: Tensor) -> Tensor:
    """Return the crops mirrored at random and shifted by up to 2 px, same shape."""
    return _warped(crops, max_degrees=0.0, max_zoom=0.0, max_shift_px=2.0)


def strongly_distorted(crops: Tensor) -> Tensor:
    """Return the crops mirrored, shifted, rotated, scaled, changed in brightness, with a black square of 10 px.

    The shape stays (N, C, H, W), the range [0, 1].
    """
    warped = _warped(crops, max_degrees=45.0, max_zoom=0.15, max_shift_px=4.0)
    # A brightness factor in [0.8, 1.2] per crop (N, 1, 1, 1).
    gain = 0.8 + 0.4 * torch.rand(len(crops), 1, 1, 1)
    size = crops.shape[-1]
    # Top left corner of the square (N, 2, 1); rows and columns inside (N, 2, size); mask (N, size, size).
    corner = torch.randint(-4, size - 6, (len(crops), 2, 1))
    inside = (torch.arange(size) >= corner) & (torch.arange(size) < corner + 10)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]
    return (warped * gain).clamp(0, 1).masked_fill(hole[:, None], 0.0)


def _draw_crops(
    crops: TorchCrops, at_most: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return crops float32 (N, 3, 32, 32) in random order, and their classes int64 (N,)."""
    chosen = rng.permutation(len(crops))[:at_most]
    items = crops.__getitems__(chosen.tolist())
    return np.stack([crop.numpy() for crop, _ in items]), np.array([int(label) for _, label in items], np.int64)


def _consistency_loss(network: nn.Module, crops: Tensor, settings: ConsistencySettings) -> Tensor:
    """Return the cross-entropy of strongly distorted crops against confident predictions for weakly distorted ones."""
    batch = crops[torch.randint(len(crops), (settings.batch_crops * settings.unlabelled_ratio,))]
    # Confidence and class of each weakly distorted crop, both (M,).
    with torch.no_grad():
        confidence, target = _logits(network, weakly_distorted(batch)).softmax(dim=1).max(dim=1)
    # Loss (M,) of the strongly distorted crops; targets below the threshold count as 0.
    loss = functional.cross_entropy(_logits(network, strongly_distorted(batch)), target, reduction="none")
    return (loss * (confidence >= settings.min_confidence)).mean()


def _logits(network: nn.Module, crops: Tensor) -> Tensor:
    """Return logits (N, classes). A single logit per crop becomes two, the first of which is 0."""
    output = network(crops)
    logits = output[0] if isinstance(output, tuple) else output
    return torch.stack([torch.zeros_like(logits), logits], dim=1) if logits.ndim == 1 else logits


def _warped(crops: Tensor, max_degrees: float, max_zoom: float, max_shift_px: float) -> Tensor:
    """Return each crop under its own random affine map: mirrored in half of the cases, rotated, scaled, shifted.

    Pixels from outside of the crop are black.
    """
    n_crops, size = len(crops), crops.shape[-1]
    # Per crop: angle, zoom and mirror sign (N,), shift (N, 2) in units of half the image size.
    angle = (torch.rand(n_crops) * 2 - 1) * (max_degrees * torch.pi / 180)
    zoom = 1 + (torch.rand(n_crops) * 2 - 1) * max_zoom
    mirror = torch.randint(2, (n_crops,)) * 2.0 - 1
    shift = (torch.rand(n_crops, 2) * 2 - 1) * (2 * max_shift_px / size)
    # The affine matrices (N, 2, 3), the sampling grid (N, H, W, 2), the sampled crops (N, C, H, W).
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    across = torch.stack([cos * mirror, -sin, shift[:, 0]], dim=1)
    down = torch.stack([sin * mirror, cos, shift[:, 1]], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), list(crops.shape), align_corners=False)
    return functional.grid_sample(crops, grid, align_corners=False)
