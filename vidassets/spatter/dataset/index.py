"""Index the crops of all builds: where each is stored, its label, whether it is usable, and its part in each split."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vidassets.errors import ArtifactDamaged, VidassetsError
from vidassets.schemas.spatter import SpatterIndex
from vidassets.spatter.dataset.labels import BuildLabels
from vidassets.spatter.dataset.splits import USABLE, with_splits
from vidassets.spatter.dataset.stored_crops import FIX, StoredCrops
from vidassets.spatter.dataset.transforms import decode_crop, exclusion

SEED = 1234
# JPEGs to read at once, a few MB for a recording of any length. Chosen here.
SCAN_CROPS = 512
EXPORTED = ("file", "dataset", "ds_idx", "label", "build", "layer", "split_random", "split_layer", "split_build")


@dataclass(frozen=True)
class BuildCrops:
    """The crops of one build.

    Args:
        build: partition key.
        file: name of the crops file in the index: its URI in the store.
        path: local copy of the crops file.
        events: `spatter_schemas.SpatterEvents` of the same extraction.
    """

    build: str
    file: str
    path: Path
    events: pl.DataFrame


def index_crops(
    builds: Iterable[BuildCrops],
    labels: Mapping[str, BuildLabels],
    seed: int = SEED,
    on_refused: Callable[[str, VidassetsError], None] | None = None,
) -> pl.DataFrame:
    """Return one row per crop of every build; columns in `spatter_schemas.SpatterIndex`, sorted by build and event.

    Every crop is decoded once, to exclude crops that do not decode or are all black. A build that is not in `labels`
    or has no gas flow gets null labels and is in no split.

    Args:
        builds: read one at a time, in any order.
        labels: by build.
        seed: of the splits.
        on_refused: called with a build that cannot be read and the error, and the build is skipped; None raises the
            error.

    Raises:
        ArtifactMissing, ArtifactDamaged, NotACropsFile: a crops file is missing, damaged, of another form, or from
            another extraction than its events.
    """
    rows = []
    for crops in builds:
        try:
            rows.append(_rows(crops, labels.get(crops.build, BuildLabels())))
        except VidassetsError as error:
            if on_refused is None:
                raise
            on_refused(crops.build, error)
    table = pl.concat([SpatterIndex.create_empty().drop("split_random", "split_layer", "split_build"), *rows])
    return with_splits(table.sort("build", "event_index"), seed).select(SpatterIndex.column_names())


def _rows(crops: BuildCrops, labels: BuildLabels) -> pl.DataFrame:
    events = crops.events.sort("event_index")
    stored = StoredCrops({crops.file: crops.path})
    try:
        _check_same_extraction(crops, events, stored)
        excluded = [
            reason
            for (dataset,), rows in events.group_by("dataset", maintain_order=True)
            for reason in _exclusions(stored, crops.file, str(dataset), rows.height)
        ]
    finally:
        stored.close()
    return events.select(
        pl.lit(crops.build).alias("build"),
        "event_index",
        pl.lit(crops.file).alias("file"),
        "dataset",
        "ds_idx",
        "layer",
        pl.lit(labels.label, pl.Int8).alias("label"),
        pl.lit(labels.position, pl.String).alias("position"),
        pl.lit(labels.json, pl.String).alias("labels_json"),
        pl.Series("excluded", excluded, pl.String),
    )


def _check_same_extraction(crops: BuildCrops, events: pl.DataFrame, stored: StoredCrops) -> None:
    # Size of each dataset according to the events, and whether they refer to each of its crops once and in order.
    expected = {
        dataset: (rows.height, rows["ds_idx"].to_list() == list(range(rows.height)))
        for (dataset,), rows in events.group_by("dataset", maintain_order=True)
    }
    found = stored.datasets(crops.file)
    sizes = {name: stored.size(crops.file, name) for name in expected if name in found}
    if set(expected) != set(found) or any((sizes[name], True) != expected[name] for name in expected):
        raise ArtifactDamaged(
            f"{crops.file}: holds {sum(sizes.values())} of the {events.height} crops of {crops.build}'s events, in "
            f"the datasets {', '.join(found[:5]) or 'none'}: it is not of the same extraction. {FIX}"
        )


def _exclusions(stored: StoredCrops, file: str, dataset: str, size: int) -> Iterable[str | None]:
    for start in range(0, size, SCAN_CROPS):
        for jpeg in stored.jpegs(file, dataset, slice(start, start + SCAN_CROPS)):
            yield exclusion(decode_crop(jpeg))


def exclusion_counts(index: pl.DataFrame) -> pl.DataFrame:
    """Return how many crops of each build are used, and how many are not used for each reason.

    Columns: build, reason ("used", "not labelled", or as in `excluded`), crops; sorted.
    """
    reason = pl.coalesce("excluded", pl.when(pl.col("label").is_null()).then(pl.lit("not labelled")), pl.lit("used"))
    return index.group_by("build", reason.alias("reason")).agg(crops=pl.len()).sort("build", "reason")


def images_csv(index: pl.DataFrame, seed: int | None = SEED) -> bytes:
    """Return the usable crops as CSV: file, dataset, ds_idx, label, build, layer and the splits.

    Args:
        index: `spatter_schemas.SpatterIndex`.
        seed: of the random order (`images.csv`); None keeps the order of the index (`unshuffled_images.csv`).
    """
    rows = index.filter(USABLE).select(EXPORTED)
    if seed is not None:
        rows = rows[np.random.default_rng(seed).permutation(rows.height)]
    return rows.write_csv().encode()
