"""Tables that commands print: a row per clip, the states of an asset, one clip in full. `--json` has the same rows.

Keys, states and paths are in every table, whatever the width of the terminal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from vidassets.assets.sources.raw_clip import PROBLEMS
from vidassets.automation.status import GONE, Board, Cell, State
from vidassets.cli.columns import Column, fitting, rows_of, table
from vidassets.cli.console import printable
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.declared_asset import RESULT, ROW_COUNT, Figure
from vidassets.graph.lineage import Made

COLOURS = {
    State.FRESH: "green",
    State.FAILED: "red",
    State.MISSING: "dim",
    State.STALE: "yellow",
    State.INCOMPLETE: "yellow",
    State.WAITING: "cyan",
}


def clip_row(
    board: Board, clip: str, cells: Mapping[str, Cell], figures: Sequence[tuple[str, Figure]]
) -> dict[str, Any]:
    """Return what is known of one clip: its figures from recorded metadata, its state over some assets.

    Args:
        board: over all assets: where the figures come from.
        clip: a key.
        cells: of the assets that count for the state, by name, inputs first.
        figures: what the table shows, each with the asset that it is of.
    """
    width, height = _recorded(board, clip, "raw_clip", "width"), _recorded(board, clip, "raw_clip", "height")
    seconds = [_recorded(board, clip, asset.name, "seconds") for asset in board.selection.clip_assets]
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
    if not cells:
        return State.FRESH, "", Cell(State.FRESH)
    asset = min(cells, key=lambda name: order.index(cells[name].state))
    return cells[asset].state, asset, cells[asset]


def result_line(board: Board, clip: str, assets: Sequence[str]) -> str | None:
    """Return the results of a clip's assets in one line, such as the verdict on a build; None if there is none."""
    results = [result for asset in assets if (result := _recorded(board, clip, asset, RESULT))]
    return f"{clip}: {'; '.join(results)}" if results else None


def clips_table(rows: Sequence[Mapping[str, Any]], figures: Sequence[Figure], width: int | None) -> Iterator[Text]:
    """Yield the lines of a table with one row per clip, and a column for each figure that any of them has.

    Args:
        rows: as `clip_row` returns them.
        figures: what may have a column. A later one is closer to what a person wants to know.
        width: of the terminal; None for all columns.
    """
    shown = [figure for figure in figures if figure.in_table and any(row[figure.name] for row in rows)]
    columns = [
        Column("clip", [Text(printable(row["clip"])) for row in rows]),
        Column("kind", [Text(row["kind"] or "") for row in rows], rank=len(shown) + 2),
        Column("duration", [Text(duration(row["duration_s"])) for row in rows], rank=1),
    ]
    for rank, figure in enumerate(shown, 2):
        values = [row[figure.name] for row in rows]
        cells = [Text("" if value is None else figure.format(value)) for value in values]
        columns.append(Column(figure.header or figure.name, cells, is_number=True, rank=rank))
    columns.append(Column("seconds", [Text(f"{row['seconds']:.1f}") for row in rows], is_number=True, rank=0))
    columns.append(Column("state", [_state(State(row["state"])) for row in rows]))
    return table(columns, width)


def states_table(
    board: Board, clips: Sequence[str], datasets: Mapping[str, State], width: int | None
) -> Iterator[Text]:
    """Yield the lines of a table of how many clips of each asset are in each state.

    An asset over all clips has the word "all" in the column of its state. Where the columns do not fit, the states of
    an asset are written as text.
    """
    counts: dict[str, dict[State, str]] = {}
    for asset in board.selection.clip_assets:
        states = [board.cells[asset.name, clip].state for clip in clips if (asset.name, clip) in board.cells]
        counts[asset.name] = {state: str(states.count(state)) for state in State if state in states}
    counts |= {asset: {state: "all"} for asset, state in datasets.items()}
    assets = Column("asset", [Text(asset) for asset in counts])
    columns = [
        Column(state, [Text(of_asset.get(state, ""), COLOURS[state]) for of_asset in counts.values()], is_number=True)
        for state in State
        if any(state in of_asset for of_asset in counts.values())
    ]
    if width is not None and sum(column.width + 2 for column in (assets, *columns)) - 2 > width:
        texts = [
            Text(", ").join(Text(f"{n} {state}", COLOURS[state]) for state, n in of_asset.items())
            for of_asset in counts.values()
        ]
        columns = [Column("state", texts)]
    return rows_of([assets, *columns])


@dataclass(frozen=True)
class ArtifactState:
    """One artifact of a clip: its state, the asset that makes it, its path (None if it was never made), its event."""

    name: str
    asset: str
    state: State
    reason: str
    path: str | None
    made: Made | None


def artifact_states(
    asset: ClipAsset, cell: Cell, paths: Mapping[str, str], stored: Mapping[str, bool], made: Mapping[str, Made | None]
) -> Iterator[ArtifactState]:
    """Yield the states of an asset's artifact and of its companions.

    Args:
        asset: the declaration.
        cell: its state for this clip.
        paths: of each artifact, by name.
        stored: by name, whether the artifact is in the store.
        made: by name, its latest materialisation.
    """
    gone = [name for name in paths if cell.made and not stored[name]]
    for name, path in paths.items():
        state, reason = cell.state, cell.reason
        if name in gone:
            state, reason = State.MISSING, GONE
        elif gone and name != asset.name:
            state, reason = State.STALE, f"made again together with {', '.join(gone)}"
        yield ArtifactState(name, asset.name, state, reason, path if cell.made else None, made[name])


def artifacts_table(artifacts: Sequence[ArtifactState], width: int | None) -> Iterator[Text]:
    """Yield the lines of a table of one clip: each artifact's state, rows, seconds, path and reason."""
    metadata = [artifact.made.metadata if artifact.made else {} for artifact in artifacts]
    places = [
        Text("  ").join(Text(part) for part in (artifact.path, printable(artifact.reason)) if part)
        for artifact in artifacts
    ]
    columns = [
        Column("artifact", [Text(artifact.name) for artifact in artifacts]),
        Column("state", [_state(artifact.state) for artifact in artifacts]),
        Column("rows", [_number(values, ROW_COUNT) for values in metadata], is_number=True, rank=1),
        Column("seconds", [_number(values, "seconds", ".2f") for values in metadata], is_number=True, rank=0),
    ]
    # Paths and reasons come last and take what room they need: where that is too little, the terminal breaks the line.
    room = None if width is None else width - max(place.cell_len for place in places)
    shown, _ = fitting(columns, room)
    return rows_of([*shown, Column("path or reason", places)])


def _state(state: State) -> Text:
    return Text(state, COLOURS[state])


def _number(metadata: Mapping[str, Any], name: str, form: str = "") -> Text:
    return Text(format(metadata[name].value, form) if name in metadata else "")


def duration(seconds: float | None) -> str:
    """Return minutes and seconds as text.

    >>> duration(83.25), duration(None)
    ('1:23.2', '')
    """
    return "" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"
