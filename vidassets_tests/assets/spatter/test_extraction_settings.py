"""A sidecar overrides the settings of the extraction for its recording; an invalid override is refused."""

from pathlib import Path
from typing import Any

import pytest

from vidassets.assets.sources.clip_file import ClipFile
from vidassets.assets.spatter.crops import SpatterExtraction, spatter_crops
from vidassets.errors import InvalidSetting
from vidassets.graph.declared_asset import AssetResult
from vidassets_tests.assets.films import raw
from vidassets_tests.spatter.crops.recordings import flashes, write_recording

SPATTER_ON = [3, 7, 40]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three spatters, each an event before and an event on it."""
    return write_recording(tmp_path_factory.mktemp("one") / "a.mp4", flashes(SPATTER_ON, 44))


def with_sidecar(recording: Path, sidecar: str) -> Path:
    recording.with_suffix(".json").write_text(sidecar)
    return recording


def extracted(recording: Path, sidecar: str, output: Path, **settings: Any) -> AssetResult:
    clip = ClipFile.from_table(raw(with_sidecar(recording, sidecar)).value)
    return spatter_crops.function("a", clip, output, SpatterExtraction(**settings))


def test_what_the_sidecar_says_stands_above_the_settings(recording: Path, tmp_path: Path):
    found = extracted(
        recording, '{"extraction": {"layer_gap_frames": 10}}', tmp_path / "a.h5", layer_gap_frames=2, max_crops=5
    )
    assert found.also["spatter_events"]["layer"].to_list() == [0, 0, 0, 0, 1]


def test_without_it_the_settings_stand(recording: Path, tmp_path: Path):
    found = extracted(recording, '{"gas_flow": "low"}', tmp_path / "a.h5", layer_gap_frames=2)
    assert found.also["spatter_events"]["layer"].to_list() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        pytest.param('{"extraction": {"layer_gap": 40}}', "it takes an object of start_frame, ", id="a misspelt name"),
        pytest.param('{"extraction": 40}', "it takes an object of start_frame, ", id="no object"),
        pytest.param('{"extraction": null}', "it takes an object of start_frame, ", id="null"),
        pytest.param('{"extraction": {"max_crops": "all"}}', "should be a valid integer", id="a word for a number"),
        pytest.param('{"extraction": {"start_frame": -1}}', "greater than or equal to 0", id="out of bounds"),
        pytest.param(
            '{"extraction": {"left_bound": 50, "right_bound": 40}}', "set left_bound to 0 or more", id="nothing left"
        ),
    ],
)
def test_a_sidecar_that_says_what_cannot_be_is_refused_by_name(
    recording: Path, tmp_path: Path, sidecar: str, said: str
):
    with pytest.raises(InvalidSetting, match=said) as refused:
        extracted(recording, sidecar, tmp_path / "a.h5")
    assert str(refused.value).startswith("a: sidecar: `extraction` is ")


def test_settings_of_the_profile_that_cannot_be_are_not_blamed_on_the_sidecar(recording: Path, tmp_path: Path):
    with pytest.raises(InvalidSetting) as refused:
        extracted(recording, "{}", tmp_path / "a.h5", left_bound=50, right_bound=40)
    assert "sidecar" not in str(refused.value)


def test_how_a_recording_is_to_be_read_is_part_of_its_version_and_its_labels_are_not(recording: Path):
    sidecars = ['{"gas_flow": "low"}', '{"gas_flow": "high"}', '{"extraction": {}}', '{"extraction": {"max_crops": 1}}']
    low, high, empty, changed = (raw(with_sidecar(recording, sidecar)).data_version for sidecar in sidecars)
    assert low == high
    assert len({low, empty, changed}) == 3
