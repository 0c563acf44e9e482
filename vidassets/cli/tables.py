"""What commands print: a row per clip, an asset's states, one clip in full. The same rows serve `--json`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from vidassets.assets.sources.raw_clip import PROBLEMS
from vidassets.automation.status import Board, Cell, State

ROW_COUNT = "dagster/partition_row_count"
COLOURS = {
    State.FRESH: "green",
    State.FAILED: "red",
    State.MISSING: "dim",
    State.STALE: "yellow",
    State.INCOMPLETE: "yellow",
    State.WAITING: "cyan",
}


def clip_row(board: Board, clip: str, assets: Sequence[str]) -> dict[str, Any]:
    """What is known of one clip: its figures from recorded metadata, its state over all these assets."""

    def figure(asset: str, name: str) -> Any:
        cell = board.cells.get((asset, clip))
        value = cell.made.metadata.get(name) if cell and cell.made else None
        return value.value if value is not None else None

    cells = {asset: board.cells[asset, clip] for asset in assets if (asset, clip) in board.cells}
    width, height = figure("raw_clip", "width"), figure("raw_clip", "height")
    seconds = [figure(asset, "seconds") for asset in assets]
    state, asset, cell = _worst(cells)
    return {
        "clip": clip,
        "kind": figure("raw_clip", "kind") or figure("source_video", "kind"),
        "duration_s": figure("raw_clip", "duration_s"),
        "resolution": f"{width}x{height}" if width else None,
        "frames": figure("frames", ROW_COUNT),
        "shots": figure("shots", ROW_COUNT),
        "descriptions": figure("frame_descriptions", ROW_COUNT),
        "words": figure("transcript", "n_words"),
        "speakers": figure("speaker_turns", "n_speakers"),
        "crops": figure("spatter_crops", "n_crops"),
        "verdict": figure("spatter_verdict", "verdict"),
        "cost_usd": figure("frame_descriptions", "cost_usd"),
        "seconds": round(sum(one for one in seconds if one is not None), 2),
        "problems": figure("raw_clip", PROBLEMS),
        "state": str(state),
        "asset": None if state is State.FRESH else asset,
        "reason": cell.reason,
    }


def _worst(cells: Mapping[str, Cell]) -> tuple[State, str, Cell]:
    """The state that a person should see first, and whose it is; of equals, the one highest in the graph."""
    order = (State.FAILED, State.MISSING, State.STALE, State.INCOMPLETE, State.WAITING, State.FRESH)
    asset = min(cells, key=lambda name: order.index(cells[name].state))
    return cells[asset].state, asset, cells[asset]


def verdict_line(board: Board, clip: str) -> str | None:
    """What the classifier says of a build, how sure it is, whether it knows such spatter; None without a verdict."""

    def told(asset: str, name: str) -> Any:
        cell = board.cells.get((asset, clip))
        value = cell.made.metadata.get(name) if cell and cell.made else None
        return value.value if value is not None else None

    if (verdict := told("spatter_verdict", "verdict")) is None:
        return None
    words = [f"{clip}: gas flow {verdict}"]
    if probability := told("spatter_verdict", "probability_of_high"):
        words.append(f"probability of high flow {probability}")
    words += [text for text in (told("spatter_verdict", "reason"), told("spatter_drift", "detail")) if text]
    return "; ".join(words)


def clips_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One row per clip; of the figures those that any of them has."""
    figures = ("frames", "shots", "words", "speakers", "crops", "verdict", "cost_usd")
    shown = [name for name in figures if any(row[name] for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("clip", overflow="fold")
    for name in ("kind", "duration"):
        table.add_column(name, no_wrap=True)
    for name in (*shown, "seconds"):
        table.add_column("cost" if name == "cost_usd" else name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in rows:
        colour = COLOURS[State(row["state"])]
        table.add_row(
            escape(row["clip"]),
            row["kind"] or "",
            duration(row["duration_s"]),
            *(money(row[name]) if name == "cost_usd" else _count(row[name]) for name in shown),
            f"{row['seconds']:.1f}",
            f"[{colour}]{row['state']}[/]",
        )
    return table


def states_table(board: Board, clips: Sequence[str], assets: Sequence[str], datasets: Mapping[str, State]) -> Table:
    """Per asset, how many clips are in each state; of an asset over all clips, the one state that it is in."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("asset")
    for state in State:
        table.add_column(str(state), justify="right", style=COLOURS[state])
    for asset in assets:
        states = [board.cells[asset, clip].state for clip in clips if (asset, clip) in board.cells]
        table.add_row(asset, *(str(states.count(state) or "") for state in State))
    for asset, is_in in datasets.items():
        table.add_row(asset, *("all" if state is is_in else "" for state in State))
    return table


def cells_table(board: Board, clip: str, paths: Mapping[str, str]) -> Table:
    """Everything of one clip: each asset's state, rows, seconds, where it lies."""
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
    """Minutes and seconds.

    >>> duration(83.25), duration(None)
    ('1:23.2', '')
    """
    return "" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def money(usd: float | None) -> str:
    """US dollars, with digits enough for a frame's price.

    >>> money(0.0), money(0.00042), money(12.5)
    ('$0', '$0.0004', '$12.50')
    """
    if usd is None:
        return ""
    return "$0" if usd == 0 else f"${usd:.4f}" if usd < 1 else f"${usd:.2f}"


def _count(value: Any) -> str:
    return "" if value is None else str(value)
