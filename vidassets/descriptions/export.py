"""One JSON document per clip: the sidecar's metadata and the descriptions of its frames."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from vidassets.descriptions.table import incomplete
from vidassets.errors import SidecarError

VIDEO_FIELDS = ("uri", "content_hash", "duration_s", "first_pts_s", "width", "height")
LISTS = ("actions", "tools", "objects", "safety_gear")


def build_document(raw_clip: Mapping[str, Any], descriptions: pl.DataFrame) -> dict[str, Any]:
    """Build a document for `json.dumps`, in the form ``{"metadata": …, "frames": [{"timestamp": …}]}``.

    - `metadata`: all fields of the sidecar, unchanged (factory_id, worker_id …); empty if there is no sidecar.
    - `clip`, `video`: the key, and properties of the video file itself, whatever the sidecar says.
    - `frames`: in order of time. `timestamp` is in seconds on the clip's own clock (its first frame may not be at 0).
      The lists of a structured answer are next to its `description`; `error` is present only if there is one.
    - `totals`: `cost_usd` is null if any frame's price is unknown. `paid_before_usd` is the part of it paid earlier.

    Args:
        raw_clip: the row of `schemas.RawClip`, as a mapping.
        descriptions: `schemas.FrameDescriptions` of the same clip.

    Raises:
        SidecarError: the row's sidecar is not a JSON object.
    """
    rows = descriptions.sort("frame_index")
    return {
        "clip": raw_clip["clip"],
        "metadata": _metadata(raw_clip),
        "video": {name: raw_clip[name] for name in VIDEO_FIELDS},
        "frames": [_frame(row) for row in rows.iter_rows(named=True)],
        "totals": {
            "frames": rows.height,
            "ok": rows.filter(pl.col("status") == "ok").height,
            "incomplete": incomplete(rows),
            "input_tokens": rows["input_tokens"].sum(),
            "output_tokens": rows["output_tokens"].sum(),
            "cost_usd": _cost_usd(rows),
            "paid_before_usd": _cost_usd(rows.filter("reused")),
        },
    }


def _frame(row: Mapping[str, Any]) -> dict[str, Any]:
    frame = {
        "timestamp": row["pts_s"],
        "frame_index": row["frame_index"],
        "description": row["description"],
        **{name: row[name] for name in LISTS if row[name] is not None},
        "status": row["status"],
        "model": row["model"],
        "tokens": {"input": row["input_tokens"], "output": row["output_tokens"]},
        "cost_usd": row["cost_usd"],
    }
    return frame | ({"error": row["error"]} if row["error"] else {})


def _cost_usd(rows: pl.DataFrame) -> float | None:
    # Costs are whole nano-USD, but a sum of floats is not exact: round it to nano-USD.
    return None if rows["cost_usd"].null_count() else round(float(rows["cost_usd"].sum()), 9)


def _metadata(raw_clip: Mapping[str, Any]) -> dict[str, Any]:
    if raw_clip["sidecar_json"] is None:
        return {}
    try:
        metadata = json.loads(raw_clip["sidecar_json"])
    except ValueError as error:
        raise SidecarError(
            f"{raw_clip['clip']}: its sidecar, as stored in raw_clip, is not JSON ({error}): materialise it again."
        ) from error
    if not isinstance(metadata, dict):
        raise SidecarError(
            f"{raw_clip['clip']}: its sidecar is not a JSON object. Fix the file and materialise raw_clip again."
        )
    return metadata
