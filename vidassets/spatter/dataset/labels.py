"""Read the labels of builds (gas flow, position and others) from sidecars and from a table that people fill in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vidassets.edited_tables import check_cells, read_edited_csv
from vidassets.errors import LabelError
from vidassets.schemas.spatter import SpatterBuildLabels

CLASS_OF_GAS_FLOW = {"low": 0, "high": 1}
POSITIONS = ("left", "mid", "right")
NAMED_IN_ERRORS = 20
ALLOWED = {"gas_flow": tuple(CLASS_OF_GAS_FLOW), "position": POSITIONS}


@dataclass(frozen=True)
class BuildLabels:
    """Labels of one build; an unknown label is None and is never guessed."""

    gas_flow: str | None = None
    position: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> int | None:
        """The class to learn: 0 for low flow, 1 for high flow."""
        return None if self.gas_flow is None else CLASS_OF_GAS_FLOW[self.gas_flow]

    @property
    def fields(self) -> dict[str, Any]:
        """Every known label, by name."""
        fields = {"gas_flow": self.gas_flow, "position": self.position, **self.more}
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def json(self) -> str | None:
        """The known labels as a JSON object; None if there are none."""
        return json.dumps(self.fields, ensure_ascii=False, sort_keys=True) if self.fields else None


def labels_from_fields(fields: Mapping[str, Any] | None, where: str) -> BuildLabels:
    """Return the labels in a sidecar or a row of a table; case and surrounding blanks are ignored.

    Args:
        fields: `gas_flow` (low, high), `position` (left, mid, right) and others; None for a build without a sidecar.
        where: the file they come from, for the error.

    Raises:
        LabelError: the gas flow or position is not one of these words.

    >>> labels_from_fields({"gas_flow": "High ", "machine": "M2"}, "a.json").fields
    {'gas_flow': 'high', 'machine': 'M2'}
    """
    more = {name: value for name, value in (fields or {}).items() if name not in ALLOWED}
    return BuildLabels(**{name: _word(name, (fields or {}).get(name), where) for name in ALLOWED}, more=more)


def _word(name: str, value: Any, where: str) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    word = value.strip().lower() if isinstance(value, str) else value
    if word not in ALLOWED[name]:
        allowed = ", ".join(ALLOWED[name])
        raise LabelError(f"{where}: {name} is {value!r}, not one of {allowed}. Write one of them, or omit it.")
    return word


def read_labels_table(path: Path) -> dict[str, BuildLabels]:
    """Return the labels by build from a CSV or Parquet file.

    The file has a column `build` and optionally `gas_flow`, `position` and others. An empty cell is an unknown label.

    Raises:
        LabelError: the file cannot be read, has no column `build`, a row without a build, a build twice, or an invalid
            gas flow or position.
    """
    try:
        # Every cell of a CSV is read as text, so that a machine called 007 keeps its name.
        is_parquet = path.suffix == ".parquet"
        table = pl.read_parquet(path) if is_parquet else read_edited_csv(path.read_bytes())
        check_cells(table)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise LabelError(
            f"{path}: cannot be read as a table of labels ({error}). Use a CSV or .parquet file with a column `build`."
        ) from error
    if "build" not in table.columns:
        raise LabelError(
            f"{path}: has the columns {table.columns}, but not `build`. Add it, with the build of each row."
        )
    labels: dict[str, BuildLabels] = {}
    for number, row in enumerate(table.iter_rows(named=True), start=1):
        build = row.pop("build")
        if build is None:
            raise LabelError(f"{path}, row {number}: has no build. Fill it in, or remove the row.")
        if build in labels:
            raise LabelError(f"{path}: build {build} is in two rows. Keep one of them.")
        labels[build] = labels_from_fields(
            {name: value for name, value in row.items() if value is not None}, f"{path}, build {build}"
        )
    return labels


def merge_labels(
    sidecars: Mapping[str, BuildLabels], table: Mapping[str, BuildLabels], table_name: str = "the labels table"
) -> dict[str, BuildLabels]:
    """Return the labels of every build, combined from its sidecar and its row in the table.

    Args:
        sidecars: labels of every known build, by build; `BuildLabels()` for a build without a sidecar.
        table: labels of some of these builds.
        table_name: the file of `table`, for errors.

    Raises:
        LabelError: the table names unknown builds, or contradicts a sidecar.
    """
    if unknown := sorted(set(table) - set(sidecars)):
        raise LabelError(
            f"{table_name}: labels builds that are not known: {_some(unknown)}. Known builds: "
            f"{_some(sorted(sidecars)) or 'none'}. Correct the names, or add the videos with `--kind build`."
        )
    return {
        build: _merged(build, labels, table.get(build, BuildLabels()), table_name) for build, labels in sidecars.items()
    }


def _some(names: list[str]) -> str:
    """Return the first names, and how many there are besides: a table may have a million rows."""
    more = len(names) - NAMED_IN_ERRORS
    return ", ".join(names[:NAMED_IN_ERRORS]) + (f" and {more} more" if more > 0 else "")


def _merged(build: str, sidecar: BuildLabels, row: BuildLabels, table_name: str) -> BuildLabels:
    for name in sorted(sidecar.fields.keys() & row.fields.keys()):
        # Compare as text: cells of a CSV are text, values in a sidecar may be numbers.
        if str(sidecar.fields[name]) != str(row.fields[name]):
            raise LabelError(
                f"{build}: {name} is {sidecar.fields[name]} in its sidecar and {row.fields[name]} in {table_name}. "
                "Correct the wrong value, or remove it."
            )
    return labels_from_fields({**row.fields, **sidecar.fields}, build)


def labels_table(labels: Mapping[str, BuildLabels]) -> pl.DataFrame:
    """Return the labels as a table, columns in `spatter_schemas.SpatterBuildLabels`; `labels_of_table` reads it."""
    rows = [
        {"build": build, "gas_flow": known.gas_flow, "position": known.position, "labels_json": known.json}
        for build, known in labels.items()
    ]
    return pl.DataFrame(rows, schema=SpatterBuildLabels.create_empty().schema)


def labels_of_table(table: pl.DataFrame) -> dict[str, BuildLabels]:
    """Return the labels by build from a table that `labels_table` made."""
    return {
        row["build"]: labels_from_fields(json.loads(row["labels_json"] or "{}"), row["build"])
        for row in table.iter_rows(named=True)
    }
