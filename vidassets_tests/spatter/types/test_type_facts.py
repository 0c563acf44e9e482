import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.errors import InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.embedding import CropFeatures, compute_features
from vidassets.spatter.types.type_facts import MAX_BYTES, describe_types, draw_type_sheet
from vidassets_tests.spatter.scored_builds import events_of, jpeg_of, predictions_of


def two_types() -> tuple[CropFeatures, pl.DataFrame]:
    """Return six small round crops under high flow and three large elongated crops under low flow."""
    events = events_of(
        "b", [0] * 9, area_px=[2100.0] * 6 + [9000.0, 8000.0, 1000.0], eccentricity=[0.1] * 6 + [0.9] * 3
    ).with_columns(pl.lit(0.4).alias("mean_brightness"))
    features = compute_features(predictions_of("b", [1.0] * 6 + [0.0] * 3), events)
    cluster = [0] * 6 + [1] * 3
    types = features.crops.select("clip", "event_index").with_columns(
        pl.Series("cluster", cluster, dtype=pl.Int32), pl.lit(1.0, pl.Float32).alias("cluster_confidence")
    )
    return features, types


def test_facts_are_medians_and_means_of_the_cluster():
    facts = describe_types(*two_types())
    spatter_schemas.SpatterTypeFacts.validate(facts)
    assert facts.select("n_crops", "area_px", "eccentricity", "probability").rows() == [
        (6, 2100.0, pytest.approx(0.1), 1.0),
        (3, 8000.0, pytest.approx(0.9), 0.0),
    ]
    assert facts["share"].sum() == pytest.approx(1)


def test_the_sentence_holds_the_measured_figures():
    assert describe_types(*two_types())["description"].to_list() == [
        "Type 0: 6 crops (67%), middling: 2100 px, mean brightness 0.40, eccentricity 0.10; high flow 100%.",
        "Type 1: 3 crops (33%), large, elongated: 8000 px, mean brightness 0.40, eccentricity 0.90; high flow 0%.",
    ]


def test_the_sheet_has_a_row_for_each_type_and_stays_small():
    features, types = two_types()
    noise = np.random.default_rng(0)
    sheet = draw_type_sheet(
        types, describe_types(features, types), lambda _, __: jpeg_of(noise.integers(0, 256, (90, 70, 3)))
    )
    assert len(sheet) <= MAX_BYTES
    assert cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR).shape[0] == 2 * 94


def test_the_sheet_shows_the_crop_of_each_index():
    features, types = two_types()
    asked = []

    def read(clip: str, index: int) -> bytes:
        asked.append((clip, index))
        return jpeg_of(np.full((60, 60, 3), (0, 0, 250), np.uint8))

    sheet = cv2.imdecode(
        np.frombuffer(draw_type_sheet(types, describe_types(features, types), read, crops_a_type=2), np.uint8),
        cv2.IMREAD_COLOR,
    )
    assert asked == [("b", 0), ("b", 1), ("b", 6), ("b", 7)]
    assert sheet[24 + 32, 6 + 32].tolist() == pytest.approx([0, 0, 250], abs=6)


def test_a_crop_that_does_not_decode_leaves_its_cell_empty():
    features, types = two_types()
    assert draw_type_sheet(types, describe_types(features, types), lambda _, __: b"no JPEG")


def test_a_sheet_of_no_crops_is_refused():
    features, types = two_types()
    with pytest.raises(InvalidSetting, match="crops_a_type is 0"):
        draw_type_sheet(types, describe_types(features, types), lambda _, __: b"", crops_a_type=0)
