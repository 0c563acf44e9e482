"""Open the crops of an index as the training, validation and test sets of a network."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.errors import InputsAwaited, OneClassOnly
from vidassets.storage.store import ArtifactStore

if TYPE_CHECKING:
    from vidassets.spatter.dataset.torch_crops import TorchCrops

ADVISED = "advised"
CROPS = ("spatter_crops", "h5")


class CropChoice(dg.Config, extra="forbid"):
    """Which crops the network is trained on, and in which form."""

    split: Literal["advised", "split_build", "split_layer", "split_random"] = Field(
        default=ADVISED, description="Split into training, validation and test. advised: the strictest one available."
    )
    colour: Literal["rgb", "gray"] = Field(default="rgb", description="gray: repeated on three channels.")
    high_share: float | None = Field(
        default=None, gt=0, lt=1, description="Share of high flow among the training crops. None: unchanged."
    )
    seed: int = Field(
        default=1234, ge=0, description="Seed of weights, order, rotations, and crops left out for the share."
    )


@dataclass(frozen=True)
class CropSets:
    """The three parts of a split, and a hash of what is learned from and evaluated on."""

    train: "TorchCrops"
    validation: "TorchCrops"
    test: "TorchCrops"
    data_hash: str


def split_of(index: pl.DataFrame, choice: CropChoice) -> str:
    """Return the column of the index that holds the chosen split.

    Raises:
        InputsAwaited: a class is missing, so nothing can be learned yet.
    """
    from vidassets.spatter.dataset.splits import advised_split, check_both_classes

    try:
        check_both_classes(index)
    except OneClassOnly as error:
        raise InputsAwaited(str(error)) from error
    return advised_split(index).split if choice.split == ADVISED else choice.split


@contextmanager
def open_crop_sets(index: pl.DataFrame, store: ArtifactStore, choice: CropChoice, split: str) -> Iterator[CropSets]:
    """Yield the parts, backed by local copies of the crops that are deleted when the block ends.

    Raises:
        InvalidSetting: the index has no such split.
    """
    from vidassets.spatter.dataset.splits import crops_of
    from vidassets.spatter.dataset.torch_crops import TorchCrops

    with ExitStack() as opened:
        builds = dict(index.select("file", "build").unique(maintain_order=True).iter_rows())
        files = {
            file: opened.enter_context(store.local_path(CROPS[0], build, CROPS[1])) for file, build in builds.items()
        }
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="vidassets-crops-")))

        def part(name: str) -> TorchCrops:
            inside = folder / name
            inside.mkdir()
            crops = TorchCrops(
                crops_of(index, split, name),
                files=files,
                augment=name == "train",
                colour=choice.colour,
                high_share=choice.high_share if name == "train" else None,
                unpack_in=inside,
                seed=choice.seed,
            )
            opened.callback(crops.close)
            return crops

        parts = {name: part(name) for name in ("train", "validation", "test")}
        yield CropSets(**parts, data_hash=_data_hash(parts, files.values(), choice))


def _data_hash(parts: "dict[str, TorchCrops]", files: Iterable[Path], choice: CropChoice) -> str:
    """Return a hash of the settings, rows, labels and current crops files."""
    settings = {name: getattr(choice, name) for name in CropChoice.model_fields}
    digest = sha256(json.dumps(settings, sort_keys=True).encode())
    for name, crops in parts.items():
        digest.update(name.encode() + crops.crops.select("build", "dataset", "ds_idx", "label").write_csv().encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
