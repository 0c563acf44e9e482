"""The tables of the project, each declared once: columns, types, units, ranges, keys.

Times are seconds on the clip's own clock: presentation times as the container tells them, nothing shifted
(`first_pts_s` of `RawClip` need not be 0). Intervals are half-open.
"""

import dataframely as dy

KEY_PATTERN = r"^[a-z0-9_-][a-z0-9._-]*$"


class ClipTable(dy.Schema):
    """What every per-clip table has: the partition key it belongs to."""

    clip = dy.String(regex=KEY_PATTERN, description="partition key")


class RawClip(ClipTable):
    """What a video is; one row. Where it lies, what it holds, what is wrong with it."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN, description="partition key")
    uri = dy.String(description="where the video lies: an absolute path or a URL")
    kind = dy.String(regex=r"^(clip|episode|build)$")
    size_bytes = dy.Int64(min=1)
    content_hash = dy.String(
        regex=r"^(sha256|etag):.+$", description="sha256 of the bytes; the etag of a remote object"
    )
    container = dy.String(description="name of the demuxer, as ffmpeg tells it")
    duration_s = dy.Float64(min=0, description="from the first presentation time to the end of the last frame")
    header_duration_s = dy.Float64(nullable=True, description="what the container's header says; may be wrong")
    first_pts_s = dy.Float64(
        description="presentation time of the first video frame (of the first packet without video)"
    )
    video_codec = dy.String(nullable=True)
    pixel_format = dy.String(nullable=True)
    width = dy.Int32(
        nullable=True, min=1, description="pixels as shown: after rotation, before the sample aspect ratio"
    )
    height = dy.Int32(nullable=True, min=1, description="pixels as shown: after rotation")
    rotation_degrees = dy.Int32(nullable=True, description="clockwise turn that a player applies: 0, 90, 180, 270")
    sample_aspect_num = dy.Int32(nullable=True, min=1)
    sample_aspect_den = dy.Int32(nullable=True, min=1)
    frame_rate_num = dy.Int64(nullable=True, min=1, description="average frame rate, numerator")
    frame_rate_den = dy.Int64(nullable=True, min=1, description="average frame rate, denominator")
    variable_frame_rate = dy.Bool(nullable=True)
    n_frames = dy.Int64(nullable=True, min=0, description="video packets counted, not the header's word")
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
        description="what was found wrong; empty for a healthy file",
    )
    sidecar_json = dy.String(nullable=True, description="the JSON object of the file NAME.json beside the video")


class Frames(ClipTable):
    """Sampled pictures, JPEG in a column that Hugging Face `datasets` shows as an Image."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    frame_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    pts_s = dy.Float64(description="presentation time of the picture that is on screen at wanted_s")
    wanted_s = dy.Float64(description="the moment asked for, on the same clock as pts_s")
    reason = dy.String(regex=r"^(interval|shot_midpoint)$")
    width = dy.Int32(min=1, description="pixels of the stored image")
    height = dy.Int32(min=1)
    image = dy.Struct({"bytes": dy.Binary(), "path": dy.String(nullable=True)}, description="JPEG")
    sharpness = dy.Float64(min=0, description="variance of the Laplacian of the luma at 256 px width, 8-bit scale")
    brightness = dy.Float64(min=0, max=1, description="mean luma")
    perceptual_hash = dy.UInt64(description="64-bit DCT hash of the luma, borders cropped")


class ShotScores(ClipTable):
    """How likely a shot ends at each frame. `score` is on its model's own scale; thresholds are applied later."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    video_frame = dy.Int64(primary_key=True, min=0, description="0, 1, 2 … over every decoded frame")
    pts_s = dy.Float64()
    score = dy.Float32(
        min=0, description="transnetv2: probability; scenedetect-adaptive: ratio to the neighbours' mean"
    )
    many_hot = dy.Float32(nullable=True, min=0, max=1, description="transnetv2: probability of any transition frame")
    model = dy.String(description="which model made the score")


class Shots(ClipTable):
    """Shots: contiguous, half-open, covering the clip."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    shot_index = dy.Int32(primary_key=True, min=0)
    start_s = dy.Float64()
    end_s = dy.Float64()
    n_frames = dy.Int64(min=1)
    transition = dy.String(regex=r"^(start|cut|gradual)$", description="how the shot begins")
    transition_score = dy.Float32(nullable=True, description="peak score at its beginning; null for the first shot")
    representative_s = dy.Float64(description="pts of the frame nearest the shot's middle")

    @dy.rule()
    def ends_after_it_starts(cls):  # noqa: D102, N805
        return cls.end_s.col > cls.start_s.col


class FrameDescriptions(ClipTable):
    """What is to be seen on each sampled frame, who said so, and what it cost."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    frame_index = dy.Int32(primary_key=True, min=0, description="foreign key: Frames")
    pts_s = dy.Float64()
    description = dy.String(nullable=True)
    actions = dy.List(dy.String(), nullable=True, description="structured output only")
    tools = dy.List(dy.String(), nullable=True, description="structured output only")
    objects = dy.List(dy.String(), nullable=True, description="structured output only")
    safety_gear = dy.List(dy.String(), nullable=True, description="structured output only")
    model = dy.String(description="as the endpoint named itself; 'measured' for the embedded default")
    prompt_hash = dy.String(nullable=True, description="sha256 of prompt and parameters, 16 hex digits")
    image_hash = dy.String(description="sha256 of the JPEG, hex")
    input_tokens = dy.Int64(nullable=True, min=0)
    output_tokens = dy.Int64(nullable=True, min=0)
    cost_usd = dy.Float64(nullable=True, min=0, description="null where the model has no price in the profile")
    latency_s = dy.Float64(nullable=True, min=0)
    status = dy.String(regex=r"^(ok|truncated|refused|failed|over_budget)$")
    error = dy.String(nullable=True)
    reused = dy.Bool(description="answered before, for this picture, prompt, model and parameters: not paid again")
    described_at = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True)


class DescriptionCosts(dy.Schema):
    """Tokens and money of all descriptions ever paid for, by clip, model and day (UTC)."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    model = dy.String(primary_key=True)
    day = dy.Date(primary_key=True)
    calls = dy.Int64(min=0, description="answers received, reused ones not counted")
    ok = dy.Int64(min=0)
    not_ok = dy.Int64(min=0)
    input_tokens = dy.Int64(min=0)
    output_tokens = dy.Int64(min=0)
    cost_usd = dy.Float64(nullable=True, min=0, description="null where any call's price is unknown")
