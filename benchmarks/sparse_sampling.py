"""CPU seconds of sampling a video every 10 s and at 1 fps by four methods, and how many frames are exact.

    python benchmarks/sparse_sampling.py [--quick]

Data: generated moving texture with noise, H.264 by x264: 10 min of 640x360 with a keyframe every 10 s, and 2 min of
1080p with a keyframe every 2 s. Each method runs in its own process with one decoder thread and gives RGB pictures. CPU
seconds include child processes and exclude imports. Exact: the picture on screen at the wanted time, equal to full
decoding (a mean difference below 3 of 255 is attributed to colour conversion).
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

METHODS = ("ours", "opencv seek", "full decode", "ffmpeg -vf fps")


def generate(path: Path, size: tuple[int, int], seconds: int, gop_s: int, frame_rate: int = 30) -> None:
    """Write a video of moving texture with noise; each frame is a window that moves over one large picture."""
    rng, (width, height) = np.random.default_rng(0), size
    y, x = np.mgrid[0 : height + 256, 0 : width + 256]
    field = 128 + 50 * np.sin(x / 37) + 40 * np.cos(y / 23) + 25 * np.sin((x + y) / 11)
    noise = rng.integers(0, 14, (height + 64, width + 64), dtype=np.uint8)
    field = np.clip(field, 0, 240).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=frame_rate, options={"preset": "veryfast", "crf": "25"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = gop_s * frame_rate
        stream.codec_context.time_base = Fraction(1, frame_rate)
        frame = np.full((height * 3 // 2, width), 128, np.uint8)
        for index in range(seconds * frame_rate):
            dx, dy = (int(128 + 120 * np.sin(index / k)) for k in (61, 83))
            nx, ny = rng.integers(0, 64, 2)
            frame[:height] = field[dy : dy + height, dx : dx + width] + noise[ny : ny + height, nx : nx + width]
            # The hue depends on the time, so that a wrong frame is a different picture.
            frame[height:] = 64 + index * 7 % 128
            picture = av.VideoFrame.from_ndarray(frame, format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, frame_rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def ours(path: str, times_s: list[float]):
    from vidassets.media.frames import frames_at

    for picture in frames_at(path, times_s):
        yield picture.pixels


def opencv_seek(path: str, times_s: list[float]):
    import cv2

    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = capture.get(cv2.CAP_PROP_FPS)
    for time_s in times_s:
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(time_s * rate + 1e-6))
        found, pixels = capture.read()
        if found:
            yield pixels[..., ::-1]


def full_decode(path: str, times_s: list[float]):
    from av.video.reformatter import VideoReformatter

    reformatter, wanted = VideoReformatter(), list(times_s)
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        last = None
        for frame in container.decode(stream):
            while last is not None and wanted and wanted[0] < frame.time:
                yield reformatter.reformat(last, format="rgb24", threads=1).to_ndarray()
                wanted.pop(0)
            last = frame
        for _ in wanted:
            yield reformatter.reformat(last, format="rgb24", threads=1).to_ndarray()


def ffmpeg_fps(path: str, times_s: list[float]):
    with av.open(path) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    interval_s = times_s[1] - times_s[0]
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", path, "-filter_threads", "1"]
    command += ["-vf", f"fps={1 / interval_s}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in times_s:
            content = process.stdout.read(width * height * 3)
            if len(content) < width * height * 3:
                break
            yield np.frombuffer(content, np.uint8).reshape(height, width, 3)
        process.stdout.read()


RUNS = dict(zip(METHODS, (ours, opencv_seek, full_decode, ffmpeg_fps), strict=True))


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return the means of 16 x 16 cells: enough to recognise a frame, small enough to keep."""
    height, width = (side // 16 * 16 for side in pixels.shape[:2])
    cells = pixels[:height, :width].reshape(16, height // 16, 16, width // 16, 3)
    return cells[:, ::4, :, ::4].mean(axis=(1, 3))


def child(method: str, path: str, times_s: list[float], out: str) -> None:
    """Run a method and write its thumbnails; print the CPU seconds since the imports."""
    from vidassets.media import frames  # noqa: F401 - so that its import is not counted

    if method == "opencv seek":
        import cv2  # noqa: F401
    before = cpu_s()
    thumbnails = [thumbnail(pixels) for pixels in RUNS[method](path, times_s)]
    print(json.dumps(cpu_s() - before))
    np.save(out, np.array(thumbnails))


def cpu_s() -> float:
    """Return the CPU seconds of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(method: str, path: Path, times_s: list[float], folder: Path) -> tuple[float, np.ndarray]:
    out = folder / "thumbnails.npy"
    command = [sys.executable, __file__, "--child", method, str(path), json.dumps(times_s), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout), np.load(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="videos of a sixth of the length")
    parser.add_argument("--repeat", type=int, default=2, help="the best of so many runs")
    parser.add_argument("--child", nargs=4)
    arguments = parser.parse_args()
    if arguments.child:
        method, path, times, out = arguments.child
        child(method, path, json.loads(times), out)
        return
    shorter = 6 if arguments.quick else 1
    methods = [method for method in METHODS if "ffmpeg" not in method or shutil.which("ffmpeg")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'video':32} {'sampling':9} {'method':15} {'CPU s':>7} {'exact':>6}")
        for label, size, seconds, gop_s in (
            ("640x360, keyframe every 10 s", (640, 360), 600 // shorter, 10),
            ("1920x1080, keyframe every 2 s", (1920, 1080), 120 // shorter, 2),
        ):
            path = folder / f"{size[0]}.mp4"
            generate(path, size, seconds, gop_s)
            for sampling, times_s in (
                ("10 s", [5.0 + 10 * i for i in range(seconds // 10)]),
                ("1 fps", [0.5 + i for i in range(seconds)]),
            ):
                best: dict[str, float] = {}
                _, truth = measure("full decode", path, times_s, folder)
                for method in methods:
                    runs = [measure(method, path, times_s, folder) for _ in range(arguments.repeat)]
                    best[method], got = min(run[0] for run in runs), runs[0][1]
                    n = min(len(got), len(truth))
                    exact = sum(np.abs(got[:n] - truth[:n]).mean(axis=(1, 2, 3)) < 3) / len(truth)
                    print(f"{f'{seconds} s of {label}':32} {sampling:9} {method:15} {best[method]:7.2f} {exact:6.0%}")
                other = min(cost for method, cost in best.items() if method != "ours")
                print(f"{'':32} {sampling:9} ours / best of the others: {best['ours'] / other:.2f}")


if __name__ == "__main__":
    main()
