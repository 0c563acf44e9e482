"""The example of docs/architecture.md, run as it is written there."""

import re
from typing import Any

import dagster as dg
import numpy as np
import pytest

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import failure_cause, launch
from vidassets.frames.table import frames_table
from vidassets.graph.artifact import Artifact
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.partitions import clips
from vidassets.resources.store import Store
from vidassets.schemas.clips import Frames
from vidassets_tests.project import PROJECT
from vidassets_tests.toy_deployment import Toy

DOCUMENT = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "dark"), [pytest.param({}, [0], id="as declared"), pytest.param({"threshold": 0.6}, [0, 1], id="set")]
)
def test_your_first_asset_finds_the_dark_frames(toy: Toy, settings: dict[str, Any], dark: list[int]):
    [code] = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    declared: dict[str, Any] = {}
    exec(compile(code, "architecture.md", "exec"), declared)
    sources = Artifact("frames", schema=Frames)
    store = Store(root=str(toy.home / "data"))
    grays = [np.full((32, 32, 3), value, np.uint8) for value in (20, 120, 240)]
    pictures = ((float(at), "interval", float(at), pixels) for at, pixels in enumerate(grays))
    sources.write(store.open(), "a", frames_table("a", pictures, 85))
    toy.instance.add_dynamic_partitions(str(clips.name), ["a"])
    definitions = dg.Definitions(
        assets=[
            dg.AssetSpec("frames", partitions_def=clips),
            *DeclaredGraph([sources], [declared["dark_frames"]]).definitions(),
        ],
        resources={"store": store},
        executor=isolating_executor,
    )
    config = {"dark_frames": settings} if settings else None
    run = launch(definitions, toy.instance, [dg.AssetKey("dark_frames")], "a", config)
    assert run.is_success, failure_cause(toy.instance, run)
    table = store.open().read_table("dark_frames", "a")
    assert table["frame_index"].to_list() == dark


def test_every_file_and_folder_that_the_document_names_exists():
    for link in re.findall(r"\]\(([^)#]+)\)", DOCUMENT):
        assert (PROJECT / "docs" / link).exists(), link
    for path in re.findall(r"`((?:cli|automation|graph|resources|sources|shots|media)/[\w/]+\.py)`", DOCUMENT):
        assert (PROJECT / "vidassets" / path).exists(), path
