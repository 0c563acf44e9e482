"""The description of each kind of spatter: figures, a sentence, and a sheet of typical crops."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.stored_crops import Jpeg, StoredCrops
from vidassets.spatter.types.embedding import KEY, CropFeatures

MAX_BYTES = 150_000
CELL_PX, GAP_PX, LABEL_PX = 64, 6, 24
BACKGROUND, INK = (27, 24, 24), (216, 212, 212)
JPEG_QUALITIES = (85, 70, 55, 40)
# Words for a cluster whose value is in the lowest or the highest third of all crops.
WORDS = {
    "area_px": ("small", "large"),
    "mean_brightness": ("dim", "bright"),
    "eccentricity": ("round", "elongated"),
}


def describe_types(features: CropFeatures, types: pl.DataFrame) -> pl.DataFrame:
    """Return one row per cluster; columns in `spatter_schemas.SpatterTypeFacts`.

    Args:
        features: of the crops.
        types: rows of `spatter_schemas.SpatterTypes` of the same crops.
    """
    crops = features.crops.join(types.select(*KEY, "cluster"), on=KEY, how="inner", maintain_order="left")
    facts = (
        crops.group_by("cluster")
        .agg(
            pl.len().cast(pl.Int64).alias("n_crops"),
            (pl.len() / len(crops)).alias("share"),
            pl.col("area_px").median(),
            pl.col("mean_brightness", "peak_brightness", "eccentricity", "probability").cast(pl.Float64).mean(),
        )
        .sort("cluster")
    )
    thirds = {column: crops[column].quantile(1 / 3, "linear") for column in WORDS}
    two_thirds = {column: crops[column].quantile(2 / 3, "linear") for column in WORDS}
    sentences = [_sentence(row, thirds, two_thirds) for row in facts.iter_rows(named=True)]
    return spatter_schemas.SpatterTypeFacts.validate(facts.with_columns(pl.Series("description", sentences)), cast=True)


def _sentence(row: dict, thirds: dict[str, float | None], two_thirds: dict[str, float | None]) -> str:
    """Describe a cluster in words and figures."""
    words = []
    for column, (low, high) in WORDS.items():
        if row[column] < (thirds[column] or 0.0):
            words.append(low)
        elif row[column] > (two_thirds[column] or 0.0):
            words.append(high)
    return (
        f"Type {row['cluster']}: {row['n_crops']} crops ({row['share']:.0%}), {', '.join(words) or 'middling'}: "
        f"{row['area_px']:.0f} px, mean brightness {row['mean_brightness']:.2f}, "
        f"eccentricity {row['eccentricity']:.2f}; high flow {row['probability']:.0%}."
    )


def draw_type_sheet(
    types: pl.DataFrame,
    facts: pl.DataFrame,
    read_jpeg: Callable[[str, int], Jpeg],
    crops_a_type: int = 12,
) -> bytes:
    """Return a JPEG of at most 150 KB: a row per cluster with its sentence and its most typical crops.

    Args:
        types: rows of `spatter_schemas.SpatterTypes`.
        facts: rows of `spatter_schemas.SpatterTypeFacts` of the same clusters.
        read_jpeg: returns the JPEG of a clip and event_index.
        crops_a_type: 1 to 20.

    Raises:
        InvalidSetting: crops_a_type is outside of its range.
    """
    if not 1 <= crops_a_type <= 20:
        raise InvalidSetting(f"crops_a_type is {crops_a_type}: must be 1 to 20.")
    rows = []
    for fact in facts.iter_rows(named=True):
        typical = (
            types.filter(pl.col("cluster") == fact["cluster"])
            .sort("cluster_confidence", *KEY, descending=[True, False, False], maintain_order=True)
            .head(crops_a_type)
        )
        pictures = [_decode(read_jpeg(clip, index)) for clip, index in typical.select(KEY).iter_rows()]
        rows.append(_row(fact["description"], pictures, crops_a_type))
    sheet = np.vstack(rows) if rows else np.full((LABEL_PX, CELL_PX, 3), BACKGROUND, np.uint8)
    return _small_jpeg(sheet)


def jpeg_reader(stored: StoredCrops, events: pl.DataFrame) -> Callable[[str, int], Jpeg]:
    """Return a function that reads the JPEG of a clip's event_index, as `draw_type_sheet` needs it.

    Args:
        stored: the crops files by clip.
        events: rows of `spatter_schemas.SpatterEvents` of these clips.
    """
    columns = events.select("clip", "event_index", "dataset", "ds_idx")
    places = {(clip, index): (dataset, ds_idx) for clip, index, dataset, ds_idx in columns.iter_rows()}

    def read_jpeg(clip: str, event_index: int) -> Jpeg:
        dataset, ds_idx = places[clip, event_index]
        return stored.jpegs(clip, dataset, np.array([ds_idx]))[0]

    return read_jpeg


def _decode(jpeg: Jpeg) -> NDArray[np.uint8] | None:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if picture is None else np.asarray(picture, np.uint8)


def _row(text: str, pictures: list[NDArray[np.uint8] | None], n_cells: int) -> NDArray[np.uint8]:
    """Draw a sentence above a row of pictures, each fitted into its cell."""
    # At least 760 px, so that the sentence fits when there are few crops.
    width = max(760, n_cells * (CELL_PX + GAP_PX) + GAP_PX)
    row = np.full((LABEL_PX + CELL_PX + GAP_PX, width, 3), BACKGROUND, np.uint8)
    cv2.putText(row, text, (GAP_PX, LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    for column, picture in enumerate(pictures):
        if picture is None:
            continue
        height, width_px = picture.shape[:2]
        scale = min(CELL_PX / height, CELL_PX / width_px)
        size = max(1, math.floor(width_px * scale)), max(1, math.floor(height * scale))
        fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left = GAP_PX + column * (CELL_PX + GAP_PX) + (CELL_PX - size[0]) // 2
        top = LABEL_PX + (CELL_PX - size[1]) // 2
        row[top : top + size[1], left : left + size[0]] = fitted
    return row


def _small_jpeg(sheet: NDArray[np.uint8]) -> bytes:
    """Encode the sheet, with lower quality or at a smaller size if it would be too large."""
    while True:
        for quality in JPEG_QUALITIES:
            _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if len(data) <= MAX_BYTES:
                return data.tobytes()
        sheet = np.asarray(cv2.resize(sheet, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA), np.uint8)
