"""Facts and problems of a video, measured from its packets and three of its pictures, not taken from its header."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median_low
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from vidassets.errors import EmptyVideo, NoVideoStream, TruncatedVideo, UnreadableVideo
from vidassets.media.opening import MAX_PIXELS, find_video_stream, open_bytes, open_container, video_stream
from vidassets.media.packets import has_times
from vidassets.media.pictures import clockwise_turn
from vidassets.media.problems import OnProblem, Problem
from vidassets.media.sampling import FrameReader, ShownFrame
from vidassets.media.tracks import Timing, Track, count_packets, picture_timing, sound_timing
from vidassets.remote_files import StorageOptions

# A header's duration may differ by this much before it is a problem. Chosen here: above the last frame and padding.
DURATION_TOLERANCE_S = 0.5
DURATION_TOLERANCE = 0.02
# A stretch without a picture is reported if it is longer than this, and longer than this many usual intervals. Chosen
# here, so that a time-lapse has none.
GAP_S = 60.0
GAP_INTERVALS = 100


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of a container; the fields are those of `streams` in `schemas.RawClip`."""

    index: int
    type: str
    codec: str | None
    language: str | None
    duration_s: float | None
    sample_rate_hz: int | None
    channels: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Facts about a video; the fields are those of `schemas.RawClip`. Picture fields are None without pictures."""

    size_bytes: int
    container: str
    duration_s: float
    header_duration_s: float | None
    first_pts_s: float
    video_codec: str | None = None
    pixel_format: str | None = None
    width: int | None = None
    height: int | None = None
    rotation_degrees: int | None = None
    sample_aspect_num: int | None = None
    sample_aspect_den: int | None = None
    frame_rate_num: int | None = None
    frame_rate_den: int | None = None
    variable_frame_rate: bool | None = None
    n_frames: int | None = None
    n_keyframes: int | None = None
    has_audio: bool
    streams: tuple[StreamFacts, ...]
    problems: tuple[Problem, ...]

    def to_row(self) -> dict[str, Any]:
        """Return the fields as plain values: the columns of `schemas.RawClip` that describe the video's content."""
        return {**asdict(self), "streams": [*map(asdict, self.streams)], "problems": [*map(asdict, self.problems)]}


def probe(uri: str, storage_options: StorageOptions | None = None) -> Probe:
    """Return the facts about a video's content.

    Reads every packet once and decodes a picture at the start, in the middle and at the end. A file with sound only
    gives a Probe with the problem `no_video_stream`.

    Raises:
        SourceMissing, SourceUnreadable, EmptyVideo, TruncatedVideo: see `open_container`; also EmptyVideo if the
            streams hold no packet, and TruncatedVideo if no picture in the remaining part of the file decodes.
        NoVideoStream: the file contains neither video nor sound.
        UnreadableVideo: none of the three pictures decodes.
    """
    problems: list[Problem] = []
    with open_bytes(uri, storage_options) as file:
        size_bytes = file.seek(0, 2)
    with open_container(uri, storage_options) as container:
        tracks = count_packets(container, problems.append)
        found = find_video_stream(container)
        track = tracks[found.index] if found else next((t for t in tracks.values() if t.n_packets), None)
        if track is None or not track.n_packets:
            raise EmptyVideo(f"{uri}: its streams hold no packet. Copy or record it again, or take it out.")
        if found is None and not container.streams.audio:
            held = ", ".join(sorted({stream.type for stream in container.streams}))
            raise NoVideoStream(
                f"{uri}: neither video nor sound (streams found: {held}). Replace the file, or remove the clip with "
                "`vidassets remove KEY`."
            )
        video = video_stream(container, uri) if found else None
        timing = picture_timing(container, video, track) if video else sound_timing(track)
        facts: dict[str, Any] = {
            "size_bytes": size_bytes,
            "container": container.format.name,
            "duration_s": timing.duration_s,
            "header_duration_s": _header_duration_s(container),
            "first_pts_s": timing.first_s,
            "has_audio": bool(container.streams.audio),
            "streams": tuple(_stream_facts(stream) for stream in container.streams),
        }
        _judge_durations(container, tracks, problems.append)
        if video is None:
            problems.append(Problem("no_video_stream", "it holds no pictures"))
        else:
            _judge_packets(track, problems.append, timed=has_times(container, video))
            facts |= _video_facts(video, track, timing)
    if facts.get("n_frames") is not None:
        facts |= _look_at_pictures(FrameReader(uri, storage_options, _ignore), timing, problems)
    return Probe(**facts, problems=tuple(problems))


def _ignore(_problem: Problem) -> None:
    """Ignore problems of single pictures: `_look_at_pictures` reports the places that do not decode."""


def _header_duration_s(container: InputContainer) -> float | None:
    return None if container.duration is None else container.duration / av.time_base


def _stream_facts(stream: Stream) -> StreamFacts:
    context = stream.codec_context
    return StreamFacts(
        index=stream.index,
        type=stream.type,
        codec=context.codec.canonical_name if context else None,
        language=stream.language,
        duration_s=None if stream.duration is None else float(stream.duration * (stream.time_base or 1)),
        sample_rate_hz=stream.sample_rate if isinstance(stream, AudioStream) else None,
        channels=stream.channels if isinstance(stream, AudioStream) else None,
    )


def _video_facts(video: VideoStream, track: Track, timing: Timing) -> dict[str, Any]:
    # Without an aspect ratio, players assume square pixels.
    aspect = video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio or 1
    return {
        "video_codec": video.codec_context.codec.canonical_name,
        "sample_aspect_num": aspect.numerator,
        "sample_aspect_den": aspect.denominator,
        "frame_rate_num": timing.frame_rate.numerator if timing.frame_rate else None,
        "frame_rate_den": timing.frame_rate.denominator if timing.frame_rate else None,
        "variable_frame_rate": timing.is_variable,
        "n_frames": len(track.ticks) + track.n_untimed,
        "n_keyframes": track.n_keyframes,
    }


def _judge_durations(container: InputContainer, tracks: dict[int, Track], report: OnProblem) -> None:
    """Report a lost tail, or a header whose duration differs from that of the packets."""
    header_s = _header_duration_s(container)
    timed = [track for track in tracks.values() if track.ticks]
    if header_s is None or not timed:
        return
    start_s = min(track.seconds(min(track.ticks)) for track in timed)
    found_s = max(track.seconds(track.end_tick) for track in timed) - start_s
    off = abs(header_s - found_s) > max(DURATION_TOLERANCE_S, DURATION_TOLERANCE * found_s)
    missing = any(track.n_packets < track.stream.frames for track in timed if track.stream.type in ("video", "audio"))
    if missing and header_s > found_s:
        report(Problem("truncated_tail", f"the file contains {found_s:.3f} s of the {header_s:.3f} s in its index"))
    elif off:
        hint = "; or its tail is lost" if header_s > found_s else ""
        report(Problem("header_duration_wrong", f"its header says {header_s:.3f} s, its packets {found_s:.3f} s{hint}"))


def _judge_packets(track: Track, report: OnProblem, *, timed: bool) -> None:
    """Report irregularities in a video stream's packets."""
    n_header, n_twice = track.stream.frames, len(track.ticks) - len(set(track.ticks))
    if n_header and n_header != track.n_packets:
        detail = f"its header says {n_header} frames, the file contains {track.n_packets}"
        report(Problem("header_frame_count_wrong", detail))
    if track.n_corrupt:
        report(Problem("corrupt_packets", f"its container marks {track.n_corrupt} packets as damaged"))
    if not timed:
        report(Problem("pts_missing", "no presentation times: pictures are counted and timed by the frame rate"))
        return
    if track.n_untimed:
        report(Problem("pts_missing", f"{track.n_untimed} packets have no presentation time"))
    if track.n_backward:
        report(Problem("pts_not_monotonic", f"its times jump back {track.n_backward} times"))
    _judge_jumps(track, report)
    if n_twice:
        report(Problem("pts_repeated", f"{n_twice} pictures have the time of another"))


def _judge_jumps(track: Track, report: OnProblem) -> None:
    """Report times that are too far away to be true, and long stretches without a picture."""
    ticks = track.believable_ticks()
    if len(ticks) < len(track.ticks):
        damaged = sorted(set(track.ticks) - set(ticks))
        detail = (
            f"{len(damaged)} pictures are over a day away from the others, the first at {track.seconds(damaged[0])} s"
        )
        report(Problem("pts_jump", f"{detail}: their times are damaged, they are left out"))
    intervals = [after - before for before, after in pairwise(ticks)]
    longest = max(intervals, default=0)
    if track.seconds(longest) > GAP_S and longest > GAP_INTERVALS * median_low(intervals):
        start = track.seconds(ticks[intervals.index(longest)])
        report(Problem("pts_gap", f"no picture for {track.seconds(longest):.0f} s after {start:.3f} s"))


def _look_at_pictures(reader: FrameReader, timing: Timing, problems: list[Problem]) -> dict[str, Any]:
    """Return size, format and rotation as decoded; add a problem for each place that does not decode."""
    places = {"start": timing.first_s, "middle": (timing.first_s + timing.last_s) / 2, "end": timing.last_s}
    shown: list[ShownFrame] = list(reader.frames_at(places.values()))
    if not shown:
        cut_off = any(problem.code == "truncated_tail" for problem in problems)
        raise (TruncatedVideo if cut_off else UnreadableVideo)(
            f"{reader.uri}: no picture decodes at the start, in the middle or at the end. Re-encode the file from "
            f"its origin, with at most {MAX_PIXELS / 1e6:.0f} million pixels a picture (8192x8192), or remove the clip "
            "with `vidassets remove KEY`."
        )
    intact = {wanted.wanted_s for s in shown if not s.damaged for wanted in s.wanted_times}
    for place, time_s in places.items():
        if time_s not in intact:
            problems.append(Problem(f"decode_error_{place}", f"the picture at {time_s:.3f} s does not decode"))
    sizes = list(dict.fromkeys((s.frame.width, s.frame.height) for s in shown))
    if len(sizes) > 1:
        sizes_text = ", ".join(f"{width}x{height}" for width, height in sizes)
        problems.append(Problem("size_changes", f"its pictures have several sizes: {sizes_text}"))
    turn, (width, height) = clockwise_turn(shown[0].frame), sizes[0]
    return {
        "pixel_format": shown[0].frame.format.name,
        "width": height if turn in (90, 270) else width,
        "height": width if turn in (90, 270) else height,
        "rotation_degrees": turn,
    }
