"""A recording that is drawn frame by frame, and its encoding to MP4."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (360, 640, 3), BGR
Truth = dict[str, Any]

WIDTH, HEIGHT = 640, 360
SAMPLE_RATE_HZ = 48_000
AAC_FRAME_SAMPLES = 1024


@dataclass(frozen=True)
class Clock:
    """The presentation times of the frames of a constant-rate recording."""

    frame_rate: Fraction
    first_pts_s: Fraction = Fraction(0)

    def pts_s(self, frame: int) -> float:
        """Return the presentation time of frame 0, 1, 2 …"""
        return float(self.first_pts_s + frame / self.frame_rate)

    @property
    def time_base(self) -> Fraction:
        """The coarsest unit in which every presentation time is whole."""
        return Fraction(1, (self.frame_rate.numerator * self.first_pts_s.denominator))


@dataclass(frozen=True)
class Recording:
    """One sample: how to draw it, how it sounds, what is true of it.

    `picture(frame)` may be called in any order. `sound` is float32 mono at 48 kHz in [-1, 1], or None. `sidecar` is
    written beside the video as NAME.json; a `size_bytes` of it is filled in after encoding.
    """

    path: Path
    key: str
    kind: str
    clock: Clock
    n_frames: int
    picture: Callable[[int], Picture]
    truth: Truth
    crf: int
    preset: str = "veryslow"
    sound: NDArray[np.float32] | None = None
    sidecar: Truth = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Seconds from the first presentation time to the end of the last frame."""
        return float(self.n_frames / self.clock.frame_rate)

    def full_truth(self) -> Truth:
        """Return the content of the truth file: the fields of every sample, then those of this one."""
        rate = self.clock.frame_rate
        return {
            "key": self.key,
            "kind": self.kind,
            "width": WIDTH,
            "height": HEIGHT,
            "frame_rate": f"{rate.numerator}/{rate.denominator}",
            "n_frames": self.n_frames,
            "first_pts_s": float(self.clock.first_pts_s),
            "duration_s": self.duration_s,
            "has_audio": self.sound is not None,
            **self.truth,
        }


def write_recording(recording: Recording, path: Path) -> None:
    """Encode to MP4 (H.264, AAC): one thread, bit-exact flags, the index first so that it plays while it loads."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        video = _add_video_stream(container, recording)
        audio = None if recording.sound is None else _add_audio_stream(container)
        for frame in range(recording.n_frames):
            picture = av.VideoFrame.from_ndarray(recording.picture(frame), format="bgr24").reformat(format="yuv420p")
            picture.time_base = recording.clock.time_base
            picture.pts = round(recording.clock.pts_s(frame) / recording.clock.time_base)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and recording.sound is not None:
            for sound_frame in _sound_frames(recording.sound):
                container.mux(audio.encode(sound_frame))
            container.mux(audio.encode(None))


def _add_video_stream(container: OutputContainer, recording: Recording) -> VideoStream:
    stream = container.add_stream("libx264", rate=recording.clock.frame_rate)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context = stream.codec_context
    context.time_base = recording.clock.time_base
    context.thread_count = 1
    context.flags |= int(Flags.bitexact)
    context.options = {"preset": recording.preset, "crf": str(recording.crf), "g": "96", "bf": "3"}
    return stream


def _add_audio_stream(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
    stream.codec_context.bit_rate = 64_000
    stream.codec_context.flags |= int(Flags.bitexact)
    return stream


def _sound_frames(sound: NDArray[np.float32]) -> Iterator[av.AudioFrame]:
    for start in range(0, len(sound), AAC_FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + AAC_FRAME_SAMPLES], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = start
        yield frame


def dump_truth(truth: Truth) -> str:
    """Return JSON that gives readable diffs: one line per field, and one line per row of a list of records."""
    lines = []
    for name, value in truth.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"    {json.dumps(row)}" for row in value)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
