"""The crops of an index as what a network learns from, opened from the store for as long as it takes."""

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
    from vidassets.spatter.dataset.dataset import SpatterDataset

ADVISED = "advised"
CROPS = ("spatter_crops", "h5")


class CropChoice(dg.Config, extra="forbid"):
    """Which crops are learned from, and as what."""

    split: Literal["advised", "split_build", "split_layer", "split_random"] = Field(
        default=ADVISED, description="How training, validation and test are parted. advised: the strictest there is."
    )
    colour: Literal["rgb", "gray"] = Field(default="rgb", description="gray: on three channels.")
    high_share: float | None = Field(
        default=None, gt=0, lt=1, description="High flow among the crops learned from. None: as they are."
    )
    seed: int = Field(default=1234, ge=0, description="Of weights, order, turns, and of crops left out for the share.")


@dataclass(frozen=True)
class CropSets:
    """The three parts of a split."""

    train: "SpatterDataset"
    validation: "SpatterDataset"
    test: "SpatterDataset"
    data_hash: str


def split_of(index: pl.DataFrame, choice: CropChoice) -> str:
    """The split in force.

    Raises:
        InputsAwaited: a class is missing, so that nothing can be learned yet.
    """
    from vidassets.spatter.dataset.splits import advised_split, check_both_classes

    try:
        check_both_classes(index)
    except OneClassOnly as error:
        raise InputsAwaited(str(error)) from error
    return advised_split(index).split if choice.split == ADVISED else choice.split


@contextmanager
def crop_sets(index: pl.DataFrame, store: ArtifactStore, choice: CropChoice, split: str) -> Iterator[CropSets]:
    """The parts, decoded from a copy that is taken away when the block ends.

    Raises:
        InvalidSetting: the split could not be made of this index.
    """
    from vidassets.spatter.dataset.dataset import SpatterDataset
    from vidassets.spatter.dataset.splits import crops_of

    with ExitStack() as opened:
        builds = dict(index.select("file", "build").unique(maintain_order=True).iter_rows())
        files = {
            file: opened.enter_context(store.local_path(CROPS[0], build, CROPS[1])) for file, build in builds.items()
        }
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="vidassets-crops-")))

        def part(name: str) -> SpatterDataset:
            inside = folder / name
            inside.mkdir()
            crops = SpatterDataset(
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


def _data_hash(parts: "dict[str, SpatterDataset]", files: Iterable[Path], choice: CropChoice) -> str:
    """Of what is learned from and judged by: rows, labels, the crops files as they are now."""
    chosen = {name: getattr(choice, name) for name in CropChoice.model_fields}
    told = sha256(json.dumps(chosen, sort_keys=True).encode())
    for name, crops in parts.items():
        told.update(name.encode() + crops.crops.select("build", "dataset", "ds_idx", "label").write_csv().encode())
    for path in files:
        with path.open("rb") as file:
            told.update(hashlib.file_digest(file, "sha256").digest())
    return told.hexdigest()[:16]
