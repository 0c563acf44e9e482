"""Consistency training: a few labels, and many crops without, and what the many are worth beside the few alone.

FixMatch (Sohn et al., "FixMatch: simplifying semi-supervised learning with consistency and confidence", NeurIPS 2020):
what the network is sure of in a weakly distorted crop is the target for a strongly distorted one. Different here: the
distortions, which fit spatter. Weak: mirrored, moved by up to 2 px. Strong: turned by up to 45° as well, scaled, dimmed
or brightened, a square cut out (DeVries and Taylor, 2017). RandAugment's colours are left out: hot metal has one.
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
from vidassets.spatter.classifier.training import torch_held_to
from vidassets.spatter.dataset.torch_crops import TorchCrops


@dataclass(frozen=True)
class ConsistencySettings:
    """How to train. Defaults of the threshold, the ratio and the weight are FixMatch's."""

    steps: int = 600
    batch_crops: int = 32  # labelled; drawn with replacement where there are fewer
    unlabelled_ratio: int = 7  # unlabelled crops for each labelled one
    min_confidence: float = 0.95  # of a target
    unlabelled_weight: float = 1.0
    learning_rate: float = 1e-3
    seed: int = 1234


class Comparison(NamedTuple):
    """Accuracy on crops that neither has seen, of the same network, labels, steps and seed."""

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
    with torch_held_to("cpu", 1):
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
    """What the crops without labels add to the few with.

    Args:
        build_network: makes an untrained network, from torch's random numbers; it takes float32 (N, 3, H, W) and gives
            logits (N, classes), or (N,) of class 1 against class 0; of a tuple these are the first.
        labelled: crops float32 (N, 3, H, W) in [0, 1] and classes int64 (N,).
        unlabelled: crops float32 (M, 3, H, W).
        test: crops and classes that training does not see.
        settings: None for the defaults.

    Raises:
        InvalidSetting: no labelled, unlabelled or test crop, or a setting that cannot be.
    """
    settings = settings or ConsistencySettings()
    if not len(test[0]) or not len(unlabelled):
        raise InvalidSetting(
            f"{len(unlabelled)} crops without labels and {len(test[0])} to test on: at least one each."
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
    """The trained network, on the CPU; the same for the same seed. Torch's random numbers are left as they were.

    Args:
        build_network, crops, classes: see `compare_with_supervised`.
        unlabelled: crops float32 (M, 3, H, W); None trains on the labels alone, with the same weak distortions.
        settings: how to train.

    Raises:
        InvalidSetting: no labelled crop, or a setting that cannot be.
    """
    if not len(crops) or min(settings.steps, settings.batch_crops, settings.unlabelled_ratio) < 1:
        raise InvalidSetting(
            f"{len(crops)} labelled crops, {settings.steps} steps, batches of {settings.batch_crops}, "
            f"{settings.unlabelled_ratio} unlabelled for each: at least one of each."
        )
    labelled, targets = torch.from_numpy(crops), torch.from_numpy(classes)
    others = None if unlabelled is None else torch.from_numpy(unlabelled)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network().train()
        # A stream of its own for the labels: with and without other crops they come in the same order.
        order = torch.Generator().manual_seed(settings.seed)
        optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
        for _ in range(settings.steps):
            rows = torch.randint(len(labelled), (settings.batch_crops,), generator=order)
            loss = functional.cross_entropy(_logits(network, weakly_distorted(labelled[rows])), targets[rows])
            if others is not None:
                loss = loss + settings.unlabelled_weight * _consistency_loss(network, others, settings)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def classes_of(network: nn.Module, crops: NDArray[np.float32], batch_crops: int = 512) -> NDArray[np.int64]:
    """The most probable class of each crop, int64 (N,)."""
    with torch.inference_mode():
        parts = [_logits(network, part).argmax(dim=1) for part in torch.from_numpy(crops).split(batch_crops)]
    return torch.cat(parts).numpy()


def weakly_distorted(crops: Tensor) -> Tensor:
    """Crops mirrored at random and moved by up to 2 px, same shape."""
    return _warped(crops, max_degrees=0.0, max_zoom=0.0, max_shift_px=2.0)


def strongly_distorted(crops: Tensor) -> Tensor:
    """Crops mirrored, moved, turned, scaled, dimmed or brightened, a square of 10 px black; same shape, in [0, 1]."""
    warped = _warped(crops, max_degrees=45.0, max_zoom=0.15, max_shift_px=4.0)
    gain = 0.8 + 0.4 * torch.rand(len(crops), 1, 1, 1)
    size = crops.shape[-1]
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
    """Cross-entropy of strongly distorted crops against what the network is sure of in the weakly distorted."""
    batch = crops[torch.randint(len(crops), (settings.batch_crops * settings.unlabelled_ratio,))]
    with torch.no_grad():
        confidence, target = _logits(network, weakly_distorted(batch)).softmax(dim=1).max(dim=1)
    loss = functional.cross_entropy(_logits(network, strongly_distorted(batch)), target, reduction="none")
    return (loss * (confidence >= settings.min_confidence)).mean()


def _logits(network: nn.Module, crops: Tensor) -> Tensor:
    """Logits (N, classes); one logit a crop becomes two, of which the first is 0."""
    answer = network(crops)
    logits = answer[0] if isinstance(answer, tuple) else answer
    return torch.stack([torch.zeros_like(logits), logits], dim=1) if logits.ndim == 1 else logits


def _warped(crops: Tensor, max_degrees: float, max_zoom: float, max_shift_px: float) -> Tensor:
    """Crops under a random affine map each: mirrored in half of the cases, turned, scaled, moved; black beyond."""
    n_crops, size = len(crops), crops.shape[-1]
    angle = (torch.rand(n_crops) * 2 - 1) * (max_degrees * torch.pi / 180)
    zoom = 1 + (torch.rand(n_crops) * 2 - 1) * max_zoom
    mirror = torch.randint(2, (n_crops,)) * 2.0 - 1
    shift = (torch.rand(n_crops, 2) * 2 - 1) * (2 * max_shift_px / size)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    across = torch.stack([cos * mirror, -sin, shift[:, 0]], dim=1)
    down = torch.stack([sin * mirror, cos, shift[:, 1]], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), list(crops.shape), align_corners=False)
    return functional.grid_sample(crops, grid, align_corners=False)
