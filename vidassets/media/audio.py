"""A clip's sound, decoded to 16 kHz on the clip's own clock: second 7.3 of the sound is second 7.3 of the clip."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from vidassets.errors import InvalidSetting
from vidassets.media.clipping import Clipping
from vidassets.media.clock import seconds
from vidassets.media.loudness import LoudnessMeter
from vidassets.media.mixing import float_samples, mono_weights, named_layout
from vidassets.media.opening import StorageOptions, find_video_stream, open_container
from vidassets.media.problems import OnProblem, Problem
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.media.sound_run import SoundRun

# How far a frame's time may jump and still be an uneven clock. Chosen here: less than one frame of AAC (21 ms).
JUMP_S = 0.02
# The same after something that did not decode: a hole is expected then.
JUMP_AFTER_ERROR_S = 0.002
# A clip whose clock begins within this of 0 keeps 0: an encoder's priming before, a stream joined late after.
PRIMING_S = 0.1
LATE_S = 60.0
# No recording has a hole this long: such a time is damaged.
LONGEST_HOLE_S = 86_400.0
SILENCE_BLOCK = 10 * SAMPLE_RATE_HZ
# FLAC holds no more.
MOST_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without sound in the container: clip times, and why."""

    start_s: float
    end_s: float
    cause: str


class AudioTrack:
    """One stream of sound of an open container; `holes` and `clipping` are complete once `blocks` is through.

    Attributes:
        stream: of PyAV.
        start_s: the clip's time at the first sample, whole seconds.
        channels: of the blocks.
    """

    def __init__(
        self, container: InputContainer, stream: AudioStream, on_problem: OnProblem, *, separate_channels: bool
    ) -> None:
        self.stream, self._container, self._report = stream, container, on_problem
        self.start_s = _clock_start_s(container, stream)
        self.channels = stream.channels if separate_channels else 1
        self.holes: list[Hole] = []
        self.clipping = Clipping()
        self.loudness = LoudnessMeter()
        self._tick_s = float(stream.time_base or 0)
        self._reached = 0
        self._trouble: str | None = None
        # Of the hole before the run in hand: what did not decode there, if that is why.
        self._run_trouble: str | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        """float32 (C, N) at 16 kHz, one after the other from `start_s` on, in [-1, 1] but for what a codec overshoots.

        What is missing is silence, and told in `holes`; what is there twice is left out; what does not decode is
        reported, and the rest survives.
        """
        run, last_step_s = None, 0.0
        for frame in self._frames():
            samples, pts_s = self._heard(frame), self._pts_s(frame)
            step_s = last_step_s if run is None or pts_s is None else pts_s - run.expects_s
            if run and not self._follows(run, frame, samples, step_s - last_step_s):
                yield from self._placed(run.finish())
                run = None
            if run is None:
                begins_s = self._reached / SAMPLE_RATE_HZ if pts_s is None else pts_s
                run, step_s = SoundRun(frame.sample_rate, len(samples), self._tick_s, begins_s), 0.0
                self._run_trouble = self._trouble
            last_step_s, self._trouble = step_s, None
            yield from self._placed(run.push(samples, pts_s))
        if run:
            yield from self._placed(run.finish())

    def _follows(self, run: SoundRun, frame: AudioFrame, samples: np.ndarray, jump_s: float) -> bool:
        allowed_s = JUMP_S if self._trouble is None else JUMP_AFTER_ERROR_S + self._tick_s
        return (run.rate_hz, run.channels) == (frame.sample_rate, len(samples)) and abs(jump_s) <= allowed_s

    def _placed(self, piece: tuple[int, np.ndarray]) -> Iterator[np.ndarray]:
        """The piece where it belongs: after silence, or without what lies before what is there already."""
        at, samples = piece
        if not samples.shape[1]:
            return
        silence, twice = at - self._reached, min(self._reached - at, samples.shape[1])
        if silence > (JUMP_AFTER_ERROR_S if self._run_trouble else JUMP_S) * SAMPLE_RATE_HZ:
            cause = self._run_trouble or ("none is stored for it" if self._reached else "the sound begins after it")
            edges = (self.start_s + n / SAMPLE_RATE_HZ for n in (self._reached, at))
            self.holes.append(Hole(*edges, cause=cause))
        if self._reached and twice > JUMP_S * SAMPLE_RATE_HZ:
            where = f"from {self.start_s + at / SAMPLE_RATE_HZ:.3f} s"
            self._report(Problem("audio_overlap", f"{where}, {twice / SAMPLE_RATE_HZ:.3f} s are there twice: left out"))
        for n in range(0, silence, SILENCE_BLOCK):
            yield np.zeros((self.channels, min(SILENCE_BLOCK, silence - n)), np.float32)
        samples = samples[:, max(0, twice) :]
        self._reached = max(self._reached, at) + samples.shape[1]
        if samples.shape[1]:
            yield samples if len(samples) == self.channels else np.repeat(samples[:1], self.channels, axis=0)

    def _frames(self) -> Iterator[AudioFrame]:
        """Every frame that decodes, in the order of the container; but for one of an impossible time."""
        packets = self._container.demux(self.stream)
        reached_s = self.start_s
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self._blame("demux_error", reached_s, "no packet can be read after this", error.strerror)
                return
            if packet is None:
                return
            if packet.is_corrupt:
                self._blame("corrupt_packets", reached_s, "damaged", "its container says so")
            try:
                frames = packet.decode()
            except FFmpegError as error:
                self._blame("decode_error", reached_s, "does not decode", error.strerror)
                continue
            for frame in frames:
                pts_s = self._pts_s(frame)
                if pts_s is not None and pts_s > self._reached / SAMPLE_RATE_HZ + LONGEST_HOLE_S:
                    self._blame("audio_time_damaged", reached_s, "an impossible time", f"{pts_s:.0f} s")
                elif frame.samples:
                    reached_s = reached_s if pts_s is None else pts_s + self.start_s + frame.samples / frame.sample_rate
                    yield frame

    def _pts_s(self, frame: AudioFrame) -> float | None:
        """When the frame begins, counted from `start_s`."""
        base = frame.time_base or self.stream.time_base
        return None if frame.pts is None or base is None else seconds(frame.pts, base) - self.start_s

    def _heard(self, frame: AudioFrame) -> np.ndarray:
        """float32 (C, N): all channels or their mix; the mix too where a frame has another number of channels."""
        samples, layout = float_samples(frame), named_layout(frame.layout)
        self.clipping.count(samples)
        self.loudness.push(samples, frame.sample_rate, layout)
        if self.channels > 1 and len(samples) == self.channels:
            return samples
        return mono_weights(layout)[None] @ samples

    def _blame(self, code: str, at_s: float, what: str, why: str | None) -> None:
        # One report for a stretch: nothing has decoded since the last.
        if self._trouble is None:
            self._report(Problem(code, f"the sound at {at_s:.3f} s: {what} ({why})"))
        self._trouble = f"{what}: {why}"


@contextmanager
def decode_audio(
    uri: str,
    on_problem: OnProblem,
    *,
    stream: int | str | None = None,
    separate_channels: bool = False,
    storage_options: StorageOptions | None = None,
) -> Iterator[AudioTrack | None]:
    """The chosen stream of a file, open while inside; None where the container holds no sound.

    Args:
        uri: as in `opening.open_container`, whose errors it raises.
        on_problem: told what is wrong and can be worked around.
        stream: index in the container, or a language tag as the container tells it; None: the first.
        separate_channels: each channel for itself, not their mix.
        storage_options: for fsspec.

    Raises:
        InvalidSetting: there is sound, but no such stream; or more than 8 channels were to be kept apart.
    """
    with open_container(uri, storage_options) as container:
        chosen = _chosen_stream(container, uri, stream)
        if chosen is None:
            yield None
            return
        if chosen.codec_context is None:
            on_problem(Problem("audio_codec_unknown", f"no decoder for the sound of stream {chosen.index}"))
            yield None
            return
        if separate_channels and chosen.channels > MOST_CHANNELS:
            raise InvalidSetting(
                f"{uri}: {chosen.channels} channels cannot be kept apart, {MOST_CHANNELS} can. Let them be mixed."
            )
        chosen.codec_context.thread_count = 1
        # Without it a damaged frame becomes noise, and nobody is told.
        chosen.codec_context.options = {**chosen.codec_context.options, "err_detect": "crccheck+explode"}
        yield AudioTrack(container, chosen, on_problem, separate_channels=separate_channels)


def _chosen_stream(container: InputContainer, uri: str, wanted: int | str | None) -> AudioStream | None:
    streams = container.streams.audio
    if not streams or wanted is None:
        return next(iter(streams), None)
    key = wanted.lower() if isinstance(wanted, str) else wanted
    for stream in streams:
        if key == (stream.index if isinstance(key, int) else (stream.language or "").lower()):
            return stream
    held = ", ".join(f"{stream.index} ({stream.language or 'no language'})" for stream in streams)
    raise InvalidSetting(f"{uri}: no stream of sound {wanted!r}, it holds {held}. Name one of these, or none.")


def _clock_start_s(container: InputContainer, stream: AudioStream) -> float:
    """Where the FLAC begins: 0, or the whole second before a clock that begins far from it."""
    firsts = [
        seconds(one.start_time, one.time_base)
        for one in (stream, find_video_stream(container))
        if one is not None and one.start_time is not None and one.time_base is not None
    ]
    first_s = min(firsts, default=0.0)
    return 0.0 if -PRIMING_S <= first_s <= LATE_S else float(math.floor(first_s))
