"""Resumable, seeded training of a classifier of crops. Needs torch: import it inside functions only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from vidassets.devices import resolve_device
from vidassets.errors import DeviceUnavailable, OneClassOnly, TrainingError
from vidassets.progress import report_part
from vidassets.spatter.classifier.architectures import build_network
from vidassets.spatter.classifier.checkpoint import Progress, copy_weights, load_progress, save_progress
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint

HOW_TO_FIX = "Set device to auto or cpu, or install the driver and a torch built for it."


class LabelledCrops(Protocol):
    """Labelled crops: a map-style torch dataset whose labels are known without decoding."""

    @property
    def labels(self) -> torch.Tensor:
        """Labels (len,) of any number type: 0 low flow, 1 high flow."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a crop float32 (3, 32, 32) in [0, 1] and its label."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Seed the random augmentation for this epoch, independently of earlier epochs."""
        ...


@dataclass(frozen=True)
class Training:
    """The result of a training.

    Args:
        network: with the weights of the best epoch, on the CPU, ready for inference.
        history: columns in `spatter_schemas.SpatterTraining`.
        best_epoch: the one with the lowest validation loss.
        stopped_early: whether patience ended the training before the maximum number of epochs.
        resumed_after_epoch: last epoch of an earlier process; 0 if this process ran all epochs.
        batch_size: crops per step, see `Recipe.min_batches`.
        device: on which the training ran.
        fingerprint: of recipe, data, device, threads and torch version.
    """

    network: nn.Module
    history: pl.DataFrame
    best_epoch: int
    stopped_early: bool
    resumed_after_epoch: int
    batch_size: int
    device: str
    fingerprint: str


def train(
    crops: LabelledCrops,
    validation: LabelledCrops,
    recipe: Recipe,
    execution: Execution,
    *,
    data_hash: str,
    checkpoints: Path,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Training:
    """Train a classifier, or resume a training that was interrupted.

    A resumed training gives the same result as an uninterrupted one; on a CPU it is identical to the bit. A finished
    training is not repeated: the result is read from its checkpoint, which the caller may delete.

    Args:
        crops: to learn from, in a new random order in each epoch.
        validation: decides which epoch is best and when to stop.
        recipe: see there.
        execution: see there.
        data_hash: of both sets. A checkpoint of other data is not used.
        checkpoints: folder. The file in it is named after the training's fingerprint.
        on_epoch: called with each row of the history before the checkpoint is saved, so at least once per row.
    Raises:
        OneClassOnly: all crops to learn from have the same label.
        TrainingError: a set is empty, a label is missing, or the loss is not finite.
        DeviceUnavailable: the device does not exist, or its memory is too small for a batch.
        ArtifactDamaged: the checkpoint is incomplete.
    """
    _check_learnable(crops, validation)
    device = resolve_device(execution.device, HOW_TO_FIX, allow_mps=True)
    circumstances = {"data": data_hash, "device": device.split(":")[0], "threads": execution.threads}
    name = fingerprint(recipe, **circumstances, torch=torch.__version__)
    path = checkpoints / f"{name}.pt"
    with deterministic_torch(device, execution.threads):
        _seed(recipe.seed, epoch=0)
        network = build_network(recipe.architecture, recipe.width).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        # Start from the checkpoint, or from the initial weights.
        progress = load_progress(path, device) or Progress(
            network.state_dict(), optimizer.state_dict(), copy_weights(network)
        )
        network.load_state_dict(progress.network)
        optimizer.load_state_dict(progress.optimizer)
        resumed_after_epoch = len(progress.history)
        while not _finished(progress.history, recipe, len(crops)):
            row = _epoch(network, optimizer, crops, validation, recipe, execution, len(progress.history) + 1)
            progress.history.append(row)
            report_part(len(progress.history), recipe.epochs_for(len(crops)), "epochs")
            if best_epoch(progress.history) == row["epoch"]:
                progress.best = copy_weights(network)
            progress.network, progress.optimizer = network.state_dict(), optimizer.state_dict()
            on_epoch(row)
            save_progress(progress, path)
        network.load_state_dict(progress.best)
    best = best_epoch(progress.history)
    return Training(
        network=network.cpu().eval(),
        history=pl.DataFrame(progress.history, schema_overrides={"epoch": pl.Int32}).with_columns(
            best=pl.col("epoch") == best
        ),
        best_epoch=best,
        stopped_early=len(progress.history) < recipe.epochs_for(len(crops)),
        resumed_after_epoch=resumed_after_epoch,
        batch_size=recipe.batch_size_for(len(crops)),
        device=device,
        fingerprint=name,
    )


def score_crops(network: nn.Module, crops: LabelledCrops, execution: Execution, batch_size: int = 1024) -> np.ndarray:
    """Return the logit of high gas flow of each crop, float32 (N,). The network keeps its device and mode."""
    device = resolve_device(execution.device, HOW_TO_FIX, allow_mps=True)
    home, mode = next(network.parameters()).device, network.training
    with deterministic_torch(device, execution.threads):
        try:
            return _logits(network.to(device), crops, batch_size, execution.workers).numpy()
        finally:
            network.to(home).train(mode)


def best_epoch(history: list[dict[str, Any]]) -> int:
    """Return the epoch with the lowest validation loss, the first one if several are equal."""
    return min(history, key=lambda row: row["validation_loss"])["epoch"]


def _check_learnable(crops: LabelledCrops, validation: LabelledCrops) -> None:
    """Raise TrainingError or OneClassOnly if a classifier cannot be trained on these crops."""
    for name, part in (("to learn from", crops), ("for validation", validation)):
        if not len(part):
            raise TrainingError(f"There is no crop {name}. Label more builds, or split by random crop.")
        if not bool(((part.labels == 0) | (part.labels == 1)).all()):
            raise TrainingError(f"A crop {name} has no label. Leave crops of unlabelled builds out.")
    if len(crops.labels.unique()) == 1:
        raise OneClassOnly(
            f"All {len(crops)} crops to learn from have the label {int(crops.labels[0])}; both 0 (low gas flow) and "
            "1 (high) are needed. Label builds of the other flow, or choose another split."
        )


def _finished(history: list[dict[str, Any]], recipe: Recipe, n_crops: int) -> bool:
    patience = recipe.patience_for(n_crops)
    waited = len(history) - best_epoch(history) if history else 0
    return len(history) >= recipe.epochs_for(n_crops) or (patience is not None and waited >= patience)


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    crops: LabelledCrops,
    validation: LabelledCrops,
    recipe: Recipe,
    execution: Execution,
    epoch: int,
) -> dict[str, Any]:
    """Run one epoch and the validation after it, and return the row of the history."""
    started_s = time.perf_counter()
    _seed(recipe.seed, epoch)
    crops.set_epoch(epoch)
    order = torch.randperm(len(crops)).tolist()
    batch_size = recipe.batch_size_for(len(order))
    # Drop a last batch of a single crop: it has no variance, and batch normalisation would divide by zero.
    drop_last = len(order) > batch_size > 1 and len(order) % batch_size == 1
    loader = DataLoader(_typed(crops), batch_size, sampler=order, num_workers=execution.workers, drop_last=drop_last)
    device = next(network.parameters()).device
    loss_sum, n_right, n_seen = 0.0, 0, 0
    network.train()
    # Crops (B, 3, 32, 32) and labels (B,) → logits (B,) → one step of the optimizer.
    for pictures, labels in loader:
        wanted = labels.to(device, torch.float32)
        try:
            logits, _ = network(pictures.to(device))
            loss = binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
        except torch.OutOfMemoryError as error:
            raise DeviceUnavailable(
                f"{device}: its memory is too small for a batch of {batch_size} crops. Lower batch_size."
            ) from error
        optimizer.step()
        loss_sum += loss.item() * len(wanted)
        n_right += int(((logits > 0) == (wanted > 0.5)).sum())
        n_seen += len(wanted)
    # Validation over all crops at once: logits (V,) and labels (V,).
    logits, labels = _logits(network, validation, recipe.batch_size, execution.workers), _labels(validation)
    row = {
        "epoch": epoch,
        "train_loss": loss_sum / n_seen,
        "train_accuracy": n_right / n_seen,
        "validation_loss": binary_cross_entropy_with_logits(logits.double(), labels).item(),
        "validation_accuracy": ((logits > 0) == (labels > 0.5)).double().mean().item(),
        "seconds": time.perf_counter() - started_s,
    }
    if not np.isfinite([row["train_loss"], row["validation_loss"]]).all():
        raise TrainingError(
            f"Epoch {epoch}: the loss is {row['train_loss']} in training and {row['validation_loss']} in validation. "
            f"Lower learning_rate, now {recipe.learning_rate}."
        )
    return row


def _logits(network: nn.Module, crops: LabelledCrops, batch_size: int, workers: int) -> torch.Tensor:
    """Return logits float32 (N,) on the CPU. The network runs in inference mode on its own device."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(pictures.to(device))[0].cpu()
            for pictures, _ in DataLoader(_typed(crops), batch_size, num_workers=workers)
        ]
    return torch.cat(parts) if parts else torch.empty(0)


def _labels(crops: LabelledCrops) -> torch.Tensor:
    return crops.labels.double()


def _typed(crops: LabelledCrops) -> Any:
    """Return the crops typed as Any: DataLoader's types accept only subclasses of torch's Dataset."""
    return crops


def _seed(seed: int, epoch: int) -> None:
    """Seed torch for an epoch. It does not depend on earlier epochs, so a resumed training draws the same numbers."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]))


@contextmanager
def deterministic_torch(device: str, threads: int) -> Iterator[None]:
    """Run a block with deterministic kernels and this many CPU threads, then restore torch's generators and threads."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    gpus = [device] if device.startswith("cuda") else []
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with torch.random.fork_rng(gpus), flags:
            yield
    finally:
        torch.set_num_threads(threads_before)
