"""Statistics of a container's packets, stream by stream, and the timing derived from them."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vidassets.media.clock import LONGEST_HOLE_S, seconds
from vidassets.media.packets import has_times
from vidassets.media.problems import OnProblem, Problem

# A measured frame rate this close to the header's is replaced by the header's exact fraction (30000/1001). Chosen here.
FRAME_RATE_TOLERANCE = 0.002
# An interval that differs from the median by more than this share makes a frame rate variable. Chosen here: far above
# rounding to milliseconds, far below one dropped frame.
INTERVAL_TOLERANCE = 0.1


class Track:
    """Packet statistics of one stream; times are in ticks of its time base.

    Attributes:
        ticks: presentation times in decoding order, without packets that an edit list removes.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.ticks = array("q")
        self.n_packets = self.n_keyframes = self.n_untimed = self.n_corrupt = self.n_backward = 0
        self.end_tick: int | None = None
        self._last_dts: int | None = None

    def count(self, packet: Packet) -> None:
        """Add one packet to the statistics."""
        self.n_packets += 1
        self.n_corrupt += packet.is_corrupt
        if packet.dts is not None:
            self.n_backward += self._last_dts is not None and packet.dts < self._last_dts
            self._last_dts = packet.dts
        if packet.is_discard:
            return
        self.n_keyframes += packet.is_keyframe
        if packet.pts is None:
            self.n_untimed += 1
            return
        self.ticks.append(packet.pts)
        end = packet.pts + (packet.duration or 0)
        self.end_tick = end if self.end_tick is None else max(self.end_tick, end)

    def believable_ticks(self) -> list[int]:
        """Return the presentation times in order, without those that are damaged: further away than `LONGEST_HOLE_S`.

        The times are divided where two that follow each other are so far apart. The largest group is returned.
        """
        ticks = sorted(self.ticks)
        if self.stream.time_base is None:
            return ticks
        longest = LONGEST_HOLE_S / self.stream.time_base
        if not ticks or ticks[-1] - ticks[0] <= longest:
            return ticks
        edges = [0, *(i for i in range(1, len(ticks)) if ticks[i] - ticks[i - 1] > longest), len(ticks)]
        first, past = max(pairwise(edges), key=lambda edge: edge[1] - edge[0])
        return ticks[first:past]

    def seconds(self, tick: int | None) -> float:
        """Convert a tick of this stream to seconds; None gives 0."""
        return 0.0 if tick is None or self.stream.time_base is None else seconds(tick, self.stream.time_base)


@dataclass(frozen=True, slots=True)
class Timing:
    """When the pictures of a file (or its sound, if it has no pictures) start and end, in seconds.

    Attributes:
        first_s: start of the first picture.
        last_s: start of the last picture.
        duration_s: from the start of the first picture to the end of the last, which is taken to be as long as the
            average of the others.
    """

    first_s: float
    last_s: float
    duration_s: float
    frame_rate: Fraction | None = None
    is_variable: bool = False


def count_packets(container: InputContainer, report: OnProblem) -> dict[int, Track]:
    """Return statistics by stream index. Reads the container to its end, or to where damage stops it."""
    tracks = {stream.index: Track(stream) for stream in container.streams}
    try:
        for packet in container.demux():
            if packet.size and packet.stream_index in tracks:
                tracks[packet.stream_index].count(packet)
    except FFmpegError as error:
        report(Problem("demux_error", f"its packets cannot be read to the end: {error.strerror}"))
    return tracks


def sound_timing(track: Track) -> Timing:
    """Return the timing of a sound stream, from its packets' durations, which are reliable for sound."""
    ticks = track.believable_ticks()
    first, last = track.seconds(min(ticks, default=None)), track.seconds(max(ticks, default=None))
    end = track.seconds(track.end_tick) if len(ticks) == len(track.ticks) else last
    return Timing(first, last, max(end - first, 0.0))


def picture_timing(container: InputContainer, stream: VideoStream, track: Track) -> Timing:
    """Return the timing of a video stream, measured from presentation times, never from packet durations."""
    header_rate = stream.average_rate
    if not has_times(container, stream) or not track.ticks:
        frame_s = 1 / header_rate if header_rate else Fraction(0)
        return Timing(0.0, float((track.n_packets - 1) * frame_s), float(track.n_packets * frame_s), header_rate)
    ticks = track.believable_ticks()
    first_s, last_s, span = track.seconds(ticks[0]), track.seconds(ticks[-1]), ticks[-1] - ticks[0]
    if not span or stream.time_base is None:
        # A single picture has no interval to measure: use the header.
        return Timing(first_s, last_s, float(1 / header_rate) if header_rate else 0.0, header_rate)
    rate = (len(ticks) - 1) / (span * stream.time_base)
    if header_rate and abs(rate / header_rate - 1) < FRAME_RATE_TOLERANCE:
        rate = header_rate
    duration_s = float(span * stream.time_base * len(ticks) / (len(ticks) - 1))
    return Timing(first_s, last_s, duration_s, rate.limit_denominator(100_000), _is_variable(ticks))


def _is_variable(ticks: list[int]) -> bool:
    intervals = [after - before for before, after in pairwise(ticks)]
    usual = median(intervals)
    # Times rounded to whole ticks make intervals differ by one tick.
    rounding = 1 if usual >= 10 else 0
    return any(abs(interval - usual) > INTERVAL_TOLERANCE * usual + rounding for interval in intervals)
