"""Which assets, clips and settings a run uses."""

import pytest

from vidassets_tests.builders import VIDEO, Home, changed, film, flat
from vidassets_tests.descriptions.wire_server import WireServer

PRICED = """
describer:
  class: vidassets.resources.describers.OpenAICompatibleDescriber
  model: m
  base_url: {base_url}
  budget_usd_dataset: 0.000001
  prices:
    - model: m
      input_usd_per_million: 100
      output_usd_per_million: 100
      image_base_tokens: 9
      image_tile_tokens: 9
      as_of: "2026-01-01"
      source: x
"""


def test_a_selection_makes_these_assets_and_counts_only_their_state(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run", "--select", "raw_clip, shot_scores")
    assert said.code == 0
    assert changed({}, home.events()) == {"a": ["raw_clip", "shot_scores"]}
    assert home.command("run", "--select", "shots+").code == 0
    assert changed({}, home.events()) == {"a": ["raw_clip", "shot_scores", "shots"]}


def test_what_stops_a_selected_asset_is_said_and_what_is_not_selected_does_not_count(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    with WireServer() as server:
        home.profile(PRICED.format(base_url=server.base_url))
        said = home.command("run", "--select", "raw_clip,frames,frame_descriptions")
    assert (said.code, server.requests) == (1, [])
    assert "a incomplete: frame_descriptions 1 still to be done: " in said.out
    assert "budget" in said.out
    assert "shot_scores" not in said.out + said.err
    assert home.command("run", "--select", "raw_clip").code == 0


def test_an_input_over_all_clips_that_is_not_selected_is_said_with_the_selection_that_makes_it(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run", "--select", "speaker_names")
    assert "voice_bank has not been made yet, and is not selected: `vidassets run --select '*voice_bank'`" in said.out


@pytest.mark.parametrize("name", ["subtitles_srt", "spatter_events"])
def test_a_companion_selects_the_asset_that_makes_it(worked: Home, name: str):
    maker = {"subtitles_srt": "subtitles", "spatter_events": "spatter_crops"}[name]
    with worked.deployment() as deployment:
        assert deployment.selected([name]) == {maker}
        assert deployment.selected([f"*{name}"]) == deployment.selected([f"*{maker}"])


def test_a_selection_without_its_inputs_fails_and_names_the_command_that_makes_them(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run", "--select", "shots")
    assert said.code == 1
    assert "`vidassets run --select" in said.out


def test_launch_settings_join_the_settings_of_the_profile(home: Home):
    home.profile("assets: {frames: {max_side_px: 80}}")
    film(home.videos / "a.mp4", (1.0,))
    home.command("add", str(home.videos))
    words = ("run", "--select", "*frames", "--set", "frames.interval_s=0.5")
    assert home.command(*words).code == 0
    assert home.table("frames", "a")["width"].to_list() == [80, 80]
    assert "nothing to do" in home.command(*words).out


def test_a_variable_of_the_environment_stands_above_the_profile(worked: Home):
    stale = worked.states(VIDASSETS__FRAMES__INTERVAL_S="5")
    assert stale == {("frames", "a"): "stale", ("frames", "b"): "stale"}
    assert worked.states() == {}


def test_frames_at_shot_midpoints_are_asked_for_in_the_profile(home: Home):
    home.profile("assets: {frames: {at_shot_midpoints: true, interval_s: 10}}")
    film(home.videos / "a.mp4", (1.0, 0.7), place=1)
    home.command("add", str(home.videos))
    assert home.command("run", "--select", VIDEO).code == 0
    frames, shots = home.table("frames", "a"), home.table("shots", "a")
    midpoints = frames.filter(reason="shot_midpoint")["pts_s"].to_list()
    assert midpoints == shots["representative_s"].to_list()
    home.profile("assets: {frames: {at_shot_midpoints: true}, shots: {min_length_s: 1.5}}")
    assert home.command("run", "--select", VIDEO).code == 0
    assert home.table("frames", "a").filter(reason="shot_midpoint").height == 1


def test_frames_at_shot_midpoints_are_refused_at_launch_and_the_profile_is_named(worked: Home):
    said = worked.command("run", "--set", "frames.at_shot_midpoints=true")
    assert (said.code, worked.states()) == (2, {})
    assert "Set it in the profile (assets: frames: at_shot_midpoints: true)" in flat(said.err)


def test_videos_named_to_run_are_added_and_worked_on_alone(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    other = film(home.path / "elsewhere" / "b.mp4")
    said = home.command("run", str(other), "--kind", "clip", "--select", "raw_clip", "--json")
    assert (said.code, [row["clip"] for row in said.json]) == (0, ["b"])
    assert changed({}, home.events()) == {"b": ["raw_clip"]}
    again = home.command("run", str(other), "--select", "raw_clip")
    assert "nothing to do" in again.out


def test_what_run_cannot_add_is_refused_and_the_rest_is_done(home: Home):
    film(home.videos / "a.mp4")
    for name in ("b.mp4", "b.mkv"):
        (home.videos / name).write_bytes(b"of one key")
    said = home.command("run", str(home.videos), "--select", "raw_clip", "--json")
    assert (said.code, [row["clip"] for row in said.json]) == (1, ["a"])
    assert "would share the key 'b'" in flat(said.err)
    both = home.command("run", str(home.videos), "--clips", "a")
    assert (both.code, "exclude each other" in flat(both.err)) == (2, True)
