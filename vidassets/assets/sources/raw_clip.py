"""What a clip's video is, and what is wrong with it."""

import json
from typing import Any

import dagster as dg
import polars as pl

from vidassets.errors import SidecarError
from vidassets.graph.clip_asset import ClipResult, clip_asset
from vidassets.graph.clip_check import ClipCheck, Verdict
from vidassets.graph.preview import table
from vidassets.graph.settings import digest
from vidassets.schemas import clips as clip_schemas
from vidassets.sources.source import Source

LONGEST_PLAUSIBLE_S = 7 * 24 * 3600  # chosen here: a week in one file is a broken time stamp
SIDECAR_REFUSED = "sidecar_refused"
EXTRACTION = "extraction"  # of a sidecar: how this recording is to be read; part of the data version
PROBLEMS = "problems_found"  # metadata: codes of what is wrong with a video that is still worked on


def _problems(raw_clip: pl.DataFrame, *beginnings: str) -> list[str]:
    found = raw_clip["problems"].item(0).to_list()
    return [f"{one['code']}: {one['detail']}" for one in found if one["code"].startswith(beginnings)]


def _has_video_stream(raw_clip: pl.DataFrame) -> Verdict:
    row = raw_clip.row(0, named=True)
    if row["video_codec"] is None:
        kinds = ", ".join(stream["type"] for stream in row["streams"]) or "none"
        return Verdict(False, f"{row['uri']}: no video stream; it holds: {kinds}. Take it out, or replace the file.")
    return Verdict(True, f"{row['video_codec']}, {row['width']}x{row['height']}")


def _decodes(raw_clip: pl.DataFrame) -> Verdict:
    found = _problems(raw_clip, "decode_error", "truncated", "no_video_stream")
    return Verdict(not found, "; ".join(found) or "pictures decode at the start, in the middle and at the end")


def _duration_is_plausible(raw_clip: pl.DataFrame) -> Verdict:
    duration_s, header_s = raw_clip["duration_s"].item(0), raw_clip["header_duration_s"].item(0)
    said = f"{duration_s:.3f} s counted, header says {'nothing' if header_s is None else f'{header_s:.3f} s'}"
    plausible = 0 < duration_s <= LONGEST_PLAUSIBLE_S and not _problems(raw_clip, "header_duration", "truncated")
    return Verdict(plausible, said, {"duration_s": duration_s})


def _sidecar_is_readable(raw_clip: pl.DataFrame) -> Verdict:
    found = _problems(raw_clip, SIDECAR_REFUSED)
    there = raw_clip["sidecar_json"].item(0) is not None
    return Verdict(not found, "; ".join(found) or ("read" if there else "there is none"))


CHECKS = [
    ClipCheck("has_video_stream", "Does the file hold pictures?", _has_video_stream),
    ClipCheck("decodes", "Do pictures decode at its start, middle and end?", _decodes),
    ClipCheck(
        "duration_is_plausible",
        "Is the counted duration above zero, below a week, and what the header says?",
        _duration_is_plausible,
        dg.AssetCheckSeverity.WARN,
    ),
    ClipCheck(
        "sidecar_is_readable",
        "Is the sidecar, if there is one, a JSON object of sane size?",
        _sidecar_is_readable,
        dg.AssetCheckSeverity.WARN,
    ),
]


def _facts(artifact: pl.DataFrame) -> str:
    row = artifact.row(0, named=True)
    rate = row["frame_rate_num"] / row["frame_rate_den"] if row["frame_rate_num"] else None
    facts: dict[str, object] = {
        "file": f"`{row['uri']}`",
        "size": f"{row['size_bytes'] / 1e6:.2f} MB",
        "duration": f"{row['duration_s']:.3f} s, from {row['first_pts_s']:.3f} s on",
        "video": f"{row['video_codec']}, {row['width']}x{row['height']}, {row['n_frames']} frames",
        "frame rate": "none" if rate is None else f"{rate:.3f}{' (variable)' if row['variable_frame_rate'] else ''}",
        "rotation": f"{row['rotation_degrees'] or 0}°",
        "streams": ", ".join(f"{stream['type']} {stream['codec']}" for stream in row["streams"]),
        "problems": "; ".join(f"{one['code']}: {one['detail']}" for one in row["problems"]) or "none found",
    }
    return table(facts)


@clip_asset(
    group="sources",
    kinds={"parquet", "ffmpeg"},
    version="1",
    schema=clip_schemas.RawClip,
    checks=CHECKS,
    preview=_facts,
)
def raw_clip(clip: str, source_video: Source) -> ClipResult:
    """What a video is: where it lies, its hash, true duration and times, streams, rotation, problems, sidecar.

    The file stays where it is. The data version is the hash of its content, and of what a sidecar tells under
    `extraction`: a replaced file makes all below it stale, a moved one, or another label in the sidecar, nothing.
    """
    from vidassets.media.hashing import content_hash
    from vidassets.media.probe import probe

    found = probe(source_video.uri)
    problems = [{"code": one.code, "detail": one.detail} for one in found.problems]
    sidecar = _sidecar(source_video, problems)
    row: dict[str, Any] = found.to_row() | {
        "clip": clip,
        "uri": source_video.uri,
        "kind": source_video.kind,
        "content_hash": content_hash(source_video.uri),
        "problems": problems,
        "sidecar_json": None if sidecar is None else json.dumps(sidecar, ensure_ascii=False),
    }
    columns = clip_schemas.RawClip.create_empty().schema
    version = row["content_hash"]
    if sidecar is not None and EXTRACTION in sidecar:
        version += f"+{digest(sidecar[EXTRACTION])}"
    metadata = {"content_hash": row["content_hash"], "kind": source_video.kind, "duration_s": row["duration_s"]}
    metadata |= {"width": row["width"], "height": row["height"]} if row["width"] else {}
    metadata |= {PROBLEMS: ", ".join(dict.fromkeys(one["code"] for one in problems))} if problems else {}
    return ClipResult(pl.DataFrame([row], schema=columns), metadata, data_version=version)


def _sidecar(source: Source, problems: list[dict[str, str]]) -> dict[str, Any] | None:
    """The sidecar's object; one that is refused is a problem of the clip, not the end of it."""
    from vidassets.sources.sidecar import read_sidecar

    if source.sidecar_uri is None:
        return None
    try:
        return read_sidecar(source.sidecar_uri)
    except SidecarError as error:
        problems.append({"code": SIDECAR_REFUSED, "detail": str(error)})
        return None
