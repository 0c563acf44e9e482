"""Tables that people edit, as bad as they come: control characters, formulas, a million rows."""

from pathlib import Path

import polars as pl
import pytest

from vidassets.edited_tables import read_edited_csv, spreadsheet_csv
from vidassets.errors import LabelError, SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.labels import BuildLabels, merge_labels, read_labels_table
from vidassets.spatter.types.active_labels import append_filled_in, export_requests

MILLION = 1_000_000
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "\t=1"]
NO_DECISIONS = spatter_schemas.SpatterLabelDecisions.create_empty()


@pytest.mark.parametrize("cell", FORMULAS)
def test_text_that_a_spreadsheet_would_run_is_marked_as_text_and_read_back_as_it_was(cell: str):
    written = spreadsheet_csv(pl.DataFrame({"clip": [cell, "plain"], "n": [-1, 2]}))
    assert pl.read_csv(written)["clip"].to_list() == [f"'{cell}", "plain"]
    assert read_edited_csv(written).rows() == [(cell, "-1"), ("plain", "2")]


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_a_control_character_in_a_table_of_labels_is_refused_naming_its_row(tmp_path: Path, extension: str):
    path = tmp_path / f"labels.{extension}"
    table = pl.DataFrame({"build": ["a", "b\0"], "gas_flow": ["low", "high"]})
    table.write_csv(path) if extension == "csv" else table.write_parquet(path)
    with pytest.raises(LabelError, match=r"row 2, column build: 'b\\x00' has a control character"):
        read_labels_table(path)


def test_a_table_in_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "labels.csv").write_bytes("build,gas_flow\na,low\n".encode("utf-16"))
    with pytest.raises(LabelError, match="cannot be read as a table of labels"):
        read_labels_table(tmp_path / "labels.csv")


def test_a_control_character_in_a_filled_in_list_is_refused():
    with pytest.raises(SchemaViolation, match="control character"):
        append_filled_in(NO_DECISIONS, b"clip,pts_s,box_x1,box_y1,box_x2,box_y2,label\na,0.5,1,2,3,4,drop\0let\n")


def test_a_filled_in_list_names_the_crops_of_a_build_whose_key_looks_like_a_formula():
    columns = spatter_schemas.SpatterLabelRequests.create_empty().schema
    row = {"rank": 0, "clip": "-1", "event_index": 0, "pts_s": 0.5, "cluster": 0, "uncertainty": 0.5}
    row |= {"box_x1": 1, "box_y1": 2, "box_x2": 3, "box_y2": 4}
    exported = export_requests(pl.DataFrame([row], schema=columns))
    assert b"'-1," in exported
    filled = pl.read_csv(exported, infer_schema=False).with_columns(label=pl.lit("droplet")).write_csv().encode()
    assert append_filled_in(NO_DECISIONS, filled)["clip"].to_list() == ["-1"]


def test_a_long_table_of_labels_of_unknown_builds_is_an_error_that_can_be_read(tmp_path: Path):
    path = tmp_path / "labels.csv"
    pl.select(build=pl.format("b{}", pl.int_range(100_000)), gas_flow=pl.lit("low")).write_csv(path)
    labels = read_labels_table(path)
    assert len(labels) == 100_000
    with pytest.raises(LabelError, match="and 99980 more") as raised:
        merge_labels({"a": BuildLabels()}, labels)
    assert len(str(raised.value)) < 1000


def test_a_million_decisions_are_appended_and_read_again_without_adding_any():
    numbers = pl.int_range(MILLION)
    box = {name: pl.lit(corner) for corner, name in enumerate(("box_x1", "box_y1", "box_x2", "box_y2"))}
    columns = {"clip": pl.lit("a"), "pts_s": numbers / 25, **box, "label": pl.lit("droplet")}
    csv = pl.select(*(value.alias(name) for name, value in columns.items())).write_csv().encode()
    decisions = append_filled_in(NO_DECISIONS, csv)
    assert len(decisions) == MILLION
    assert len(append_filled_in(decisions, csv)) == MILLION
