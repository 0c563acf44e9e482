"""What people say of a build: its gas flow, its position, and more; from its sidecar or from a table they fill in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vidassets.errors import LabelError
from vidassets.schemas.spatter import SpatterBuildLabels

CLASS_OF_GAS_FLOW = {"low": 0, "high": 1}
POSITIONS = ("left", "mid", "right")
ALLOWED = {"gas_flow": tuple(CLASS_OF_GAS_FLOW), "position": POSITIONS}


@dataclass(frozen=True)
class BuildLabels:
    """Labels of one build; None is what nobody told, and is never guessed."""

    gas_flow: str | None = None
    position: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> int | None:
        """The class to learn: 0 low flow, 1 high flow."""
        return None if self.gas_flow is None else CLASS_OF_GAS_FLOW[self.gas_flow]

    @property
    def fields(self) -> dict[str, Any]:
        """Every field that is told, by name."""
        told = {"gas_flow": self.gas_flow, "position": self.position, **self.more}
        return {name: value for name, value in told.items() if value is not None}

    @property
    def json(self) -> str | None:
        """The same as a JSON object; None where nothing is told."""
        return json.dumps(self.fields, ensure_ascii=False, sort_keys=True) if self.fields else None


def labels_from_fields(fields: Mapping[str, Any] | None, where: str) -> BuildLabels:
    """Labels as a sidecar or a row of a table tells them; case and blanks around a word do not matter.

    Args:
        fields: `gas_flow` (low, high), `position` (left, mid, right), any more; None for a build without a sidecar.
        where: the file they come from, for the error.

    Raises:
        LabelError: a gas flow or a position that is none of these words.

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
        raise LabelError(f"{where}: {name} is {value!r}, not one of {allowed}. Write one of them, or leave it out.")
    return word


def read_labels_table(path: Path) -> dict[str, BuildLabels]:
    """Labels by build, from a CSV or Parquet file with a column `build`, and `gas_flow`, `position`, any more.

    An empty cell tells nothing.

    Raises:
        LabelError: the file does not read, has no column `build`, a row without a build, a build twice, or a word that
            is no gas flow or position.
    """
    try:
        # Of a CSV every cell is text: a machine called 007 keeps its name.
        is_parquet = path.suffix == ".parquet"
        table = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LabelError(
            f"{path}: does not read as a table of labels ({error}). Give a CSV or .parquet file with a column `build`."
        ) from error
    if "build" not in table.columns:
        raise LabelError(f"{path}: has the columns {table.columns}, not `build`. Name the build of each row in it.")
    labels: dict[str, BuildLabels] = {}
    for number, row in enumerate(table.iter_rows(named=True), start=1):
        build = row.pop("build")
        if build is None:
            raise LabelError(f"{path}, row {number}: names no build. Fill it in, or take the row out.")
        if build in labels:
            raise LabelError(f"{path}: build {build} stands in two rows. Keep one of them.")
        labels[build] = labels_from_fields(
            {name: value for name, value in row.items() if value is not None}, f"{path}, build {build}"
        )
    return labels


def merge_labels(
    sidecars: Mapping[str, BuildLabels], table: Mapping[str, BuildLabels], table_name: str = "the labels table"
) -> dict[str, BuildLabels]:
    """Labels of every build, each field from where it is told.

    Args:
        sidecars: of every build that is known, by build; `BuildLabels()` for one without a sidecar.
        table: of some of them.
        table_name: the file of `table`, for errors.

    Raises:
        LabelError: the table names builds that are not known, or tells a field otherwise than the sidecar does.
    """
    if unknown := sorted(set(table) - set(sidecars)):
        raise LabelError(
            f"{table_name}: labels builds that are not known: {', '.join(unknown)}. Known are "
            f"{', '.join(sorted(sidecars)) or 'none'}. Mend the names, or add the videos with `--kind build`."
        )
    return {build: _merged(build, one, table.get(build, BuildLabels()), table_name) for build, one in sidecars.items()}


def _merged(build: str, sidecar: BuildLabels, row: BuildLabels, table_name: str) -> BuildLabels:
    for name in sorted(sidecar.fields.keys() & row.fields.keys()):
        # Cells of a CSV are text, whatever the sidecar's JSON holds.
        if str(sidecar.fields[name]) != str(row.fields[name]):
            raise LabelError(
                f"{build}: {name} is {sidecar.fields[name]} in its sidecar and {row.fields[name]} in {table_name}. "
                "Mend the one that is wrong, or take it out."
            )
    return labels_from_fields({**row.fields, **sidecar.fields}, build)


def labels_table(labels: Mapping[str, BuildLabels]) -> pl.DataFrame:
    """The labels as a table, columns in `spatter_schemas.SpatterBuildLabels`; `labels_of_table` takes them back."""
    rows = [
        {"build": build, "gas_flow": one.gas_flow, "position": one.position, "labels_json": one.json}
        for build, one in labels.items()
    ]
    return pl.DataFrame(rows, schema=SpatterBuildLabels.create_empty().schema)


def labels_of_table(table: pl.DataFrame) -> dict[str, BuildLabels]:
    """Labels by build, as `labels_table` wrote them."""
    return {
        row["build"]: labels_from_fields(json.loads(row["labels_json"] or "{}"), row["build"])
        for row in table.iter_rows(named=True)
    }
