"""A single-threaded decoder that reports errors, and marks the pictures that an error may have damaged."""

import math
from dataclasses import dataclass

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidassets.media.clock import seconds
from vidassets.media.opening import DECODER_LIMITS
from vidassets.media.problems import OnProblem, Problem

# Codecs whose decoder skips exactly the pictures that no other picture depends on. HEVC is not one of them: a picture
# that its own temporal layer does not need may be needed by the next layer.
SKIPPING_CODECS = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})


@dataclass(slots=True)
class DamagedSpan:
    """The times, in ticks, between a decoding error and the keyframe after it."""

    start: float
    end: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A frame, and whether it may depend on a picture that did not decode."""

    frame: VideoFrame
    damaged: bool


class Decoder:
    """Decodes packets in the order given. Packets that are not wanted may be skipped if no other depends on them."""

    def __init__(self, stream: VideoStream, report: OnProblem) -> None:
        self._stream, self._context, self._report = stream, stream.codec_context, report
        # More threads cost 8-20 % more CPU for at best half the wall time; clips are processed in parallel instead.
        self._context.thread_count = 1
        # Without this, a broken packet silently becomes a grey or smeared picture.
        self._context.options = {**self._context.options, **DECODER_LIMITS, "err_detect": "explode"}
        self._skips = self._context.codec.name in SKIPPING_CODECS
        self._damaged_spans: list[DamagedSpan] = []
        self._shown_until: float = -math.inf
        self._began_at: int | None = None

    def feed(self, packet: Packet, *, wanted: bool = True) -> list[DecodedFrame]:
        """Return the pictures that come out, in presentation order; not necessarily the packet's own.

        Args:
            packet: the next packet in decoding order.
            wanted: False lets the decoder skip the picture if no other picture depends on it.
        """
        if self._began_at is None:
            self._began_at = packet.pts
        # A keyframe ends the damage of an earlier error.
        spans = self._damaged_spans
        if packet.is_keyframe and packet.pts is not None and spans and spans[-1].end == math.inf:
            spans[-1].end = packet.pts
        if packet.is_corrupt:
            self._report_error(packet.pts, "its container marks it as damaged")
        if self._skips:
            self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            return self._decoded(self._context.decode(packet))
        except FFmpegError as error:
            # In an open group, pictures shown before the keyframe where decoding started depend on earlier pictures:
            # an error there is expected.
            if packet.pts is None or self._began_at is None or packet.pts >= self._began_at:
                self._report_error(packet.pts, error.strerror)
            return []

    def drain(self) -> list[DecodedFrame]:
        """Return the pictures still inside, in presentation order, and reset the decoder for any next keyframe."""
        try:
            return self._decoded(self._context.decode(None)) if self._context.is_open else []
        except FFmpegError as error:
            self._report_error(None, error.strerror)
            return []
        finally:
            self._context.flush_buffers()
            self._damaged_spans, self._shown_until, self._began_at = [], -math.inf, None

    def _decoded(self, frames: list[VideoFrame]) -> list[DecodedFrame]:
        decoded = [DecodedFrame(frame, frame.is_corrupt or self._is_damaged(frame.pts)) for frame in frames]
        if frames and frames[-1].pts is not None:
            self._shown_until = frames[-1].pts
        return decoded

    def _is_damaged(self, tick: int | None) -> bool:
        return any(tick is None or span.start < tick < span.end for span in self._damaged_spans)

    def _report_error(self, tick: int | None, why: str | None) -> None:
        base = self._stream.time_base
        where = "at an unknown time" if tick is None or base is None else f"at {seconds(tick, base):.3f} s"
        self._report(Problem("decode_error", f"the picture {where} does not decode: {why}"))
        # The damage starts after the last picture that came out whole, and lasts until the next keyframe.
        if not self._damaged_spans or self._damaged_spans[-1].end != math.inf:
            self._damaged_spans.append(DamagedSpan(self._shown_until))
