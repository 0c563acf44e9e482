"""Bad input from end to end: each is refused or fails alone, with a clear error, and its good neighbour is made."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vidassets.sources.keys import clip_key
from vidassets_tests.builders import CLIP_ASSETS, VIDEO, Home, Said, film
from vidassets_tests.media.videos import write_sound, write_video

ODD_NAME = "a b'c\"d ünïcode 中 %s {x} [y] $HOME"


def _two_sizes(path: Path) -> None:
    """A transport stream whose pictures change their size in the middle."""
    parts = [
        write_video(path.with_name(f"{size}.part.ts"), ticks=ticks, size=size)
        for size, ticks in {(96, 64): range(10), (64, 96): range(50, 60)}.items()
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def _without_its_tail(path: Path) -> None:
    film(path, (1.0,))
    path.write_bytes(path.read_bytes()[:2000])


FILES: dict[str, Callable[[Path], object]] = {
    "empty.mp4": Path.touch,
    "text.mp4": lambda path: path.write_text("This is a note.\n" * 100),
    "cut.mp4": _without_its_tail,
    "sound.mp4": write_sound,
    "one.mp4": lambda path: write_video(path, n_frames=1),
    "sizes.ts": _two_sizes,
    f"{ODD_NAME}.mp4": film,
    "folder.mp4/inside.mp4": film,
    "link.mp4": lambda path: path.symlink_to("nowhere.mp4"),
    "pipe.mp4": os.mkfifo,
    "x..y.mp4": film,
    f"{'long' * 55}.mp4": film,
    "twice.mp4": film,
    "twice.mov": film,
    "neighbour.mp4": film,
}
SIDECARS: dict[str, Callable[[Path], object]] = {
    "large": lambda path: path.write_text(json.dumps({"x": "y" * 2_000_000})),
    "deep": lambda path: path.write_text("[" * 1000 + "]" * 1000),
    "list": lambda path: path.write_text("[1, 2]"),
    "nan": lambda path: path.write_text('{"x": NaN}'),
    "binary": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "types": lambda path: path.write_text('{"factory_id": [1], "clip": {"a": null}, "kind": 3}'),
}


@dataclass(frozen=True)
class Mess:
    """A folder of all that, added and run."""

    home: Home
    added: Said
    ran: Said
    clips: dict[str, dict[str, Any]]  # as `status --json` prints them


@pytest.fixture(scope="module")
def mess(tmp_path_factory: pytest.TempPathFactory) -> Mess:
    home = Home(tmp_path_factory.mktemp("mess"))
    for name, make in FILES.items():
        (home.videos / name).parent.mkdir(exist_ok=True)
        make(home.videos / name)
    for name, make in SIDECARS.items():
        film(home.videos / f"side-{name}.mp4")
        make(home.videos / f"side-{name}.json")
    added, ran = home.command("add", str(home.videos), "--json"), home.command("run")
    clips = {row["clip"]: row for row in home.command("status", "--json").json}
    return Mess(home, added, ran, clips)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("link.mp4", "a link to a file that does not exist. Fix or remove the link", id="broken link"),
        pytest.param("pipe.mp4", "neither a file nor a folder. Remove it from the folder", id="pipe"),
        pytest.param(
            f"{'long' * 55}.mp4", "not a key. A key has 1 to 200 of the characters a-z 0-9 . _ -", id="name too long"
        ),
        pytest.param("twice.mp4", "would share the key 'twice'. Rename or move all but one", id="one key for two"),
        pytest.param("twice.mov", "would share the key 'twice'. Rename or move all but one", id="and the other"),
    ],
)
def test_what_can_be_no_clip_is_refused_and_says_how_to_fix_it(mess: Mess, name: str, reason: str):
    assert reason in mess.added.json["refused"][str(mess.home.videos / name)]


def test_nothing_else_is_refused(mess: Mess):
    assert (mess.added.code, len(mess.added.json["refused"])) == (1, 5)
    assert len(mess.added.json["added"]) == len(FILES) + len(SIDECARS) - 5


@pytest.mark.parametrize(
    ("key", "asset", "reason"),
    [
        pytest.param("empty", "raw_clip", "EmptyVideo: {}/empty.mp4: zero bytes. Copy it again", id="zero bytes"),
        pytest.param("text", "raw_clip", "UnreadableVideo: {}/text.mp4: not a video that can be opened", id="text"),
        pytest.param("cut", "raw_clip", "TruncatedVideo: {}/cut.mp4: cut off", id="truncated"),
    ],
)
def test_what_is_no_video_fails_and_its_cause_names_the_file_and_how_to_fix_it(
    mess: Mess, key: str, asset: str, reason: str
):
    row = mess.clips[key]
    assert (row["state"], row["asset"]) == ("failed", asset)
    assert row["reason"].startswith(reason.format(mess.home.videos))
    assert row["reason"] in mess.ran.out


def test_of_what_failed_nothing_below_is_tried(mess: Mess):
    shown = mess.home.command("show", "empty", "--json").json["assets"]
    states = {name: asset["state"] for name, asset in shown.items()}
    assert states == dict.fromkeys(shown, "missing") | {"raw_clip": "failed"}
    assert set(shown) >= {*CLIP_ASSETS, "audio", "subtitles"}


def test_every_other_clip_is_made(mess: Mess):
    assert mess.ran.code == 1
    assert {key for key, row in mess.clips.items() if row["state"] != "up to date"} == {"empty", "text", "cut"}


@pytest.mark.parametrize(
    "key", ["neighbour", "folder.mp4.inside", "x-y", clip_key("", f"{ODD_NAME}.mp4"), "one", "sizes"]
)
def test_what_only_looks_odd_is_worked_on(mess: Mess, key: str):
    row = mess.clips[key]
    assert (row["state"], row["frames"], row["descriptions"]) == ("up to date", 1, 1)


def test_a_video_file_without_pictures_is_worked_on_and_its_check_says_what_is_missing(mess: Mess):
    row = mess.clips["sound"]
    assert (row["state"], row["frames"], row["descriptions"], row["shots"]) == ("up to date", 0, 0, 0)
    problems = {problem["code"] for problem in mess.home.table("raw_clip", "sound")["problems"].item(0)}
    assert problems == {"no_video_stream"}


def test_pictures_of_several_sizes_are_reported(mess: Mess):
    problems = {problem["code"] for problem in mess.home.table("raw_clip", "sizes")["problems"].item(0)}
    assert "size_changes" in problems


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        pytest.param("large", "over 1000000 bytes", id="2 MB"),
        pytest.param("deep", "nested over 20 deep", id="1000 deep"),
        pytest.param("list", "holds a list, not an object", id="a list"),
        pytest.param("nan", "NaN is not JSON", id="NaN"),
        pytest.param("binary", "can't decode byte", id="not text"),
    ],
)
def test_a_hostile_sidecar_is_a_problem_of_its_clip_which_is_made_without_it(mess: Mess, name: str, detail: str):
    row = mess.home.table("raw_clip", f"side-{name}").row(0, named=True)
    [problem] = row["problems"]
    assert (row["sidecar_json"], problem["code"]) == (None, "sidecar_refused")
    assert problem["detail"].startswith(str(mess.home.videos / f"side-{name}.json"))
    assert detail in problem["detail"]
    assert mess.clips[f"side-{name}"]["state"] == "up to date"


def test_a_sidecar_that_claims_other_fields_and_types_is_carried_through_and_overrides_nothing(mess: Mess):
    document = json.loads(mess.home.store.read_bytes("description_document", "side-types", "json"))
    assert document["metadata"] == {"factory_id": [1], "clip": {"a": None}, "kind": 3}
    assert document["clip"] == "side-types"
    assert mess.clips["side-types"]["kind"] == "clip"


@pytest.mark.parametrize("key", ["../escape", "..", "a/../../b", "/etc/passwd", "%2e%2e"])
@pytest.mark.parametrize("words", [["show"], ["remove", "--artifacts"], ["run", "--clips"]], ids=" ".join)
def test_a_key_that_would_leave_its_folder_is_refused(mess: Mess, words: list[str], key: str):
    said = mess.home.command(*words, key)
    assert (said.code, said.out) == (2, "")
    assert f"{key}: no clip has this key" in said.err


def test_a_replaced_file_that_is_no_video_any_more_fails_and_is_made_once_it_is_a_video_again(tmp_path: Path):
    home = Home(tmp_path)
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.command("run", "--select", VIDEO)
    (home.videos / "a.mp4").write_bytes(b"")
    said = home.command("run", "--select", VIDEO)
    assert said.code == 1
    assert "a failed: raw_clip EmptyVideo" in said.out
    film(home.videos / "a.mp4", (1.0,), place=2)
    assert home.command("run", "--select", VIDEO).code == 0
    assert home.table("raw_clip", "a")["duration_s"].to_list() == [1.0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_video_that_may_not_be_read_is_refused_and_harms_no_other(tmp_path: Path):
    home = Home(tmp_path)
    film(home.videos / "secret.mp4").chmod(0)
    film(home.videos / "a.mp4")
    said = home.command("add", str(home.videos))
    assert said.code == 1
    assert "Give this user permission to read it" in said.err
    assert home.partitions() == {"clips": ["a"]}
