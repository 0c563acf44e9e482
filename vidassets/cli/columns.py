"""Columns of text, as many as fit a terminal: the least important are left out first, and nothing is cut or folded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A header and one cell per row.

    Attributes:
        rank: the column of the lowest rank is left out first; one without a rank always stays.
    """

    header: str
    cells: Sequence[Text]
    is_number: bool = False
    rank: int | None = None

    @property
    def width(self) -> int:
        """Columns of a terminal that the widest cell takes; a Chinese character takes two."""
        return max(Text(self.header).cell_len, *(cell.cell_len for cell in self.cells))


def fitting(columns: Sequence[Column], width: int | None) -> tuple[list[Column], list[Column]]:
    """Return the columns that are shown, and those that are left out because the terminal is too narrow.

    Args:
        columns: from left to right.
        width: of the terminal; None shows all columns.
    """
    shown, left_out = list(columns), list[Column]()
    while width is not None and _width(shown) > width and (ranked := [c for c in shown if c.rank is not None]):
        least = min(ranked, key=lambda column: column.rank or 0)
        shown.remove(least)
        left_out.append(least)
    return shown, left_out


def rows_of(columns: Sequence[Column]) -> Iterator[Text]:
    """Yield a line of headers and a line for each row. A row wider than the terminal is broken by the terminal."""
    widths = [column.width for column in columns]
    lines = [
        [Text(column.header, "bold") for column in columns],
        *zip(*(column.cells for column in columns), strict=True),
    ]
    for cells in lines:
        line = Text()
        for place, (column, cell, width) in enumerate(zip(columns, cells, widths, strict=True)):
            padding = " " * (width - cell.cell_len)
            line.append(GAP if place else "")
            line.append(padding if column.is_number else "")
            line.append_text(cell)
            line.append("" if column.is_number else padding)
        line.rstrip()
        yield line


def table(columns: Sequence[Column], width: int | None) -> Iterator[Text]:
    """Yield the lines of a table that fits; the last one says which columns were left out, if any were."""
    shown, left_out = fitting(columns, width)
    yield from rows_of(shown)
    if left_out:
        names = ", ".join(column.header for column in columns if column in left_out)
        yield Text(f"Too narrow for: {names}. A wider terminal or --json shows them.", "dim")


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)
