import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.errors import InvalidSetting, SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.verdicts.layer_picture import layer_picture
from vidassets.spatter.verdicts.verdict import MIN_BOOTSTRAP_LAYERS, build_interval, judge_build, layer_probabilities
from vidassets_tests.spatter.scored_builds import events_of, predictions_of


def build(probability: list[float | None], layers: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return predictions_of("b", probability), events_of("b", layers)


def drift(likeness: str | None = "like", detail: str = "as measured") -> pl.DataFrame:
    return pl.DataFrame([{"likeness": likeness, "detail": detail}])


@pytest.mark.parametrize(
    ("probability", "layers", "word", "reason"),
    [
        pytest.param([0.97] * 64, [i // 16 for i in range(64)], "high", None, id="high"),
        pytest.param([0.03] * 64, [i // 16 for i in range(64)], "low", None, id="low"),
        pytest.param([0.9, 0.2] * 20, [i // 10 for i in range(40)], "undecided", "the interval", id="mixed"),
        pytest.param([0.99] * 9, [0] * 9, "undecided", "9 scored crops, fewer than 10", id="too few"),
        pytest.param([None] * 30, [0] * 30, "undecided", "no scored crop", id="nothing scored"),
        pytest.param([], [], "undecided", "no scored crop", id="no spatter"),
    ],
)
def test_a_verdict_is_given_if_the_whole_interval_is_beyond_the_threshold(probability, layers, word, reason):
    row = judge_build("b", *build(probability, layers), drift()).row(0, named=True)
    assert row["verdict"] == word
    assert (row["reason"] or "").startswith(reason or "")
    assert (row["reason"] is None) == (reason is None)


def test_a_verdict_counts_crops_and_layers():
    row = judge_build("b", *build([0.9, None, 0.8, 0.7], [0, 0, 1, 2]), drift()).row(0, named=True)
    assert (row["n_crops"], row["n_excluded"], row["n_layers"]) == (3, 1, 3)
    assert row["probability"] == pytest.approx(0.8)


LOW = build([0.03] * 64, [i // 16 for i in range(64)])
MIXED = build([0.9, 0.2] * 20, [i // 10 for i in range(40)])


@pytest.mark.parametrize(
    ("tables", "likeness", "word", "trusted", "reason"),
    [
        pytest.param(LOW, "like", "low", True, None, id="like training"),
        pytest.param(LOW, "shifted", "low", False, "as measured", id="shifted"),
        pytest.param(LOW, "unlike", "undecided", False, "by its probability low, but as measured", id="unlike"),
        pytest.param(MIXED, "unlike", "undecided", False, "holds the threshold 0.5; as measured", id="both"),
        pytest.param(build([], []), None, "undecided", False, "no scored crop", id="no crop"),
    ],
)
def test_a_verdict_carries_how_far_it_can_be_trusted(
    tables: tuple[pl.DataFrame, pl.DataFrame], likeness, word, trusted, reason
):
    row = judge_build("b", *tables, drift(likeness)).row(0, named=True)
    assert (row["verdict"], row["trusted"]) == (word, trusted)
    assert row["reason"] == reason or row["reason"].endswith(reason)


def test_layers_have_their_own_mean_and_times():
    layers = layer_probabilities(*build([0.2, 0.4, None, 1.0], [0, 0, 1, 2]))
    spatter_schemas.SpatterLayers.validate(layers)
    assert layers["layer"].to_list() == [0, 2]
    assert layers["probability"].to_list() == pytest.approx([0.3, 1.0])
    assert layers["start_s"].to_list() == pytest.approx([0.0, 0.12])
    assert layers["end_s"].to_list() == pytest.approx([0.04, 0.12])


def test_a_build_without_crops_has_no_layers():
    layers = layer_probabilities(*build([], []))
    spatter_schemas.SpatterLayers.validate(layers)
    assert layers.is_empty()


def test_few_layers_are_worth_fewer_crops_than_they_hold():
    # Four layers of 16 that do not differ: 64 / (1 + 15 * 0.1) = 25.6 crops.
    interval = build_interval(np.full(64, 0.5), np.repeat(np.arange(4), 16))
    assert interval.method == "wilson"
    assert (interval.low, interval.high) == pytest.approx((0.3194, 0.6806), abs=1e-4)


def test_layers_that_contradict_each_other_widen_the_interval():
    layer = np.repeat(np.arange(6), 50)
    alike = build_interval(np.full(300, 0.8), layer)
    unlike = build_interval(np.where(layer % 2 == 0, 1.0, 0.6), layer)
    assert unlike.high - unlike.low > 1.5 * (alike.high - alike.low)


def test_the_intervals_of_correlated_layers_contain_the_truth_as_often_as_the_confidence():
    rng = np.random.default_rng(7)
    for n_layers in (5, MIN_BOOTSTRAP_LAYERS):
        held = 0
        for _ in range(200):
            of_layer = rng.beta(4, 2, n_layers)  # mean 2/3
            probability = rng.beta(8 * of_layer + 0.01, 8 * (1 - of_layer) + 0.01, (30, n_layers)).T.ravel()
            interval = build_interval(probability, np.repeat(np.arange(n_layers), 30))
            held += interval.low <= 2 / 3 <= interval.high
        assert held >= 180, (n_layers, held)


def test_the_same_seed_gives_the_same_interval():
    probability, layer = np.random.default_rng(0).random(600), np.repeat(np.arange(30), 20)
    assert build_interval(probability, layer, seed=3) == build_interval(probability, layer, seed=3)
    assert build_interval(probability, layer, seed=3) != build_interval(probability, layer, seed=4)


def test_predictions_of_other_crops_are_refused():
    predictions, _ = build([0.5] * 4, [0] * 4)
    with pytest.raises(SchemaViolation, match=r"4 predictions and 3 events .* --force"):
        judge_build("b", predictions, events_of("b", [0] * 3), drift())


@pytest.mark.parametrize("setting", [{"threshold": 1.0}, {"confidence": 0.0}])
def test_an_invalid_setting_is_refused(setting):
    with pytest.raises(InvalidSetting, match=next(iter(setting))):
        judge_build("b", *build([0.5] * 20, [0] * 20), drift(), **setting)


@pytest.mark.parametrize("likeness", ["like", "unlike"])
@pytest.mark.parametrize("n_layers", [0, 1, 30, 400])
def test_the_picture_of_a_build_is_a_small_png_of_900_by_320(n_layers, likeness):
    tables = build([0.8] * (5 * n_layers), [i // 5 for i in range(5 * n_layers)])
    png = layer_picture(layer_probabilities(*tables), judge_build("b", *tables, drift(likeness, "unlike " * 40)))
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape == (320, 900, 3)
    assert len(png) < 150_000
