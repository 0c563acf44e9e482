"""Decode a clip's sound to 16 kHz on the clip's own clock: second 7.3 of the sound is second 7.3 of the clip."""

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
from vidassets.media.clock import LONGEST_HOLE_S, seconds
from vidassets.media.loudness import LoudnessMeter
from vidassets.media.mixing import float_samples, mono_weights, named_layout
from vidassets.media.opening import StorageOptions, find_video_stream, open_container
from vidassets.media.problems import OnProblem, Problem
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.media.sound_run import SoundRun

# Greatest jump of a frame's time that counts as an uneven clock. Chosen here: less than a frame of AAC (21 ms).
JUMP_S = 0.02
# The same after a decoding error, where a hole is expected.
JUMP_AFTER_ERROR_S = 0.002
# A sound begins at 0 if the clip's clock begins between -PRIMING_S (an encoder's priming) and LATE_S.
PRIMING_S = 0.1
LATE_S = 60.0
SILENCE_BLOCK = 10 * SAMPLE_RATE_HZ
# Far below a telephone's 8 kHz. A megabyte at 1 Hz would become eleven days of sound.
LOWEST_RATE_HZ = 1000
# The limit of FLAC.
MOST_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without sound in the container: its clip times and its cause."""

    start_s: float
    end_s: float
    cause: str


class AudioTrack:
    """An audio stream of an open container. `holes`, `clipping` and `loudness` are complete when `blocks` has ended.

    Attributes:
        stream: PyAV's stream.
        start_s: clip time of the first sample, in whole seconds.
        channels: number of channels of the blocks.
        holes: stretches without sound.
        clipping: counts the clipped samples of the source.
        loudness: measures the source.
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
        # The number of samples that were returned already.
        self._reached = 0
        self._silence_s = 0.0
        # The error since the last frame that decoded, and the error before the current run.
        self._error: str | None = None
        self._run_error: str | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield consecutive blocks, float32 (C, N) at 16 kHz, from `start_s` on; a codec may overshoot [-1, 1].

        Missing sound is replaced with silence and listed in `holes`. Sound that overlaps earlier sound is left out.
        Decoding errors are reported, and decoding goes on after them.
        """
        run, last_step_s = None, 0.0
        for frame in self._frames():
            samples, pts_s = self._measured_samples(frame), self._pts_s(frame)
            # How far the frame's time is from the end of the run, by the count of samples. A drifting clock changes
            # this slowly; a hole or an overlap changes it at once and begins a new run.
            step_s = last_step_s if run is None or pts_s is None else pts_s - run.expects_s
            if run and not self._follows(run, frame, samples, step_s - last_step_s):
                yield from self._placed(run.finish())
                run = None
            if run is None:
                begins_s = self._reached / SAMPLE_RATE_HZ if pts_s is None else pts_s
                run, step_s = SoundRun(frame.sample_rate, len(samples), self._tick_s, begins_s), 0.0
                self._run_error = self._error
            last_step_s, self._error = step_s, None
            yield from self._placed(run.push(samples, pts_s))
        if run:
            yield from self._placed(run.finish())

    def _follows(self, run: SoundRun, frame: AudioFrame, samples: np.ndarray, jump_s: float) -> bool:
        allowed_s = JUMP_S if self._error is None else JUMP_AFTER_ERROR_S + self._tick_s
        return (run.rate_hz, run.channels) == (frame.sample_rate, len(samples)) and abs(jump_s) <= allowed_s

    def _placed(self, piece: tuple[int, np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the piece at its place: after silence, or without the part that overlaps earlier sound."""
        first, samples = piece
        if not samples.shape[1]:
            return
        self._silence_s += max(0, first - self._reached) / SAMPLE_RATE_HZ
        silence, twice = first - self._reached, min(self._reached - first, samples.shape[1])
        if silence > (JUMP_AFTER_ERROR_S if self._run_error else JUMP_S) * SAMPLE_RATE_HZ:
            cause = self._run_error or ("none is stored for it" if self._reached else "the sound begins after it")
            edges = (self.start_s + n / SAMPLE_RATE_HZ for n in (self._reached, first))
            self.holes.append(Hole(*edges, cause=cause))
        if self._reached and twice > JUMP_S * SAMPLE_RATE_HZ:
            where = f"from {self.start_s + first / SAMPLE_RATE_HZ:.3f} s"
            self._report(Problem("audio_overlap", f"{where}, {twice / SAMPLE_RATE_HZ:.3f} s are there twice: left out"))
        for n in range(0, silence, SILENCE_BLOCK):
            yield np.zeros((self.channels, min(SILENCE_BLOCK, silence - n)), np.float32)
        samples = samples[:, max(0, twice) :]
        self._reached = max(self._reached, first) + samples.shape[1]
        if samples.shape[1]:
            yield samples if len(samples) == self.channels else np.repeat(samples[:1], self.channels, axis=0)

    def _frames(self) -> Iterator[AudioFrame]:
        """Yield every frame that decodes, in the order of the container, except frames with impossible times."""
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
                # Together, the holes are no longer than the longest one: silence is written to the FLAC.
                latest_s = self._reached / SAMPLE_RATE_HZ + LONGEST_HOLE_S - self._silence_s
                if pts_s is not None and pts_s > latest_s:
                    self._blame("audio_time_damaged", reached_s, "an impossible time", f"{pts_s:.0f} s")
                elif frame.sample_rate < LOWEST_RATE_HZ:
                    self._blame("audio_rate_damaged", reached_s, "an impossible rate", f"{frame.sample_rate} Hz")
                elif frame.samples:
                    reached_s = reached_s if pts_s is None else pts_s + self.start_s + frame.samples / frame.sample_rate
                    yield frame

    def _pts_s(self, frame: AudioFrame) -> float | None:
        """Return the time of the frame's first sample since `start_s`; None: the frame has no time."""
        base = frame.time_base or self.stream.time_base
        return None if frame.pts is None or base is None else seconds(frame.pts, base) - self.start_s

    def _measured_samples(self, frame: AudioFrame) -> np.ndarray:
        """Measure clipping and loudness of a frame; return its channels or their mix, float32 (C, N).

        A frame with an unexpected number of channels is mixed.
        """
        samples, layout = float_samples(frame), named_layout(frame.layout)
        self.clipping.count(samples)
        self.loudness.push(samples, frame.sample_rate, layout)
        if self.channels > 1 and len(samples) == self.channels:
            return samples
        return mono_weights(layout)[None] @ samples

    def _blame(self, code: str, at_s: float, what: str, why: str | None) -> None:
        # A stretch is reported once, however many of its packets fail.
        if self._error is None:
            self._report(Problem(code, f"the sound at {at_s:.3f} s: {what} ({why})"))
        self._error = f"{what}: {why}"


@contextmanager
def decode_audio(
    uri: str,
    on_problem: OnProblem,
    *,
    stream: int | str | None = None,
    separate_channels: bool = False,
    storage_options: StorageOptions | None = None,
) -> Iterator[AudioTrack | None]:
    """Open an audio stream of a file as a context manager; None if the container has no sound that can be decoded.

    Args:
        uri: path or URL, as in `opening.open_container`, whose errors are raised.
        on_problem: called with every problem that can be worked around.
        stream: index in the container, or the stream's language tag; None: the first audio stream.
        separate_channels: keep the channels instead of mixing them.
        storage_options: options of the remote store.

    Raises:
        InvalidSetting: the file has sound but not this stream, or `separate_channels` is set for more than 8 channels.
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
                f"{uri}: stream {chosen.index} has {chosen.channels} channels. A FLAC holds {MOST_CHANNELS}, so they "
                "cannot be kept separate. Set `separate_channels` to false."
            )
        chosen.codec_context.thread_count = 1
        # Without these flags a damaged frame becomes noise without an error.
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
    raise InvalidSetting(f"{uri}: no audio stream {wanted!r}. The file has {held}. Choose one of these, or none.")


def _clock_start_s(container: InputContainer, stream: AudioStream) -> float:
    """Return the clip time at which the FLAC begins: 0, or a whole second if the clip's clock begins far from 0."""
    firsts = [
        seconds(track.start_time, track.time_base)
        for track in (stream, find_video_stream(container))
        if track is not None and track.start_time is not None and track.time_base is not None
    ]
    first_s = min(firsts, default=0.0)
    return 0.0 if -PRIMING_S <= first_s <= LATE_S else float(math.floor(first_s))
