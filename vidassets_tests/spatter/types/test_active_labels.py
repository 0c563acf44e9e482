import numpy as np
import polars as pl
import pytest

from vidassets.errors import SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.active_labels import append_filled_in, export_requests, replay_decisions, request_labels
from vidassets.spatter.types.embedding import CropFeatures, compute_features
from vidassets_tests.spatter.scored_builds import events_of, predictions_of

NONE_YET = spatter_schemas.SpatterLabelDecisions.create_empty()


def crops_on_a_line(at: list[float], confidence: list[float], person: tuple[int, ...] = ()):
    """Return features that are positions on a line, and the types of the crops."""
    events = events_of("b", [0] * len(at))
    crops = compute_features(predictions_of("b", [0.5] * len(at)), events).crops
    types = crops.select("clip", "event_index").with_columns(
        pl.lit(0, pl.Int32).alias("cluster"),
        pl.Series("cluster_confidence", confidence, dtype=pl.Float32),
        pl.lit(None, pl.Float32).alias("label_confidence"),
        pl.Series("label_source", ["person" if i in person else None for i in range(len(at))], dtype=pl.String),
    )
    return CropFeatures(crops, np.array(at, np.float32)[:, None]), types


def listed(n_crops: int = 4) -> pl.DataFrame:
    """Return a list of crops to label, one per frame, in order."""
    features, types = crops_on_a_line([float(i) for i in range(n_crops)], [0.5] * n_crops)
    return request_labels(features, types, n_crops).sort("event_index")


def filled(words: list[str | None], by: str | None = None) -> bytes:
    columns = [pl.Series("label", words, dtype=pl.String), pl.lit(by, pl.String).alias("labelled_by")]
    return listed(len(words)).with_columns(columns).write_csv().encode()


def standing(decisions: pl.DataFrame, n_crops: int = 4) -> list[tuple[int, str]]:
    return replay_decisions(decisions, events_of("b", [0] * n_crops)).labels.select("event_index", "label").rows()


def test_the_list_holds_uncertain_crops_that_differ():
    # Three similar uncertain crops, two uncertain crops far from them, and a certain crop even farther away.
    features, types = crops_on_a_line([0, 0.01, 0.02, 5, 9, 99], [0.5, 0.5, 0.5, 0.5, 0.5, 1.0])
    spatter_schemas.SpatterLabelRequests.validate(request_labels(features, types))
    three = request_labels(features, types, n_crops=3)["event_index"].to_list()
    assert 5 not in request_labels(features, types, n_crops=1)["event_index"].to_list()
    assert len({0, 1, 2} & set(three)) <= 1


def test_a_crop_that_a_person_has_labelled_is_not_listed_again():
    features, types = crops_on_a_line([0, 1, 2, 3], [0.5] * 4, person=(1, 3))
    assert sorted(request_labels(features, types)["event_index"].to_list()) == [0, 2]


def test_what_is_far_from_labelled_crops_comes_first():
    features, types = crops_on_a_line([0, 1, 9, 4], [0.5] * 4, person=(0,))
    assert request_labels(features, types)["event_index"].to_list() == [2, 3, 1]


def test_crops_that_are_all_alike_are_listed_once_each():
    features, types = crops_on_a_line([1.0] * 6, [0.5] * 6)
    assert sorted(request_labels(features, types, n_crops=6)["event_index"].to_list()) == list(range(6))


def test_the_uncertainty_is_of_the_label_once_there_are_labels():
    features, types = crops_on_a_line([0, 1], [0.1, 0.9])
    types = types.with_columns(pl.Series("label_confidence", [0.99, 0.55], dtype=pl.Float32))
    requests = request_labels(features, types)
    assert dict(requests.select("event_index", "uncertainty").rows()) == pytest.approx({0: 0.01, 1: 0.45}, abs=1e-6)


def test_nothing_to_label_is_an_empty_list():
    features, types = crops_on_a_line([], [])
    assert request_labels(features, types).is_empty()


def test_a_list_without_labels_adds_no_decision():
    assert append_filled_in(NONE_YET, export_requests(listed())).is_empty()


def test_filled_in_labels_become_decisions_in_order():
    decisions = append_filled_in(NONE_YET, filled(["comet", None, " droplet ", ""], by="a person"))
    spatter_schemas.SpatterLabelDecisions.validate(decisions)
    assert decisions.select("decision", "label", "labelled_by").rows() == [
        (0, "comet", "a person"),
        (1, "droplet", "a person"),
    ]
    assert standing(decisions) == [(0, "comet"), (2, "droplet")]


def test_decisions_are_only_added_to_and_the_last_counts():
    first = append_filled_in(NONE_YET, filled(["comet", "comet", None, None]))
    second = append_filled_in(first, filled(["droplet", None, None, "streak"]))
    assert second.head(len(first)).equals(first)
    assert standing(second) == [(0, "droplet"), (1, "comet"), (3, "streak")]


def test_a_list_that_is_read_twice_adds_only_new_labels():
    once = append_filled_in(NONE_YET, filled(["comet", None, None, None]))
    assert append_filled_in(once, filled(["comet", None, None, None])).equals(once)
    assert append_filled_in(once, filled(["comet", "streak", None, None]))["label"].to_list() == ["comet", "streak"]


def test_a_label_can_be_changed_and_changed_back():
    decisions = NONE_YET
    for word in ("comet", "droplet", "comet"):
        decisions = append_filled_in(decisions, filled([word, None, None, None]))
    assert decisions["label"].to_list() == ["comet", "droplet", "comet"]
    assert standing(decisions) == [(0, "comet")]


def test_a_label_can_be_taken_back():
    decisions = append_filled_in(NONE_YET, filled(["comet", "streak", None, None]))
    taken_back = append_filled_in(decisions, filled(["-", None, "-", None]))
    assert taken_back["label"].to_list() == ["comet", "streak", None]
    assert standing(taken_back) == [(1, "streak")]


def test_decisions_find_their_crops_after_another_extraction():
    decisions = append_filled_in(NONE_YET, filled(["comet", None, "streak", None]))
    # The first crop is gone, so every index has changed; the boxes are slightly larger.
    again = events_of("b", [0] * 4).with_columns(pl.col("box_x2") + 6).slice(1)
    again = again.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias("event_index"))
    replayed = replay_decisions(decisions, again)
    assert replayed.labels.select("event_index", "label").rows() == [(1, "streak")]
    assert replayed.lost["label"].to_list() == ["comet"]


def test_a_decision_matches_the_crop_of_its_frame_that_overlaps_most():
    decisions = append_filled_in(NONE_YET, filled(["comet"]))
    events = pl.concat([events_of("b", [0])] * 3).with_columns(
        pl.Series("event_index", [0, 1, 2], dtype=pl.Int32),
        pl.Series("box_x1", [300, 110, 102], dtype=pl.Int32),
        pl.Series("box_x2", [360, 170, 162], dtype=pl.Int32),
    )
    assert replay_decisions(decisions, events).labels["event_index"].to_list() == [2]


def test_a_decision_never_matches_a_crop_of_another_clip():
    decisions = append_filled_in(NONE_YET, filled(["comet"]))
    assert len(replay_decisions(decisions, events_of("other", [0])).lost) == 1


@pytest.mark.parametrize(
    "csv",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"clip,label\nb,comet\n", id="columns missing"),
        pytest.param(b"\xff\xfe\x00\x01", id="not text"),
        pytest.param(filled(["comet"]).replace(b",100,", b",many,"), id="no number"),
        pytest.param(filled(["comet"]).replace(b"0,b,", b"0,,"), id="no clip"),
    ],
)
def test_a_file_that_is_not_a_list_of_crops_is_refused(csv):
    with pytest.raises(SchemaViolation, match=r"mine\.csv: .* Fill in the column `label`"):
        append_filled_in(NONE_YET, csv, "mine.csv")
