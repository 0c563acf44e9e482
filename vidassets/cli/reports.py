"""What commands say after their work: a row per clip, what failed or waits and why, what was refused."""

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vidassets.automation.registration import read_source
from vidassets.automation.status import State
from vidassets.cli.console import err, labelled, out, print_lines, printable, terminal_width
from vidassets.cli.tables import COLOURS, clip_row, clips_table, result_line
from vidassets.definitions import GRAPH

if TYPE_CHECKING:
    from vidassets.automation.registration import Registration
    from vidassets.automation.work import Workload
    from vidassets.deployment import Deployment

KEYS_NAMED = 10  # in a line about many clips


def clip_rows(deployment: "Deployment", work: "Workload") -> list[dict[str, Any]]:
    """Return a row per clip of some work: its state over the assets of the work, its figures over all assets."""
    is_all = len(work.clip_assets) == len(GRAPH.clip_assets)
    figures_from = (work if is_all else deployment.workload(work.clips)).board()
    cells = work.board().cells
    rows = []
    for key in work.clips:
        own = {asset.name: cells[asset.name, key] for asset in work.clip_assets if (asset.name, key) in cells}
        row = clip_row(figures_from, key, own, GRAPH.figures)
        if row["kind"] is None:
            if source := read_source(deployment.store, key):
                row["kind"] = source.kind
            else:
                row |= _without_video(key)
        rows.append(row)
    return rows


def _without_video(key: str) -> dict[str, str]:
    """Return the state of a key under which no video is registered: someone added the partition in the Dagster UI."""
    reason = (
        "no video is registered under this key: the partition was added by hand, or the record of its video is gone. "
        f"Remove it with `vidassets remove {shlex.quote(key)}`, or add its video again."
    )
    return {"state": str(State.MISSING), "asset": "source_video", "reason": reason}


def print_rows(
    deployment: "Deployment", rows: Sequence[Mapping[str, Any]], as_json: bool, only: Collection[str] | None = None
) -> None:
    """Print the table of clips, then the causes of what is not up to date, then problems of videos.

    Args:
        deployment: whose clips they are.
        rows: as `clip_rows` returns them.
        as_json: print the rows as JSON instead.
        only: keys of the clips that the table shows; None for all.
    """
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        out.print("No clip is registered. `vidassets add FOLDER` registers the videos of a folder.")
        return
    shown = [row for row in rows if only is None or row["clip"] in only]
    if shown:
        print_lines(clips_table(shown, [figure for _, figure in GRAPH.figures], terminal_width()))
    for row in shown:
        if row["state"] != State.FRESH:
            asset, reason = str(row["asset"]), str(row["reason"] or "not made yet")
            out.print()
            labelled(out, printable(row["clip"]), "bold", f"{row['state']}: ", (asset, "cyan"), f" {reason}")
    for row in shown:
        if row["problems"]:
            key = shlex.quote(row["clip"])
            out.print(Text(f"\n{row['clip']} has problems: {row['problems']}. `vidassets show {key}` shows details."))
    root = getattr(deployment.profile.resources["store"], "root", "")
    out.print(Text(f"\nArtifacts: {root}"))


def print_registration(total: "Registration") -> None:
    """Print what was refused, and what a person may not have meant."""
    for reason in dict.fromkeys(total.refused.values()):
        labelled(err, "refused", "red", reason)
    for problem in total.sidecars.values():
        labelled(err, "sidecar", "red", problem)
    changes: dict[tuple[str, str], list[str]] = {}
    for key, kinds in total.kind_changed.items():
        changes.setdefault(kinds, []).append(key)
    for (old, new), keys in changes.items():
        more = f" and {len(keys) - KEYS_NAMED} more" if len(keys) > KEYS_NAMED else ""
        labelled(err, "kind", "yellow", f"changed from {old} to {new}: {', '.join(keys[:KEYS_NAMED])}{more}")


def print_gone(gone: Mapping[str, str]) -> None:
    """Name the clips whose video no longer exists."""
    for key, uri in gone.items():
        labelled(
            err,
            "gone",
            "yellow",
            f"{key}: {uri} no longer exists. Its artifacts are kept; `vidassets remove {key}` removes the clip.",
        )


def print_results(work: "Workload") -> None:
    """Print what the assets found out about the videos that were named on the command line."""
    for key in work.clips:
        if line := result_line(work.board(), key, [asset.name for asset in work.clip_assets]):
            out.print(Text(line))


def print_dataset_states(work: "Workload") -> None:
    """Print why assets over all clips are not up to date; those that wait only if there are clips of their kind."""
    unfinished = work.unfinished()
    shown = {
        name: cell
        for name, cell in work.dataset_cells().items()
        if cell.state is not State.FRESH and (cell.state is not State.WAITING or name in unfinished)
    }
    for name, cell in shown.items():
        labelled(out, name, "cyan", f"{cell.state}: {cell.reason or 'not made yet'}")
    if shown:
        out.print()


def print_datasets(work: "Workload") -> None:
    """Print the assets over all clips that wait, lack something or failed."""
    for name, cell in work.unfinished().items():
        labelled(err, cell.state, COLOURS[cell.state], (name, "cyan"), f" {cell.reason}")
    for name, cause in work.failures.items():
        labelled(err, "failed", "red", (name, "cyan"), f" {cause}")
