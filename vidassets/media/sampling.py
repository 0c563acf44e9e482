"""Decoded frames: those on screen at wanted moments, or all of them, each decoded no more than it must."""

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidassets.errors import UnreadableVideo
from vidassets.media.clock import last_tick_at, seconds
from vidassets.media.decoder import Decoded, Decoder
from vidassets.media.opening import StorageOptions, open_container, video_stream
from vidassets.media.packets import PacketReader, has_times
from vidassets.media.plan import Moment, Run, Window, reorder_depth
from vidassets.media.problems import OnProblem, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A decoded frame, when it comes on screen, which moments it answers, and whether an error may have harmed it."""

    frame: VideoFrame
    pts_s: float
    moments: list[Moment]
    damaged: bool


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A try at one picture: what came out, the errors that count, and whether beginning earlier could change it."""

    shown: Shown | None
    errors: list[Problem]
    is_conclusive: bool
    landed_tick: int


class Source:
    """A video to read, as often as need be: its address, how to reach it, whom to tell what is wrong with it."""

    def __init__(self, uri: str, storage_options: StorageOptions | None, on_problem: OnProblem) -> None:
        self.uri, self.storage_options, self._on_problem = uri, storage_options, on_problem
        self._reported: set[Problem] = set()

    def report(self, problem: Problem) -> None:
        """Passes a problem on, once."""
        if problem not in self._reported:
            self._reported.add(problem)
            self._on_problem(problem)

    def all_frames(self) -> Iterator[Shown]:
        """Every frame, in order of presentation."""
        with open_container(self.uri, self.storage_options) as container:
            yield from self._all_frames(container, video_stream(container, self.uri))

    def keyframes(self) -> Iterator[Shown]:
        """The frames of the keyframes, each decoded alone; those that do not stand alone are not among them."""
        with open_container(self.uri, self.storage_options) as container:
            stream = video_stream(container, self.uri)
            if not has_times(container, stream):
                yield from (shown for shown in self._all_frames(container, stream) if shown.frame.key_frame)
                return
            time_base = picture_time_base(container, stream, self.uri)
            reader, decoder = PacketReader(container, stream, self.report), Decoder(stream, self.report)
            for packet in (packet for packet in reader.rest() if packet.is_keyframe and not packet.is_discard):
                for decoded in [*decoder.feed(packet), *decoder.drain()]:
                    if decoded.frame.pts is not None:
                        yield Shown(decoded.frame, seconds(decoded.frame.pts, time_base), [], decoded.damaged)

    def frames_at(self, times_s: Iterable[float]) -> Iterator[Shown]:
        """The frames on screen at the wanted times, in order of presentation, each once."""
        with open_container(self.uri, self.storage_options) as container:
            stream = video_stream(container, self.uri)
            time_base = picture_time_base(container, stream, self.uri)
            moments = sorted((Moment(last_tick_at(t, time_base), t) for t in times_s), key=lambda m: m.wanted_s)
            if not has_times(container, stream):
                yield from _pick(self._all_frames(container, stream), deque(moments))
            elif moments:
                yield from Sampler(self, container, stream, deque(moments)).run()

    def frame_by_decoding(self, tick: int) -> tuple[Shown | None, list[Problem]]:
        """The last frame shown at or before `tick`, by decoding all there is from further and further back.

        For what a plan cannot foresee: packets without a picture, keyframes that do not stand alone. An error counts
        only where it cannot come from beginning too late; those that count are the second value.
        """
        start, step = tick, 1
        while True:
            attempt = self._attempt(tick, start)
            if attempt.is_conclusive:
                return attempt.shown, attempt.errors
            start, step = min(start, attempt.landed_tick) - step, step * 2

    def _attempt(self, tick: int, start: int) -> Attempt:
        with open_container(self.uri, self.storage_options) as container:
            stream = video_stream(container, self.uri)
            time_base = picture_time_base(container, stream, self.uri)
            reader, errors, doubts = PacketReader(container, stream, self.report), list[Problem](), list[Problem]()
            at_start = reader.jump(start)

            def judge(problem: Problem) -> None:
                (doubts if reader.is_warming_up and not at_start else errors).append(problem)

            shown = _last_at(tick, _decode_on(reader, Decoder(stream, judge)), time_base, or_first=at_start)
            in_doubt = bool(doubts) and (shown is None or reader.is_warming_up or shown.damaged)
            conclusive = at_start or (shown is not None and (bool(errors) or not in_doubt))
            return Attempt(shown, errors, conclusive, reader.landed_tick)

    def _all_frames(self, container: InputContainer, stream: VideoStream) -> Iterator[Shown]:
        time_base, timed = picture_time_base(container, stream, self.uri), has_times(container, stream)
        reader, decoder = PacketReader(container, stream, self.report), Decoder(stream, self.report)
        for index, decoded in enumerate(_decode_on(reader, decoder)):
            pts = decoded.frame.pts if timed else index
            if pts is None:
                self.report(Problem("picture_without_time", f"picture {index} has no presentation time: left out"))
            else:
                yield Shown(decoded.frame, seconds(pts, time_base), [], decoded.damaged)


class Sampler:
    """Reads, plans and decodes one open container for a queue of moments."""

    def __init__(self, source: Source, container: InputContainer, stream: VideoStream, wanted: deque[Moment]) -> None:
        self._source, self._wanted = source, wanted
        self._time_base = picture_time_base(container, stream, source.uri)
        self._reader = PacketReader(container, stream, source.report)
        self._decoder = Decoder(stream, self._doubt)
        self._window: Window[Packet] = Window(reorder_depth(stream.codec_context.codec.canonical_name))
        self._aim: Moment | None = None
        self._trusts_keyframes = True
        # What is inside the decoder and has not come out: pts → the moments it answers.
        self._pending: dict[int, list[Moment]] = {}
        # An error may only mean that decoding began too late; once one is confirmed, all up to the next keyframe count.
        self._damage_confirmed = False

    def run(self) -> Iterator[Shown]:
        """The frames, in order of presentation."""
        while self._wanted:
            yield from self._jump_if_it_saves()
            run = self._next_run()
            if run is None:
                break
            yield from self._decode(run)
        yield from self._finish()
        for moment in self._wanted:
            self._source.report(
                Problem("picture_lost", f"nothing that can be read is on screen at {moment.wanted_s} s")
            )

    def _jump_if_it_saves(self) -> Iterator[Shown]:
        aim, self._aim = self._aim, self._wanted[0]
        if aim != self._aim and self._trusts_keyframes and self._reader.keyframe_ahead(self._aim.tick):
            # Seeking empties the decoder, too.
            yield from self._finish()
            self._reader.jump(self._aim.tick)
            self._window.clear()

    def _next_run(self) -> Run[Packet] | None:
        at_end = False
        while (run := self._window.next_run(self._wanted, at_end=at_end)) is None and not at_end:
            packet = self._reader.read()
            if packet is None:
                at_end = True
            else:
                self._window.add(packet, self._wanted[0])
        return run

    def _decode(self, run: Run[Packet]) -> Iterator[Shown]:
        if run.restart:
            yield from self._finish()
        self._pending.update(run.moments)
        for packet in run.packets:
            if packet.is_keyframe:
                self._damage_confirmed = False
            yield from self._answers(self._decoder.feed(packet, wanted=packet.pts in run.moments))

    def _doubt(self, problem: Problem) -> None:
        if self._damage_confirmed:
            self._source.report(problem)

    def _finish(self) -> Iterator[Shown]:
        yield from self._answers(self._decoder.drain())
        yield from self._examine(sorted(self._pending))

    def _answers(self, frames: list[Decoded]) -> Iterator[Shown]:
        for decoded in frames if self._pending else []:
            pts = decoded.frame.pts
            if pts is None:
                continue
            yield from self._examine(sorted(tick for tick in self._pending if tick < pts))
            if pts in self._pending and decoded.damaged and not self._damage_confirmed:
                yield from self._examine([pts])
            elif pts in self._pending:
                yield Shown(decoded.frame, seconds(pts, self._time_base), self._pending.pop(pts), decoded.damaged)

    def _examine(self, ticks: list[int]) -> Iterator[Shown]:
        """What is on screen where a packet gave no picture, or a doubtful one."""
        for tick in ticks:
            moments = self._pending.pop(tick)
            shown, errors = (None, []) if self._damage_confirmed else self._source.frame_by_decoding(tick)
            for problem in errors:
                self._source.report(problem)
            self._damage_confirmed |= bool(errors)
            if shown is None or (self._damage_confirmed and shown.frame.pts != tick):
                when = ", ".join(f"{m.wanted_s} s" for m in moments)
                self._source.report(Problem("picture_lost", f"the picture on screen at {when} does not decode"))
                continue
            if shown.frame.pts == tick and not errors:
                # It is there, further back: the plan began at a keyframe that does not stand alone.
                self._trusts_keyframes = False
                self._window.distrust_keyframes()
            yield Shown(shown.frame, shown.pts_s, moments, shown.damaged)


def picture_time_base(container: InputContainer, stream: VideoStream, uri: str) -> Fraction:
    """Seconds a tick; where the container tells no times, the time of one picture.

    Raises:
        UnreadableVideo: neither times nor a frame rate.
    """
    time_base = stream.time_base if has_times(container, stream) else 1 / (stream.average_rate or math.inf)
    if not time_base:
        raise UnreadableVideo(f"{uri}: it tells neither times nor a frame rate. Re-encode it as MP4 or Matroska.")
    return Fraction(time_base)


def _decode_on(reader: PacketReader, decoder: Decoder) -> Iterator[Decoded]:
    for packet in reader.rest():
        yield from decoder.feed(packet)
    yield from decoder.drain()


def _last_at(tick: int, frames: Iterator[Decoded], time_base: Fraction, *, or_first: bool) -> Shown | None:
    """The last frame shown at or before `tick`; with `or_first`, the first one if none is."""
    best: Shown | None = None
    for decoded in frames:
        pts = decoded.frame.pts
        if pts is not None and (pts <= tick or (or_first and best is None)):
            best = Shown(decoded.frame, seconds(pts, time_base), [], decoded.damaged)
        if pts is not None and pts > tick:
            break
    return best


def _pick(frames: Iterator[Shown], wanted: deque[Moment]) -> Iterator[Shown]:
    """Of all frames, those on screen at the wanted moments."""
    last: Shown | None = None
    for shown in itertools.chain(frames, [None]):
        answered = []
        while last and wanted and (shown is None or wanted[0].wanted_s < shown.pts_s):
            answered.append(wanted.popleft())
        if last and answered:
            yield replace(last, moments=answered)
        if not wanted:
            return
        last = shown
