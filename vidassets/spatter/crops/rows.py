"""Collect the rows of a table compactly: hours of a build give a million rows."""

from typing import Any

import dataframely as dy
import polars as pl

# Rows as Python objects take ten times the memory of columns.
ROWS_AS_OBJECTS = 10_000


class Rows:
    """Collects rows into a table with the columns and types of a schema."""

    def __init__(self, schema: type[dy.Schema]) -> None:
        self._types = schema.create_empty().schema
        self._rows: list[dict[str, Any]] = []
        self._parts: list[pl.DataFrame] = []
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def append(self, **columns: Any) -> None:
        """Add a row."""
        self._rows.append(columns)
        self._n_rows += 1
        if len(self._rows) == ROWS_AS_OBJECTS:
            self._pack()

    def table(self) -> pl.DataFrame:
        """Return all rows so far, in order."""
        self._pack()
        return pl.concat(self._parts)

    def _pack(self) -> None:
        self._parts.append(pl.DataFrame(self._rows, schema=self._types))
        self._rows = []
