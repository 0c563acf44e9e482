"""Small generated videos: any codec and container, any times, pictures that differ from frame to frame."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

WIDTH, HEIGHT = 96, 64


def moving_picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return uint8 (H, W, 3): drifting texture with noise, different for every index."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[0:height, 0:width]
    wave = 90 + 60 * np.sin((x + 5 * index) / 9) + 40 * np.cos((y - 3 * index) / 7)
    texture = np.stack([wave, np.roll(wave, index, axis=1), 255 - wave], axis=-1)
    return np.clip(texture + rng.normal(0, 12, texture.shape), 0, 255).astype(np.uint8)


def needs_encoder(codec: str) -> None:
    """Skip the test if this build of PyAV cannot write `codec`."""
    try:
        av.codec.Codec(codec, "w")
    except (av.error.FFmpegError, ValueError):
        pytest.skip(f"this build of PyAV has no {codec} encoder")


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    n_frames: int = 40,
    ticks: Sequence[int] | None = None,
    frame_rate: Fraction = Fraction(25),
    time_base: Fraction | None = None,
    gop: int = 12,
    b_frames: int = 2,
    options: Mapping[str, str] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    sample_aspect: Fraction | None = None,
    with_audio: bool = False,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write `n_frames` moving pictures; `ticks` are their presentation times in units of `time_base`."""
    needs_encoder(codec)
    ticks = range(n_frames) if ticks is None else ticks
    time_base = time_base or 1 / frame_rate
    with av.open(str(path), "w", container_options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=frame_rate, options=dict(options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        audio = container.add_stream("aac", rate=16_000, layout="mono") if with_audio else None
        for index, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(moving_picture(index, *size), format="rgb24")
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            _write_tone(container, audio, seconds=float(ticks[-1] * time_base))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """Write a file with sound and no picture."""
    with av.open(str(path), "w") as container:
        _write_tone(container, container.add_stream("aac", rate=16_000, layout="mono"), seconds)
    return path


def _write_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(seconds * 16_000), 1024):
        wave = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def rotate_mp4(path: Path, clockwise_degrees: int) -> Path:
    """Write a display matrix into the track header, as a phone held upright does."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise_degrees]
    matrix = [cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    version = content[at]
    at += 4 + (32 if version == 1 else 20) + 16
    content[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(content)
    return path


def decode_everything(path: Path, pixel: str = "rgb24") -> list[tuple[float, np.ndarray]]:
    """Return every picture as (pts_s, pixels), by the simplest loop; pictures are not turned upright."""
    with av.open(f"file:{path}") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format=pixel)) for frame in container.decode(stream)
        ]
