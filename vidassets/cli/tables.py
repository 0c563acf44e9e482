"""Tables that commands print: a row per clip, the states of an asset, one clip in full. `--json` has the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from vidassets.assets.sources.raw_clip import PROBLEMS
from vidassets.automation.status import Board, Cell, State
from vidassets.graph.declared_asset import RESULT, ROW_COUNT, Figure

COLOURS = {
    State.FRESH: "green",
    State.FAILED: "red",
    State.MISSING: "dim",
    State.STALE: "yellow",
    State.INCOMPLETE: "yellow",
    State.WAITING: "cyan",
}


def clip_row(board: Board, clip: str, assets: Sequence[str], figures: Sequence[tuple[str, Figure]]) -> dict[str, Any]:
    """Return what is known of one clip: its figures from recorded metadata, its state over all these assets.

    Args:
        board: the states of all cells.
        clip: a key.
        assets: names of the assets that count for the state, inputs first.
        figures: what the table shows, each with the asset that it is of.
    """
    cells = {asset: board.cells[asset, clip] for asset in assets if (asset, clip) in board.cells}
    width, height = _recorded(board, clip, "raw_clip", "width"), _recorded(board, clip, "raw_clip", "height")
    seconds = [_recorded(board, clip, asset, "seconds") for asset in assets]
    state, asset, cell = _worst(cells)
    return {
        "clip": clip,
        "kind": _recorded(board, clip, "raw_clip", "kind") or _recorded(board, clip, "source_video", "kind"),
        "duration_s": _recorded(board, clip, "raw_clip", "duration_s"),
        "resolution": f"{width}x{height}" if width else None,
        **{figure.name: _recorded(board, clip, asset, figure.metadata) for asset, figure in figures},
        "seconds": round(sum(value for value in seconds if value is not None), 2),
        "problems": _recorded(board, clip, "raw_clip", PROBLEMS),
        "state": str(state),
        "asset": None if state is State.FRESH else asset,
        "reason": cell.reason,
    }


def _recorded(board: Board, clip: str, asset: str, metadata: str) -> Any:
    """Return a metadata value of a clip's latest artifact; None if there is none."""
    cell = board.cells.get((asset, clip))
    value = cell.made.metadata.get(metadata) if cell and cell.made else None
    return None if value is None else value.value


def _worst(cells: Mapping[str, Cell]) -> tuple[State, str, Cell]:
    """Return the state that a person should see first, and its asset; of equal states, the one highest in the graph."""
    order = (State.FAILED, State.MISSING, State.STALE, State.INCOMPLETE, State.WAITING, State.FRESH)
    asset = min(cells, key=lambda name: order.index(cells[name].state))
    return cells[asset].state, asset, cells[asset]


def result_line(board: Board, clip: str, assets: Sequence[str]) -> str | None:
    """Return the results of a clip's assets in one line, such as the verdict on a build; None if there is none."""
    results = [result for asset in assets if (result := _recorded(board, clip, asset, RESULT))]
    return f"{clip}: {'; '.join(results)}" if results else None


def clips_table(rows: Sequence[Mapping[str, Any]], figures: Sequence[Figure]) -> Table:
    """Return a table with one row per clip, and a column for each figure that any of them has."""
    shown = [figure for figure in figures if figure.in_table and any(row[figure.name] for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("clip", overflow="fold")
    for name in ("kind", "duration"):
        table.add_column(name, no_wrap=True)
    for header in (*(figure.header or figure.name for figure in shown), "seconds"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in rows:
        colour = COLOURS[State(row["state"])]
        values = [(figure, row[figure.name]) for figure in shown]
        table.add_row(
            escape(row["clip"]),
            row["kind"] or "",
            duration(row["duration_s"]),
            *("" if value is None else figure.format(value) for figure, value in values),
            f"{row['seconds']:.1f}",
            f"[{colour}]{row['state']}[/]",
        )
    return table


def states_table(board: Board, clips: Sequence[str], assets: Sequence[str], datasets: Mapping[str, State]) -> Table:
    """Return a table of how many clips of each asset are in each state; for an asset over all clips, its state."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("asset")
    for state in State:
        table.add_column(str(state), justify="right", style=COLOURS[state])
    for asset in assets:
        states = [board.cells[asset, clip].state for clip in clips if (asset, clip) in board.cells]
        table.add_row(asset, *(str(states.count(state) or "") for state in State))
    for asset, current in datasets.items():
        table.add_row(asset, *("all" if state is current else "" for state in State))
    return table


def cells_table(board: Board, clip: str, paths: Mapping[str, str]) -> Table:
    """Return a table of one clip: each asset's state, rows, seconds, and where its artifact is stored."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("asset", "state"):
        table.add_column(name)
    for name in ("rows", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("artifact or reason", overflow="fold")
    for asset, path in paths.items():
        cell = board.cells[asset, clip]
        metadata = cell.made.metadata if cell.made else {}
        rows, seconds = metadata.get(ROW_COUNT), metadata.get("seconds")
        table.add_row(
            asset,
            f"[{COLOURS[cell.state]}]{cell.state}[/]",
            _count(rows.value if rows else None),
            f"{seconds.value:.2f}" if seconds else "",
            escape(cell.reason or (path if cell.made else "")),
        )
    return table


def duration(seconds: float | None) -> str:
    """Return minutes and seconds as text.

    >>> duration(83.25), duration(None)
    ('1:23.2', '')
    """
    return "" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def _count(value: Any) -> str:
    return "" if value is None else str(value)
