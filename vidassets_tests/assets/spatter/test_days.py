"""A deployment from day to day: recordings come, move, are relabelled, read otherwise, or their crops are damaged."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg
import pytest

from vidassets_tests.assets.clip_deployment import ALL
from vidassets_tests.assets.spatter.deployed_builds import Builds, Worked
from vidassets_tests.spatter.verdicts.test_prediction import Redness, onnx_of

INDEX = "*spatter_index"


@dataclass
class Day:
    """What was to be done, what a run did, and where things stood after it."""

    before: dict[tuple[str, str], str]
    worked: Worked
    classifier_run: str
    index_version: str
    builds: int
    verdicts: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Day]]:
    with Builds.at(tmp_path_factory.mktemp("days")) as builds:
        days: dict[str, Day] = {}
        table = builds.path / "labels.csv"

        def day(name: str, select: str = "*spatter_verdicts") -> None:
            before = builds.states(select)
            worked = builds.run(select)
            classifier, index = builds.made("spatter_classifier"), builds.made("spatter_index")
            assert classifier is not None
            assert index is not None
            verdicts = builds.table("spatter_verdicts")
            days[name] = Day(
                before,
                worked,
                classifier.run_id,
                index.data_version,
                builds.figures("spatter_index")["builds"],
                dict(verdicts.select("clip", "verdict").iter_rows()),
            )

        builds.record("high", "high", {"gas_flow": "high"}, seed=0)
        builds.record("low", "low", {"gas_flow": "low"}, seed=1)
        table.write_text("build,gas_flow\nlow,low\n")
        builds.set(spatter_build_labels={"table": str(table)}, spatter_classifier={"compare_with_random": False})
        builds.add()
        day("first")
        builds.record("new", "high", seed=2)
        builds.add()
        day("a new build, unlabelled")
        moved = builds.videos.rename(builds.path / "moved")
        builds.add(moved)
        day("moved", "*spatter_predictions")
        table.write_text("build,gas_flow\nlow,low\nnew,high\n")
        day("labelled in the table", "*spatter_predictions")
        (moved / "new.json").write_text('{"gas_flow": "high", "extraction": {"max_crops": 60}}')
        day("read otherwise", "*spatter_crops")
        (moved / "high.json").write_text('{"gas_flow": "low"}')
        day("relabelled in the sidecar", "*spatter_predictions")
        (moved / "low.json").write_text('{"gas_flow": "high"}')
        day("contradicted", INDEX)
        (moved / "low.json").write_text('{"gas_flow": "low"}')
        table.write_text("build,gas_flow\nlwo,low\n")
        day("a build that is not known", INDEX)
        yield days


def test_the_first_run_makes_all_and_leaves_nothing_to_do(days: dict[str, Day]):
    first = days["first"]
    assert (first.worked.failures, first.worked.waiting, first.builds) == ({}, {}, 2)
    assert first.verdicts == {"high": "high", "low": "low"}


def test_a_new_build_without_a_label_ends_with_its_verdict_and_changes_nothing_that_was_learned(days: dict[str, Day]):
    first, day = days["first"], days["a new build, unlabelled"]
    assert (day.classifier_run, day.index_version, day.builds) == (first.classifier_run, first.index_version, 2)
    assert day.verdicts == {**first.verdicts, "new": "high"}
    assert {clip for asset, clip in day.worked.cells if asset == "spatter_predictions"} == {"new"}


def test_recordings_that_are_moved_are_looked_at_and_nothing_is_recomputed(days: dict[str, Day]):
    day = days["moved"]
    # source_video holds the location of a recording, and the index reads its labels from there.
    assert day.worked.assets == {"raw_clip", "spatter_index"}
    assert day.classifier_run == days["first"].classifier_run


def test_a_changed_table_of_labels_is_learned_from_without_extracting_again(days: dict[str, Day]):
    day = days["labelled in the table"]
    assert day.before == {("spatter_build_labels", ALL): "stale: a file that it reads changed"}
    assert {"spatter_index", "spatter_classifier", "spatter_predictions"} <= day.worked.assets
    assert day.worked.assets.isdisjoint({"raw_clip", "spatter_crops"})
    assert (day.builds, day.classifier_run == days["first"].classifier_run) == (3, False)


def test_what_a_sidecar_says_of_how_to_read_a_recording_extracts_that_one_again(days: dict[str, Day]):
    assert days["read otherwise"].worked.cells == {("raw_clip", "new"), ("spatter_crops", "new")}


def test_a_relabelled_build_is_learned_from_without_extracting_again(days: dict[str, Day]):
    day = days["relabelled in the sidecar"]
    assert day.before["spatter_index", ALL] == "stale: an input changed"
    assert {"spatter_classifier", "spatter_predictions"} <= day.worked.assets
    assert "spatter_crops" not in day.worked.assets
    assert day.index_version != days["labelled in the table"].index_version


def test_a_label_given_otherwise_in_the_table_than_in_the_sidecar_is_an_error_that_names_both(days: dict[str, Day]):
    day = days["contradicted"]
    [(asset, cause)] = day.worked.failures.items()
    assert asset == "spatter_index"
    assert "low: gas_flow is high in its sidecar and low in spatter_build_labels. Correct the wrong value" in cause
    assert day.index_version == days["relabelled in the sidecar"].index_version


def test_a_label_of_a_build_that_is_not_known_is_an_error_that_names_it(days: dict[str, Day]):
    [(asset, cause)] = days["a build that is not known"].worked.failures.items()
    assert asset == "spatter_index"
    assert "labels builds that are not known: lwo. Known builds: high, low, new." in cause


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    """Four labelled builds with extracted crops; tests damage b and d."""
    with Builds.at(tmp_path_factory.mktemp("crops")) as builds:
        for seed, (name, flow) in enumerate({"a": "high", "b": "low", "c": "low", "d": "low"}.items()):
            builds.record(name, flow, {"gas_flow": flow}, seed, n_layers=1)
        builds.add()
        builds.run("*spatter_crops,spatter_build_labels")
        yield builds


def damaged(builds: Builds) -> None:
    builds.store.write_bytes("spatter_crops", "b", "h5", b"\x89HDF\r\n\x1a\n" + b"\x00" * 99)


def foreign(builds: Builds) -> None:
    import h5py

    with builds.store.writing("spatter_crops", "b", "h5") as path, h5py.File(path, "w") as file:
        file["elsewhere"] = [1, 2, 3]


@pytest.mark.parametrize("spoil", [damaged, foreign])
def test_a_build_whose_crops_are_spoilt_is_left_out_of_the_index_and_reported(crops: Builds, spoil):
    spoil(crops)
    assert crops.launch("spatter_index").is_success
    assert {"a", "c"} <= set(crops.table("spatter_index")["build"]) <= {"a", "c", "d"}
    left_out = crops.figures("spatter_index")["left_out"]
    assert "- **b**: " in left_out
    assert "`vidassets run --force --select spatter_crops`" in left_out


def test_a_build_whose_sidecar_is_refused_is_left_out_though_a_table_labels_it(crops: Builds):
    crops.write_sidecar("d", gas_flow="hihg")
    table = crops.path / "labels.csv"
    table.write_text("build,gas_flow\nd,low\n")
    crops.set(spatter_build_labels={"table": str(table)})
    assert crops.run("spatter_build_labels,spatter_index").failures == {}
    assert "d" not in set(crops.table("spatter_index")["build"])
    assert "gas_flow is 'hihg', not one of low, high" in crops.figures("spatter_index")["left_out"]


def test_of_a_batch_with_spoilt_crops_the_other_builds_predictions_are_made(crops: Builds):
    crops.store.write_bytes("spatter_classifier", ALL, "onnx", onnx_of(Redness()))
    damaged(crops)
    assert not crops.launch("spatter_predictions", ("a", "c")).is_success
    assert [crops.made("spatter_predictions", build) is not None for build in "abc"] == [True, False, True]
    [record] = crops.instance.fetch_observations(dg.AssetKey("spatter_predictions"), limit=9).records
    assert record.partition_key == "b"
