"""The packets of a stream in decoding order, with jumps whose landing position is verified."""

from collections.abc import Iterator

from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from vidassets.media.clock import seconds
from vidassets.media.problems import OnProblem, Problem

# Elementary streams carry no times at all. AVI carries only the decoding order; the demuxer derives times from it for
# codecs whose picture types it parses, which excludes these.
AVI_UNTIMED_CODECS = frozenset({"h264", "hevc"})

# Containers with an index of their keyframes. The others (MPEG program and transport streams, FLV …) guess byte
# positions, and their times may restart. They are read from start to end, which costs a few percent of decoding them.
INDEXED_CONTAINERS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"})


def has_times(container: InputContainer, stream: VideoStream) -> bool:
    """Return whether the container has presentation times; if not, the i-th picture is shown at i / frame rate."""
    if container.format.flags & Flags.no_timestamps.value:
        return False
    return not (container.format.name == "avi" and stream.codec_context.codec.name in AVI_UNTIMED_CODECS)


class PacketReader:
    """Reads packets in order, and jumps to keyframes if the container has an index."""

    def __init__(self, container: InputContainer, stream: VideoStream, report: OnProblem) -> None:
        self._container, self._stream, self._report = container, stream, report
        self._can_jump = container.format.name in INDEXED_CONTAINERS
        self._packets = container.demux(stream)
        self._put_back: list[Packet] = []
        self._read_until: int | None = None
        self.landed_tick = self._n_keyframes = 0

    def read(self) -> Packet | None:
        """Return the next packet in decoding order; None at the end, or where damage makes the rest unreadable."""
        if self._put_back:
            return self._put_back.pop()
        try:
            # AVI marks a repeated picture with an empty packet.
            packet = next((packet for packet in self._packets if packet.size), None)
        except FFmpegError as error:
            self._report(Problem("demux_error", f"after {self._where()} no packet can be read: {error.strerror}"))
            return None
        self._n_keyframes += packet is not None and packet.is_keyframe
        if packet is not None and packet.pts is not None:
            self._read_until = packet.pts if self._read_until is None else max(self._read_until, packet.pts)
        return packet

    @property
    def is_warming_up(self) -> bool:
        """Whether no second keyframe has been read since reading started."""
        return self._n_keyframes <= 1

    def _where(self) -> str:
        base = self._stream.time_base
        return "the start" if self._read_until is None or base is None else f"{seconds(self._read_until, base):.3f} s"

    def rest(self) -> Iterator[Packet]:
        """Yield all remaining packets."""
        while (packet := self.read()) is not None:
            yield packet

    def keyframe_ahead(self, tick: int) -> bool:
        """Return whether a jump to `tick` would skip packets: the index has an unread keyframe at or before it."""
        if not self._can_jump:
            return False
        if self._read_until is None:
            return True
        entries = self._stream.index_entries
        at = entries.search_timestamp(tick, backward=True)
        return at >= 0 and entries[at].timestamp > self._read_until

    def jump(self, tick: int) -> bool:
        """Go to a keyframe whose picture is shown at or before `tick`, or to the first keyframe if there is none.

        Without an index, the position does not change.

        Returns:
            Whether this is the start of the stream: no packet comes before it.
        """
        # Seek, check where the seek landed, and seek further back until the keyframe is shown early enough.
        step = 1
        while self._can_jump:
            first = self._first_tick()
            landed = self._land(max(tick, first))
            if landed is None and tick > first:
                tick = first
            elif landed is None:
                break
            elif tick <= first or (landed.pts or 0) <= tick:
                self._put_back, self.landed_tick = [landed], min(landed.pts or 0, landed.dts or landed.pts or 0)
                return tick <= first
            else:
                # It landed too late: containers index by decoding time, which is earlier than presentation time.
                tick, step = min(tick, landed.dts or tick) - step, step * 2
        return True

    def _first_tick(self) -> int:
        # A demuxer may lose its position after a seek to before its first index entry.
        entries = self._stream.index_entries
        return entries[0].timestamp if len(entries) else self._stream.start_time or 0

    def _land(self, tick: int) -> Packet | None:
        """Return the first keyframe after a seek; None if the container cannot seek there."""
        landed = next((packet for packet in self.rest() if packet.is_keyframe), None) if self._seek(tick) else None
        self._n_keyframes = int(landed is not None)
        return landed

    def _seek(self, tick: int) -> bool:
        try:
            self._container.seek(tick, stream=self._stream, backward=True)
        except FFmpegError:
            return False
        self._packets, self._put_back, self._read_until = self._container.demux(self._stream), [], None
        return True
