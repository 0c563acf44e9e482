"""`raw_clip`: the facts of a file, its checks, its data version."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from vidassets.assets.sources.raw_clip import raw_clip
from vidassets_tests.assets.films import raw, verdicts
from vidassets_tests.builders import film
from vidassets_tests.media.videos import rotate_mp4, write_sound, write_video

GOOD = {"has_video_stream": True, "decodes": True, "duration_is_plausible": True, "sidecar_is_readable": True}


def test_the_row_reports_where_a_video_lies_and_what_it_is(tmp_path: Path):
    path = film(tmp_path / "a.mp4", (1.0, 1.0), sidecar={"worker_id": 7})
    row = raw(path).value.row(0, named=True)
    reported = ("clip", "uri", "kind", "duration_s", "first_pts_s", "width", "height", "n_frames", "has_audio")
    assert [row[name] for name in reported] == ["a", str(path), "clip", 2.0, 0.0, 160, 90, 20, False]
    assert (row["frame_rate_num"], row["frame_rate_den"], row["video_codec"]) == (10, 1, "h264")
    assert json.loads(row["sidecar_json"]) == {"worker_id": 7}
    assert row["problems"] == []


def test_the_data_version_is_the_hash_of_the_content_wherever_it_lies(tmp_path: Path):
    path = film(tmp_path / "a.mp4")
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(path, tmp_path / "elsewhere" / "b.mp4")
    content = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert raw(path).data_version == raw(Path(copy)).data_version == content


def test_a_healthy_file_passes_every_check(tmp_path: Path):
    assert verdicts(raw(film(tmp_path / "a.mp4"))) == GOOD


def test_a_file_with_sound_only_fails_the_picture_checks_and_the_message_says_how_to_fix_it(tmp_path: Path):
    result = raw(write_sound(tmp_path / "a.mp4"))
    assert verdicts(result) == GOOD | {"has_video_stream": False, "decodes": False}
    [check] = [check for check in raw_clip.checks if check.name == "has_video_stream"]
    assert (
        "no video stream (streams found: audio). Replace the file, or remove the clip."
        in check.answer(result.value).description
    )


def test_a_refused_sidecar_fails_its_check_alone(tmp_path: Path):
    path = film(tmp_path / "a.mp4")
    path.with_suffix(".json").write_text("[]")
    assert verdicts(raw(path)) == GOOD | {"sidecar_is_readable": False}


def test_a_file_cut_in_the_middle_of_its_packets_fails_the_check_that_it_decodes(tmp_path: Path):
    path = write_video(tmp_path / "a.mkv", n_frames=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert not verdicts(raw(path))["duration_is_plausible"]


def test_a_turned_video_is_as_high_as_it_is_shown(tmp_path: Path):
    row = raw(rotate_mp4(film(tmp_path / "a.mp4"), 90)).value.row(0, named=True)
    assert (row["width"], row["height"], row["rotation_degrees"]) == (90, 160, 90)


@pytest.mark.parametrize("fact", ["h264, 160x90, 6 frames", "0.600 s, starting at 0.000 s", "none found"])
def test_its_page_shows_the_facts(tmp_path: Path, fact: str):
    assert raw_clip.preview is not None
    assert fact in str(raw_clip.preview(raw(film(tmp_path / "a.mp4")).value))
