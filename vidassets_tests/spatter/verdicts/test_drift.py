from dataclasses import replace

import numpy as np
import pytest

from vidassets.errors import ArtifactDamaged, InvalidSetting, SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.verdicts.drift import (
    SHIFTED_INDEX,
    DriftReference,
    alarm_threshold,
    fit_drift_reference,
    measure_drift,
)
from vidassets_tests.spatter.scored_builds import MODEL, predictions_of

D = 6


def crops_of(rng: np.random.Generator, label: int, n_crops: int, shift: float = 0.0) -> np.ndarray:
    """Return embeddings (n, 6) of a build: class means 4 units apart, one constant direction, a shift of the build."""
    centre = np.zeros(D)
    centre[0], centre[1] = 4 * label, shift
    scale = np.array([1, 1, 0.5, 2, 1, 0])
    return (centre + scale * rng.normal(size=(n_crops, D))).astype(np.float32)


def reference_of(rng: np.random.Generator, shifts: tuple[float, ...] = (0.0, 0.0, 0.0)) -> DriftReference:
    parts = [
        (crops_of(rng, label, 400, shift), label, f"{label}-{n}") for label in (0, 1) for n, shift in enumerate(shifts)
    ]
    embeddings = np.concatenate([rows for rows, _, _ in parts])
    labels = np.repeat([label for _, label, _ in parts], 400)
    return fit_drift_reference(embeddings, labels, np.repeat([build for _, _, build in parts], 400), MODEL)


def drift_of(embeddings: np.ndarray, reference: DriftReference) -> dict:
    return measure_drift("b", predictions_of("b", [0.5] * len(embeddings), embeddings), reference).row(0, named=True)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("n_crops", [15, 60, 2000])
def test_a_build_of_one_flow_like_training_raises_no_alarm(label, n_crops):
    rng = np.random.default_rng(1)
    reference = reference_of(rng)
    alarms = [drift_of(crops_of(rng, label, n_crops), reference)["alarm"] for _ in range(10)]
    assert alarms == [False] * 10


def test_a_build_of_the_more_compact_class_is_like_training():
    rng = np.random.default_rng(12)
    broad, narrow = crops_of(rng, 0, 600), 0.3 * crops_of(rng, 1, 300)
    reference = fit_drift_reference(
        np.concatenate([broad, narrow]), np.repeat([0, 1], [600, 300]), np.repeat(["x", "y"], [600, 300]), MODEL
    )
    assert not drift_of(0.3 * crops_of(rng, 1, 300), reference)["alarm"]


@pytest.mark.parametrize("n_crops", [60, 2000])
def test_a_shifted_build_raises_the_alarm(n_crops):
    rng = np.random.default_rng(2)
    row = drift_of(crops_of(rng, 0, n_crops, shift=3.0), reference_of(rng))
    assert row["alarm"]
    assert row["outlying_share"] > 0.2
    assert row["detail"].startswith("unlike the training data")


def test_a_build_that_differs_no_more_than_training_builds_do_raises_no_alarm():
    rng = np.random.default_rng(3)
    narrow, broad = reference_of(rng), reference_of(rng, shifts=(-2.0, 0.0, 2.0))
    build = crops_of(rng, 0, 800, shift=2.0)
    assert broad.usual_index > narrow.usual_index
    assert drift_of(build, narrow)["alarm"]
    assert not drift_of(build, broad)["alarm"]


def test_a_build_of_known_crops_in_another_distribution_is_shifted_and_its_text_says_so():
    rng = np.random.default_rng(10)
    reference, crops = reference_of(rng), crops_of(rng, 0, 3000)
    nearer = crops[reference.distances(crops) < np.median(reference.edges[0])]
    row = drift_of(nearer, reference)
    assert row["stability_index"] > row["threshold"]
    assert row["outlying_share"] == 0
    assert (row["likeness"], row["alarm"]) == ("shifted", False)
    assert row["detail"].startswith("within the range of, but distributed unlike the training data")


def test_a_build_of_outlying_crops_is_unlike_training_however_much_training_builds_differ():
    rng = np.random.default_rng(11)
    reference = replace(reference_of(rng), usual_index=99.0)
    row = drift_of(crops_of(rng, 0, 800, shift=8.0), reference)
    assert row["stability_index"] < row["threshold"]
    assert (row["likeness"], row["alarm"]) == ("unlike", True)


def test_few_crops_need_a_higher_index_to_raise_the_alarm():
    reference = reference_of(np.random.default_rng(4))
    assert alarm_threshold(reference, 0, 10) > 2 * SHIFTED_INDEX
    assert alarm_threshold(reference, 0, 10_000) == pytest.approx(max(SHIFTED_INDEX, reference.usual_index))


def test_the_only_build_of_a_flow_does_not_raise_the_usual_index():
    rng = np.random.default_rng(5)
    embeddings = np.concatenate([crops_of(rng, 0, 100), crops_of(rng, 1, 100)])
    labels = np.repeat([0, 1], 100)
    assert fit_drift_reference(embeddings, labels, np.repeat(["x", "y"], 100), MODEL).usual_index == 0.0


def test_a_direction_that_is_constant_in_training_raises_no_alarm_by_itself():
    rng = np.random.default_rng(6)
    distances = reference_of(rng).distances(crops_of(rng, 0, 100))
    assert np.isfinite(distances).all()


def test_a_build_without_scored_crops_has_nothing_to_compare():
    table = measure_drift("b", predictions_of("b", [None, None]), reference_of(np.random.default_rng(7)))
    spatter_schemas.SpatterDrift.validate(table)
    assert (table["likeness"].item(), table["alarm"].item()) == (None, False)
    assert table["detail"].item() == "no scored crop, so nothing to compare"


def test_a_reference_is_the_same_after_it_was_stored():
    rng = np.random.default_rng(8)
    reference = reference_of(rng)
    build = crops_of(rng, 1, 50)
    assert drift_of(build, DriftReference.from_bytes(reference.to_bytes())) == drift_of(build, reference)


@pytest.mark.parametrize("data", [b"", b"nothing of ours", b"PK\x03\x04 cut"])
def test_bytes_that_are_no_reference_are_refused(data):
    with pytest.raises(ArtifactDamaged, match=r"drift\.npz: not a drift reference .* Train"):
        DriftReference.from_bytes(data, "drift.npz")


def test_embeddings_of_another_model_are_refused():
    reference = reference_of(np.random.default_rng(9))
    with pytest.raises(SchemaViolation, match="ffffffffffffffff"):
        measure_drift("b", predictions_of("b", [0.5] * 3, np.zeros((3, D)), model="f" * 16), reference)


def test_a_class_of_too_few_crops_makes_no_reference():
    with pytest.raises(InvalidSetting, match=r"\[30, 3\]"):
        fit_drift_reference(np.zeros((33, D)), np.repeat([0, 1], [30, 3]), np.repeat(["x", "y"], [30, 3]), MODEL)
