"""The `vidassets` command. Everything that it does can be done in the Dagster UI, on the same instance.

Exit codes: 0 everything is fine; 1 something failed, was refused or is not up to date; 2 the command could not be
carried out.
"""

import importlib.metadata
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from vidassets.cli.arguments import (
    Clips,
    Json,
    Kind,
    Profile,
    chosen_keys,
    known_keys,
    opened_deployment,
    parsed_settings,
)
from vidassets.cli.console import err, labelled, out, print_lines, terminal_width
from vidassets.errors import ProfileError

if TYPE_CHECKING:
    from vidassets.automation.registration import Registration
    from vidassets.deployment import Deployment

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


@app.command()
def add(
    paths: Annotated[list[str], typer.Argument(help="Videos, folders, tar files, or s3://bucket/prefix.")],
    kind: Annotated[Kind, typer.Option(help="What the videos are.")] = Kind.CLIP,
    as_json: Json = False,
    profile: Profile = "",
) -> None:
    """Register videos as partitions. They stay where they are. Adding again finds what was replaced or moved."""
    from vidassets.cli.reports import print_registration

    with opened_deployment() as deployment:
        total = _registered(deployment, paths, kind)
    if as_json:
        print(json.dumps(vars(total)))
    else:
        print_registration(total)
        names = ("added", "replaced", "moved", "unchanged", "refused")
        counts = ", ".join(f"{len(keys)} {name}" for name in names if (keys := getattr(total, name)))
        out.print(Text(f"{kind.value}s: {counts or 'nothing found'}"))
    raise typer.Exit(1 if total.refused or total.sidecars else 0)


def _registered(deployment: "Deployment", paths: Sequence[str], kind: Kind) -> "Registration":
    """Register all videos of these places."""
    from vidassets.automation.registration import Registration, register
    from vidassets.automation.sidecars import sidecar_problems
    from vidassets.sources.find import find_videos
    from vidassets.sources.settled import without_unsettled

    total = Registration()
    # All places are read before any video is registered: a misspelt path leaves nothing half done.
    for found in [without_unsettled(find_videos(path, kind.value)) for path in paths]:
        result = register(deployment.instance, deployment.store, found.sources)
        total.refused |= {video.uri: video.reason for video in found.refused} | result.refused
        total.sidecars |= sidecar_problems(found.sources)
        total.kind_changed |= result.kind_changed
        for name in ("added", "replaced", "moved", "unchanged"):
            getattr(total, name).extend(getattr(result, name))
    return total


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
    profile: Profile = "",
) -> None:
    """Materialise what is missing, stale or failed, and nothing else. Prints a table of the clips.

    With --select, the table, the causes and the exit code are about the selected assets.
    """
    from vidassets.automation.registration import refresh
    from vidassets.automation.status import State
    from vidassets.cli.progress import shown
    from vidassets.cli.reports import (
        clip_rows,
        print_datasets,
        print_gone,
        print_registration,
        print_results,
        print_rows,
    )

    with opened_deployment() as deployment:
        gone = refresh(deployment.instance, deployment.store)
        if paths and clips:
            raise ProfileError("Videos to add and --clips exclude each other. Give one of the two.")
        total = _registered(deployment, paths or [], kind)
        print_registration(total)
        added = {*total.added, *total.replaced, *total.moved, *total.unchanged}
        keys = [key for key in chosen_keys(deployment, clips) if not paths or key in added]
        selected = [name.strip() for name in select.split(",") if name.strip()]
        if select and not selected:
            raise ProfileError(f"--select {select}: names no asset. `vidassets status` lists the assets.")
        work = deployment.workload(keys, selected, parsed_settings(settings or []), force)
        with shown(err) as progress:
            try:
                done = work.do(progress.expect)
            except KeyboardInterrupt:
                err.print("Interrupted: what is finished is kept. Run again to continue.")
                raise
        print_gone(gone)
        cells = work.board().cells
        print_rows(deployment, clip_rows(deployment, work), as_json, {clip for _, clip in cells})
        if not as_json:
            states = {cell.state for cell in (*cells.values(), *work.dataset_cells().values())}
            if keys and not done:
                settled = states <= {State.FRESH, State.WAITING}
                out.print("Everything is up to date: nothing to do." if settled else "Nothing to do.")
            if paths:
                print_results(work)
        bad = [clip for clip in keys if work.board().to_do(clip, [asset.name for asset in work.clip_assets])]
        if bad and not as_json:
            n_worked_on = len({clip for _, clip in done} & set(keys))
            err.print(f"{len(bad)} of {len(keys)} clips are not up to date ({n_worked_on} worked on).")
        unfinished = work.unfinished()
        print_datasets(work)
    lacking = any(cell.state is State.INCOMPLETE for cell in unfinished.values())
    raise typer.Exit(1 if bad or work.failures or total.refused or total.sidecars or lacking else 0)


@app.command()
def status(clips: Clips = "", as_json: Json = False, profile: Profile = "") -> None:
    """Show what is made, stale, missing or failed: per asset, and per clip."""
    from vidassets.automation.status import State
    from vidassets.cli.reports import clip_rows, print_dataset_states, print_rows
    from vidassets.cli.tables import states_table

    with opened_deployment() as deployment:
        keys = chosen_keys(deployment, clips)
        work = deployment.workload(keys)
        rows = clip_rows(deployment, work)
        datasets = {name: cell.state for name, cell in work.dataset_cells().items()} if keys else {}
        settled = (State.FRESH, State.WAITING)
        if not as_json and keys:
            print_lines(states_table(work.board(), keys, datasets, terminal_width()))
            out.print()
        if not as_json:
            print_dataset_states(work)
        print_rows(deployment, rows, as_json)
    states = [*datasets.values(), *(row["state"] for row in rows)]
    raise typer.Exit(0 if all(state in settled for state in states) else 1)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="A clip's key.")], as_json: Json = False, profile: Profile = ""
) -> None:
    """Show one clip: its source, the state of each artifact, and where it is stored."""
    from vidassets.cli.clip_page import print_page

    with opened_deployment() as deployment:
        [key] = known_keys(deployment, [key])
        print_page(deployment, key, as_json)


@app.command()
def doctor(as_json: Json = False, profile: Profile = "") -> None:
    """Check the profile, the store, models, devices and credentials; say what is wrong and how to fix it."""
    from vidassets.cli.doctor import examine

    with opened_deployment() as deployment:
        findings = list(examine(deployment))
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            label, style = ("ok  ", "green") if finding.good else ("bad ", "red")
            labelled(out, label, style, (finding.what, "bold"), f": {finding.said}")
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


@app.command()
def remove(
    keys: Annotated[list[str], typer.Argument(help="Clips' keys.")],
    artifacts: Annotated[bool, typer.Option(help="Delete their artifacts too, without asking again.")] = False,
    as_json: Json = False,
    profile: Profile = "",
) -> None:
    """Remove clips from the partition sets. The videos are never touched; artifacts are kept unless asked for."""
    from vidassets.automation.registration import unregister
    from vidassets.keys import is_key

    with opened_deployment() as deployment:
        removed, became = known_keys(deployment, keys), "deleted" if artifacts else "kept"
        assets = deployment.workload([]).clip_assets if artifacts else []
        for key in removed:
            unregister(deployment.instance, deployment.store, key)
            # A partition that was added by hand under a name that is no key has no artifacts.
            for artifact in (artifact for asset in assets if is_key(key) for artifact in asset.artifacts):
                deployment.store.delete(artifact.name, key, artifact.extension)
            if not as_json:
                out.print(Text(f"{key}: removed; artifacts {became}"))
    if as_json:
        print(json.dumps({"removed": removed, "artifacts": became}))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 3000,
    profile: Profile = "",
) -> None:
    """Open the Dagster UI and its daemon on this deployment, until Ctrl-C."""
    from vidassets.cli.ui import serve

    with opened_deployment() as deployment:
        deployment.definitions.resolve_asset_graph()  # mistakes in the profile are said here, not in a browser
        serve(deployment.settings, port)


if __name__ == "__main__":
    sys.exit(app())
