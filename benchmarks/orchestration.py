"""The cost of orchestration per clip: python -m benchmarks.orchestration [--clips 25] [--alone 5]

Data: six assets like the frames and shots chains, declared with the real decorator, with bodies that do nothing, on a
real instance on disk (SQLite) with the executor of every run. Compared: all clips in one run, and one run per clip (for
`--alone` clips), in a process that has loaded everything. A run launched by the daemon also starts a process. The
target is 0.6 CPU-s per clip of a batch.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.graph.clip_asset import ClipAsset, clip_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.resources.store import Store

TARGET_CPU_S = 0.6


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt")
def raw_clip(clip: str) -> bytes:
    """The root."""
    return clip.encode()


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt")
def frames(raw_clip: bytes) -> bytes:
    """Stand-in for `frames`."""
    return raw_clip


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt", pool="describer")
def frame_descriptions(frames: bytes) -> bytes:
    """Stand-in for `frame_descriptions`."""
    return frames


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt")
def document(raw_clip: bytes, frame_descriptions: bytes) -> bytes:
    """Stand-in for `description_document`."""
    return raw_clip + frame_descriptions


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt", pool="shot_model")
def shot_scores(raw_clip: bytes) -> bytes:
    """Stand-in for `shot_scores`."""
    return raw_clip


@clip_asset(group="chain", kinds={"txt"}, version="1", extension="txt")
def shots(raw_clip: bytes, shot_scores: bytes) -> bytes:
    """Stand-in for `shots`."""
    return raw_clip + shot_scores


CHAIN: tuple[ClipAsset, ...] = (raw_clip, frames, frame_descriptions, document, shot_scores, shots)


def chain_definitions(home: Path) -> dg.Definitions:
    """Return definitions of the six assets, stored in a folder."""
    return dg.Definitions(
        assets=DeclaredGraph([], CHAIN).definitions(),
        resources={"store": Store(root=str(home / "data"))},
        executor=isolating_executor,
    )


def measured(clips: Sequence[str], runs: Sequence[tuple[str, str] | str]) -> tuple[float, float]:
    """Return CPU and wall seconds per clip: register the clips and materialise them by these runs on a new instance."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        definitions = chain_definitions(home)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.add_dynamic_partitions("clips", ["warm-up", *clips])
            keys = [dg.AssetKey(asset.name) for asset in CHAIN]
            launch(definitions, instance, keys, "warm-up")
            cpu, wall = time.process_time(), time.perf_counter()
            for chosen in runs:
                if not launch(definitions, instance, keys, chosen).is_success:
                    raise RuntimeError(f"{chosen}: the run failed")
            return (time.process_time() - cpu) / len(clips), (time.perf_counter() - wall) / len(clips)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=25)
    parser.add_argument("--alone", type=int, default=5)
    options = parser.parse_args()
    clips = [f"clip-{i:03}" for i in range(options.clips)]
    batch = measured(clips, [(clips[0], clips[-1])])
    alone = measured(clips[: options.alone], clips[: options.alone])
    table = Table(title=f"Orchestration of {len(CHAIN)} assets, for each clip")
    for name in ("runs", "CPU-s", "wall s", "ratio of CPU"):
        table.add_column(name, justify="left" if name == "runs" else "right")
    table.add_row("one run for each clip", f"{alone[0]:.2f}", f"{alone[1]:.2f}", "1.0")
    table.add_row(f"one run of {len(clips)} clips", f"{batch[0]:.3f}", f"{batch[1]:.3f}", f"{batch[0] / alone[0]:.2f}")
    Console().print(table)
    met = batch[0] <= TARGET_CPU_S
    Console().print(f"target: {TARGET_CPU_S} CPU-s for each clip of a batch: {'met' if met else 'NOT MET'}")


if __name__ == "__main__":
    main()
