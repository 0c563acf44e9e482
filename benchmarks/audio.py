"""CPU seconds of extracting a minute of sound to 16 kHz mono FLAC: this project, with levels, and ffmpeg.

    python benchmarks/audio.py [--minutes 10]

Data: generated noise that swells like syllables, as stereo AAC of 48 kHz in MP4. Each command runs in its own process
with a single thread. CPU seconds include child processes and imports; a separate row shows the imports.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

IMPORTS = "import soundfile, soxr, vidassets.speech.sound.extraction"
OURS = "import sys; from pathlib import Path; from vidassets.speech.sound.extraction import extract_audio; "
OURS += "extract_audio('a', sys.argv[1], Path(sys.argv[2]))"


def generate(path: Path, minutes: float) -> None:
    """Write the sound to `path`."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        for at in range(0, round(minutes * 60 * 48_000), 1024):
            swell = 0.2 * np.sin(np.pi * 4 * np.arange(at, at + 1024) / 48_000) ** 2
            frame = av.AudioFrame.from_ndarray(
                (rng.normal(size=(2, 1024)) * swell).astype(np.float32), "fltp", "stereo"
            )
            frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cpu_s(command: list[str]) -> tuple[float, int]:
    """Run a command and return its CPU seconds and its peak memory in MB."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "a.mp4", Path(folder) / "a.flac"
        generate(source, minutes)
        commands = {
            "vidassets, imports only": [sys.executable, "-c", IMPORTS],
            "vidassets, with levels": [sys.executable, "-c", OURS, str(source), str(output)],
        }
        if shutil.which("ffmpeg"):
            base = ["ffmpeg", "-y", "-v", "error", "-threads", "1", "-i", str(source), "-ac", "1", "-ar", "16000"]
            commands["ffmpeg, no levels"] = [*base, str(output)]
            commands["ffmpeg, ebur128"] = [*base, "-af", "ebur128", str(output)]
        print(f"{minutes:g} minutes of stereo AAC\n{'':26}{'CPU-s':>8}{'per minute':>12}{'peak MB':>10}")
        for name, command in commands.items():
            spent_s, peak_mb = cpu_s(command)
            print(f"{name:26}{spent_s:8.2f}{spent_s / minutes:12.3f}{peak_mb:10}")


if __name__ == "__main__":
    main()
