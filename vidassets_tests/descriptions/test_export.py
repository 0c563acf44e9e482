import json
from typing import Any

import pytest

from vidassets.descriptions.answers import Answer
from vidassets.descriptions.export import build_document
from vidassets.descriptions.table import descriptions_table
from vidassets.errors import SidecarError

SIDECAR = {"factory_id": "factory_001", "worker_id": 7, "duration": 12.5, "nested": {"a": [1, None, "ä"]}}
ANSWERS = [
    Answer(1, 15.85, "11" * 32, "m-1", "failed", cost_usd=0.0, error="500"),
    Answer(0, 5.85, "22" * 32, "m-1", "ok", "A welder.", ["welding"], ["torch"], ["pipe"], [], None, 100, 20, 0.000123),
    Answer(2, 25.85, "33" * 32, "m-1", "ok", "A pipe.", input_tokens=100, output_tokens=10, cost_usd=0.1, reused=True),
]


def raw_clip(sidecar: str | None) -> dict[str, Any]:
    return {
        "clip": "a", "uri": "/v/a.mp4", "content_hash": "sha256:00", "duration_s": 30.0, "first_pts_s": 0.85,
        "width": 640, "height": 360, "sidecar_json": sidecar, "container": "mov",
    }  # fmt: skip


def test_a_document_keeps_the_sidecar_as_it_is_and_the_frames_in_order():
    document = build_document(raw_clip(json.dumps(SIDECAR)), descriptions_table("a", ANSWERS))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["metadata"] == SIDECAR
    assert document["clip"] == "a"
    assert document["video"]["duration_s"] == 30.0
    assert document["frames"][0] == {
        "timestamp": 5.85, "frame_index": 0, "description": "A welder.", "actions": ["welding"], "tools": ["torch"],
        "objects": ["pipe"], "safety_gear": [], "status": "ok", "model": "m-1", "tokens": {"input": 100, "output": 20},
        "cost_usd": 0.000123,
    }  # fmt: skip
    assert document["frames"][1]["error"] == "500"
    assert "tools" not in document["frames"][2]
    assert document["totals"] == {
        "frames": 3, "ok": 2, "incomplete": 1, "input_tokens": 200, "output_tokens": 30,
        "cost_usd": 0.100123, "paid_before_usd": 0.1,
    }  # fmt: skip


def test_an_unknown_price_makes_the_total_unknown():
    table = descriptions_table("a", [*ANSWERS, Answer(3, 35.0, "44" * 32, "m-1", "ok", "?")])
    assert build_document(raw_clip(None), table)["totals"]["cost_usd"] is None


def test_a_clip_without_sidecar_or_frames_has_a_document():
    document = build_document(raw_clip(None), descriptions_table("a", []))
    assert (document["metadata"], document["frames"], document["totals"]["cost_usd"]) == ({}, [], 0.0)


@pytest.mark.parametrize("sidecar", ["{", "[]", "3"])
def test_a_sidecar_that_is_not_an_object_is_an_error(sidecar: str):
    with pytest.raises(SidecarError, match="a: its sidecar"):
        build_document(raw_clip(sidecar), descriptions_table("a", []))
