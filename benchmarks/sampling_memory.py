"""Peak memory of sampling a video and another ten times as long, minus that of a process that only imports.

    python benchmarks/sampling_memory.py        (Linux: the peak is read from /proc)

Data: generated, 640x360, H.264, a keyframe every 10 s, of 1 min and 10 min; and the same with a single keyframe.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from sparse_sampling import generate

SAMPLE = """
import sys
from vidassets.media.frames import every_frame, frames_at
how, path, seconds = sys.argv[1:]
if how == "10 s":
    pictures = frames_at(path, [5.0 + 10 * i for i in range(int(seconds) // 10)])
elif how == "1 fps":
    pictures = frames_at(path, [0.5 + i for i in range(int(seconds))])
elif how == "last frame":
    pictures = frames_at(path, [float(seconds)])
elif how == "every frame":
    pictures = every_frame(path)
else:
    pictures = []
for picture in pictures:
    pass
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_mb(how: str, path: Path, seconds: int) -> float:
    """Return the peak resident memory of a process that samples, in MB."""
    command = [sys.executable, "-c", SAMPLE, how, str(path), str(seconds)]
    # Not ru_maxrss: it starts with the peak of the parent process.
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024 / 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'keyframes':12} {'sampling':16} {'1 min, MB':>10} {'10 min, MB':>11}   above the imports")
        for label, gop_s in (("every 10 s", 10), ("only one", 10_000)):
            paths = {seconds: folder / f"{gop_s}-{seconds}.mp4" for seconds in (60, 600)}
            for seconds, path in paths.items():
                generate(path, (640, 360), seconds, gop_s)
            floor = peak_mb("nothing", folder, 0)
            for how in ("10 s", "1 fps", "last frame", "every frame"):
                short, long = (peak_mb(how, path, seconds) - floor for seconds, path in paths.items())
                print(f"{label:12} {how:16} {short:10.0f} {long:11.0f}")


if __name__ == "__main__":
    main()
