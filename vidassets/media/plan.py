"""Which packets a sample needs: decided from the packets alone, before anything is decoded.

A picture is on screen from its own presentation time to that of the next picture. Packets come in decoding order, so
the next picture is known only after a look ahead: no codec lets more than `reorder_depth` pictures come before another
in decoding order and after it on screen, so once that many and one more with later times have been read, nothing that
is still to come can be shown before them. Container durations and decoding times play no part: both are invented by
some containers.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

# ITU-T H.264 and H.265 allow a decoded picture buffer of 16 pictures. 16 is safe for every other codec, too: it costs a
# look ahead at packets, no decoding. VP8, VP9 and AV1 hide what they reorder inside a packet; the rest of the list have
# no pictures that lean on others, and large packets.
ANY_REORDER_DEPTH = 16
IN_ORDER_CODECS = frozenset(
    {"vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "jpeg2000", "ffv1", "huffyuv", "utvideo", "png", "rawvideo"}
)

# A run of undecided packets larger than this is decoded on the way, so that an endless group of pictures needs no
# more memory. Chosen here.
HELD_BYTES = 32 << 20


def reorder_depth(codec: str) -> int:
    """How many pictures may come before another in decoding order and after it on screen."""
    return 0 if codec in IN_ORDER_CODECS else ANY_REORDER_DEPTH


class PacketTimes(Protocol):
    """What the plan looks at in a packet."""

    pts: int | None
    size: int
    is_keyframe: bool
    is_discard: bool


PacketT = TypeVar("PacketT", bound=PacketTimes)


@dataclass(frozen=True, slots=True)
class Moment:
    """A wanted time: in seconds as it was asked for, and the last tick at or before it."""

    tick: int
    wanted_s: float


@dataclass(frozen=True, slots=True)
class Run(Generic[PacketT]):
    """Packets to decode next, in order.

    Attributes:
        packets: the run.
        moments: which moments each wanted packet answers, by its pts; the others are decoded only if others need them.
        restart: whether it begins at a keyframe with everything before it left out.
    """

    packets: list[PacketT]
    moments: dict[int, list[Moment]]
    restart: bool


class Window(Generic[PacketT]):
    """Packets that were read and are not decoded yet, in decoding order."""

    def __init__(self, reorder_depth: int) -> None:
        self._reorder_depth = reorder_depth
        self._packets: list[PacketT] = []
        self._restart = self._trusts_keyframes = True
        self._n_bytes = self._n_beyond = 0
        self._tick: int | None = None

    def clear(self) -> None:
        """Forgets everything read; the next run begins anew."""
        self._packets, self._n_bytes, self._n_beyond, self._restart = [], 0, 0, True

    def distrust_keyframes(self) -> None:
        """From now on nothing is left out: a keyframe of this stream did not stand alone."""
        self._trusts_keyframes = False

    def add(self, packet: PacketT, wanted: Moment) -> None:
        """Takes the next packet in decoding order; `wanted` is the earliest moment without an answer."""
        if self._tick != wanted.tick:
            self._aim(wanted.tick)
        self._packets.append(packet)
        self._n_bytes += packet.size
        pts = shown_at(packet)
        self._n_beyond += pts is not None and pts > wanted.tick
        self._leave_out_before(len(self._packets) - 1, wanted.tick)

    def _aim(self, tick: int) -> None:
        self._tick = tick
        self._n_beyond = sum(pts > tick for pts in map(shown_at, self._packets) if pts is not None)
        for i in reversed(range(len(self._packets))):
            if self._leave_out_before(i, tick):
                return

    def _leave_out_before(self, i: int, tick: int) -> bool:
        """Drops the packets before the i-th, if it is a keyframe from which the wanted moment can be reached.

        With few packets held there is little to save, and going on is right even where a "keyframe" is only the
        beginning of a gradual refresh.
        """
        pts = shown_at(self._packets[i])
        if not self._trusts_keyframes or not self._packets[i].is_keyframe or i <= self._reorder_depth:
            return False
        if pts is None or pts > tick:
            return False
        self._packets, self._restart = self._packets[i:], True
        self._n_bytes = sum(packet.size for packet in self._packets)
        self._n_beyond = sum(after > tick for after in map(shown_at, self._packets) if after is not None)
        return True

    def next_run(self, wanted: deque[Moment], *, at_end: bool) -> Run[PacketT] | None:
        """What to decode for the earliest of the `wanted` moments, which are ascending; answered ones are removed.

        None while more must be read, or at the end when nothing is left.
        """
        # The cheap test comes first: this is asked after every packet.
        if not at_end and self._n_beyond <= self._reorder_depth and self._n_bytes <= HELD_BYTES:
            return None
        times = [pts for pts in map(shown_at, self._packets) if pts is not None]
        if not times:
            return None
        target = max((pts for pts in times if pts <= wanted[0].tick), default=min(times))
        n_packets = next(i for i, packet in enumerate(self._packets) if shown_at(packet) == target) + 1
        reach = max(wanted[0].tick, *(pts for pts in map(shown_at, self._packets[:n_packets]) if pts is not None))
        if at_end or sum(pts > reach for pts in times) > self._reorder_depth:
            return self._take(n_packets, self._answered(wanted, n_packets))
        if self._n_bytes > HELD_BYTES:
            return self._take(self._n_surely_unwanted(target), {}) if self._n_surely_unwanted(target) else None
        return None

    def _answered(self, wanted: deque[Moment], n_packets: int) -> dict[int, list[Moment]]:
        """The moments that the first `n_packets` packets answer, by pts; taken out of `wanted`."""
        times = sorted({pts for pts in map(shown_at, self._packets) if pts is not None})
        run = {pts for pts in map(shown_at, self._packets[:n_packets]) if pts is not None}
        moments: dict[int, list[Moment]] = {}
        kept: list[Moment] = []
        while wanted:
            target = times[max(bisect_right(times, wanted[0].tick) - 1, 0)]
            if target > max(run):
                break
            if target in run:
                moments.setdefault(target, []).append(wanted.popleft())
            else:
                kept.append(wanted.popleft())
        wanted.extendleft(reversed(kept))
        return moments

    def _n_surely_unwanted(self, target: int) -> int:
        """How many packets at the head come on screen before `target`, which is at or before every wanted moment."""
        for i, packet in enumerate(self._packets):
            pts = shown_at(packet)
            if pts is not None and pts >= target:
                return i
        return len(self._packets)

    def _take(self, n_packets: int, moments: dict[int, list[Moment]]) -> Run[PacketT]:
        run = Run(self._packets[:n_packets], moments, self._restart)
        self._packets = self._packets[n_packets:]
        self._n_bytes = sum(packet.size for packet in self._packets)
        self._tick, self._restart = None, False
        return run


def shown_at(packet: PacketTimes) -> int | None:
    """When the packet's picture comes on screen, in ticks; None if never: an edit list cuts it away."""
    return None if packet.is_discard else packet.pts
