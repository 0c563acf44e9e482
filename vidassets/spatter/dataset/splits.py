"""Which crops a model learns from, is chosen by, and is judged on: by crop, by layer, by build.

Crops of one layer show the same particles a frame apart and the same light: where they stand in two parts, the test
repeats what was learnt. So groups are kept whole, and every part holds both classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import InvalidSetting, OneClassOnly

PARTS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
# Chosen here: of so many orders of the groups, the first that comes nearest to the shares. Among three builds of
# unlike length, one order alone may leave the shortest to learn from.
DRAWS = 32
# What a split keeps whole; none is the split by crop.
GROUPS_OF_SPLIT = {"split_build": ["build"], "split_layer": ["build", "layer"], "split_random": []}
USABLE = pl.col("label").is_not_null() & pl.col("excluded").is_null()


@dataclass(frozen=True)
class SplitAdvice:
    """The column of the index to judge a model by, and why."""

    split: str
    reason: str


def with_splits(crops: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same rows with `split_random`, `split_layer`, `split_build`: train, validation, test; 60/20/20 of the crops,
    by build 60/20/20 of crops and builds, each for half.

    Null are crops without a label, excluded ones, and the whole column where it cannot be made: a class has fewer
    than three groups. The same seed and rows give the same splits; each class is split for itself.

    Args:
        crops: columns build, layer, label, excluded.
        seed: of the order in which crops and groups are drawn.
    """
    numbered = crops.with_row_index("row")
    usable = numbered.filter(USABLE)
    for split, keys in GROUPS_OF_SPLIT.items():
        parts = _crop_parts(usable, seed) if not keys else _group_parts(usable, keys, seed)
        numbered = numbered.join(parts.rename({"part": split}), on="row", how="left", maintain_order="left")
    return numbered.drop("row")


def _crop_parts(usable: pl.DataFrame, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [
        pl.DataFrame({"row": rng.permutation(rows["row"].to_numpy()), "part": _shared_out(rows.height)})
        for _, rows in usable.sort("label", "row").group_by("label", maintain_order=True)
    ]
    return pl.concat([_no_parts(usable), *parts])


def _group_parts(usable: pl.DataFrame, keys: list[str], seed: int) -> pl.DataFrame:
    groups = usable.group_by("label", *keys).agg("row", n=pl.len()).sort("label", *keys)
    n_groups = groups["label"].value_counts()["count"].to_list()
    if min(n_groups, default=0) < len(PARTS):
        return _no_parts(usable)
    rng = np.random.default_rng(seed)
    split = []
    for _, of_class in groups.group_by("label", maintain_order=True):
        draws = [of_class[rng.permutation(of_class.height)] for _ in range(DRAWS)]
        drawn = [(shuffled, _parts_of_groups(_weights(shuffled["n"].to_list(), keys))) for shuffled in draws]
        shuffled, (parts, _) = min(drawn, key=lambda draw: draw[1].away)
        split.append(shuffled.with_columns(part=pl.Series(parts)))
    return pl.concat(split).select("row", "part").explode("row")


def _no_parts(usable: pl.DataFrame) -> pl.DataFrame:
    return usable.clear().select("row", part=pl.lit(None, pl.String))


def _shared_out(n: int) -> list[str]:
    ends = np.round(np.cumsum(SHARES) * n).astype(int)
    return [part for part, size in zip(PARTS, np.diff(ends, prepend=0), strict=True) for _ in range(size)]


def _weights(sizes: list[int], keys: list[str]) -> list[float]:
    """What each group counts in the shares: its crops; a build also as one of so many.

    By crops alone one long build would be all that is learned from, and what sets it apart from the long build of the
    other class, be it the exposure, would pass for gas flow.
    """
    if keys != GROUPS_OF_SPLIT["split_build"]:
        return [float(size) for size in sizes]
    return [(size / sum(sizes) + 1 / len(sizes)) / 2 for size in sizes]


class _Drawn(NamedTuple):
    """The part of each group, and how much of their weight is not where the shares want it."""

    parts: list[str]
    away: float


def _parts_of_groups(sizes: Sequence[float]) -> _Drawn:
    """To each group, in order, the part that lacks most; the last groups go to parts that have none yet.

    >>> _parts_of_groups([10, 10, 10, 10, 10])
    _Drawn(parts=['train', 'train', 'train', 'validation', 'test'], away=0.0)
    """
    lacks = {part: share * sum(sizes) for part, share in zip(PARTS, SHARES, strict=True)}
    empty, parts = list(PARTS), []
    for index, size in enumerate(sizes):
        part = max(empty if len(sizes) - index <= len(empty) else PARTS, key=lambda one: lacks[one])
        lacks[part] -= size
        empty = [one for one in empty if one != part]
        parts.append(part)
    return _Drawn(parts, sum(abs(lack) for lack in lacks.values()))


def advised_split(index: pl.DataFrame) -> SplitAdvice:
    """The strictest split that could be made: by build, else by layer, else by crop, with what that means."""
    if _is_made(index, "split_build"):
        return SplitAdvice("split_build", "The test holds builds that the model never saw: as a new build will be.")
    few = "A class has fewer than three builds, so no split by build holds both classes in every part."
    if _is_made(index, "split_layer"):
        return SplitAdvice(
            "split_layer", f"{few} The test holds layers that were never seen, of builds that were: label more builds."
        )
    return SplitAdvice(
        "split_random",
        f"{few} The same holds for layers. Crops of one layer stand on both sides of the split by crop: its accuracy "
        "is too good. Label more builds.",
    )


def _is_made(index: pl.DataFrame, split: str) -> bool:
    return index[split].null_count() < index.height


def check_both_classes(index: pl.DataFrame) -> None:
    """Nothing, where usable crops of low and of high flow are there.

    Raises:
        OneClassOnly: a class is missing; names the builds of the other.
    """
    usable = index.filter(USABLE)
    if usable["label"].n_unique() == 2:
        return
    unlabelled = index.filter(pl.col("label").is_null())["build"].unique().sort().to_list()
    found = (
        f"every usable crop is of {'high' if usable['label'][0] else 'low'} flow "
        f"(builds {', '.join(usable['build'].unique().sort())})"
        if usable.height
        else "no usable crop has a label"
    )
    raise OneClassOnly(
        f"spatter_index: {found}. A classifier needs low and high: write gas_flow into the sidecar NAME.json of a "
        f"build, or into the labels table. Builds without it: {', '.join(unlabelled) or 'none'}."
    )


def crops_of(index: pl.DataFrame, split: str, part: str) -> pl.DataFrame:
    """The rows of one part, in the index's order.

    Raises:
        InvalidSetting: no such split or part, or a split that could not be made.
    """
    if split not in GROUPS_OF_SPLIT or part not in PARTS:
        raise InvalidSetting(
            f"split {split}, part {part}: take one of {', '.join(GROUPS_OF_SPLIT)} and of {', '.join(PARTS)}."
        )
    if not _is_made(index, split):
        raise InvalidSetting(f"{split} could not be made of this index: take {advised_split(index).split}.")
    return index.filter(pl.col(split) == part)


def with_class_share(crops: pl.DataFrame, high_share: float, seed: int) -> pl.DataFrame:
    """As many of the rows as there can be with this share of high flow; none twice, order kept.

    Args:
        crops: column label, without nulls.
        high_share: above 0, below 1: high among all.
        seed: of which rows of the class that is too many are left out.

    Raises:
        InvalidSetting: a share that is not between 0 and 1.
        OneClassOnly: a class has no crop.
    """
    if not 0 < high_share < 1:
        raise InvalidSetting(f"high_share is {high_share}: set it above 0 and below 1, such as 0.5.")
    rows = {label: np.flatnonzero(crops["label"].to_numpy() == label) for label in (0, 1)}
    if missing := [label for label, found in rows.items() if not len(found)]:
        raise OneClassOnly(f"no crop of class {missing[0]} among {crops.height}: a share of classes needs both.")
    wanted = {0: 1 - high_share, 1: high_share}
    total = min(len(rows[label]) / wanted[label] for label in rows)
    rng = np.random.default_rng(seed)
    kept = [rng.choice(rows[label], max(1, round(total * wanted[label])), replace=False) for label in rows]
    return crops[np.sort(np.concatenate(kept))]


def split_counts(index: pl.DataFrame) -> pl.DataFrame:
    """How many crops, layers and builds each part of each split holds, by class; to be shown beside a result."""
    of_split = [
        index.filter(pl.col(split).is_not_null())
        .group_by(pl.lit(split).alias("split"), pl.col(split).alias("part"), "label")
        .agg(crops=pl.len(), layers=pl.struct("build", "layer").n_unique(), builds=pl.col("build").n_unique())
        for split in GROUPS_OF_SPLIT
    ]
    order = {"split": list(GROUPS_OF_SPLIT), "part": list(PARTS)}
    ranks = [pl.col(name).replace_strict(values, range(len(values))) for name, values in order.items()]
    return pl.concat(of_split).sort(*ranks, "label")
