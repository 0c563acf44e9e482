"""CSV tables that people edit: what they write is text and nothing else, and so is what a spreadsheet shows of ours."""

from io import BytesIO

import polars as pl

# A spreadsheet runs a cell that begins with one of these as a formula; an apostrophe before it marks text.
# OWASP, "CSV Injection".
FORMULA_BEGINS = r"^[=+\-@\t\r]"
GUARD = "'"
# Tabs and ends of lines may be in a cell; no other control character is written by a person.
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


def read_edited_csv(content: bytes) -> pl.DataFrame:
    """Return the table, every cell as text and empty cells as null; undoes `spreadsheet_csv`.

    Raises:
        pl.exceptions.PolarsError: it is not a CSV in UTF-8.
        ValueError: a cell or a column's name has a control character.
    """
    table = pl.read_csv(BytesIO(content), infer_schema=False)
    check_cells(table)
    return table.with_columns(pl.col(pl.String).str.replace(rf"^{GUARD}([=+\-@\t\r])", "$1"))


def check_cells(table: pl.DataFrame) -> None:
    """Raise ValueError if text of the table has a control character, such as NUL."""
    for name in table.columns:
        if pl.Series([name]).str.contains(CONTROL).item():
            raise ValueError(f"the name of the column {name!r} has a control character")
        if table.schema[name] == pl.String:
            found = table[name].str.contains(CONTROL).fill_null(False).arg_true()
            if len(found):
                cell = table[name][found[0]]
                raise ValueError(f"row {found[0] + 1}, column {name}: {cell[:40]!r} has a control character")


def spreadsheet_csv(table: pl.DataFrame) -> bytes:
    """Return the table as CSV; text that a spreadsheet would run as a formula begins with an apostrophe.

    >>> spreadsheet_csv(pl.DataFrame({"clip": ["-1", "a"], "n": [-1, 2]}))
    b"clip,n\\n'-1,-1\\na,2\\n"
    """
    columns = [pl.col(name) for name, kind in table.schema.items() if kind == pl.String]
    guarded = [
        pl.when(column.str.contains(FORMULA_BEGINS)).then(pl.lit(GUARD) + column).otherwise(column).name.keep()
        for column in columns
    ]
    return table.with_columns(guarded).write_csv().encode()
