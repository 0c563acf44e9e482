"""One JSON document per clip: what its sidecar told, and what was said of its frames."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from vidassets.descriptions.table import incomplete
from vidassets.errors import SidecarError

VIDEO_FIELDS = ("uri", "content_hash", "duration_s", "first_pts_s", "width", "height")
LISTS = ("actions", "tools", "objects", "safety_gear")


def build_document(raw_clip: Mapping[str, Any], descriptions: pl.DataFrame) -> dict[str, Any]:
    """A document ready for `json.dumps`, for tools that read ``{"metadata": …, "frames": [{"timestamp": …}]}``.

    - `metadata`: the sidecar as it is, every field of it (factory_id, worker_id …); empty without one.
    - `clip`, `video`: the key, and what was found in the file itself, whatever the sidecar claims.
    - `frames`: in order of time. `timestamp` is in seconds on the clip's own clock (its first frame may not be at 0).
      The lists of a structured answer stand beside its `description`; `error` only where there is one.
    - `totals`: `cost_usd` is null where any frame's price is unknown. `paid_before` of it was not paid this time.

    Args:
        raw_clip: the row of `schemas.RawClip`, as a mapping.
        descriptions: `schemas.FrameDescriptions` of the same clip.

    Raises:
        SidecarError: the row's sidecar is no JSON object.
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
    # Rounded to nano-USD: costs are whole numbers of them, and sums of floats are not.
    return None if rows["cost_usd"].null_count() else round(float(rows["cost_usd"].sum()), 9)


def _metadata(raw_clip: Mapping[str, Any]) -> dict[str, Any]:
    if raw_clip["sidecar_json"] is None:
        return {}
    try:
        metadata = json.loads(raw_clip["sidecar_json"])
    except ValueError as error:
        raise SidecarError(
            f"{raw_clip['clip']}: its sidecar, as raw_clip keeps it, is not JSON ({error}). Materialise raw_clip again."
        ) from error
    if not isinstance(metadata, dict):
        raise SidecarError(
            f"{raw_clip['clip']}: its sidecar is not a JSON object. Mend the file and materialise raw_clip."
        )
    return metadata
