"""What costs more than everybody wants to pay is made only where it is asked for by name."""

import dagster as dg
import pytest

from vidassets.assets.spatter.consistency import spatter_consistency
from vidassets.assets.spatter.search import spatter_search
from vidassets_tests.assets.spatter.conftest import Learned

SMALL = {
    "spatter_search": {"n_trials": 2, "epochs": 1, "widths": [0.5], "batch_sizes": [32]},
    "spatter_consistency": {"n_labelled": [16], "steps": 2},
}


@pytest.mark.parametrize("asset", SMALL)
def test_a_plain_run_and_the_status_leave_it_out(learned: Learned, asset: str):
    work = learned.builds.deployment.workload([])
    assert asset not in {asset.name for asset in work.dataset_assets}
    assert asset not in work.dataset_cells()


@pytest.mark.parametrize("asset", [spatter_search, spatter_consistency], ids=lambda asset: asset.name)
def test_automation_leaves_it_alone(learned: Learned, asset):
    definitions = learned.builds.deployment.definitions
    [automation] = [sensor for sensor in definitions.sensors or [] if sensor.name == "automation"]
    assert isinstance(automation, dg.SensorDefinition)
    assert automation.asset_selection is not None
    assert automation.asset_selection.resolve(definitions.resolve_asset_graph()).isdisjoint(asset.keys)


def test_a_search_asked_for_by_name_makes_its_trials(learned: Learned):
    worked = learned.builds.run("spatter_search", spatter_search=SMALL["spatter_search"])
    assert (worked.failures, worked.assets) == ({}, {"spatter_search"})
    trials = learned.builds.table("spatter_search")
    assert len(trials) == 2
    assert trials["pareto"].any()


def test_a_comparison_asked_for_by_name_reports_what_labels_are_worth(learned: Learned):
    pytest.importorskip("torch")
    worked = learned.builds.run("spatter_consistency", spatter_consistency=SMALL["spatter_consistency"])
    assert worked.failures == {}
    [row] = learned.builds.table("spatter_consistency").to_dicts()
    assert (row["n_labelled"], row["n_unlabelled"], row["n_test"]) == (16, 80, 96)
