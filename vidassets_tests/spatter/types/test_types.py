import numpy as np
import polars as pl
import pytest

from vidassets.errors import InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.embedding import CropFeatures, compute_features
from vidassets.spatter.types.types import assign_types, cluster_crops
from vidassets_tests.spatter.scored_builds import events_of, predictions_of

KINDS = 6
NO_LABELS = pl.DataFrame(schema={"clip": pl.String, "event_index": pl.Int32, "label": pl.String})


def six_kinds(n_each: int = 50, spread: float = 0.5) -> tuple[CropFeatures, np.ndarray]:
    """Return crops of six kinds of increasing size, in random order, and the kind of each."""
    rng = np.random.default_rng(11)
    kind = rng.permutation(np.repeat(np.arange(KINDS), n_each))
    angle = kind * 2 * np.pi / KINDS
    embeddings = 8 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + spread * rng.normal(size=(len(kind), 2))
    area = (2000 * 1.3**kind + rng.uniform(0, 100, len(kind))).tolist()
    events = events_of("b", [0] * len(kind), area_px=area).with_columns(pl.lit(0.4).alias("mean_brightness"))
    return compute_features(predictions_of("b", [0.5] * len(kind), embeddings), events), kind


def labels_of(rows: list[int], words: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"clip": ["b"] * len(rows), "event_index": pl.Series(rows, dtype=pl.Int32), "label": words})


def test_six_kinds_are_found_and_numbered_by_area():
    features, kind = six_kinds()
    clusters = cluster_crops(features)
    spatter_schemas.SpatterTypeCounts.validate(clusters.counts)
    assert clusters.counts.filter("chosen")["n_clusters"].to_list() == [KINDS]
    assert clusters.cluster.tolist() == kind.tolist()


def test_six_kinds_are_stable_and_nine_are_not():
    stability = dict(cluster_crops(six_kinds()[0]).counts.select("n_clusters", "stability").iter_rows())
    assert stability[6] == pytest.approx(1.0)
    assert stability[9] < 0.9


def test_the_same_seed_gives_the_same_clusters():
    features, _ = six_kinds(spread=4.0)
    first, second = cluster_crops(features, seed=5), cluster_crops(features, seed=5)
    assert first.cluster.tolist() == second.cluster.tolist()
    assert first.confidence.tolist() == second.confidence.tolist()
    assert first.counts.equals(second.counts)


def test_a_crop_between_two_clusters_is_uncertain_and_one_at_a_centre_is_not():
    features, kind = six_kinds(spread=1.5)
    matrix = features.matrix.copy()
    matrix[0] = (features.matrix[kind == 0].mean(axis=0) + features.matrix[kind == 1].mean(axis=0)) / 2
    matrix[1] = features.matrix[kind == 3].mean(axis=0)
    confidence = cluster_crops(CropFeatures(features.crops, matrix), (6,)).confidence
    assert confidence[0] < 0.2
    assert confidence[1] > 0.9


@pytest.mark.parametrize(
    ("n_crops", "n_clusters"),
    [pytest.param(39, (5, 10), id="few crops"), pytest.param(300, (1, 5), id="one"), pytest.param(300, (), id="none")],
)
def test_an_impossible_number_of_clusters_is_refused(n_crops, n_clusters):
    features = compute_features(predictions_of("b", [0.5] * n_crops), events_of("b", [0] * n_crops))
    with pytest.raises(InvalidSetting, match=f"{n_crops} scored crops"):
        cluster_crops(features, n_clusters)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_crops_that_are_all_alike_are_clustered_without_an_error():
    events = events_of("b", [0] * 50).with_columns(pl.lit(0.4).alias("mean_brightness"))
    clusters = cluster_crops(compute_features(predictions_of("b", [0.5] * 50), events))
    assert set(clusters.cluster.tolist()) == {0}


def test_without_a_label_by_a_person_there_is_no_pseudo_label():
    features, _ = six_kinds()
    table = assign_types(features, cluster_crops(features, (6,)), NO_LABELS)
    spatter_schemas.SpatterTypes.validate(table)
    assert table["label"].null_count() == len(table)


def test_a_single_label_does_not_spread():
    features, _ = six_kinds()
    table = assign_types(features, cluster_crops(features, (6,)), labels_of([3], ["comet"]))
    assert table.filter(pl.col("label").is_not_null())["event_index"].to_list() == [3]


def test_labels_spread_to_similar_crops_and_a_persons_label_stands():
    features, kind = six_kinds()
    words = np.array(["droplet", "droplet", "droplet", "comet", "comet", "comet"])
    rows = [int(np.flatnonzero(kind == k)[n]) for k in range(KINDS) for n in range(3)]
    said = [str(words[kind[row]]) for row in rows]
    said[0] = "comet"  # against all its neighbours
    table = assign_types(features, cluster_crops(features, (6,)), labels_of(rows, said), min_confidence=0.8)
    spatter_schemas.SpatterTypes.validate(table)
    assert table.row(rows[0], named=True)["label"] == "comet"
    assert table.row(rows[0], named=True)["label_source"] == "person"
    pseudo = table.with_columns(pl.Series("truth", words[kind])).filter(label_source="pseudo")
    assert len(pseudo) > 100
    assert (pseudo["label"] == pseudo["truth"]).mean() > 0.98


def test_only_predictions_above_the_threshold_become_pseudo_labels():
    features, kind = six_kinds(spread=4.0)
    rows = [int(np.flatnonzero(kind == k)[n]) for k in (0, 3) for n in range(5)]
    labels = labels_of(rows, ["droplet"] * 5 + ["comet"] * 5)
    clusters = cluster_crops(features, (6,))
    pseudo = assign_types(features, clusters, labels, min_confidence=0.9).filter(label_source="pseudo")
    assert pseudo["label_confidence"].min() >= 0.9
    assert 0 < len(pseudo) < len(features.matrix) - len(rows)
