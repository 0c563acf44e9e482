"""Facts about a clip's video, and the problems found in it."""

import json
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import dagster as dg
import polars as pl

from vidassets.errors import SidecarError
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.clip_check import ClipCheck, Verdict
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.preview import table
from vidassets.graph.settings import digest
from vidassets.schemas import clips as clip_schemas
from vidassets.sources.listed_file import SOUND_EXTENSIONS
from vidassets.sources.source import Source

LONGEST_PLAUSIBLE_S = 7 * 24 * 3600  # chosen here: a week in one file is a broken time stamp
SIDECAR_REFUSED = "sidecar_refused"
EXTRACTION = "extraction"  # key of a sidecar: settings for reading this recording; part of the data version
PROBLEMS = "problems_found"  # metadata key: codes of the problems of a video that is still processed


def _problems(raw_clip: pl.DataFrame, *beginnings: str) -> list[str]:
    found = raw_clip["problems"].item(0).to_list()
    return [f"{item['code']}: {item['detail']}" for item in found if item["code"].startswith(beginnings)]


def _is_sound_file(uri: str) -> bool:
    return PurePosixPath(uri.partition("::")[0]).suffix.lower() in SOUND_EXTENSIONS


def _has_video_stream(raw_clip: pl.DataFrame) -> Verdict:
    row = raw_clip.row(0, named=True)
    if _is_sound_file(row["uri"]):
        return Verdict(True, "a sound file: it needs none")
    if row["video_codec"] is None:
        kinds = ", ".join(stream["type"] for stream in row["streams"]) or "none"
        return Verdict(
            False, f"{row['uri']}: no video stream (streams found: {kinds}). Replace the file, or remove the clip."
        )
    return Verdict(True, f"{row['video_codec']}, {row['width']}x{row['height']}")


def _decodes(raw_clip: pl.DataFrame) -> Verdict:
    found = _problems(raw_clip, "decode_error", "truncated", "no_video_stream")
    if not found and raw_clip["video_codec"].item(0) is None:
        return Verdict(True, "the clip has no pictures; `audio` reports sound that does not decode")
    return Verdict(not found, "; ".join(found) or "pictures decode at the start, in the middle and at the end")


def _duration_is_plausible(raw_clip: pl.DataFrame) -> Verdict:
    duration_s, header_s = raw_clip["duration_s"].item(0), raw_clip["header_duration_s"].item(0)
    header = "the header gives no duration" if header_s is None else f"the header says {header_s:.3f} s"
    plausible = 0 < duration_s <= LONGEST_PLAUSIBLE_S and not _problems(
        raw_clip, "header_duration", "truncated", "pts_jump"
    )
    return Verdict(plausible, f"{duration_s:.3f} s counted, {header}", {"duration_s": duration_s})


def _sidecar_is_readable(raw_clip: pl.DataFrame) -> Verdict:
    found = _problems(raw_clip, SIDECAR_REFUSED)
    has_sidecar = raw_clip["sidecar_json"].item(0) is not None
    return Verdict(not found, "; ".join(found) or ("read" if has_sidecar else "the clip has no sidecar"))


CHECKS = [
    ClipCheck(
        "has_video_stream", "Does the file contain a video stream, unless it is a sound file?", _has_video_stream
    ),
    ClipCheck(
        "decodes", "Do pictures decode at the start, in the middle and at the end?", _decodes, covers_failure=True
    ),
    ClipCheck(
        "duration_is_plausible",
        "Is the counted duration above zero, at most a week, and close to what the header says?",
        _duration_is_plausible,
        dg.AssetCheckSeverity.WARN,
    ),
    ClipCheck(
        "sidecar_is_readable",
        "Is the sidecar, if the clip has one, a small JSON object?",
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
        "duration": f"{row['duration_s']:.3f} s, starting at {row['first_pts_s']:.3f} s",
        "video": f"{row['video_codec']}, {row['width']}x{row['height']}, {row['n_frames']} frames"
        if row["video_codec"]
        else "none: sound alone",
        "frame rate": "none" if rate is None else f"{rate:.3f}{' (variable)' if row['variable_frame_rate'] else ''}",
        "rotation": f"{row['rotation_degrees'] or 0}°",
        "streams": ", ".join(f"{stream['type']} {stream['codec']}" for stream in row["streams"]),
        "problems": "; ".join(f"{item['code']}: {item['detail']}" for item in row["problems"]) or "none found",
    }
    return table(facts)


@clip_asset(
    group="sources",
    kinds={"parquet", "ffmpeg"},
    version="2",
    schema=clip_schemas.RawClip,
    checks=CHECKS,
    preview=_facts,
)
def raw_clip(clip: str, source_video: Source) -> AssetResult:
    """One row of facts about a video: path, hash, measured duration, streams, rotation, problems, sidecar.

    The file itself is not copied. All facts are of the same content: a file that changes while it is read fails with
    that reason, and the next run reads it again. The data version is the hash of the content and of the sidecar's
    `extraction` settings: replacing the file makes every downstream asset stale; moving it, or changing another field
    of the sidecar, does not.
    """
    from vidassets.fingerprints import located
    from vidassets.media.hashing import content_hash, unchanging
    from vidassets.media.probe import probe

    with unchanging(source_video.uri, known=source_video.fingerprint) as fingerprint:
        uri = located(source_video.uri, fingerprint)
        found, content = probe(uri), content_hash(uri)
    # A sound file is not expected to contain pictures.
    expected = {"no_video_stream"} if _is_sound_file(source_video.uri) else set()
    problems = [asdict(problem) for problem in found.problems if problem.code not in expected]
    sidecar = _sidecar(source_video, problems)
    row: dict[str, Any] = found.to_row() | {
        "clip": clip,
        "uri": source_video.uri,
        "kind": source_video.kind,
        "content_hash": content,
        "fingerprint": fingerprint,
        "problems": problems,
        "sidecar_json": None if sidecar is None else json.dumps(sidecar, ensure_ascii=False),
    }
    columns = clip_schemas.RawClip.create_empty().schema
    version = row["content_hash"]
    if sidecar is not None and EXTRACTION in sidecar:
        version += f"+{digest(sidecar[EXTRACTION])}"
    metadata = {"content_hash": row["content_hash"], "kind": source_video.kind, "duration_s": row["duration_s"]}
    metadata |= {"width": row["width"], "height": row["height"]} if row["width"] else {}
    metadata |= {PROBLEMS: ", ".join(dict.fromkeys(problem["code"] for problem in problems))} if problems else {}
    return AssetResult(pl.DataFrame([row], schema=columns), metadata, data_version=version)


def _sidecar(source: Source, problems: list[dict[str, str]]) -> dict[str, Any] | None:
    """Return the sidecar's content. A sidecar that cannot be used is added to the problems; the clip goes on."""
    from vidassets.sources.sidecar import read_sidecar

    if source.sidecar_uri is None:
        return None
    try:
        return read_sidecar(source.sidecar_uri, fingerprint=source.sidecar_fingerprint)
    except SidecarError as error:
        problems.append({"code": SIDECAR_REFUSED, "detail": str(error)})
        return None
