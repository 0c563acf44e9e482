"""Split crops into training, validation and test: by crop, by layer and by build.

Crops of one layer show the same particles one frame apart in the same light. If they are in two parts, the test repeats
what was learned. The splits by layer and by build therefore keep groups whole, and every part contains both classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import InvalidSetting, OneClassOnly

PARTS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
# Random orders of the groups to try; the first one closest to the shares is used. With three builds of different
# lengths, a single order might leave only the shortest for training. Chosen here.
DRAWS = 32
# The columns that identify the groups a split keeps whole; none for the split by crop.
GROUPS_OF_SPLIT = {"split_build": ["build"], "split_layer": ["build", "layer"], "split_random": []}
USABLE = pl.col("label").is_not_null() & pl.col("excluded").is_null()


@dataclass(frozen=True)
class SplitAdvice:
    """The split column of the index by which to evaluate a model, and the reason."""

    split: str
    reason: str


def with_splits(crops: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the rows with the columns `split_random`, `split_layer` and `split_build`: train, validation or test.

    The shares are 60/20/20 of the crops; by build, the number of builds counts for one half. Each class is split
    separately. Crops that are unlabelled or excluded are null. A column is all null if a class has fewer than three
    groups. The same seed and rows give the same splits.

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
    """Return row and part of each usable crop, split by crop."""
    rng = np.random.default_rng(seed)
    parts = [
        pl.DataFrame({"row": rng.permutation(rows["row"].to_numpy()), "part": _shared_out(rows.height)})
        for _, rows in usable.sort("label", "row").group_by("label", maintain_order=True)
    ]
    return pl.concat([_no_parts(usable), *parts])


def _group_parts(usable: pl.DataFrame, keys: list[str], seed: int) -> pl.DataFrame:
    """Return row and part of each usable crop, with the groups identified by `keys` kept whole."""
    # One row per class and group: the rows of its crops and their number n.
    groups = usable.group_by("label", *keys).agg("row", n=pl.len()).sort("label", *keys)
    n_groups = groups["label"].value_counts()["count"].to_list()
    if min(n_groups, default=0) < len(PARTS):
        return _no_parts(usable)
    rng = np.random.default_rng(seed)
    split = []
    for _, of_class in groups.group_by("label", maintain_order=True):
        # Assign parts to DRAWS random orders of the class's groups; keep the order that is closest to the shares.
        draws = [of_class[rng.permutation(of_class.height)] for _ in range(DRAWS)]
        drawn = [(shuffled, _parts_of_groups(_weights(shuffled["n"].to_list(), keys))) for shuffled in draws]
        shuffled, (parts, _) = min(drawn, key=lambda draw: draw[1].deviation)
        split.append(shuffled.with_columns(part=pl.Series(parts)))
    return pl.concat(split).select("row", "part").explode("row")


def _no_parts(usable: pl.DataFrame) -> pl.DataFrame:
    return usable.clear().select("row", part=pl.lit(None, pl.String))


def _shared_out(n: int) -> list[str]:
    ends = np.round(np.cumsum(SHARES) * n).astype(int)
    return [part for part, size in zip(PARTS, np.diff(ends, prepend=0), strict=True) for _ in range(size)]


def _weights(sizes: list[int], keys: list[str]) -> list[float]:
    """Return the weight of each group in the shares: its crops; for builds, the mean of crop share and build share.

    With crops alone, one long build of each class could be all the training data, and the model might learn any
    difference between these two builds, such as the exposure, instead of the gas flow.
    """
    if keys != GROUPS_OF_SPLIT["split_build"]:
        return [float(size) for size in sizes]
    return [(size / sum(sizes) + 1 / len(sizes)) / 2 for size in sizes]


class _Assignment(NamedTuple):
    """The part of each group, and by how much weight the parts deviate from their shares in total."""

    parts: list[str]
    deviation: float


def _parts_of_groups(sizes: Sequence[float]) -> _Assignment:
    """Assign each group, in order, to the part that lacks most; the last groups go to parts that are still empty.

    >>> _parts_of_groups([10, 10, 10, 10, 10])
    _Assignment(parts=['train', 'train', 'train', 'validation', 'test'], deviation=0.0)
    """
    # The weight that each part still lacks.
    lacks = {part: share * sum(sizes) for part, share in zip(PARTS, SHARES, strict=True)}
    empty, parts = list(PARTS), []
    for index, size in enumerate(sizes):
        # Once there are only as many groups left as empty parts, choose among the empty parts.
        candidates = list(empty if len(sizes) - index <= len(empty) else PARTS)
        part = max(candidates, key=lacks.__getitem__)
        lacks[part] -= size
        empty = [other for other in empty if other != part]
        parts.append(part)
    return _Assignment(parts, sum(abs(lack) for lack in lacks.values()))


def advised_split(index: pl.DataFrame) -> SplitAdvice:
    """Return the strictest available split: by build, else by layer, else by crop, with the reason."""
    if _is_made(index, "split_build"):
        return SplitAdvice(
            "split_build", "The test contains only builds that the model has never seen, like any new build."
        )
    few = "A class has fewer than three builds, so no split by build has both classes in every part."
    if _is_made(index, "split_layer"):
        return SplitAdvice(
            "split_layer",
            f"{few} The test contains unseen layers of builds that were seen in training. Label more builds.",
        )
    return SplitAdvice(
        "split_random",
        f"{few} The same holds for layers. The split by crop has crops of one layer in several parts, so its accuracy "
        "is too good. Label more builds.",
    )


def _is_made(index: pl.DataFrame, split: str) -> bool:
    return index[split].null_count() < index.height


def check_both_classes(index: pl.DataFrame) -> None:
    """Check that there are usable crops of low and of high flow.

    Raises:
        OneClassOnly: a class is missing; the message names the builds of the other.
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
    """Return the rows of one part, in the order of the index.

    Raises:
        InvalidSetting: the split or part does not exist, or the index does not have this split.
    """
    if split not in GROUPS_OF_SPLIT or part not in PARTS:
        raise InvalidSetting(
            f"split {split}, part {part}: use one of {', '.join(GROUPS_OF_SPLIT)} and one of {', '.join(PARTS)}."
        )
    if not _is_made(index, split):
        raise InvalidSetting(
            f"this index has no {split}: a class has too few groups. Use {advised_split(index).split}."
        )
    return index.filter(pl.col(split) == part)


def with_class_share(crops: pl.DataFrame, high_share: float, seed: int) -> pl.DataFrame:
    """Return the largest selection of rows with this share of high flow, in their order and without repeats.

    Args:
        crops: column label, without nulls.
        high_share: share of high flow, above 0 and below 1.
        seed: of the choice of surplus rows to leave out.

    Raises:
        InvalidSetting: the share is not between 0 and 1.
        OneClassOnly: a class has no crop.
    """
    if not 0 < high_share < 1:
        raise InvalidSetting(f"high_share is {high_share}: set it above 0 and below 1, such as 0.5.")
    rows = {label: np.flatnonzero(crops["label"].to_numpy() == label) for label in (0, 1)}
    if missing := [label for label, found in rows.items() if not len(found)]:
        raise OneClassOnly(f"no crop of class {missing[0]} among {crops.height}: a share of classes needs both.")
    # The total is limited by the class that is scarce for this share; draw each class's part of it without replacement.
    wanted = {0: 1 - high_share, 1: high_share}
    total = min(len(rows[label]) / wanted[label] for label in rows)
    rng = np.random.default_rng(seed)
    kept = [rng.choice(rows[label], max(1, round(total * wanted[label])), replace=False) for label in rows]
    return crops[np.sort(np.concatenate(kept))]


def split_counts(index: pl.DataFrame) -> pl.DataFrame:
    """Return the number of crops, layers and builds of each class in each part of each split."""
    of_split = [
        index.filter(pl.col(split).is_not_null())
        .group_by(pl.lit(split).alias("split"), pl.col(split).alias("part"), "label")
        .agg(crops=pl.len(), layers=pl.struct("build", "layer").n_unique(), builds=pl.col("build").n_unique())
        for split in GROUPS_OF_SPLIT
    ]
    order = {"split": list(GROUPS_OF_SPLIT), "part": list(PARTS)}
    ranks = [pl.col(name).replace_strict(values, range(len(values))) for name, values in order.items()]
    return pl.concat(of_split).sort(*ranks, "label")
