import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import TrainingError
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.classifier.evaluation import Evaluation, evaluate


def evaluation(logits: list[float], labels: list[float], builds: list[str] | None = None) -> Evaluation:
    builds = builds or ["build"] * len(logits)
    return evaluate(np.array(logits, np.float32), np.array(labels), builds, split="random", part="test")


def metric(name: str, logits: list[float], labels: list[float]) -> float:
    return evaluation(logits, labels).metrics[name].item()


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_the_confusion_matrix_counts_every_crop_once():
    (row,) = evaluation([-1, -2, 1, -1, 3, 2], [0, 0, 0, 1, 1, 1]).metrics.to_dicts()
    assert [row[n] for n in ("true_low", "false_high", "false_low", "true_high")] == [2, 1, 1, 2]
    assert (row["n_crops"], row["accuracy"]) == (6, 4 / 6)


def test_balanced_accuracy_weighs_a_rare_class_like_a_common_one():
    assert metric("balanced_accuracy", [-1, -1, -1, -1, -1], [0, 0, 0, 0, 1]) == 0.5
    assert metric("accuracy", [-1, -1, -1, -1, -1], [0, 0, 0, 0, 1]) == 0.8


@pytest.mark.parametrize(
    ("logits", "roc_auc"),
    [
        pytest.param([-2, -1, 1, 2], 1.0, id="separated"),
        pytest.param([2, 1, -1, -2], 0.0, id="the wrong way round"),
        pytest.param([-2, 1, -1, 2], 0.75, id="one pair of four wrong"),
        pytest.param([0, 0, 0, 0], 0.5, id="all alike"),
        pytest.param([-1, 0, 0, 1], 0.875, id="one pair alike"),
    ],
)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(logits, roc_auc):
    assert metric("roc_auc", logits, [0, 0, 1, 1]) == roc_auc


scored = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40)


@given(scored.filter(lambda crops: len({high for _, high in crops}) == 2))
def test_roc_auc_counts_pairs_whatever_the_scores(crops):
    pairs = [(a > b) + (a == b) / 2 for a, a_high in crops for b, b_high in crops if a_high and not b_high]
    logits, labels = [float(a) for a, _ in crops], [float(high) for _, high in crops]
    assert metric("roc_auc", logits, labels) == pytest.approx(sum(pairs) / len(pairs))


def test_the_roc_curve_begins_at_no_crop_called_high_and_ends_at_all():
    roc = evaluation([-1, 0, 0, 1], [0, 0, 1, 1]).roc
    assert roc.rows() == [(0, 0, math.inf), (0, 0.5, 1), (0.5, 1, 0), (1, 1, -1)]


def test_a_metric_that_needs_both_classes_is_null_if_one_is_absent():
    evaluated = evaluation([-1, 2], [1, 1])
    assert (evaluated.metrics["roc_auc"].item(), evaluated.metrics["balanced_accuracy"].item()) == (None, None)
    assert evaluated.roc.is_empty()
    spatter_schemas.SpatterEvaluation.validate(evaluated.metrics)


def test_log_loss_and_brier_score_are_those_of_the_probability():
    logits, labels = [logit(0.8), logit(0.4)], [1, 0]
    assert metric("log_loss", logits, labels) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2, abs=1e-6)
    assert metric("brier_score", logits, labels) == pytest.approx((0.2**2 + 0.4**2) / 2, abs=1e-6)


def test_a_logit_beyond_every_probability_has_a_finite_loss():
    assert metric("log_loss", [-10_000.0, 10_000.0], [1, 1]) == 5000


def test_a_classifier_that_is_right_as_often_as_it_says_is_calibrated():
    assert metric("calibration_error", [logit(0.75)] * 4, [1, 1, 1, 0]) == pytest.approx(0, abs=1e-6)


def test_errors_in_opposite_ways_do_not_cancel_out():
    # Half of the crops with probability 0.9 are high, and half of those with 0.1: both are off by 40 points.
    logits = [logit(0.9)] * 2 + [logit(0.1)] * 2
    assert metric("calibration_error", logits, [1, 0, 1, 0]) == pytest.approx(0.4, abs=1e-6)


def test_reliability_lists_mean_probability_and_share_of_high_by_bin():
    reliability = evaluation([logit(0.9), logit(0.92), logit(0.1), 40.0], [1, 0, 0, 1]).reliability
    assert reliability["n_crops"].to_list() == [1, 2, 1]
    assert reliability["probability"].to_list() == pytest.approx([0.1, 0.91, 1.0], abs=1e-6)
    assert reliability["high_share"].to_list() == [0.0, 0.5, 1.0]


def test_each_build_has_its_own_accuracy():
    builds = evaluation([-1, 1, 2, 3], [0, 0, 1, 1], ["b", "b", "a", "a"]).builds
    assert builds["build"].to_list() == ["a", "b"]
    assert builds["label"].to_list() == [1, 0]
    assert builds["accuracy"].to_list() == [1.0, 0.5]
    assert builds["n_crops"].to_list() == [2, 2]


def test_a_build_with_both_labels_has_no_label():
    assert evaluation([-1, 1], [0, 1]).builds["label"].to_list() == [None]


def test_tables_are_as_declared():
    evaluated = evaluation([-1, 1], [0, 1])
    spatter_schemas.SpatterEvaluation.validate(evaluated.metrics)
    spatter_schemas.SpatterBuildAccuracy.validate(evaluated.builds)
    assert evaluated.metrics.columns == list(spatter_schemas.SpatterEvaluation.columns())
    assert evaluated.builds.columns == list(spatter_schemas.SpatterBuildAccuracy.columns())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param([], "no crop in part test", id="none"),
        pytest.param([1.0, math.nan], "a crop in part test has no label", id="unlabelled"),
    ],
)
def test_unlabelled_or_missing_crops_are_refused(labels, message):
    with pytest.raises(TrainingError, match=message):
        evaluation([0.0] * len(labels), labels)


def test_the_metrics_of_two_parts_can_be_concatenated():
    both = [evaluation([-1, 1], [0, 1]).metrics, evaluation([1], [1]).metrics.with_columns(part=pl.lit("train"))]
    spatter_schemas.SpatterEvaluation.validate(pl.concat(both))
