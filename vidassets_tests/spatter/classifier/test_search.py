import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting, ModelMissing
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.classifier.architectures import build_network
from vidassets.spatter.classifier.recipe import Execution, Recipe
from vidassets.spatter.classifier.search import SearchSpace, latency_ms, pareto_front, search_recipes
from vidassets_tests.spatter.classifier.killed_search import RECIPE, SPACE
from vidassets_tests.spatter.classifier.toy_crops import ToyCrops


class CountedCrops(ToyCrops):
    epochs_begun = 0

    def set_epoch(self, epoch: int) -> None:
        self.epochs_begun += 1
        super().set_epoch(epoch)


def searched(
    folder: Path, n_trials: int = 3, space: SearchSpace = SPACE, crops: ToyCrops | None = None
) -> pl.DataFrame:
    crops = crops or ToyCrops(64, seed=1)
    settings = {"n_trials": n_trials, "data_hash": "toys", "folder": folder}
    return search_recipes(crops, ToyCrops(40, seed=2), RECIPE, space, Execution("cpu"), **settings)


def without_latency(table: pl.DataFrame) -> list[dict]:
    return table.drop("latency_ms").to_dicts()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> pl.DataFrame:
    return searched(tmp_path_factory.mktemp("whole"))


def test_a_search_lists_its_trials_and_their_cost(uninterrupted):
    spatter_schemas.SpatterSearch.validate(uninterrupted)
    assert uninterrupted.columns == list(spatter_schemas.SpatterSearch.columns())
    assert uninterrupted["trial"].to_list() == [0, 1, 2]
    assert set(uninterrupted["width"]) <= set(SPACE.widths)
    assert uninterrupted["learning_rate"].is_between(*SPACE.learning_rate).all()
    assert uninterrupted["pareto"].any()


@pytest.mark.runs
def test_a_killed_search_resumes_to_the_same_trials(tmp_path, uninterrupted):
    command = [sys.executable, "-m", "vidassets_tests.spatter.classifier.killed_search", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    crops = CountedCrops(64, seed=1)
    resumed = searched(tmp_path, crops=crops)
    assert without_latency(resumed) == without_latency(uninterrupted)
    # Three of the six epochs (three trials of two epochs) had been saved.
    assert crops.epochs_begun == 3


def test_a_finished_search_runs_only_additional_trials(tmp_path, uninterrupted):
    searched(tmp_path, n_trials=2)
    crops = CountedCrops(64, seed=1)
    assert without_latency(searched(tmp_path, n_trials=3, crops=crops)) == without_latency(uninterrupted)
    assert crops.epochs_begun == 2


def test_a_search_for_fewer_trials_than_exist_returns_the_first_ones(tmp_path):
    both = searched(tmp_path, n_trials=2)
    crops = CountedCrops(64, seed=1)
    assert searched(tmp_path, n_trials=1, crops=crops)["learning_rate"].to_list() == both["learning_rate"].to_list()[:1]
    assert crops.epochs_begun == 0


def test_a_failed_trial_is_recorded_and_the_next_is_run(tmp_path):
    space = SearchSpace(("lenet5",), widths=(0.1,), batch_sizes=(16,), learning_rate=(1e19, 1e20))
    table = searched(tmp_path, n_trials=2, space=space)
    spatter_schemas.SpatterSearch.validate(table)
    assert table["state"].to_list() == ["failed", "failed"]
    assert table["error"].str.contains("Lower learning_rate").all()
    assert not table["pareto"].any()


def test_a_network_other_than_lenet_is_tried_at_width_1(tmp_path):
    pytest.importorskip("transformers", reason="the extra `architectures` is not installed")
    space = SearchSpace(architectures=("efficientnet-b0",), widths=(0.1,), batch_sizes=(8,))
    settings = {"n_trials": 1, "data_hash": "toys", "folder": tmp_path}
    table = search_recipes(ToyCrops(8), ToyCrops(8), Recipe(epochs=1), space, Execution("cpu"), **settings)
    assert table.select("width", "n_parameters").rows() == [(1.0, 4_007_548 + 1281)]


@pytest.mark.parametrize(
    ("accuracy", "n_parameters", "front"),
    [
        pytest.param([0.9], [10], [True], id="one"),
        pytest.param([0.9, 0.9], [10, 10], [True, True], id="alike"),
        pytest.param([0.9, 0.9], [10, 20], [True, False], id="as accurate, dearer"),
        pytest.param([0.9, 0.8], [10, 10], [True, False], id="as cheap, worse"),
        pytest.param([0.9, 0.95, 0.99], [10, 20, 30], [True, True, True], id="a price for each"),
    ],
)
def test_the_front_holds_the_trials_that_no_other_dominates(accuracy, n_parameters, front):
    assert pareto_front(np.array(accuracy), np.array(n_parameters)).tolist() == front


trials = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=20)


@given(trials)
def test_every_trial_off_the_front_is_dominated_by_one_on_it(tried):
    front = pareto_front(np.array([a for a, _ in tried]), np.array([n for _, n in tried]))
    best = [trial for trial, on_front in zip(tried, front, strict=True) if on_front]
    beaten = [trial for trial, on_front in zip(tried, front, strict=True) if not on_front]
    assert all(any(a >= accuracy and n <= parameters for a, n in best) for accuracy, parameters in beaten)
    assert len({a for a, _ in best}) == len(set(best))


def test_latency_is_measured_per_crop():
    assert 0 < latency_ms(build_network("lenet5").eval()) < 100


@pytest.mark.parametrize(
    ("space", "n_trials", "message"),
    [
        pytest.param(SPACE, 0, "n_trials 0", id="no trial"),
        pytest.param(SearchSpace(architectures=()), 1, "architectures: the list is empty", id="no architecture"),
        pytest.param(SearchSpace(architectures=("lenet6",)), 1, "lenet6: unknown", id="unknown"),
        pytest.param(SearchSpace(learning_rate=(1e-2, 1e-4)), 1, "the lower bound first", id="turned round"),
    ],
)
def test_an_impossible_search_is_refused(tmp_path, space, n_trials, message):
    with pytest.raises(InvalidSetting, match=message):
        searched(tmp_path, n_trials, space)
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_the_error_names_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModelMissing, match=r"optuna.*pip install 'vidassets\[search\]'"):
        searched(tmp_path)
