"""From recordings to verdicts with the real command: python benchmarks/spatter_builds.py [--minutes 10] [--builds 6]

Data: recordings drawn by `samples/long_builds.py`, 640x360 at 25 fps: builds of low and of high gas flow, the first of
each `--minutes` long; two unlabelled builds; one build with light and dark exchanged. A found spatter matches an event
of the truth if both are on the same frame and their boxes overlap by half (intersection over union). Seconds and peak
memory are those of each command's process. `--home` reuses the recordings and artifacts of an earlier call.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from vidassets.spatter.verdicts.verdict import shown_verdict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "samples"))
OVERLAP = 0.5
CHAIN = ("*spatter_crops", "*spatter_index", "*spatter_classifier", "*spatter_verdicts", "*spatter_types")
ON_DEMAND = ("spatter_search", "spatter_consistency")


def command(home: Path, *arguments: str) -> list[str]:
    """Run one `vidassets` command in its own process; return command, seconds, CPU-seconds, peak MB, exit code."""
    environment = os.environ | {"VIDASSETS_HOME": str(home), "DAGSTER_HOME": str(home / ".dagster_home")}
    started = time.perf_counter()
    with (home / "output.txt").open("a") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "vidassets.cli.main", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    # Kilobytes on Linux, bytes on macOS.
    peak_mb = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    cells = (time.perf_counter() - started, usage.ru_utime + usage.ru_stime, peak_mb)
    return [" ".join(arguments).replace(str(home), "…"), *(f"{cell:.0f}" for cell in cells), str(child.returncode)]


def artifact(home: Path, asset: str, key: str = "all") -> pl.DataFrame:
    """Read a table from the store."""
    return pl.read_parquet(home / "data" / asset / f"{key}.parquet")


def matched(events: pl.DataFrame, truth: list[dict]) -> int:
    """Return how many found spatters match an event of the truth; each event matches once."""
    of_frame: dict[int, list[list[int]]] = {}
    for event in truth:
        of_frame.setdefault(event["frame"], []).append(event["box_xyxy"])
    n_matched = 0
    for frame, *box in events.select("video_frame", "box_x1", "box_y1", "box_x2", "box_y2").iter_rows():
        boxes = of_frame.get(frame, [])
        best = max(boxes, key=lambda candidate: overlap(candidate, box), default=None)
        if best is not None and overlap(best, box) >= OVERLAP:
            boxes.remove(best)
            n_matched += 1
    return n_matched


def overlap(box: list[int], other: list[int]) -> float:
    """Return the intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, other)]
    return shared / (sum(areas) - shared)


def builds_table(home: Path, videos: list[Path]) -> Table:
    """Return what was found in every build, and its verdict."""
    names = ("build", "frames", "crops", "layers", "of", "recall", "precision", "learned as", "accuracy")
    table = Table(title="builds")
    for name in (*names, "verdict", "probability of high", "drift", "alarm"):
        table.add_column(name, justify="left" if name in ("build", "learned as", "verdict", "alarm") else "right")
    verdicts = {row["clip"]: row for row in artifact(home, "spatter_verdicts").iter_rows(named=True)}
    accuracies = artifact(home, "spatter_build_accuracy").filter(pl.col("split") == "build")
    parts = dict(artifact(home, "spatter_index").select("build", "split_build").unique().iter_rows())
    for video in videos:
        key, truth = video.stem, json.loads(video.with_suffix(".truth.json").read_text())
        events, wanted = artifact(home, "spatter_events", key), [event for event in truth["events"] if event["counts"]]
        drift, said = artifact(home, "spatter_drift", key).row(0, named=True), verdicts[key]
        n_matched, accuracy = matched(events, wanted), accuracies.filter(pl.col("build") == key)["accuracy"]
        table.add_row(
            key,
            str(truth["n_frames"]),
            str(len(events)),
            str(events["layer"].n_unique()),
            str(len(truth["layers"])),
            f"{n_matched / max(1, len(wanted)):.4f}",
            f"{n_matched / max(1, len(events)):.4f}",
            parts.get(key) or "not labelled",
            f"{accuracy.item():.4f}" if len(accuracy) else "",
            shown_verdict(said),
            filled_in("{probability:.3f} ({low:.3f} to {high:.3f})", said),
            filled_in("{stability_index:.2f} of {threshold:.2f}", drift),
            "ALARM" if drift["alarm"] else "",
        )
    return table


def filled_in(form: str, row: dict) -> str:
    """Format the numbers of a row; empty if it has none, as for a build without spatter."""
    return "" if row["n_crops"] == 0 else form.format(**row)


def frame_table(frame: pl.DataFrame, title: str) -> Table:
    """Return the table for printing, numbers with four digits."""
    table = Table(*frame.columns, title=title)
    for row in frame.iter_rows():
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def measure(home: Path, arguments: argparse.Namespace, console: Console) -> None:
    """Draw the recordings, run the commands, and print the tables."""
    from long_builds import drawn_builds, write_builds

    builds = drawn_builds(arguments.minutes, arguments.short_minutes, arguments.builds)
    folder = home / "builds"
    videos = [folder / f"{build.name}.mp4" for build in builds]
    missing = [build for build, video in zip(builds, videos, strict=True) if not video.with_suffix(".json").exists()]
    started = time.perf_counter()
    write_builds(missing, folder)
    console.print(f"{len(missing)} recordings drawn in {time.perf_counter() - started:.0f} s")
    costs = [command(home, "add", str(folder), "--kind", "build")]
    costs += [command(home, "run", "--select", select) for select in CHAIN]
    costs += [command(home, "run", "--select", ",".join(CHAIN))]
    table = Table("command", "wall s", "CPU-s", "peak MB", "exit code", title="commands, the last with nothing to do")
    for cost in costs:
        table.add_row(*cost)
    console.print(table)
    console.print(builds_table(home, videos))
    console.print(frame_table(artifact(home, "spatter_evaluation"), "evaluation"))
    if arguments.on_demand:
        sets = ["--set", f"spatter_search.n_trials={arguments.trials}"]
        console.print(frame_table(pl.DataFrame([command(home, "run", "--select", ",".join(ON_DEMAND), *sets)]), ""))
        for asset in ON_DEMAND:
            console.print(frame_table(artifact(home, asset), asset))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="of the first build of each flow")
    parser.add_argument("--short-minutes", type=float, default=1.5, help="of every other build")
    parser.add_argument("--builds", type=int, default=6, help="of each flow; a split by build needs three")
    parser.add_argument("--on-demand", action="store_true", help="also the search and the consistency comparison")
    parser.add_argument("--trials", type=int, default=6, help="of the search")
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    with nullcontext(arguments.home) if arguments.home else tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve()
        home.mkdir(parents=True, exist_ok=True)
        measure(home, arguments, Console(width=180))


if __name__ == "__main__":
    main()
