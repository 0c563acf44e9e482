"""The packets of a stream in decoding order, with jumps that are verified on landing."""

from collections.abc import Iterator

from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from vidassets.media.clock import seconds
from vidassets.media.problems import OnProblem, Problem

# Elementary streams carry no times at all; AVI carries decoding order only, which the demuxer can turn into times
# for the codecs whose picture types it parses, and these are not among them.
AVI_UNTIMED_CODECS = frozenset({"h264", "hevc"})

# Containers that hold an index of their keyframes. The others (MPEG program and transport streams, FLV …) guess byte
# positions, and their times may begin anew: they are read through, which costs a few percent of decoding them.
INDEXED_CONTAINERS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"})


def has_times(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the container tells presentation times; without them, the i-th picture is shown at i / frame rate."""
    if container.format.flags & Flags.no_timestamps.value:
        return False
    return not (container.format.name == "avi" and stream.codec_context.codec.name in AVI_UNTIMED_CODECS)


class PacketReader:
    """Reads packets forward, and jumps where the container has an index."""

    def __init__(self, container: InputContainer, stream: VideoStream, report: OnProblem) -> None:
        self._container, self._stream, self._report = container, stream, report
        self._can_jump = container.format.name in INDEXED_CONTAINERS
        self._packets = container.demux(stream)
        self._put_back: list[Packet] = []
        self._read_until: int | None = None
        self.landed_tick = self._n_keyframes = 0

    def read(self) -> Packet | None:
        """The next packet in decoding order; None at the end, or where the container is damaged beyond reading on."""
        if self._put_back:
            return self._put_back.pop()
        try:
            # AVI marks a repeated picture by a packet of no bytes.
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
        """Whether no keyframe has been passed since the one where reading began."""
        return self._n_keyframes <= 1

    def _where(self) -> str:
        base = self._stream.time_base
        return "the start" if self._read_until is None or base is None else f"{seconds(self._read_until, base):.3f} s"

    def rest(self) -> Iterator[Packet]:
        """Every packet from here on."""
        while (packet := self.read()) is not None:
            yield packet

    def keyframe_ahead(self, tick: int) -> bool:
        """Whether the index knows a keyframe at or before `tick` that has not been read yet: a jump would save."""
        if not self._can_jump:
            return False
        if self._read_until is None:
            return True
        entries = self._stream.index_entries
        at = entries.search_timestamp(tick, backward=True)
        return at >= 0 and entries[at].timestamp > self._read_until

    def jump(self, tick: int) -> bool:
        """Goes to a keyframe whose picture is shown at or before `tick`, to the first one if none is.

        Stays where it is in a container without an index. True where nothing can come before.
        """
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
                # It landed late: containers index by decoding time, which is earlier.
                tick, step = min(tick, landed.dts or tick) - step, step * 2
        return True

    def _first_tick(self) -> int:
        # A demuxer that is sent to before its first index entry may lose its place.
        entries = self._stream.index_entries
        return entries[0].timestamp if len(entries) else self._stream.start_time or 0

    def _land(self, tick: int) -> Packet | None:
        """The first keyframe after a seek; None where the container cannot go there."""
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
