"""The tables of clips, frames, shots and descriptions: columns, types, units, ranges and keys, each declared once.

Times are seconds on the clip's own clock: presentation times as the container states them, not shifted
(`first_pts_s` of `RawClip` need not be 0). Intervals are half-open.
"""

import dataframely as dy

KEY_PATTERN = r"^[a-z0-9_-][a-z0-9._-]*$"


class ClipTable(dy.Schema):
    """Base of every per-clip table: the column that holds the partition key."""

    clip = dy.String(regex=KEY_PATTERN, description="partition key")


class RawClip(ClipTable):
    """One row: where a video is stored, what it contains, and the problems found in it."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN, description="partition key")
    uri = dy.String(description="location of the video: an absolute path or a URL")
    kind = dy.String(regex=r"^(clip|episode|build)$")
    size_bytes = dy.Int64(min=1)
    content_hash = dy.String(
        regex=r"^(sha256|etag):.+$", description="sha256 of the bytes, or the etag of a remote object"
    )
    fingerprint = dy.String(
        description="which version of the file these facts describe: its modification time and size, or its etag and "
        "size; of a tar's member also its place in the tar"
    )
    container = dy.String(description="name of ffmpeg's demuxer")
    duration_s = dy.Float64(min=0, description="from the first presentation time to the end of the last frame")
    header_duration_s = dy.Float64(nullable=True, description="duration stated in the container's header; may be wrong")
    first_pts_s = dy.Float64(
        description="presentation time of the first video frame; of the first packet if there is no video"
    )
    video_codec = dy.String(nullable=True)
    pixel_format = dy.String(nullable=True)
    width = dy.Int32(
        nullable=True, min=1, description="pixels as shown: after rotation, before the sample aspect ratio"
    )
    height = dy.Int32(nullable=True, min=1, description="pixels as shown: after rotation")
    rotation_degrees = dy.Int32(nullable=True, description="clockwise rotation that a player applies: 0, 90, 180, 270")
    sample_aspect_num = dy.Int32(nullable=True, min=1)
    sample_aspect_den = dy.Int32(nullable=True, min=1)
    frame_rate_num = dy.Int64(nullable=True, min=1, description="average frame rate, numerator")
    frame_rate_den = dy.Int64(nullable=True, min=1, description="average frame rate, denominator")
    variable_frame_rate = dy.Bool(nullable=True)
    n_frames = dy.Int64(nullable=True, min=0, description="number of video packets, counted, not taken from the header")
    n_keyframes = dy.Int64(nullable=True, min=0)
    has_audio = dy.Bool()
    streams = dy.List(
        dy.Struct(
            {
                "index": dy.Int32(),
                "type": dy.String(),
                "codec": dy.String(nullable=True),
                "language": dy.String(nullable=True),
                "duration_s": dy.Float64(nullable=True),
                "sample_rate_hz": dy.Int32(nullable=True),
                "channels": dy.Int32(nullable=True),
            }
        ),
        description="every stream of the container, in order",
    )
    problems = dy.List(
        dy.Struct({"code": dy.String(), "detail": dy.String()}),
        description="problems found in the file; empty if there are none",
    )
    sidecar_json = dy.String(nullable=True, description="the JSON object in the file NAME.json next to the video")


class Frames(ClipTable):
    """Sampled pictures as JPEG, in a column that Hugging Face `datasets` reads as an Image."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    frame_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    pts_s = dy.Float64(description="presentation time of the frame shown at wanted_s")
    wanted_s = dy.Float64(description="requested time, on the same clock as pts_s")
    reason = dy.String(regex=r"^(interval|shot_midpoint)$")
    width = dy.Int32(min=1, description="pixels of the stored image")
    height = dy.Int32(min=1)
    image = dy.Struct({"bytes": dy.Binary(), "path": dy.String(nullable=True)}, description="JPEG")
    sharpness = dy.Float64(min=0, description="variance of the Laplacian of the luma at 256 px width, 8-bit scale")
    brightness = dy.Float64(min=0, max=1, description="mean luma")
    perceptual_hash = dy.UInt64(description="64-bit DCT hash of the luma, borders cropped")


class ShotScores(ClipTable):
    """How likely a shot ends at each frame. `score` is on the model's own scale; thresholds are applied later."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    video_frame = dy.Int64(primary_key=True, min=0, description="index of the decoded frame: 0, 1, 2 …")
    pts_s = dy.Float64()
    score = dy.Float32(
        min=0,
        description="transnetv2: probability; scenedetect-adaptive: ratio to the mean change of neighbouring frames",
    )
    many_hot = dy.Float32(
        nullable=True, min=0, max=1, description="transnetv2: probability that the frame is part of a transition"
    )
    model = dy.String(description="model that computed the score")


class Shots(ClipTable):
    """Shots: contiguous, half-open, covering the clip."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    shot_index = dy.Int32(primary_key=True, min=0)
    start_s = dy.Float64()
    end_s = dy.Float64()
    n_frames = dy.Int64(min=1)
    transition = dy.String(regex=r"^(start|cut|gradual)$", description="how the shot begins")
    transition_score = dy.Float32(
        nullable=True, description="highest score of the transition that begins the shot; null for the first shot"
    )
    representative_s = dy.Float64(description="pts_s of the frame nearest the middle of the shot")

    @dy.rule()
    def ends_after_it_starts(cls):  # noqa: D102, N805
        return cls.end_s.col > cls.start_s.col


class FrameDescriptions(ClipTable):
    """A description of each sampled frame, the model that wrote it, and its cost."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    frame_index = dy.Int32(primary_key=True, min=0, description="foreign key: Frames")
    pts_s = dy.Float64()
    description = dy.String(nullable=True)
    actions = dy.List(dy.String(), nullable=True, description="structured output only")
    tools = dy.List(dy.String(), nullable=True, description="structured output only")
    objects = dy.List(dy.String(), nullable=True, description="structured output only")
    safety_gear = dy.List(dy.String(), nullable=True, description="structured output only")
    model = dy.String(description="model name as reported by the endpoint; 'measured' for the embedded default")
    prompt_hash = dy.String(nullable=True, description="sha256 of prompt and parameters, 16 hex digits")
    image_hash = dy.String(description="sha256 of the JPEG, hex")
    input_tokens = dy.Int64(nullable=True, min=0)
    output_tokens = dy.Int64(nullable=True, min=0)
    cost_usd = dy.Float64(nullable=True, min=0, description="null if the profile has no price for the model")
    latency_s = dy.Float64(nullable=True, min=0)
    status = dy.String(regex=r"^(ok|truncated|refused|failed|over_budget)$")
    error = dy.String(nullable=True)
    reused = dy.Bool(
        description="reused from an earlier call with the same picture, prompt, model and parameters: not paid again"
    )
    # Without a time zone: DuckDB reads times with one only if the package pytz is installed.
    described_at = dy.Datetime(time_unit="us", nullable=True, description="in UTC")


class DescriptionCosts(dy.Schema):
    """Tokens and costs of all descriptions ever paid for, by clip, model and day (UTC)."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    model = dy.String(primary_key=True)
    day = dy.Date(primary_key=True)
    calls = dy.Int64(min=0, description="answers received; reused answers are not counted")
    ok = dy.Int64(min=0)
    not_ok = dy.Int64(min=0)
    input_tokens = dy.Int64(min=0)
    output_tokens = dy.Int64(min=0)
    cost_usd = dy.Float64(nullable=True, min=0, description="null if the price of any call is unknown")
