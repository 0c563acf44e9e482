"""Rows of a table as they come, kept as columns: hours of a build make a million of them."""

from typing import Any

import dataframely as dy
import polars as pl

# Rows as Python objects take ten times the memory of columns.
ROWS_AS_OBJECTS = 10_000


class Rows:
    """Takes rows one by one; gives them as one table of the schema's columns and types."""

    def __init__(self, schema: type[dy.Schema]) -> None:
        self._types = schema.create_empty().schema
        self._rows: list[dict[str, Any]] = []
        self._parts: list[pl.DataFrame] = []
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def append(self, **columns: Any) -> None:
        """One row."""
        self._rows.append(columns)
        self._n_rows += 1
        if len(self._rows) == ROWS_AS_OBJECTS:
            self._pack()

    def table(self) -> pl.DataFrame:
        """All rows so far, in order."""
        self._pack()
        return pl.concat(self._parts)

    def _pack(self) -> None:
        self._parts.append(pl.DataFrame(self._rows, schema=self._types))
        self._rows = []
