"""Decoded frames of a video: those on screen at wanted times, or all of them, decoding no more than necessary."""

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
from vidassets.media.decoder import DecodedFrame, Decoder
from vidassets.media.opening import open_container, video_stream
from vidassets.media.packets import PacketReader, has_times
from vidassets.media.plan import Run, WantedTime, Window, reorder_depth
from vidassets.media.problems import OnProblem, Problem
from vidassets.remote_files import StorageOptions


@dataclass(frozen=True, slots=True, eq=False)
class ShownFrame:
    """A decoded frame, when it is shown, which wanted times it answers, and whether an error may have damaged it."""

    frame: VideoFrame
    pts_s: float
    wanted_times: list[WantedTime]
    damaged: bool


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One attempt to decode a frame.

    Attributes:
        shown: the frame on screen, or None.
        errors: decoding errors that cannot come from starting too late.
        is_conclusive: starting earlier would not change the result.
        landed_tick: where reading started.
    """

    shown: ShownFrame | None
    errors: list[Problem]
    is_conclusive: bool
    landed_tick: int


class FrameReader:
    """Reads the frames of one video; each method opens the file again."""

    def __init__(self, uri: str, storage_options: StorageOptions | None, on_problem: OnProblem) -> None:
        self.uri, self.storage_options, self._on_problem = uri, storage_options, on_problem
        self._reported: set[Problem] = set()

    def report(self, problem: Problem) -> None:
        """Pass a problem to `on_problem`, unless it has been reported before."""
        if problem not in self._reported:
            self._reported.add(problem)
            self._on_problem(problem)

    def all_frames(self) -> Iterator[ShownFrame]:
        """Yield every frame in presentation order."""
        with open_container(self.uri, self.storage_options) as container:
            yield from self._all_frames(container, video_stream(container, self.uri))

    def frames_at(self, times_s: Iterable[float]) -> Iterator[ShownFrame]:
        """Yield the frames on screen at the wanted times, in presentation order, each frame once."""
        with open_container(self.uri, self.storage_options) as container:
            stream = video_stream(container, self.uri)
            time_base = picture_time_base(container, stream, self.uri)
            wanted = sorted((WantedTime(last_tick_at(t, time_base), t) for t in times_s), key=lambda w: w.wanted_s)
            if not has_times(container, stream):
                yield from _pick(self._all_frames(container, stream), deque(wanted))
            elif wanted:
                yield from Sampler(self, container, stream, deque(wanted)).run()

    def frame_by_decoding(self, tick: int) -> tuple[ShownFrame | None, list[Problem]]:
        """Return the last frame shown at or before `tick`, decoding everything from further and further back.

        This handles what a plan cannot foresee: packets without a picture, and keyframes that do not decode on their
        own. The second value lists the errors that cannot come from starting too late.
        """
        start, step = tick, 1
        while True:
            attempt = self._attempt(tick, start)
            if attempt.is_conclusive:
                return attempt.shown, attempt.errors
            # Double the step back each time, so that few attempts reach the start of the file.
            start, step = min(start, attempt.landed_tick) - step, step * 2

    def _attempt(self, tick: int, start: int) -> Attempt:
        with open_container(self.uri, self.storage_options) as container:
            stream = video_stream(container, self.uri)
            time_base = picture_time_base(container, stream, self.uri)
            reader, errors, doubts = PacketReader(container, stream, self.report), list[Problem](), list[Problem]()
            at_start = reader.jump(start)

            def judge(problem: Problem) -> None:
                # Before the second keyframe, an error may only mean that decoding started too late.
                (doubts if reader.is_warming_up and not at_start else errors).append(problem)

            shown = _last_at(tick, _decode_on(reader, Decoder(stream, judge)), time_base, or_first=at_start)
            in_doubt = bool(doubts) and (shown is None or reader.is_warming_up or shown.damaged)
            conclusive = at_start or (shown is not None and (bool(errors) or not in_doubt))
            return Attempt(shown, errors, conclusive, reader.landed_tick)

    def _all_frames(self, container: InputContainer, stream: VideoStream) -> Iterator[ShownFrame]:
        time_base, timed = picture_time_base(container, stream, self.uri), has_times(container, stream)
        reader, decoder = PacketReader(container, stream, self.report), Decoder(stream, self.report)
        for index, decoded in enumerate(_decode_on(reader, decoder)):
            pts = decoded.frame.pts if timed else index
            if pts is None:
                self.report(Problem("picture_without_time", f"picture {index} has no presentation time: left out"))
            else:
                yield ShownFrame(decoded.frame, seconds(pts, time_base), [], decoded.damaged)


class Sampler:
    """Reads, plans and decodes one open container for a queue of wanted times.

    Packets are read into a window (`plan.Window`) until it is certain which of them are needed. These are decoded as a
    run, and the frames that come out are matched with the wanted times by pts. Where the index knows a later keyframe
    before the next wanted time, reading jumps to it.
    """

    def __init__(
        self, reader: FrameReader, container: InputContainer, stream: VideoStream, wanted: deque[WantedTime]
    ) -> None:
        self._frame_reader, self._wanted = reader, wanted
        self._time_base = picture_time_base(container, stream, reader.uri)
        self._packets = PacketReader(container, stream, reader.report)
        self._decoder = Decoder(stream, self._doubt)
        self._window: Window[Packet] = Window(reorder_depth(stream.codec_context.codec.canonical_name))
        self._aim: WantedTime | None = None
        self._trusts_keyframes = True
        # Frames still inside the decoder: pts → the wanted times that the frame answers.
        self._pending: dict[int, list[WantedTime]] = {}
        # An error may only mean that decoding started too late. Once one is confirmed, every error up to the next
        # keyframe is reported.
        self._damage_confirmed = False

    def run(self) -> Iterator[ShownFrame]:
        """Yield the frames in presentation order."""
        while self._wanted:
            yield from self._jump_if_it_saves()
            run = self._next_run()
            if run is None:
                break
            yield from self._decode(run)
        yield from self._finish()
        for wanted in self._wanted:
            self._frame_reader.report(
                Problem("picture_lost", f"nothing that can be read is on screen at {wanted.wanted_s} s")
            )

    def _jump_if_it_saves(self) -> Iterator[ShownFrame]:
        aim, self._aim = self._aim, self._wanted[0]
        if aim != self._aim and self._trusts_keyframes and self._packets.keyframe_ahead(self._aim.tick):
            # Seeking discards what is inside the decoder: take it out first.
            yield from self._finish()
            self._packets.jump(self._aim.tick)
            self._window.clear()

    def _next_run(self) -> Run[Packet] | None:
        """Read packets until the window knows which of them to decode; None at the end of the file."""
        at_end = False
        while (run := self._window.next_run(self._wanted, at_end=at_end)) is None and not at_end:
            packet = self._packets.read()
            if packet is None:
                at_end = True
            else:
                self._window.add(packet, self._wanted[0])
        return run

    def _decode(self, run: Run[Packet]) -> Iterator[ShownFrame]:
        if run.restart:
            yield from self._finish()
        self._pending.update(run.wanted_times)
        for packet in run.packets:
            if packet.is_keyframe:
                self._damage_confirmed = False
            yield from self._answers(self._decoder.feed(packet, wanted=packet.pts in run.wanted_times))

    def _doubt(self, problem: Problem) -> None:
        if self._damage_confirmed:
            self._frame_reader.report(problem)

    def _finish(self) -> Iterator[ShownFrame]:
        """Empty the decoder, then look again for every wanted frame that did not come out."""
        yield from self._answers(self._decoder.drain())
        yield from self._examine(sorted(self._pending))

    def _answers(self, frames: list[DecodedFrame]) -> Iterator[ShownFrame]:
        """Yield the decoded frames that are wanted; look again for those that should have come before them."""
        for decoded in frames if self._pending else []:
            pts = decoded.frame.pts
            if pts is None:
                continue
            # Frames come out in presentation order: an earlier pending one was lost.
            yield from self._examine(sorted(tick for tick in self._pending if tick < pts))
            if pts in self._pending and decoded.damaged and not self._damage_confirmed:
                yield from self._examine([pts])
            elif pts in self._pending:
                yield ShownFrame(decoded.frame, seconds(pts, self._time_base), self._pending.pop(pts), decoded.damaged)

    def _examine(self, ticks: list[int]) -> Iterator[ShownFrame]:
        """Find out by full decoding what is on screen where a packet gave no picture, or a doubtful one."""
        for tick in ticks:
            wanted_times = self._pending.pop(tick)
            shown, errors = (None, []) if self._damage_confirmed else self._frame_reader.frame_by_decoding(tick)
            for problem in errors:
                self._frame_reader.report(problem)
            self._damage_confirmed |= bool(errors)
            if shown is None or (self._damage_confirmed and shown.frame.pts != tick):
                when = ", ".join(f"{wanted.wanted_s} s" for wanted in wanted_times)
                self._frame_reader.report(Problem("picture_lost", f"the picture on screen at {when} does not decode"))
                continue
            if shown.frame.pts == tick and not errors:
                # It decodes from further back: the plan started at a keyframe that does not decode on its own.
                self._trusts_keyframes = False
                self._window.distrust_keyframes()
            yield ShownFrame(shown.frame, shown.pts_s, wanted_times, shown.damaged)


def picture_time_base(container: InputContainer, stream: VideoStream, uri: str) -> Fraction:
    """Return seconds per tick; if the container has no times, the duration of one picture.

    Raises:
        UnreadableVideo: the container has neither times nor a frame rate.
    """
    time_base = stream.time_base if has_times(container, stream) else 1 / (stream.average_rate or math.inf)
    if not time_base:
        raise UnreadableVideo(f"{uri}: has neither presentation times nor a frame rate. Re-encode it as MP4 or MKV.")
    return Fraction(time_base)


def _decode_on(reader: PacketReader, decoder: Decoder) -> Iterator[DecodedFrame]:
    for packet in reader.rest():
        yield from decoder.feed(packet)
    yield from decoder.drain()


def _last_at(tick: int, frames: Iterator[DecodedFrame], time_base: Fraction, *, or_first: bool) -> ShownFrame | None:
    """Return the last frame shown at or before `tick`; if there is none and `or_first` is set, the first frame."""
    best: ShownFrame | None = None
    for decoded in frames:
        pts = decoded.frame.pts
        if pts is not None and (pts <= tick or (or_first and best is None)):
            best = ShownFrame(decoded.frame, seconds(pts, time_base), [], decoded.damaged)
        if pts is not None and pts > tick:
            break
    return best


def _pick(frames: Iterator[ShownFrame], wanted: deque[WantedTime]) -> Iterator[ShownFrame]:
    """Yield those of all frames that are on screen at the wanted times."""
    last: ShownFrame | None = None
    for shown in itertools.chain(frames, [None]):
        # The last frame answers every wanted time before the next frame begins.
        answered = []
        while last and wanted and (shown is None or wanted[0].wanted_s < shown.pts_s):
            answered.append(wanted.popleft())
        if last and answered:
            yield replace(last, wanted_times=answered)
        if not wanted:
            return
        last = shown
