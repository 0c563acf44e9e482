"""Small generated files of sound: any rate, layout and times."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

Frames = Sequence[tuple[int, np.ndarray]]


def write_audio(
    path: Path,
    frames: Frames,
    *,
    rate_hz: int = 48_000,
    layout: str = "mono",
    codec: str = "pcm_s16le",
    time_base: Fraction | None = None,
    language: str | None = None,
    others: Sequence[str] = (),
) -> Path:
    """Write frames: (time in ticks of `time_base`, float (C, N)). `others`: languages of silent streams before it."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=rate_hz, layout=layout) for _ in (*others, language)]
        for stream, tag in zip(streams, (*others, language), strict=True):
            if tag:
                stream.metadata["language"] = tag
        for stream in streams:
            stream.time_base = time_base or Fraction(1, rate_hz)
        for tick, samples in frames:
            for stream in streams:
                content = samples if stream is streams[-1] else np.zeros_like(samples)
                frame = _frame(content, rate_hz, layout, stream.format.name)
                frame.pts, frame.time_base = tick, time_base or Fraction(1, rate_hz)
                for packet in stream.encode(frame):
                    container.mux(packet)
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def _frame(samples: np.ndarray, rate_hz: int, layout: str, sample_format: str) -> av.AudioFrame:
    if sample_format.startswith("s16"):
        samples = np.round(np.clip(samples, -1, 32_767 / 32_768) * 32_768).astype(np.int16)
    else:
        samples = samples.astype(np.float32)
    if not sample_format.endswith("p"):
        samples = samples.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=sample_format, layout=layout)
    frame.sample_rate = rate_hz
    return frame


def framed(samples: np.ndarray, at: int = 0, length: int = 960) -> list[tuple[int, np.ndarray]]:
    """Cut samples (C, N) into frames whose times count samples, beginning with `at`."""
    return [(at + first, samples[:, first : first + length]) for first in range(0, samples.shape[1], length)]


def clicks(times_s: Sequence[float], duration_s: float, rate_hz: int = 48_000) -> np.ndarray:
    """float64 (1, N): a short smooth pulse of height 0.8 around each time, silence between."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    return sum(0.8 * np.exp(-(((t - at) / 2e-4) ** 2)) for at in times_s)[None]


def click_times(samples: np.ndarray, start_s: float = 0.0, rate_hz: int = 16_000) -> list[float]:
    """Find the centres of the pulses of `clicks`, to a fraction of a sample."""
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 20) + 1) if len(loud) else []
    return [start_s + float(np.average(group, weights=samples[group] ** 2)) / rate_hz for group in groups]
