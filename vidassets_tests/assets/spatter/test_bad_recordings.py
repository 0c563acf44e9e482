"""Recordings that are not what is expected: each is done as far as it goes, and harms no other."""

import pytest

from vidassets.schemas import spatter as spatter_schemas
from vidassets_tests.assets.spatter.conftest import LABELLED, ODD, Learned
from vidassets_tests.spatter.crops.recordings import stored_crops

DONE = sorted({*LABELLED, *ODD} - {"broken"})
EMPTY = ["one-frame", "quiet"]


def test_one_recording_that_is_no_video_fails_alone(learned: Learned):
    states = learned.builds.states()
    assert {clip for _, clip in states} == {"broken"}
    assert "not a video that can be opened" in states["raw_clip", "broken"]
    assert learned.worked.failures == {}


@pytest.mark.parametrize("build", DONE)
def test_every_recording_that_can_be_opened_ends_with_a_verdict(learned: Learned, build: str):
    assert build in learned.builds.table("spatter_verdicts")["clip"].to_list()


def test_distrust_of_a_verdict_is_in_its_table_its_csv_its_page_and_its_line(learned: Learned):
    builds = learned.builds
    table = builds.table("spatter_verdicts")
    exported, page = builds.blob("spatter_verdicts_csv", "csv").decode(), builds.figures("spatter_verdicts")["preview"]
    compared = {build: builds.table("spatter_drift", build).row(0, named=True) for build in DONE}
    doubtful = [build for build in DONE if compared[build]["likeness"] in ("shifted", "unlike")]
    assert {"gray"} <= set(doubtful)
    for build in doubtful:
        [row] = table.filter(clip=build).to_dicts()
        figures, detail = builds.figures("spatter_verdict", build), compared[build]["detail"]
        assert not row["trusted"]
        assert row["verdict"] == "undecided" or compared[build]["likeness"] == "shifted"
        for shown in (row["reason"], exported, page, figures["reason"], figures["result"]):
            assert detail in shown
        assert figures["verdict"] == "undecided" or figures["verdict"].endswith("(not trusted)")


@pytest.mark.parametrize("build", EMPTY)
def test_a_recording_without_spatter_has_artifacts_that_are_empty_and_whole(learned: Learned, build: str):
    store, builds = learned.builds.store, learned.builds
    with store.local_path("spatter_crops", build, "h5") as path:
        assert stored_crops(path) == []
    for asset, schema in {
        "spatter_events": spatter_schemas.SpatterEvents,
        "spatter_predictions": spatter_schemas.SpatterPredictions,
        "spatter_layers": spatter_schemas.SpatterLayers,
    }.items():
        assert store.read_table(asset, build, schema).is_empty()
    verdict = builds.table("spatter_verdict", build).row(0, named=True)
    assert (verdict["verdict"], verdict["reason"], verdict["probability"]) == ("undecided", "no scored crop", None)
    assert builds.table("spatter_drift", build)["alarm"].to_list() == [False]


@pytest.mark.parametrize(("build", "n_frames"), [("one-frame", 0), ("quiet", 19)])
def test_the_log_of_a_recording_without_spatter_has_a_row_for_every_pair_of_frames(
    learned: Learned, build: str, n_frames: int
):
    log = learned.builds.table("spatter_frame_log", build)
    assert log["n_spatters"].to_list() == [0] * n_frames
    assert learned.builds.blob("spatter_frame_log_csv", "csv", build).decode() == log.write_csv()


def test_kinds_of_spatter_leave_out_recordings_without_any(learned: Learned):
    assert set(learned.builds.table("spatter_types")["clip"]) == set(DONE) - set(EMPTY)


def test_of_a_recording_with_a_broken_middle_the_rest_is_taken_and_the_damage_reported(learned: Learned):
    figures = learned.builds.figures("spatter_crops", "cut")
    assert (figures["n_layers"], figures["n_crops"]) == (3, 132)
    assert "does not decode" in figures["problems"]


@pytest.mark.parametrize("build", ["odd-size", "gray"])
def test_of_a_picture_of_another_form_every_spatter_is_found(learned: Learned, build: str):
    assert len(learned.builds.table("spatter_events", build)) == 144
