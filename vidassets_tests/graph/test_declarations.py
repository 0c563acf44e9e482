"""Declarations are checked when they are declared, and against each other when the graph is built."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
import polars as pl
import pytest

from vidassets.errors import DeclarationError
from vidassets.graph.artifact import Artifact, StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.parameters import IdentityOnly, OnlyIf, SecondsOf
from vidassets_tests.toy_graph import SOURCE, Scale, doubled, number, report, total

if TYPE_CHECKING:
    from vidassets.assets.sources.clip_file import ClipFile

toy_asset: Callable[[Callable[..., Any]], Any] = clip_asset(group="toy", kinds=(), version="1", extension="txt")
toy_dataset: Callable[[Callable[..., Any]], Any] = dataset_asset(group="toy", kinds=(), version="1", extension="txt")


def mistaken(declare: Callable[[], object]) -> str:
    with pytest.raises(DeclarationError) as raised:
        declare()
    return str(raised.value)


def test_settings_under_another_name_are_an_error_that_says_which_name():
    def dark(number: bytes, cfg: Scale) -> bytes: ...

    assert mistaken(lambda: toy_asset(dark)) == (
        "dark: parameter cfg: settings are passed as `config`. Rename the parameter to config."
    )


def test_an_unknown_parameter_is_an_error_that_names_the_nearest():
    def dark(numbr: bytes) -> bytes: ...

    assert mistaken(lambda: DeclaredGraph([SOURCE], [number, toy_asset(dark)])) == (
        "dark: parameter numbr: there is no asset or resource of this name. Did you mean number?"
    )


def test_an_unknown_parameter_near_a_resource_names_the_resource():
    def dark(describr: bytes) -> bytes: ...

    assert "Did you mean describer?" in mistaken(lambda: DeclaredGraph([], [toy_asset(dark)]))


def test_a_quoted_annotation_of_an_input_is_resolved():
    def dark(raw_clip: "pl.DataFrame") -> bytes: ...

    assert toy_asset(dark).inputs == {"raw_clip": pl.DataFrame}


def test_a_quoted_annotation_that_is_not_imported_is_an_error():
    def dark(raw_clip: "ClipFile") -> bytes: ...

    assert "import it at the top of the module, not under TYPE_CHECKING" in mistaken(lambda: toy_asset(dark))


@pytest.mark.parametrize(
    ("artifact", "wanted", "loaded_as"),
    [
        pytest.param(Artifact("number", extension="txt"), pl.DataFrame, "loaded as bytes", id="bytes as a table"),
        pytest.param(Artifact("number", is_file=True), bytes, "loaded as StoredFile", id="a file as bytes"),
        pytest.param(Artifact("number", extension="txt"), StoredFile, "loaded as bytes", id="bytes as a file"),
        pytest.param(Artifact("number", extension="txt"), AllClips, "loaded as bytes", id="one clip as all clips"),
    ],
)
def test_an_input_of_the_wrong_class_is_an_error(artifact: Artifact, wanted: type, loaded_as: str):
    def dark(number) -> bytes: ...

    dark.__annotations__["number"] = wanted
    said = mistaken(lambda: DeclaredGraph([artifact], [toy_asset(dark)]))
    assert f"parameter number: cannot be loaded as {wanted.__name__}" in said
    assert loaded_as in said


def test_an_asset_over_all_clips_receives_all_clips_of_a_clip_asset():
    def dark(number: bytes) -> bytes: ...

    assert "receives AllClips" in mistaken(lambda: DeclaredGraph([SOURCE], [number, toy_dataset(dark)]))


def _without_annotation(number) -> bytes: ...
def _rest(*numbers: bytes) -> bytes: ...
def _plain_config(number: bytes, config: dict) -> bytes: ...
def _identity_of_input(number: Annotated[bytes, IdentityOnly()]) -> bytes: ...
def _no_such_setting(number: Annotated[bytes, OnlyIf("shiny")], config: Scale) -> bytes: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        pytest.param(_without_annotation, "has no annotation", id="no annotation"),
        pytest.param(_rest, "Write each of them out", id="rest"),
        pytest.param(_plain_config, "expected a dagster Config class", id="config of another class"),
        pytest.param(_identity_of_input, "IdentityOnly is for resources", id="identity of an input"),
        pytest.param(_no_such_setting, "the asset has no such setting", id="no such setting"),
    ],
)
def test_a_parameter_that_cannot_be_provided_is_an_error(function: Callable[..., Any], words: str):
    assert words in mistaken(lambda: toy_asset(function))


def test_an_asset_over_all_clips_has_no_clip():
    def dark(clip: str) -> bytes: ...

    assert "an asset over all clips has no clip" in mistaken(lambda: toy_dataset(dark))


def test_a_preview_asks_only_for_what_it_can_be_given():
    def shown(artifact: bytes, shots: bytes) -> str: ...

    declare = clip_asset(group="toy", kinds=(), version="1", extension="txt", preview=shown)
    assert "dark: shown: parameter shots: not available here" in mistaken(lambda: declare(_dark))


def _dark(number: bytes) -> bytes: ...


_dark.__name__ = "dark"


def test_seconds_of_an_asset_that_does_not_exist_are_an_error():
    def dark(number: bytes, spent_s: Annotated[float, SecondsOf(("numbr",))]) -> bytes: ...

    assert "SecondsOf numbr" in mistaken(lambda: DeclaredGraph([SOURCE], [number, toy_asset(dark)]))


def test_two_artifacts_of_one_name_are_an_error():
    assert (
        mistaken(lambda: DeclaredGraph([SOURCE], [number, number])) == "number: declared twice. Rename one of the two."
    )


def test_assets_that_depend_on_each_other_are_an_error():
    def hen(egg: bytes) -> bytes: ...
    def egg(hen: bytes) -> bytes: ...

    said = mistaken(lambda: DeclaredGraph([], [toy_asset(hen), toy_asset(egg)]))
    assert said.endswith("these assets depend on each other.")


@pytest.mark.parametrize(
    "declared", [[number, doubled, report, total], [total, report, doubled, number], [report, total, number, doubled]]
)
def test_the_order_is_computed_from_the_inputs(declared: list[Any]):
    graph = DeclaredGraph([SOURCE], declared)
    assert [asset.name for asset in graph.clip_assets] == ["number", "doubled", "report"]


def test_a_parameter_output_makes_the_artifact_a_file():
    def dark(number: bytes, output: Path) -> None: ...

    assert toy_asset(dark).artifact.is_file


def test_companions_depend_on_their_artifact_alone():
    from vidassets.definitions import GRAPH

    definitions = {asset.op.name: asset for asset in GRAPH.definitions()}
    specs = {spec.key.to_user_string(): spec for spec in definitions["speaker_turns"].specs}
    parents = {name: [dep.asset_key for dep in spec.deps] for name, spec in specs.items()}
    assert parents.pop("speaker_turns") == [dg.AssetKey("voices")]
    assert set(map(tuple, parents.values())) == {(dg.AssetKey("speaker_turns"),)}
