"""One decoder thread that says what it cannot decode, and which pictures that may have harmed."""

import math
from dataclasses import dataclass

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidassets.media.clock import seconds
from vidassets.media.problems import OnProblem, Problem

# Codecs whose decoder leaves out pictures that no other picture needs, exactly. HEVC is not one: a picture that its own
# temporal layer does not need may be needed by the next.
SKIPPING_CODECS = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})


@dataclass(slots=True)
class Harm:
    """Times, in ticks, between an error and the keyframe after it."""

    start: float
    end: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A frame, and whether it may lean on something that did not decode."""

    frame: VideoFrame
    damaged: bool


class Decoder:
    """Decodes packets in the order given; a packet that is not wanted may be left out if no other needs it."""

    def __init__(self, stream: VideoStream, report: OnProblem) -> None:
        self._stream, self._context, self._report = stream, stream.codec_context, report
        # More threads cost 8-20 % CPU for at best half the wall time: clips are what runs side by side.
        self._context.thread_count = 1
        # Without it a broken packet becomes a grey or smeared picture, and nobody is told.
        self._context.options = {**self._context.options, "err_detect": "explode"}
        self._skips = self._context.codec.name in SKIPPING_CODECS
        self._harm: list[Harm] = []
        self._shown_until: float = -math.inf
        self._began_at: int | None = None

    def feed(self, packet: Packet, *, wanted: bool = True) -> list[Decoded]:
        """The pictures that come out, in order of presentation; not necessarily the packet's own."""
        if self._began_at is None:
            self._began_at = packet.pts
        if packet.is_keyframe and packet.pts is not None and self._harm and self._harm[-1].end == math.inf:
            self._harm[-1].end = packet.pts
        if packet.is_corrupt:
            self._blame(packet.pts, "its container marks it as damaged")
        if self._skips:
            self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            return self._decoded(self._context.decode(packet))
        except FFmpegError as error:
            # Pictures shown before the keyframe where decoding began may need those before it: an open group.
            if packet.pts is None or self._began_at is None or packet.pts >= self._began_at:
                self._blame(packet.pts, error.strerror)
            return []

    def drain(self) -> list[Decoded]:
        """What is still inside, in order of presentation; then the decoder is ready for a keyframe anywhere."""
        try:
            return self._decoded(self._context.decode(None)) if self._context.is_open else []
        except FFmpegError as error:
            self._blame(None, error.strerror)
            return []
        finally:
            self._context.flush_buffers()
            self._harm, self._shown_until, self._began_at = [], -math.inf, None

    def _decoded(self, frames: list[VideoFrame]) -> list[Decoded]:
        decoded = [Decoded(frame, frame.is_corrupt or self._is_harmed(frame.pts)) for frame in frames]
        if frames and frames[-1].pts is not None:
            self._shown_until = frames[-1].pts
        return decoded

    def _is_harmed(self, tick: int | None) -> bool:
        return any(tick is None or harm.start < tick < harm.end for harm in self._harm)

    def _blame(self, tick: int | None, why: str | None) -> None:
        base = self._stream.time_base
        where = "at an unknown time" if tick is None or base is None else f"at {seconds(tick, base):.3f} s"
        self._report(Problem("decode_error", f"the picture {where} does not decode: {why}"))
        if not self._harm or self._harm[-1].end != math.inf:
            self._harm.append(Harm(self._shown_until))
