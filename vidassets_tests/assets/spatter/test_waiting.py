"""What cannot be made yet waits, says for what, and is no failure."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.status import State
from vidassets_tests.assets.spatter.deployed_builds import SETTINGS, Builds, Worked, pictures
from vidassets_tests.builders import Home, Said, reasons
from vidassets_tests.spatter.crops.recordings import write_recording

BELOW = ["spatter_predictions", "spatter_verdict", "spatter_drift"]


def test_without_builds_everything_over_all_of_them_waits(tmp_path: Path):
    with Builds.at(tmp_path) as builds:
        builds.instance.add_dynamic_partitions("clips", ["a"])
        work = builds.deployment.workload(["a"])
        cells = {name: cell for name, cell in work.dataset_cells().items() if name.startswith("spatter")}
        assert {(cell.state, cell.reason) for cell in cells.values()} == {
            (State.WAITING, "nothing is registered in builds")
        }
        assert not any(asset.startswith("spatter") for asset, _ in work.board().cells)
        assert reasons(work).keys().isdisjoint(cells)


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """The output of commands for a single, unlabelled build."""
    import yaml

    home = Home(tmp_path_factory.mktemp("unlabelled"))
    home.profile(yaml.safe_dump({"assets": SETTINGS}))
    write_recording(home.videos / "a.mp4", pictures("low", n_layers=1))
    home.command("add", "--kind", "build", str(home.videos))
    return {words: home.command(*words.split()) for words in ("run", "status")}


@pytest.mark.parametrize("command", ["run", "status"])
def test_an_unlabelled_build_is_processed_without_errors(unlabelled: dict[str, Said], command: str):
    assert (unlabelled[command].code, "failed:" in unlabelled[command].out) == (0, False)


def test_a_run_says_what_is_waited_for_and_the_fix(unlabelled: dict[str, Said]):
    said = " ".join(unlabelled["run"].err.split())
    assert "waiting spatter_index No build has a gas flow to learn from: write `gas_flow` (low, high) into" in said
    assert "waiting spatter_classifier spatter_index has not been made yet." in said


def test_a_clip_reports_which_of_its_artifacts_waits_and_for_what(unlabelled: dict[str, Said]):
    assert "a waiting: spatter_predictions spatter_classifier has not been made yet" in unlabelled["status"].out


@pytest.fixture(scope="module")
def one_class(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builds, Worked]]:
    """Two builds of low flow, one of them labelled; and a backfill of predictions that must fail."""
    with Builds.at(tmp_path_factory.mktemp("one-class")) as builds:
        builds.record("a", "low", {"gas_flow": "low"}, n_layers=1)
        builds.record("b", "low", n_layers=1)
        builds.add()
        worked = builds.run()
        assert not builds.launch("spatter_predictions", "a").is_success
        yield builds, worked


def test_with_one_class_the_classifier_waits_and_says_whose_crops_there_are(one_class: tuple[Builds, Worked]):
    _, worked = one_class
    assert worked.failures == {}
    cause = worked.waiting["spatter_classifier"]
    assert "every usable crop is of low flow (builds a)" in cause
    assert "write gas_flow into the sidecar NAME.json" in cause


@pytest.mark.parametrize("asset", BELOW)
def test_what_needs_the_classifier_waits_with_it_whatever_was_tried(one_class: tuple[Builds, Worked], asset: str):
    builds, _ = one_class
    states = builds.states()
    assert [states[asset, build] for build in "ab"] == ["waiting: spatter_classifier has not been made yet"] * 2


def test_force_does_not_try_what_waits(one_class: tuple[Builds, Worked]):
    builds, _ = one_class
    work = builds.deployment.workload(["a", "b"], [*BELOW, "spatter_crops"], force=True)
    assert {asset for run in work.plan(set()) for asset in run.assets} == {"spatter_crops"}


def test_what_waits_is_not_tried_again_until_something_changes(one_class: tuple[Builds, Worked]):
    builds, _ = one_class
    assert builds.run().cells == set()


def test_an_asset_that_waits_is_observed_and_not_made(one_class: tuple[Builds, Worked]):
    builds, _ = one_class
    assert builds.made("spatter_classifier") is None
    [record] = builds.instance.fetch_observations(dg.AssetKey("spatter_classifier"), limit=9).records
    assert record.asset_observation is not None
    assert "every usable crop is of low flow" in (record.asset_observation.description or "")


def test_a_classifier_of_too_few_crops_waits_before_it_is_trained(tmp_path: Path):
    with Builds.at(tmp_path) as builds:
        for flow in ("low", "high"):
            builds.record(flow, flow, {"gas_flow": flow, "extraction": {"max_crops": 30}}, n_layers=1)
        builds.add()
        worked = builds.run("*spatter_classifier")
        assert worked.failures == {}
        assert worked.waiting["spatter_classifier"].startswith("12 crops of low and 12 of high gas flow")
        assert not list((builds.path / "data" / ".trainings").rglob("*.pt"))
