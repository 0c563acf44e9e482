"""Training of a classifier of crops: resumable, seeded. Needs torch: import it inside functions only."""

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

from vidassets.errors import DeviceUnavailable, OneClassOnly, TrainingError
from vidassets.spatter.classifier.architectures import network_of
from vidassets.spatter.classifier.checkpoint import Progress, copy_of, load, save
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint


class CropSet(Protocol):
    """Labelled crops: a map-style torch dataset that knows its labels without decoding."""

    @property
    def labels(self) -> torch.Tensor:
        """0 low flow, 1 high flow, of every crop: (len,), any number type."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 (3, 32, 32) in [0, 1], and its label."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """What it draws at random is drawn for this epoch, whatever was drawn before."""
        ...


@dataclass(frozen=True)
class Training:
    """What came out.

    Args:
        network: with the weights of the best epoch, on the CPU, ready for inference.
        history: columns in `spatter_schemas.SpatterTraining`.
        best_epoch: the one with the lowest validation loss.
        stopped_early: patience ended it, not the number of epochs.
        resumed_after_epoch: the last epoch of an earlier process; 0 if all were run by this one.
        batch_size: crops a step, see `Recipe.min_batches`.
        device: where it really ran.
        fingerprint: of recipe, data, device, threads and version of torch.
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
    crops: CropSet,
    validation: CropSet,
    recipe: Recipe,
    execution: Execution,
    *,
    data_hash: str,
    checkpoints: Path,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Training:
    """Train, or go on where a process that was killed left off; the result is the same, on a CPU bit for bit.

    A training that is done is not done again: its checkpoint answers. It is the caller's to delete.

    Args:
        crops: learned from, in an order drawn anew for each epoch.
        validation: tells which epoch is best, and when to stop.
        recipe: see there.
        execution: see there.
        data_hash: of both sets; a checkpoint of other data is not gone on from.
        checkpoints: folder; the file in it is named by the training's fingerprint.
        on_epoch: called with each row of the history before it is kept, so at least once.
    Raises:
        OneClassOnly: there is only one to learn.
        TrainingError: a set is empty, a label is missing, or the loss is not finite.
        DeviceUnavailable: there is no such device, or its memory does not hold a batch.
        ArtifactDamaged: the checkpoint is not whole.
    """
    _check_learnable(crops, validation)
    device = resolve_device(execution.device)
    circumstances = {"data": data_hash, "device": device.split(":")[0], "threads": execution.threads}
    told = fingerprint(recipe, **circumstances, torch=torch.__version__)
    path = checkpoints / f"{told}.pt"
    with torch_held_to(device, execution.threads):
        _seed(recipe.seed, epoch=0)
        network = network_of(recipe.architecture, recipe.width).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        progress = load(path, device) or Progress(network.state_dict(), optimizer.state_dict(), copy_of(network))
        network.load_state_dict(progress.network)
        optimizer.load_state_dict(progress.optimizer)
        resumed_after_epoch = len(progress.history)
        while not _finished(progress.history, recipe, len(crops)):
            row = _epoch(network, optimizer, crops, validation, recipe, execution, len(progress.history) + 1)
            progress.history.append(row)
            if best_epoch(progress.history) == row["epoch"]:
                progress.best = copy_of(network)
            progress.network, progress.optimizer = network.state_dict(), optimizer.state_dict()
            on_epoch(row)
            save(progress, path)
        network.load_state_dict(progress.best)
    best = best_epoch(progress.history)
    return Training(
        network=network.cpu().eval(),
        history=pl.DataFrame(progress.history, schema_overrides={"epoch": pl.Int32}).with_columns(
            best=pl.col("epoch") == best
        ),
        best_epoch=best,
        stopped_early=len(progress.history) < recipe.epochs_of(len(crops)),
        resumed_after_epoch=resumed_after_epoch,
        batch_size=recipe.batch_of(len(crops)),
        device=device,
        fingerprint=told,
    )


def score(network: nn.Module, crops: CropSet, execution: Execution, batch_size: int = 1024) -> np.ndarray:
    """Logit of high gas flow of every crop, float32 (N,), in order. The network comes back as it was, on its device."""
    device = resolve_device(execution.device)
    home, mode = next(network.parameters()).device, network.training
    with torch_held_to(device, execution.threads):
        try:
            return _logits(network.to(device), crops, batch_size, execution.workers).numpy()
        finally:
            network.to(home).train(mode)


def best_epoch(history: list[dict[str, Any]]) -> int:
    """The epoch with the lowest validation loss, the first of equals."""
    return min(history, key=lambda row: row["validation_loss"])["epoch"]


def resolve_device(wanted: str) -> str:
    """cpu, mps or cuda:N.

    Raises:
        DeviceUnavailable: the device asked for is not there.
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind, _, index = wanted.partition(":")
    if kind == "auto":
        return "cuda:0" if n_gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    there = {
        "cpu": not index,
        "mps": torch.backends.mps.is_available(),
        "cuda": (index or "0") in map(str, range(n_gpus)),
    }
    if not there.get(kind, False):
        raise DeviceUnavailable(
            f"{wanted}: torch {torch.__version__} sees {n_gpus} GPUs and has no such device. Set device to auto or "
            "cpu, or install the driver and a torch built for it."
        )
    return f"cuda:{index or 0}" if kind == "cuda" else kind


def _check_learnable(crops: CropSet, validation: CropSet) -> None:
    """Raises TrainingError or OneClassOnly."""
    for name, part in (("to learn from", crops), ("for validation", validation)):
        if not len(part):
            raise TrainingError(f"No crop is left {name}. Label more builds, or split by random crop.")
        if not bool(((part.labels == 0) | (part.labels == 1)).all()):
            raise TrainingError(f"A crop {name} has no label. Leave crops of unlabelled builds out.")
    if len(crops.labels.unique()) == 1:
        raise OneClassOnly(
            f"All {len(crops)} crops to learn from have the label {int(crops.labels[0])}; both 0 (low gas flow) and "
            "1 (high) are needed. Label builds of the other flow, or split in another way."
        )


def _finished(history: list[dict[str, Any]], recipe: Recipe, n_crops: int) -> bool:
    patience = recipe.patience_of(n_crops)
    waited = len(history) - best_epoch(history) if history else 0
    return len(history) >= recipe.epochs_of(n_crops) or (patience is not None and waited >= patience)


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    crops: CropSet,
    validation: CropSet,
    recipe: Recipe,
    execution: Execution,
    epoch: int,
) -> dict[str, Any]:
    """One pass over the crops and one over the validation set: a row of the history."""
    started_s = time.perf_counter()
    _seed(recipe.seed, epoch)
    crops.set_epoch(epoch)
    order = torch.randperm(len(crops)).tolist()
    batch_size = recipe.batch_of(len(order))
    # A batch of one crop has no variance, which batch normalisation would divide by.
    drop_last = len(order) > batch_size > 1 and len(order) % batch_size == 1
    loader = DataLoader(_typed(crops), batch_size, sampler=order, num_workers=execution.workers, drop_last=drop_last)
    device = next(network.parameters()).device
    loss_sum, n_right, n_seen = 0.0, 0, 0
    network.train()
    for pictures, labels in loader:
        wanted = labels.to(device, torch.float32)
        try:
            logits, _ = network(pictures.to(device))
            loss = binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
        except torch.OutOfMemoryError as error:
            raise DeviceUnavailable(
                f"{device}: its memory does not hold a batch of {batch_size} crops. Lower batch_size."
            ) from error
        optimizer.step()
        loss_sum += loss.item() * len(wanted)
        n_right += int(((logits > 0) == (wanted > 0.5)).sum())
        n_seen += len(wanted)
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
            f"Epoch {epoch}: the loss is {row['train_loss']} on the crops, {row['validation_loss']} on validation. "
            f"Lower learning_rate, now {recipe.learning_rate}."
        )
    return row


def _logits(network: nn.Module, crops: CropSet, batch_size: int, workers: int) -> torch.Tensor:
    """float32 (N,) on the CPU, of the network in inference mode, where it lies."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(pictures.to(device))[0].cpu()
            for pictures, _ in DataLoader(_typed(crops), batch_size, num_workers=workers)
        ]
    return torch.cat(parts) if parts else torch.empty(0)


def _labels(crops: CropSet) -> torch.Tensor:
    return crops.labels.double()


def _typed(crops: CropSet) -> Any:
    """A map-style dataset by what it does, not by its base class, which is all that DataLoader's types know."""
    return crops


def _seed(seed: int, epoch: int) -> None:
    """What an epoch draws depends on nothing that an earlier one drew: so a resumed training draws the same."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]))


@contextmanager
def torch_held_to(device: str, threads: int) -> Iterator[None]:
    """Threads, and the same sums on each run; torch's generators and threads as they were, afterwards."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    gpus = [device] if device.startswith("cuda") else []
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with torch.random.fork_rng(gpus), flags:
            yield
    finally:
        torch.set_num_threads(threads_before)
