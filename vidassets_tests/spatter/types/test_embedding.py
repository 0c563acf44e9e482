import numpy as np
import polars as pl
import pytest

from vidassets.errors import SchemaViolation
from vidassets.spatter.types.embedding import compute_features, principal_components
from vidassets_tests.spatter.scored_builds import events_of, predictions_of


def test_excluded_crops_have_no_features():
    features = compute_features(predictions_of("b", [0.1, None, 0.9], np.eye(3)), events_of("b", [0, 0, 0]))
    assert features.crops["event_index"].to_list() == [0, 2]
    assert features.matrix.shape == (2, 3 + 4)
    assert features.matrix.dtype == np.float32


def test_neither_the_embedding_nor_the_shape_outvotes_the_other():
    rng = np.random.default_rng(0)
    embeddings = 1000 * rng.normal(size=(200, 5))
    events = events_of("b", [0] * 200, area_px=rng.uniform(2000, 15000, 200).tolist())
    matrix = compute_features(predictions_of("b", [0.5] * 200, embeddings), events).matrix
    assert matrix[:, :5].var(axis=0).sum() == pytest.approx(1, rel=1e-4)
    assert matrix[:, 5:].var(axis=0).sum() == pytest.approx(1, rel=1e-4)


def test_crops_that_are_all_alike_have_finite_features():
    events = events_of("b", [0] * 5).with_columns(pl.lit(0.4).alias("mean_brightness"))
    assert not compute_features(predictions_of("b", [0.5] * 5), events).matrix.any()


def test_builds_without_crops_have_no_features():
    assert len(compute_features(predictions_of("b", []), events_of("b", [])).matrix) == 0


def test_features_are_ordered_by_clip_and_index_for_any_order_of_the_tables():
    predictions = pl.concat([predictions_of("b", [0.3, 0.4]), predictions_of("a", [0.1, 0.2])])
    events = pl.concat([events_of("a", [0, 0]), events_of("b", [0, 0])]).reverse()
    crops = compute_features(predictions, events).crops
    assert crops.select("clip", "event_index").rows() == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert crops["probability"].to_list() == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_components_keep_the_distances_of_rows_of_their_rank():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 7))
    components = principal_components(rows, 2)
    distances = np.linalg.norm(rows[0] - rows, axis=1)
    assert np.linalg.norm(components[0] - components, axis=1) == pytest.approx(distances)


def test_embeddings_of_two_models_are_refused():
    predictions = pl.concat([predictions_of("a", [0.1]), predictions_of("b", [0.1], model="f" * 16)])
    with pytest.raises(SchemaViolation, match="2 models"):
        compute_features(predictions, pl.concat([events_of("a", [0]), events_of("b", [0])]))


def test_a_scored_crop_without_its_event_is_refused():
    with pytest.raises(SchemaViolation, match="crop 1 was scored but has no event"):
        compute_features(predictions_of("b", [0.1, 0.2]), events_of("b", [0]))
