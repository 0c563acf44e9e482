"""The `vidassets` command. Everything that it does can be done in the Dagster UI, on the same instance.

Exit codes: 0 everything is fine; 1 something failed, was refused or is not up to date; 2 the command could not be
carried out.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from vidassets.errors import InvalidKey, ProfileError, VidassetsError

if TYPE_CHECKING:
    from vidassets.automation.registration import Registration
    from vidassets.automation.work import Workload
    from vidassets.deployment import Deployment

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WIDE = 120  # columns where the output is not a terminal, so that a file or a pager gets whole rows
out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)


def _version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("vidassets"))
        raise typer.Exit


@app.callback()
def vidassets(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Video datasets as Dagster assets: one partition per clip, every artifact traceable."""


class Kind(StrEnum):
    """What a video is. It decides which assets are made of it."""

    CLIP = "clip"
    EPISODE = "episode"
    BUILD = "build"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Clips = Annotated[str, typer.Option("--clips", help="Only these keys, separated by commas.")]


@contextmanager
def _opened() -> Iterator["Deployment"]:
    """Yield the deployment; an error of ours becomes its message and exit code 2."""
    from vidassets.deployment import opened

    try:
        with opened(os.environ) as deployment:
            yield deployment
    except VidassetsError as error:
        err.print("[red]error[/] ", end="")
        err.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error


@app.command()
def add(
    paths: Annotated[list[str], typer.Argument(help="Videos, folders, tar files, or s3://bucket/prefix.")],
    kind: Annotated[Kind, typer.Option(help="What the videos are.")] = Kind.CLIP,
    as_json: Json = False,
) -> None:
    """Register videos as partitions. They stay where they are. Adding again finds what was replaced or moved."""
    with _opened() as deployment:
        total = _registered(deployment, paths, kind)
    if as_json:
        print(json.dumps(vars(total)))
    else:
        _print_refused(total)
        counts = ", ".join(f"{len(keys)} {name}" for name, keys in vars(total).items() if keys) or "nothing found"
        out.print(f"{kind.value}s: {counts}", highlight=False)
    raise typer.Exit(1 if total.refused else 0)


def _registered(deployment: "Deployment", paths: Sequence[str], kind: Kind) -> "Registration":
    """Register all videos of these places."""
    from vidassets.automation.registration import Registration, register
    from vidassets.sources.find import find_videos
    from vidassets.sources.settled import without_unsettled

    total = Registration()
    # All places are read before any video is registered: a misspelt path leaves nothing half done.
    for found in [without_unsettled(find_videos(path, kind.value)) for path in paths]:
        result = register(deployment.instance, deployment.store, found.sources)
        total.refused |= {video.uri: video.reason for video in found.refused} | result.refused
        for name in ("added", "replaced", "moved", "unchanged"):
            getattr(total, name).extend(getattr(result, name))
    return total


def _print_refused(total: "Registration") -> None:
    for reason in dict.fromkeys(total.refused.values()):
        err.print("[red]refused[/] ", end="")
        err.print(reason, markup=False, highlight=False)


@app.command()
def run(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Add these videos first and work on them only. Without any: on all.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the videos to add are.")] = Kind.CLIP,
    select: Annotated[
        str, typer.Option(help="Assets, separated by commas, in Dagster's syntax: frames, shots+, '*shots'.")
    ] = "",
    clips: Clips = "",
    force: Annotated[bool, typer.Option(help="Make them again, even if up to date.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="asset.setting=value, for this run only.")] = None,
    as_json: Json = False,
) -> None:
    """Materialise what is missing, stale or failed, and nothing else. Prints a table of all clips."""
    from vidassets.automation.registration import refresh
    from vidassets.automation.status import State
    from vidassets.cli.progress import shown

    with _opened() as deployment:
        gone = refresh(deployment.instance, deployment.store)
        if paths and clips:
            raise ProfileError("Videos to add and --clips exclude each other. Give one of the two.")
        total = _registered(deployment, paths or [], kind)
        _print_refused(total)
        added = {*total.added, *total.replaced, *total.moved, *total.unchanged}
        keys = [key for key in _chosen(deployment, clips) if not paths or key in added]
        selected = [name.strip() for name in select.split(",") if name.strip()]
        work = deployment.workload(keys, selected, _settings(settings or []), force)
        with shown(err) as progress:
            try:
                done = work.do(progress.expect)
            except KeyboardInterrupt:
                err.print("Interrupted: what is finished is kept. Run again to continue.")
                raise
        _print_gone(gone)
        _print_rows(deployment, _rows(deployment, keys, None if select else work), as_json)
        assets = [asset.name for asset in work.clip_assets]
        if not as_json:
            if keys and not done:
                out.print("Everything is up to date: nothing to do.")
            if paths:
                _print_results(work, keys)
        # With --select, only the selected assets count.
        bad = [clip for clip in keys if work.board().to_do(clip, assets)]
        if bad and not as_json:
            n_worked_on = len({clip for _, clip in done} & set(keys))
            err.print(f"{len(bad)} of {len(keys)} clips are not up to date ({n_worked_on} worked on).", highlight=False)
        unfinished = work.unfinished()
        _print_datasets(work)
    lacking = any(cell.state is State.INCOMPLETE for cell in unfinished.values())
    raise typer.Exit(1 if bad or work.failures or total.refused or lacking else 0)


def _print_gone(gone: Mapping[str, str]) -> None:
    """Name the clips whose video no longer exists."""
    for key, uri in gone.items():
        err.print(
            f"[yellow]gone[/] {key}: {escape(uri)} no longer exists. Its artifacts are kept; "
            f"`vidassets remove {key}` removes the clip.",
            highlight=False,
        )


def _print_results(work: "Workload", keys: Sequence[str]) -> None:
    """Print what the assets found out about the videos that were named on the command line."""
    from vidassets.cli.tables import result_line

    for key in keys:
        if line := result_line(work.board(), key, [asset.name for asset in work.clip_assets]):
            out.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_datasets(work: "Workload") -> None:
    """Print the assets over all clips that wait, lack something or failed."""
    from vidassets.cli.tables import COLOURS

    for name, cell in work.unfinished().items():
        err.print(f"[{COLOURS[cell.state]}]{cell.state}[/] [cyan]{name}[/] ", end="", highlight=False)
        err.print(cell.reason, markup=False, highlight=False)
    for name, cause in work.failures.items():
        err.print(f"[red]failed[/] [cyan]{name}[/] ", end="", highlight=False)
        err.print(cause, markup=False, highlight=False)


@app.command()
def status(clips: Clips = "", as_json: Json = False) -> None:
    """Show what is made, stale, missing or failed: per asset, and per clip."""
    from vidassets.automation.status import State
    from vidassets.cli.tables import states_table

    with _opened() as deployment:
        keys = _chosen(deployment, clips)
        work = deployment.workload(keys)
        rows = _rows(deployment, keys, work)
        datasets = {name: cell.state for name, cell in work.dataset_cells().items()} if keys else {}
        settled = (State.FRESH, State.WAITING)
        if not as_json and keys:
            out.print(states_table(work.board(), keys, [asset.name for asset in work.clip_assets], datasets))
            out.print()
        _print_rows(deployment, rows, as_json)
    states = [*datasets.values(), *(row["state"] for row in rows)]
    raise typer.Exit(0 if all(state in settled for state in states) else 1)


@app.command()
def show(key: Annotated[str, typer.Argument(help="A clip's key.")], as_json: Json = False) -> None:
    """Show one clip: its source, the state of each asset, and where artifacts are stored."""
    from vidassets.automation.registration import read_source
    from vidassets.cli.tables import cells_table

    with _opened() as deployment:
        [key] = _keys(deployment, [key])
        work, source = deployment.workload([key]), read_source(deployment.store, key)
        board = work.board()
        paths = {
            asset.name: deployment.store.uri(asset.name, key, asset.artifact.extension)
            for asset in work.clip_assets
            if (asset.name, key) in board.cells
        }
        if as_json:
            cells = {
                name: {"state": str(cell.state), "reason": cell.reason, "path": paths[name] if cell.made else None}
                for name, cell in ((name, board.cells[name, key]) for name in paths)
            }
            source_json = json.loads(source.to_json()) if source else None
            print(json.dumps(_rows(deployment, [key], work)[0] | {"source": source_json, "assets": cells}))
            return
        if source:
            out.print(
                f"[bold]{key}[/] ({source.kind}): {escape(source.uri)}, {source.size_bytes / 1e6:.2f} MB",
                highlight=False,
                soft_wrap=True,
            )
        out.print(cells_table(board, key, paths))
        if (facts := board.cells["raw_clip", key].made) and "preview" in facts.metadata:
            out.print(_plain(str(facts.metadata["preview"].value)), markup=False, highlight=False, soft_wrap=True)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the profile, the store, models, devices and credentials; say what is wrong and how to fix it."""
    from vidassets.cli.doctor import examine

    with _opened() as deployment:
        findings = list(examine(deployment))
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            out.print(f"{'[green]ok  [/]' if finding.good else '[red]bad [/]'} [bold]{finding.what}[/]: ", end="")
            out.print(finding.said, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


@app.command()
def remove(
    keys: Annotated[list[str], typer.Argument(help="Clips' keys.")],
    artifacts: Annotated[bool, typer.Option(help="Delete their artifacts too, without asking again.")] = False,
    as_json: Json = False,
) -> None:
    """Remove clips from the partition sets. The videos are never touched; artifacts are kept unless asked for."""
    from vidassets.automation.registration import unregister

    with _opened() as deployment:
        removed, became = _keys(deployment, keys), "deleted" if artifacts else "kept"
        assets = deployment.workload([]).clip_assets if artifacts else []
        for key in removed:
            unregister(deployment.instance, deployment.store, key)
            for artifact in (artifact for asset in assets for artifact in asset.artifacts):
                deployment.store.delete(artifact.name, key, artifact.extension)
            if not as_json:
                out.print(f"{key}: removed; artifacts {became}", highlight=False)
    if as_json:
        print(json.dumps({"removed": removed, "artifacts": became}))


def _chosen(deployment: "Deployment", clips: str) -> list[str]:
    """Return the keys that `--clips` names, in the order of registration; all without it."""
    if not clips:
        return list(deployment.instance.get_dynamic_partitions("clips"))
    return _keys(deployment, [key.strip() for key in clips.split(",")])


def _keys(deployment: "Deployment", wanted: Sequence[str]) -> list[str]:
    """Return these keys, in the order of registration.

    Raises:
        InvalidKey: a key that is not registered, such as an empty one.
    """
    registered = deployment.instance.get_dynamic_partitions("clips")
    if unknown := [key or "(an empty key)" for key in wanted if key not in registered]:
        raise InvalidKey(
            f"{', '.join(unknown)}: no clip has this key. `vidassets status` lists keys; `vidassets add` adds clips."
        )
    return [key for key in registered if key in wanted]


def _settings(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parse `asset.setting=value` texts; values are YAML."""
    settings: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        asset, dot, setting = name.partition(".")
        fix = "write asset.setting=value, such as frames.interval_s=5"
        if not (equals and dot and setting):
            raise ProfileError(f"--set {text}: {fix}.")
        try:
            settings.setdefault(asset, {})[setting] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ProfileError(f"--set {text}: {fix}; the value is not YAML: {error}") from error
    return settings


def _rows(deployment: "Deployment", keys: Sequence[str], work: "Workload | None" = None) -> list[dict[str, Any]]:
    """Return a row per clip, with its state over all assets.

    Args:
        deployment: whose clips they are.
        keys: of the clips.
        work: over these clips and all assets, if there is one already.
    """
    from vidassets.automation.registration import read_source
    from vidassets.cli.tables import clip_row
    from vidassets.definitions import GRAPH

    work = work or deployment.workload(keys)
    board, assets = work.board(), [asset.name for asset in work.clip_assets]
    rows = [clip_row(board, key, assets, GRAPH.figures) for key in keys]
    for row in rows:
        if row["kind"] is None and (source := read_source(deployment.store, row["clip"])):
            row["kind"] = source.kind
    return rows


def _print_rows(deployment: "Deployment", rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from vidassets.cli.tables import clips_table
    from vidassets.definitions import GRAPH

    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        out.print("No clip is registered. `vidassets add FOLDER` registers the videos of a folder.")
        return
    out.print(clips_table(rows, [figure for _, figure in GRAPH.figures]))
    for row in rows:
        if row["state"] != "up to date":
            out.print(f"\n[bold]{row['clip']}[/] {row['state']}: [cyan]{row['asset']}[/] ", end="", highlight=False)
            out.print(row["reason"] or "not made yet", markup=False, highlight=False, soft_wrap=True)
    for row in rows:
        if row["problems"]:
            problems = f"{row['clip']} has problems: {row['problems']}. `vidassets show {row['clip']}` shows details."
            out.print(f"\n{problems}", markup=False, highlight=False, soft_wrap=True)
    root = getattr(deployment.profile.resources["store"], "root", "")
    out.print(f"\nArtifacts: {root}", markup=False, highlight=False, soft_wrap=True)


def _plain(markdown: str) -> str:
    """Return a two-column Markdown table as lines of text."""
    rows = [line.strip("| ").split(" | ", 1) for line in markdown.splitlines()[2:]]
    return "\n".join(f"  {row[0]:<12} {row[1]}" for row in rows if len(row) == 2)


if __name__ == "__main__":
    sys.exit(app())
