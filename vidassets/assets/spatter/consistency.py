"""What crops without a label are worth to a classifier that has few with one."""

from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from vidassets.assets.spatter.crop_sets import CropChoice, open_crop_sets, split_of
from vidassets.errors import InvalidSetting
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.partitions import builds
from vidassets.resources.store import Store
from vidassets.schemas import spatter as spatter_schemas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from vidassets.spatter.dataset.torch_crops import TorchCrops


class ConsistencyComparison(CropChoice):
    """How many crops keep their label, and how long is trained."""

    n_labelled: list[int] = Field(default=[20, 40, 80], min_length=1, description="Crops that keep their label.")
    steps: int = Field(default=600, ge=1, description="Of each training.")
    max_crops: int = Field(default=20_000, ge=2, description="Drawn from each part at most: they are held in memory.")


def _gain(artifact: pl.DataFrame) -> str:
    lines = ["| crops with a label | without | supervised | with consistency |", "|---|---|---|---|"]
    for row in artifact.iter_rows(named=True):
        accuracies = f"{row['supervised_accuracy']:.1%} | {row['consistency_accuracy']:.1%}"
        lines.append(f"| {row['n_labelled']} | {row['n_unlabelled']} | {accuracies} |")
    return "\n".join(lines)


def _logits() -> "nn.Module":
    """LeNet-5 without its second output."""
    from torch import nn

    from vidassets.spatter.classifier.lenet import LeNet

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lenet = LeNet()

        def forward(self, crops):
            return self.lenet(crops)[0]

    return Logits()


def _drawn(crops: "TorchCrops", at_most: int, rng: "np.random.Generator") -> "tuple[NDArray, NDArray]":
    """Some crops float32 (N, 3, 32, 32) and their classes int64 (N,), in random order."""
    import numpy as np

    chosen = rng.permutation(len(crops))[:at_most]
    items = crops.__getitems__(chosen.tolist())
    return np.stack([crop.numpy() for crop, _ in items]), np.array([int(label) for _, label in items], np.int64)


@dataset_asset(
    group="spatter_on_demand",
    kinds={"parquet", "pytorch"},
    version="1",
    schema=spatter_schemas.SpatterConsistency,
    partitions=builds,
    pool="spatter_training",
    preview=_gain,
    on_demand=True,
)
def spatter_consistency(spatter_index: pl.DataFrame, config: ConsistencyComparison, store: Store) -> pl.DataFrame:
    """Is it worth labelling more? Accuracy from a few labels alone, and from as many with all other crops beside them.

    Made only when it is asked for by name: FixMatch's consistency training against supervised training, LeNet-5.
    """
    import numpy as np

    from vidassets.spatter.classifier.consistency import ConsistencySettings, compare_with_supervised
    from vidassets.spatter.classifier.training import torch_held_to

    rng, rows = np.random.default_rng(config.seed), []
    with (
        open_crop_sets(spatter_index, store.open(), config, split_of(spatter_index, config)) as sets,
        torch_held_to("cpu", 1),
    ):
        crops, classes = _drawn(sets.train, config.max_crops, rng)
        test = _drawn(sets.test, config.max_crops, rng)
        for n_labelled in sorted(set(config.n_labelled)):
            if not 0 < n_labelled < len(crops):
                raise InvalidSetting(f"n_labelled {n_labelled}: there are {len(crops)} crops; ask for fewer, above 0.")
            compared = compare_with_supervised(
                _logits,
                (crops[:n_labelled], classes[:n_labelled]),
                crops[n_labelled:],
                test,
                ConsistencySettings(steps=config.steps, seed=config.seed),
            )
            rows.append(compared._asdict())
    return pl.DataFrame(rows).cast(dict.fromkeys(("n_labelled", "n_unlabelled", "n_test"), pl.Int32))
