"""A deployment from day to day: what each change makes the next run do."""

import os
from dataclasses import dataclass

import pytest

from vidassets_tests.builders import CLIP_ASSETS, DESCRIBED, VIDEO, Home, Said, changed, film


@dataclass(frozen=True)
class Day:
    """A command, and what it did."""

    said: Said
    made: dict[str, list[str]]  # clip → assets
    n_runs: int
    states: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Day]:
    """A deployment from day to day: something changes, then a command."""
    home = Home(tmp_path_factory.mktemp("days"))
    days: dict[str, Day] = {}
    before, run = home.look(), ("run", "--select", VIDEO)

    def day(name: str, *words: str) -> None:
        nonlocal before
        said, after = home.command(*words), home.look(VIDEO if "--select" in words else "")
        days[name] = Day(said, changed(before.events, after.events), after.n_runs - before.n_runs, after.states)
        before = after

    film(home.videos / "a.mp4", (1.0, 1.0), place=1)
    film(home.videos / "b.mp4", (1.2,), place=2)
    day("first add", "add", str(home.videos))
    day("first run", "run")
    day("again", "run")
    film(home.videos / "c.mp4", place=3)
    home.command("add", str(home.videos))
    day("one added", *run)
    film(home.videos / "b.mp4", (0.8,), place=4)
    day("one replaced", *run)
    os.utime(home.videos / "a.mp4")
    day("one touched", *run)
    home.videos.rename(home.path / "moved")
    day("all moved, added", "add", str(home.path / "moved"))
    day("all moved", *run)
    (home.path / "moved" / "c.mp4").unlink()
    day("one gone", *run)
    home.profile("assets: {shots: {min_length_s: 0.5}}")
    day("shots set", *run)
    home.profile("assets: {shots: {min_length_s: 0.5}, frames: {interval_s: 0.5}}")
    day("frames set", *run, "--clips", "a,b")
    day("launch settings", *run, "--clips", "a", "--set", "frames.interval_s=0.4")
    day("launch settings again", *run, "--clips", "a", "--set", "frames.interval_s=0.4")
    day("plain after launch settings", *run, "--clips", "a")
    day("forced", "run", "--clips", "b", "--select", "shots", "--force")
    return days


def test_the_first_run_makes_all_of_every_clip_in_one_run_and_what_is_over_all_clips_in_others(days: dict[str, Day]):
    assert days["first add"].said.out == "clips: 2 added\n"
    assert days["first run"].made == {"a": CLIP_ASSETS, "b": CLIP_ASSETS}
    assert (days["first run"].said.code, days["first run"].n_runs) == (0, 4)  # a voice bank, decisions, costs


def test_a_run_ends_with_a_table_of_all_clips_and_where_the_artifacts_lie(days: dict[str, Day]):
    head, a, b, _, where, *_ = days["first run"].said.out.splitlines()
    assert head.split() == ["clip", "kind", "duration", "frames", "shots", "seconds", "state"]
    assert a.split()[:5] == ["a", "clip", "0:02.0", "1", "2"]
    assert b.split()[:5] == ["b", "clip", "0:01.2", "1", "1"]
    assert where.startswith("Artifacts: /")


def test_a_second_run_says_that_all_is_up_to_date_and_launches_nothing(days: dict[str, Day]):
    day = days["again"]
    assert (day.made, day.n_runs, day.said.code) == ({}, 0, 0)
    assert "Everything is up to date: nothing to do." in day.said.out


@pytest.mark.parametrize("day", ["first run", "one added", "one replaced", "one touched", "all moved", "shots set"])
def test_after_a_run_all_is_up_to_date(days: dict[str, Day], day: str):
    assert (days[day].states, days[day].said.code) == ({}, 0)


def test_of_one_video_added_only_that_one_is_worked_on(days: dict[str, Day]):
    assert days["one added"].made == {"c": CLIP_ASSETS}


def test_of_one_video_replaced_all_that_hangs_on_it_is_made_again(days: dict[str, Day]):
    assert days["one replaced"].made == {"b": CLIP_ASSETS}


def test_a_touched_video_is_looked_at_again_and_nothing_is_recomputed(days: dict[str, Day]):
    # The document holds the path of its video, so it depends on source_video as well.
    assert days["one touched"].made == {"a": ["raw_clip", "description_document"]}


def test_moved_videos_are_looked_at_again_and_nothing_is_recomputed(days: dict[str, Day]):
    assert days["all moved, added"].said.out == "clips: 3 moved\n"
    assert days["all moved"].made == {clip: ["raw_clip", "description_document"] for clip in "abc"}


def test_a_video_that_is_gone_is_reported_and_nothing_of_it_is_deleted(days: dict[str, Day]):
    day = days["one gone"]
    assert (day.made, day.n_runs, day.said.code) == ({}, 0, 0)
    assert "gone c: " in day.said.err
    assert "Its artifacts are kept; `vidassets remove c` removes the clip." in " ".join(day.said.err.split())


def test_a_setting_of_shots_makes_shots_again_and_no_scores(days: dict[str, Day]):
    assert days["shots set"].made == {clip: ["shots"] for clip in "abc"}


def test_a_setting_of_frames_makes_frames_again_and_what_is_below_only_of_the_clips_asked_for(days: dict[str, Day]):
    below = ["frames", *DESCRIBED]
    assert days["frames set"].made == dict.fromkeys("ab", below)
    assert (days["frames set"].said.code, days["frames set"].states) == (0, {("frames", "c"): "stale"})


def test_settings_given_at_launch_stand_above_the_profile_and_take_what_is_below_along(days: dict[str, Day]):
    day = days["launch settings"]
    assert (day.made, day.said.code) == ({"a": ["frames", *DESCRIBED]}, 0)
    assert day.said.out.splitlines()[1].split()[3] == "5"  # 2 s, one every 0.4 s


def test_the_same_settings_given_again_find_all_up_to_date(days: dict[str, Day]):
    assert (days["launch settings again"].made, days["launch settings again"].said.code) == ({}, 0)


def test_a_plain_run_makes_again_what_was_made_with_settings_given_at_launch(days: dict[str, Day]):
    plain = days["plain after launch settings"]
    assert plain.made == {"a": ["frames", "frame_descriptions", "description_document"]}
    assert plain.said.code == 0


def test_force_makes_the_selected_assets_of_the_selected_clips_again_and_no_other(days: dict[str, Day]):
    assert days["forced"].made == {"b": ["shots"]}
