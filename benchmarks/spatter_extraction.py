"""Wall and CPU seconds of extraction: ours, the plain OpenCV algorithm, and decoding alone; crops are compared.

    python benchmarks/spatter_extraction.py [--frames 3600] [--repeat 5] [--video RECORDING]

Data, without a recording of your own: 640x360, H.264, 25 fps: the two sample builds over and over (one crop each third
frame), and a dense bed (noise, three blots a frame that come and go). Each run is a process of its own; CPU seconds are
its own and its threads', from after its imports; the methods take turns, the least of the runs counts. "One core" pins
the process to one.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
METHODS = ("ours", "plain OpenCV", "plain, 2 threads", "OpenCV read only", "decode only")


def sample_frames(n_frames: int) -> Iterator[av.VideoFrame]:
    paths = [ROOT / "samples" / "builds" / f"{name}-flow.mp4" for name in ("low", "high")]
    while n_frames > 0:
        for path in paths:
            with av.open(str(path)) as container:
                for frame in container.decode(video=0):
                    n_frames -= 1
                    if n_frames >= 0:
                        yield frame


def dense_frames(n_frames: int) -> Iterator[av.VideoFrame]:
    rng = np.random.default_rng(0)
    noise = [rng.integers(8, 15, (360, 640, 1), dtype=np.uint8) for _ in range(8)]
    for index in range(n_frames):
        picture = np.repeat(noise[index % 8], 3, axis=2)
        for _ in range(3):
            center = (int(rng.integers(60, 580)), int(rng.integers(60, 300)))
            axes = (int(rng.integers(22, 45)), int(rng.integers(18, 32)))
            cv2.ellipse(picture, center, axes, float(rng.uniform(0, 180)), 0, 360, (120, 200, 245), -1)
        yield av.VideoFrame.from_ndarray(cv2.GaussianBlur(picture, (9, 9), 0), format="bgr24")


def write_recording(path: Path, frames: Iterator[av.VideoFrame]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20", "g": "96"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for index, frame in enumerate(frames):
            picture = frame.reformat(format="yuv420p")
            picture.pts, picture.time_base, picture.pict_type = index, Fraction(1, 25), 0
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def ours(video: Path, crops: Path) -> None:
    from vidassets.spatter.crops.extraction import extract_crops

    cv2.setNumThreads(1)
    extract_crops("b", str(video), crops)


def plain(video: Path, crops: Path) -> None:
    import h5py

    from vidassets_tests.spatter.crops.reference import pictures_by_opencv, reference_crops

    jpegs = [crop.jpeg for crop in reference_crops(pictures_by_opencv(video))]
    with h5py.File(crops, "w") as file:
        for number, start in enumerate(range(0, len(jpegs), 10_000)):
            file.create_dataset(f"b_{number}", data=np.array(jpegs[start : start + 10_000]), compression="gzip")


def opencv_read(video: Path, crops: Path) -> None:
    from vidassets_tests.spatter.crops.reference import pictures_by_opencv

    for _ in pictures_by_opencv(video):
        pass


def decode(video: Path, crops: Path) -> None:
    with av.open(str(video)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def child(method: str, video: Path, crops: Path) -> None:
    import h5py  # noqa: F401 - so that its import is not counted

    from vidassets.spatter.crops import extraction  # noqa: F401 - so that its import is not counted

    cv2.setNumThreads(2 if method == "plain, 2 threads" else 1)
    runs = dict(zip(METHODS, (ours, plain, plain, opencv_read, decode), strict=True))
    cpu_s, wall_s = own_cpu_s(), time.perf_counter()
    runs[method](video, crops)
    print(json.dumps([time.perf_counter() - wall_s, own_cpu_s() - cpu_s]))


def own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(method: str, video: Path, crops: Path, cores: set[int]) -> tuple[float, float]:
    command = [sys.executable, __file__, "--child", method, str(video), str(crops)]
    pinned = {"preexec_fn": lambda: os.sched_setaffinity(0, cores)} if hasattr(os, "sched_setaffinity") else {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, **pinned)
    wall_s, cpu_s = json.loads(done.stdout.splitlines()[-1])
    return wall_s, cpu_s


def digest_of_crops(path: Path) -> tuple[int, str]:
    """Return the number of crops in a file and a hash of their bytes in order."""
    import h5py

    hashed, n_crops = hashlib.sha256(), 0
    with h5py.File(path) as file:
        for name in sorted(file, key=lambda name: int(name.rpartition("_")[2])):
            for crop in file[name][:]:
                hashed.update(crop)
                n_crops += 1
    return n_crops, hashed.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=3600)
    parser.add_argument("--repeat", type=int, default=5, help="the least of so many runs")
    parser.add_argument("--video", type=Path, help="a recording instead of the two that are made")
    parser.add_argument("--child", nargs=3)
    arguments = parser.parse_args()
    if arguments.child:
        method, video, crops = arguments.child
        child(method, Path(video), Path(crops))
        return
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    places = {"two cores": set(cores[:2]), "one core": {cores[0]}}
    with tempfile.TemporaryDirectory() as name:
        if arguments.video:
            compare(arguments.video.stem, arguments.video, Path(name), places, arguments.repeat)
            return
        for label, frames in (("samples", sample_frames), ("dense", dense_frames)):
            video = Path(name) / f"{label}.mp4"
            write_recording(video, frames(arguments.frames))
            compare(f"{label}, {arguments.frames} frames", video, Path(name), places, arguments.repeat)


def compare(label: str, video: Path, folder: Path, places: dict[str, set[int]], repeat: int) -> None:
    for place, cores in places.items():
        runs: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
        for _ in range(repeat):
            for method in METHODS:
                runs[method].append(measure(method, video, folder / f"{method}.h5", cores))
        least = {method: [min(values) for values in zip(*of_method, strict=True)] for method, of_method in runs.items()}
        print(f"\n{f'{label}, {place}':36} {'wall s':>9} {'CPU s':>7} {'wall':>7} {'CPU':>6}")
        for method, (wall_s, cpu_s) in least.items():
            wall, cpu = wall_s / least["plain OpenCV"][0], cpu_s / least["plain OpenCV"][1]
            print(f"{method:36} {wall_s:9.2f} {cpu_s:7.2f} {wall:7.2f} {cpu:6.2f}")
    n_crops, hashed = digest_of_crops(folder / "ours.h5")
    same = (n_crops, hashed) == digest_of_crops(folder / "plain OpenCV.h5")
    print(f"{label}: {n_crops} crops, {'byte for byte equal' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
