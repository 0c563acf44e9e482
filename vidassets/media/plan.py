"""Which packets to decode for a sample of frames, decided from the packets alone, before anything is decoded.

A picture is on screen from its own presentation time to that of the next picture. Packets arrive in decoding order, so
the next picture is known only after reading ahead. No codec lets more than `reorder_depth` pictures precede another
picture in decoding order and follow it on screen. Once `reorder_depth` + 1 packets with later times have been read, no
packet that is still to come can be shown before them. Container durations and decoding times are not used: some
containers invent them.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

# ITU-T H.264 and H.265 allow a decoded picture buffer of 16 pictures. 16 is safe for every other codec as well: it
# costs reading ahead, not decoding. VP8, VP9 and AV1 hide reordered pictures inside a packet. The other codecs in this
# list have no pictures that depend on others, and large packets.
ANY_REORDER_DEPTH = 16
IN_ORDER_CODECS = frozenset(
    {"vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "jpeg2000", "ffv1", "huffyuv", "utvideo", "png", "rawvideo"}
)

# More undecided packets than this are decoded as they come, so that an endless group of pictures needs no more memory.
# Chosen here.
HELD_BYTES = 32 << 20


def reorder_depth(codec: str) -> int:
    """Return how many pictures may precede another in decoding order and follow it on screen."""
    return 0 if codec in IN_ORDER_CODECS else ANY_REORDER_DEPTH


class PacketTimes(Protocol):
    """The attributes of a packet that the plan uses."""

    pts: int | None
    size: int
    is_keyframe: bool
    is_discard: bool


PacketT = TypeVar("PacketT", bound=PacketTimes)


@dataclass(frozen=True, slots=True)
class WantedTime:
    """A requested time: in seconds as requested, and the last tick at or before it."""

    tick: int
    wanted_s: float


@dataclass(frozen=True, slots=True)
class Run(Generic[PacketT]):
    """Packets to decode next, in order.

    Attributes:
        packets: the packets, in decoding order.
        wanted_times: by the pts of each wanted packet, the wanted times whose picture it holds. The other packets are
            decoded only if other pictures depend on them.
        restart: the run starts at a keyframe, and packets before it were skipped.
    """

    packets: list[PacketT]
    wanted_times: dict[int, list[WantedTime]]
    restart: bool


class Window(Generic[PacketT]):
    """Packets that have been read and not yet decoded, in decoding order."""

    def __init__(self, reorder_depth: int) -> None:
        self._reorder_depth = reorder_depth
        self._packets: list[PacketT] = []
        self._restart = self._trusts_keyframes = True
        self._n_bytes = 0
        # The earliest unanswered tick, and how many packets in the window are shown after it.
        self._tick: int | None = None
        self._n_beyond = 0

    def clear(self) -> None:
        """Drop all packets. The next run restarts at a keyframe."""
        self._packets, self._n_bytes, self._n_beyond, self._restart = [], 0, 0, True

    def distrust_keyframes(self) -> None:
        """Skip no more packets: a keyframe of this stream could not be decoded on its own."""
        self._trusts_keyframes = False

    def add(self, packet: PacketT, wanted: WantedTime) -> None:
        """Add the next packet in decoding order; `wanted` is the earliest unanswered time."""
        if self._tick != wanted.tick:
            self._aim(wanted.tick)
        self._packets.append(packet)
        self._n_bytes += packet.size
        pts = shown_at(packet)
        self._n_beyond += pts is not None and pts > wanted.tick
        self._skip_before(len(self._packets) - 1, wanted.tick)

    def _aim(self, tick: int) -> None:
        """Set the earliest unanswered tick, and skip to the last keyframe from which its picture can be decoded."""
        self._tick = tick
        self._n_beyond = sum(pts > tick for pts in map(shown_at, self._packets) if pts is not None)
        for i in reversed(range(len(self._packets))):
            if self._skip_before(i, tick):
                return

    def _skip_before(self, i: int, tick: int) -> bool:
        """Drop the packets before the i-th, if it is a keyframe from which the picture at `tick` can be decoded.

        A window of few packets is kept: there is little to save, and continuing is correct even where a "keyframe" is
        only the start of a gradual refresh.
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

    def next_run(self, wanted: deque[WantedTime], *, at_end: bool) -> Run[PacketT] | None:
        """Return what to decode for the earliest wanted time, and remove the answered times from `wanted`.

        Args:
            wanted: unanswered times, ascending.
            at_end: the stream has no more packets.

        Returns:
            None while more packets must be read, or if no packet is left at the end.
        """
        # This runs after every packet: rule out the common case cheaply.
        if not at_end and self._n_beyond <= self._reorder_depth and self._n_bytes <= HELD_BYTES:
            return None
        times = [pts for pts in map(shown_at, self._packets) if pts is not None]
        if not times:
            return None
        # The picture on screen: the last one shown at or before the wanted tick, else the first one.
        target = max((pts for pts in times if pts <= wanted[0].tick), default=min(times))
        # Decoding it takes all packets up to and including its own.
        n_packets = next(i for i, packet in enumerate(self._packets) if shown_at(packet) == target) + 1
        # The latest time that this run decides about. The choice is final once more than `reorder_depth` packets are
        # shown after it.
        reach = max(wanted[0].tick, *(pts for pts in map(shown_at, self._packets[:n_packets]) if pts is not None))
        if at_end or sum(pts > reach for pts in times) > self._reorder_depth:
            return self._take(n_packets, self._answered(wanted, n_packets))
        # Not final yet, but too much is held: decode what certainly precedes the wanted picture.
        if self._n_bytes > HELD_BYTES:
            return self._take(self._n_surely_before(target), {}) if self._n_surely_before(target) else None
        return None

    def _answered(self, wanted: deque[WantedTime], n_packets: int) -> dict[int, list[WantedTime]]:
        """Remove the times that the first `n_packets` packets answer from `wanted`; return them by pts."""
        times = sorted({pts for pts in map(shown_at, self._packets) if pts is not None})
        run = {pts for pts in map(shown_at, self._packets[:n_packets]) if pts is not None}
        answered: dict[int, list[WantedTime]] = {}
        kept: list[WantedTime] = []
        while wanted:
            # The picture on screen at the earliest wanted time.
            target = times[max(bisect_right(times, wanted[0].tick) - 1, 0)]
            if target > max(run):
                break
            if target in run:
                answered.setdefault(target, []).append(wanted.popleft())
            else:
                kept.append(wanted.popleft())
        # Times whose picture is decoded later go back to the front, in their order.
        wanted.extendleft(reversed(kept))
        return answered

    def _n_surely_before(self, target: int) -> int:
        """Count the leading packets shown before `target`, which is at or before every wanted time."""
        for i, packet in enumerate(self._packets):
            pts = shown_at(packet)
            if pts is not None and pts >= target:
                return i
        return len(self._packets)

    def _take(self, n_packets: int, wanted_times: dict[int, list[WantedTime]]) -> Run[PacketT]:
        """Remove the first `n_packets` packets from the window and return them as a run."""
        run = Run(self._packets[:n_packets], wanted_times, self._restart)
        self._packets = self._packets[n_packets:]
        self._n_bytes = sum(packet.size for packet in self._packets)
        self._tick, self._restart = None, False
        return run


def shown_at(packet: PacketTimes) -> int | None:
    """Return when the packet's picture is shown, in ticks; None if never, because an edit list removes it."""
    return None if packet.is_discard else packet.pts
