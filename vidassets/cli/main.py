"""The `vidassets` command: everything it does can be done in the Dagster UI, on the same instance.

Exit codes: 0 all is well; 1 something failed, was refused or is not up to date; 2 the command could not be carried out.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from vidassets.errors import InvalidKey, ProfileError, VidassetsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WIDE = 120  # columns where the output is no terminal, so that a file or a pager gets whole rows
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
    """What a video is; decides what is made of it."""

    CLIP = "clip"
    EPISODE = "episode"
    BUILD = "build"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Clips = Annotated[str, typer.Option("--clips", help="Only these keys, with commas between them.")]


@contextmanager
def _opened() -> Iterator[Any]:
    """The deployment; an error on purpose becomes its message and exit code 2."""
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
    kind: Annotated[Kind, typer.Option(help="What they are.")] = Kind.CLIP,
    as_json: Json = False,
) -> None:
    """Register videos as partitions; they stay where they are. Adding again notices what was replaced or moved."""
    with _opened() as deployment:
        total = _registered(deployment, paths, kind)
    if as_json:
        print(json.dumps(vars(total)))
    else:
        _print_refused(total)
        counts = ", ".join(f"{len(keys)} {name}" for name, keys in vars(total).items() if keys) or "nothing found"
        out.print(f"{kind.value}s: {counts}", highlight=False)
    raise typer.Exit(1 if total.refused else 0)


def _registered(deployment: Any, paths: list[str], kind: Kind) -> Any:
    """The `Registration` of all videos of these places."""
    from vidassets.automation.registration import Registration, register
    from vidassets.sources.find import find_videos

    total = Registration()
    # All are looked at before any is registered: a misspelt path leaves nothing half done.
    for found in [find_videos(path, kind.value) for path in paths]:
        result = register(deployment.instance, deployment.store, found.sources)
        total.refused |= {one.uri: one.reason for one in found.refused} | result.refused
        for name in ("added", "replaced", "moved", "unchanged"):
            getattr(total, name).extend(getattr(result, name))
    return total


def _print_refused(total: Any) -> None:
    for reason in dict.fromkeys(total.refused.values()):
        err.print("[red]refused[/] ", end="")
        err.print(reason, markup=False, highlight=False)


@app.command()
def run(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Add these videos first, and work on them alone; without any: on all.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the videos to add are.")] = Kind.CLIP,
    select: Annotated[
        str, typer.Option(help="Assets, with commas between, as Dagster selects them: frames, shots+, '*shots'.")
    ] = "",
    clips: Clips = "",
    force: Annotated[bool, typer.Option(help="Make them again, though up to date.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="asset.setting=value, for this run only.")] = None,
    as_json: Json = False,
) -> None:
    """Materialise what is missing, stale or failed, and nothing else; prints a table of all clips."""
    from vidassets.automation.registration import refresh
    from vidassets.automation.status import State
    from vidassets.cli.progress import shown
    from vidassets.cli.tables import COLOURS, verdict_line

    with _opened() as deployment:
        gone = refresh(deployment.instance, deployment.store)
        if paths and clips:
            raise ProfileError("Videos to add and --clips: name either the one or the other.")
        total = _registered(deployment, paths or [], kind)
        _print_refused(total)
        added = {*total.added, *total.replaced, *total.moved, *total.unchanged}
        keys = [key for key in _chosen(deployment, clips) if not paths or key in added]
        work = deployment.workload(
            keys, [one.strip() for one in select.split(",") if one.strip()], _settings(settings or []), force
        )
        with shown(err) as progress:
            try:
                done = work.do(progress.expect)
            except KeyboardInterrupt:
                err.print("Interrupted: what is finished is kept. Run again to go on.")
                raise
        for key, uri in gone.items():
            err.print(
                f"[yellow]gone[/] {key}: {escape(uri)} is no longer there. Its artifacts are kept; "
                f"`vidassets remove {key}` takes it out.",
                highlight=False,
            )
        rows = _rows(deployment, keys)
        _print_rows(deployment, rows, as_json)
        if not done and not as_json and keys:
            out.print("All is up to date: nothing to do.")
        worked_on = {clip for _, clip in done} & set(keys)
        # A part of the graph was asked for: only that part's failures count.
        board = work.board()
        for line in filter(None, (verdict_line(board, key) for key in keys if paths and not as_json)):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        bad = [clip for clip in keys if board.to_do(clip, [asset.name for asset in work.clip_assets])]
        if bad and not as_json:
            err.print(
                f"{len(bad)} of {len(keys)} clips are not up to date ({len(worked_on)} worked on).", highlight=False
            )
        unfinished = work.unfinished()
        for name, cell in unfinished.items():
            err.print(f"[{COLOURS[cell.state]}]{cell.state}[/] [cyan]{name}[/] ", end="", highlight=False)
            err.print(cell.reason, markup=False, highlight=False)
        for name, cause in work.failures.items():
            err.print(f"[red]failed[/] [cyan]{name}[/] ", end="", highlight=False)
            err.print(cause, markup=False, highlight=False)
    lacking = any(cell.state is State.INCOMPLETE for cell in unfinished.values())
    raise typer.Exit(1 if bad or work.failures or total.refused or lacking else 0)


@app.command()
def status(clips: Clips = "", as_json: Json = False) -> None:
    """What is made, stale, missing or failed: per asset, and per clip."""
    from vidassets.automation.status import State
    from vidassets.cli.tables import states_table

    with _opened() as deployment:
        keys = _chosen(deployment, clips)
        rows, work = _rows(deployment, keys), deployment.workload(keys)
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
    """What is known of one clip, and its artifacts."""
    from vidassets.automation.registration import read_source
    from vidassets.cli.tables import cells_table

    with _opened() as deployment:
        [key] = _keys(deployment, [key])
        work, source = deployment.workload([key]), read_source(deployment.store, key)
        board = work.board()
        paths = {
            one.name: deployment.store.uri(one.name, key, one.artifact.extension)
            for one in work.clip_assets
            if (one.name, key) in board.cells
        }
        if as_json:
            cells = {
                name: {"state": str(cell.state), "reason": cell.reason, "path": paths[name] if cell.made else None}
                for name, cell in ((name, board.cells[name, key]) for name in paths)
            }
            source_json = json.loads(source.to_json()) if source else None
            print(json.dumps(_rows(deployment, [key])[0] | {"source": source_json, "assets": cells}))
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
    """Look at the profile, the store, models, devices and credentials; say what is wrong and how to mend it."""
    from vidassets.cli.doctor import examine

    with _opened() as deployment:
        findings = list(examine(deployment))
    if as_json:
        print(json.dumps([vars(one) for one in findings]))
    else:
        for one in findings:
            out.print(f"{'[green]ok  [/]' if one.good else '[red]bad [/]'} [bold]{one.what}[/]: ", end="")
            out.print(one.said, markup=False, highlight=False)
    raise typer.Exit(0 if all(one.good for one in findings) else 1)


@app.command()
def remove(
    keys: Annotated[list[str], typer.Argument(help="Clips' keys.")],
    artifacts: Annotated[bool, typer.Option(help="Delete their artifacts too; nobody asks again.")] = False,
    as_json: Json = False,
) -> None:
    """Take clips out of the partition sets. The videos are never touched; artifacts are kept unless told otherwise."""
    from vidassets.automation.registration import unregister

    with _opened() as deployment:
        removed, became = _keys(deployment, keys), "deleted" if artifacts else "kept"
        assets = deployment.workload([]).clip_assets if artifacts else []
        for key in removed:
            unregister(deployment.instance, deployment.store, key)
            for artifact in (one for asset in assets for one in asset.artifacts):
                deployment.store.delete(artifact.name, key, artifact.extension)
            if not as_json:
                out.print(f"{key}: taken out; artifacts {became}", highlight=False)
    if as_json:
        print(json.dumps({"removed": removed, "artifacts": became}))


def _chosen(deployment: Any, clips: str) -> list[str]:
    """The keys that `--clips` names, in the order of registration; all without it."""
    if not clips:
        return list(deployment.instance.get_dynamic_partitions("clips"))
    return _keys(deployment, [key.strip() for key in clips.split(",")])


def _keys(deployment: Any, wanted: list[str]) -> list[str]:
    """These keys, in the order of registration.

    Raises:
        InvalidKey: one that is not registered, such as an empty one.
    """
    registered = deployment.instance.get_dynamic_partitions("clips")
    if unknown := [key or "(an empty key)" for key in wanted if key not in registered]:
        raise InvalidKey(
            f"{', '.join(unknown)}: no clip of this key. `vidassets status` lists them; `vidassets add` adds."
        )
    return [key for key in registered if key in wanted]


def _settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """`asset.setting=value` texts, as a mapping; values are read as YAML."""
    settings: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        asset, dot, setting = name.partition(".")
        mend = "write asset.setting=value, such as frames.interval_s=5"
        if not (equals and dot and setting):
            raise ProfileError(f"--set {text}: {mend}.")
        try:
            settings.setdefault(asset, {})[setting] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ProfileError(f"--set {text}: {mend}; the value is not YAML: {error}") from error
    return settings


def _rows(deployment: Any, keys: list[str]) -> list[dict[str, Any]]:
    from vidassets.automation.registration import read_source
    from vidassets.cli.tables import clip_row

    work = deployment.workload(keys)
    board, assets = work.board(), [asset.name for asset in work.clip_assets]
    rows = [clip_row(board, key, assets) for key in keys]
    for row in rows:
        if row["kind"] is None and (source := read_source(deployment.store, row["clip"])):
            row["kind"] = source.kind
    return rows


def _print_rows(deployment: Any, rows: list[dict[str, Any]], as_json: bool) -> None:
    from vidassets.cli.tables import clips_table

    if as_json:
        print(json.dumps(rows))
    elif rows:
        out.print(clips_table(rows))
        for row in rows:
            if row["state"] != "up to date":
                out.print(f"\n[bold]{row['clip']}[/] {row['state']}: [cyan]{row['asset']}[/] ", end="", highlight=False)
                out.print(row["reason"] or "not made yet", markup=False, highlight=False, soft_wrap=True)
        for row in rows:
            if row["problems"]:
                shown = f"{row['clip']} has problems: {row['problems']}. `vidassets show {row['clip']}` tells more."
                out.print(f"\n{shown}", markup=False, highlight=False, soft_wrap=True)
        out.print(
            f"\nArtifacts: {deployment.profile.resources['store'].root}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    else:
        out.print("No clip is registered. `vidassets add FOLDER` registers the videos of a folder.")


def _plain(markdown: str) -> str:
    """A two-column Markdown table as lines."""
    rows = [line.strip("| ").split(" | ", 1) for line in markdown.splitlines()[2:]]
    return "\n".join(f"  {row[0]:<12} {row[1]}" for row in rows if len(row) == 2)


if __name__ == "__main__":
    sys.exit(app())
