"""Recordings of glowing blots on a dark bed, as arrays and as videos; and extraction from arrays."""

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from vidassets.spatter.crops.extraction import Extraction, extract_from_frames
from vidassets.spatter.crops.recording import BuildFrame
from vidassets.spatter.crops.settings import ExtractionSettings

SAMPLES = Path(__file__).parents[3] / "samples" / "builds"


def bed(width: int = 240, height: int = 160) -> np.ndarray:
    """Return a dark picture, BGR."""
    return np.full((height, width, 3), 12, np.uint8)


def with_blot(
    picture: np.ndarray,
    center: tuple[int, int],
    axes: tuple[int, int] = (30, 22),
    color: tuple[int, int, int] = (90, 190, 240),
    angle_deg: float = 0,
) -> np.ndarray:
    """Return a copy of the picture with an ellipse on it; half axes in pixels."""
    return cv2.ellipse(picture.copy(), center, axes, angle_deg, 0, 360, color, -1)


def flashes(frames_with_spatter: Sequence[int], n_frames: int) -> list[np.ndarray]:
    """Return pictures; the given frames have a blot, always at the same place."""
    return [with_blot(bed(), (120, 80)) if index in frames_with_spatter else bed() for index in range(n_frames)]


def timed(pictures: Sequence[np.ndarray]) -> list[tuple[float, np.ndarray]]:
    """Return (pts_s, pixels) at 25 fps."""
    return [(index / 25, picture) for index, picture in enumerate(pictures)]


def extract_from_arrays(
    build: str,
    pictures: Sequence[tuple[float, np.ndarray]],
    crops_path: Path,
    settings: ExtractionSettings | None = None,
) -> Extraction:
    """Extract the crops of (pts_s, BGR uint8 (H, W, 3)), in order of time."""
    frames = (
        BuildFrame(index, pts_s, av.VideoFrame.from_ndarray(pixels, format="bgr24"), pixels.shape[1::-1], index > 0)
        for index, (pts_s, pixels) in enumerate(pictures)
    )
    tables = extract_from_frames(build, "arrays", frames, crops_path, settings or ExtractionSettings())
    return Extraction(*tables, [])


def random_pictures(seed: int, width: int, height: int, n_frames: int) -> list[np.ndarray]:
    """Return noise with blots of any size, colour and place, some hollow, some blue; some frames are equal."""
    rng = np.random.default_rng(seed)
    pictures: list[np.ndarray] = []
    for _ in range(n_frames):
        if pictures and rng.random() < 0.2:
            pictures.append(pictures[-1])
            continue
        picture = rng.integers(0, int(rng.choice([1, 8, 30])) + 1, (height, width, 3), dtype=np.uint8)
        for _ in range(rng.integers(0, 5)):
            center = (int(rng.integers(width)), int(rng.integers(height)))
            axes = tuple(int(side) for side in rng.integers(1, max(2, min(width, height) // 2), 2))
            color = tuple(int(level) for level in rng.integers(0, 256, 3))
            thickness = int(rng.choice([-1, -1, 2]))
            cv2.ellipse(picture, center, axes, float(rng.uniform(0, 180)), 0, 360, color, thickness)
        pictures.append(picture)
    return pictures


def write_recording(
    path: Path, pictures: Sequence[np.ndarray], codec: str = "libx264", pixel_format: str = "yuv420p", **options: str
) -> Path:
    """Encode BGR pictures at 25 fps, with a keyframe every ten frames."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.gop_size = 10
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pixel_format)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def broken_in_the_middle(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """Write a recording in which some packets of the second group of pictures are replaced by noise."""
    write_recording(path, pictures, preset="ultrafast", bf="0")
    with av.open(str(path)) as container:
        spans = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size and packet.pos]
    content = bytearray(path.read_bytes())
    for position, size in spans[11:14]:
        content[position + 5 : position + size] = bytes((171 * i) % 251 for i in range(size - 5))
    path.write_bytes(content)
    return path


def stored_crops(path: Path) -> list[bytes]:
    """Return every crop of a file in the order of the datasets' numbers."""
    import h5py

    with h5py.File(path, "r") as file:
        names = sorted(file, key=lambda name: int(name.rpartition("_")[2]))
        return [np.frombuffer(file[name][i], np.uint8).tobytes() for name in names for i in range(len(file[name]))]
