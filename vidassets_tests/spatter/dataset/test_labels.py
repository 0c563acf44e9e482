import polars as pl
import pytest

from vidassets.errors import LabelError
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.labels import (
    BuildLabels,
    labels_from_fields,
    labels_of_table,
    labels_table,
    merge_labels,
    read_labels_table,
)
from vidassets.storage.tables import check_table


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("gas_flow", "label"),
    [
        pytest.param("low", 0, id="low is 0"),
        pytest.param("high", 1, id="high is 1"),
        pytest.param(" High ", 1, id="case and blanks do not matter"),
        pytest.param(None, None, id="null is unknown"),
        pytest.param("", None, id="an empty word is unknown"),
    ],
)
def test_gas_flow_is_the_class_to_learn(gas_flow, label):
    assert labels_from_fields({"gas_flow": gas_flow}, "a.json").label == label


@pytest.mark.parametrize("value", ["lo", "medium", 0, 1, True, ["low"], {"low": 1}], ids=repr)
def test_an_invalid_gas_flow_is_refused_naming_its_file(value):
    with pytest.raises(LabelError, match=r"videos/a\.json: gas_flow is .* not one of low, high"):
        labels_from_fields({"gas_flow": value}, "videos/a.json")


def test_an_invalid_position_is_refused():
    with pytest.raises(LabelError, match="position is 'middle', not one of left, mid, right"):
        labels_from_fields({"position": "middle"}, "a.json")


def test_a_build_without_a_sidecar_has_no_labels():
    assert labels_from_fields(None, "a.json") == BuildLabels()
    assert BuildLabels().json is None


def test_further_fields_of_a_sidecar_are_kept():
    labels = labels_from_fields({"gas_flow": "low", "position": "mid", "machine": {"name": "M2"}}, "a.json")
    assert labels.json == '{"gas_flow": "low", "machine": {"name": "M2"}, "position": "mid"}'


def test_a_table_gives_labels_by_build_and_keeps_numbers_as_they_are_written(table):
    path = table("build,gas_flow,position,machine\nb1,high,left,007\nb2,,,\n")
    assert read_labels_table(path) == {"b1": BuildLabels("high", "left", {"machine": "007"}), "b2": BuildLabels()}


def test_a_parquet_table_gives_the_same_labels(tmp_path):
    path = tmp_path / "labels.parquet"
    pl.DataFrame({"build": ["b1"], "gas_flow": ["low"], "position": [None]}).write_parquet(path)
    assert read_labels_table(path) == {"b1": BuildLabels("low")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("name,gas_flow\nb1,low\n", r"\['name', 'gas_flow'\], but not `build`", id="no column build"),
        pytest.param("build;gas_flow\nb1;low\n", "not `build`", id="semicolons"),
        pytest.param("build,gas_flow\n,low\n", "row 1: has no build", id="no build in a row"),
        pytest.param("build,gas_flow\nb1,low\nb1,high\n", "build b1 is in two rows", id="a build twice"),
        pytest.param("build,gas_flow\nb1,lwo\n", "build b1: gas_flow is 'lwo'", id="a misspelt word"),
        pytest.param("", "cannot be read as a table of labels", id="an empty file"),
        pytest.param("build,gas_flow\nb1,low,left,more\n", "cannot be read as a table of labels", id="a ragged row"),
    ],
)
def test_an_invalid_table_is_refused_naming_the_file(table, text, said):
    with pytest.raises(LabelError, match=rf"labels\.csv.*{said}"):
        read_labels_table(table(text))


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(LabelError, match=r"gone\.csv: cannot be read"):
        read_labels_table(tmp_path / "gone.csv")


def test_a_table_and_sidecars_complete_each_other():
    sidecars = {"b1": BuildLabels(position="left"), "b2": BuildLabels("low"), "b3": BuildLabels()}
    merged = merge_labels(sidecars, {"b1": BuildLabels("high", more={"machine": "M2"})})
    assert merged == {
        "b1": BuildLabels("high", "left", {"machine": "M2"}),
        "b2": BuildLabels("low"),
        "b3": BuildLabels(),
    }


def test_labels_of_builds_that_are_not_known_are_refused_naming_them():
    with pytest.raises(LabelError, match=r"labels\.csv: labels builds that are not known: b7, b8\. Known builds: b1\."):
        merge_labels({"b1": BuildLabels()}, {"b8": BuildLabels(), "b7": BuildLabels("low")}, "labels.csv")


def test_a_table_that_contradicts_a_sidecar_is_refused():
    with pytest.raises(LabelError, match=r"b1: gas_flow is low in its sidecar and high in labels\.csv"):
        merge_labels({"b1": BuildLabels("low")}, {"b1": BuildLabels("high")}, "labels.csv")


def test_a_number_in_a_sidecar_agrees_with_its_text_in_a_table():
    sidecars = {"b1": BuildLabels(more={"power_w": 200})}
    assert merge_labels(sidecars, {"b1": BuildLabels("low", more={"power_w": "200"})}) == {
        "b1": BuildLabels("low", more={"power_w": 200})
    }


def test_labels_survive_the_round_trip_through_their_table():
    labels = {
        "b1": BuildLabels("low", "left", {"machine": "007", "layers": [1, 2]}),
        "b2": BuildLabels(position="mid"),
        "b3": BuildLabels(),
    }
    table = check_table(labels_table(labels), spatter_schemas.SpatterBuildLabels)
    assert labels_of_table(table) == labels


def test_no_labels_are_a_table_without_rows():
    table = check_table(labels_table({}), spatter_schemas.SpatterBuildLabels)
    assert (table.height, labels_of_table(table)) == (0, {})
