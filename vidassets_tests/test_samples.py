"""The sample videos are what their truth files say: read with PyAV from the kept files, nothing is generated."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from samples.frame_strip import StripError, draw_frame_number, read_frame_number

SAMPLES = Path(__file__).parent.parent / "samples"
EPISODE = SAMPLES / "episodes/pioneers/s01/e02/episode.mp4"
CLIP = SAMPLES / "clips/workshop.mp4"
LOW, HIGH = SAMPLES / "builds/low-flow.mp4", SAMPLES / "builds/high-flow.mp4"

every_sample = pytest.mark.parametrize("video", [EPISODE, CLIP, LOW, HIGH], ids=lambda video: video.stem)
every_montage = pytest.mark.parametrize("video", [EPISODE, CLIP], ids=lambda video: video.stem)
every_build = pytest.mark.parametrize("video", [LOW, HIGH], ids=lambda video: video.stem)

Pixels = NDArray[np.uint8]


class Region(NamedTuple):
    """What changed between frame `frame` and the next."""

    frame: int
    box_xyxy: tuple[int, int, int, int]
    blue: bool


def truth_of(video: Path) -> dict[str, Any]:
    return json.loads(video.with_suffix(".truth.json").read_text())


def pictures(video: Path, pixel_format: str = "gray") -> Iterator[Pixels]:
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format=pixel_format), np.uint8)


def frames_of(video: Path, wanted: set[int]) -> dict[int, Pixels]:
    return {frame: picture for frame, picture in enumerate(pictures(video)) if frame in wanted}


def test_there_are_exactly_these_samples():
    assert set(SAMPLES.rglob("*.mp4")) == {EPISODE, CLIP, LOW, HIGH}


def test_the_samples_stay_within_their_budget():
    sizes = [file.stat().st_size for file in SAMPLES.rglob("*") if file.suffix in {".mp4", ".json"}]
    assert sum(sizes) < 4_000_000
    assert max(sizes) < 1_400_000


@every_sample
def test_every_frame_is_presented_when_the_truth_says(video: Path):
    truth = truth_of(video)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        moments = [frame.time for frame in container.decode(stream)]
        assert (stream.width, stream.height) == (truth["width"], truth["height"])
        assert bool(container.streams.audio) == truth["has_audio"]
    rate = Fraction(truth["frame_rate"])
    assert moments == pytest.approx(
        [truth["first_pts_s"] + float(n / rate) for n in range(truth["n_frames"])], abs=1e-6
    )
    assert truth["duration_s"] == pytest.approx(float(truth["n_frames"] / rate))


@every_montage
def test_outside_a_dissolve_or_fade_the_picture_jumps_at_the_cuts_alone(video: Path):
    truth = truth_of(video)
    small = np.stack([cv2.resize(picture[:340], (32, 18), interpolation=cv2.INTER_AREA) for picture in pictures(video)])
    change = np.abs(np.diff(small.astype(np.int16), axis=0)).mean(axis=(1, 2))
    moments_s = truth["first_pts_s"] + np.arange(1, len(small)) / float(Fraction(truth["frame_rate"]))
    for row in truth["transitions"]:
        change[(moments_s > row["start_s"] - 1e-6) & (moments_s < row["end_s"] + 1e-6) & (row["kind"] != "cut")] = 0
    jumps = [int(frame) + 1 for frame in np.flatnonzero(change > 16)]
    assert jumps == [row["frame"] for row in truth["transitions"] if row["kind"] == "cut"]


@every_montage
def test_shots_meet_at_the_transitions_and_cover_the_video(video: Path):
    truth = truth_of(video)
    shots, ends_s = truth["shots"], truth["first_pts_s"] + truth["duration_s"]
    assert [shot["start_s"] for shot in shots[1:]] == [row["pts_s"] for row in truth["transitions"]]
    assert [shot["end_s"] for shot in shots[:-1]] == [row["pts_s"] for row in truth["transitions"]]
    assert (shots[0]["start_s"], shots[-1]["end_s"]) == (truth["first_pts_s"], pytest.approx(ends_s))


@every_montage
def test_the_middle_of_a_dissolve_holds_both_shots_in_equal_parts(video: Path):
    truth = truth_of(video)
    (row,) = [row for row in truth["transitions"] if row["kind"] == "dissolve"]
    reach = round((row["pts_s"] - row["start_s"]) * Fraction(truth["frame_rate"]))
    before, middle, after = row["frame"] - reach - 1, row["frame"], row["frame"] + reach
    seen = {frame: picture[60:340].mean(axis=0) for frame, picture in frames_of(video, {before, middle, after}).items()}
    mixture = (seen[before] + seen[after]) / 2
    to_mixture = np.abs(seen[middle] - mixture).mean()
    assert to_mixture < 0.5 * min(np.abs(seen[middle] - seen[side]).mean() for side in (before, after))


def test_the_clip_is_black_in_the_middle_of_its_fade():
    (row,) = [row for row in truth_of(CLIP)["transitions"] if row["kind"] == "fade"]
    (middle,) = frames_of(CLIP, {row["frame"]}).values()
    assert middle[60:340].mean() < 6


def test_every_picture_of_the_clip_carries_its_frame_number():
    numbers = [read_frame_number(picture) for picture in pictures(CLIP)]
    assert numbers == list(range(truth_of(CLIP)["n_frames"]))


@pytest.mark.parametrize("width", [1280, 640, 480, 320])
def test_the_frame_number_survives_resizing_and_jpeg(width: int):
    for number, picture in frames_of(CLIP, {0, 299, 504, 599}).items():
        small = cv2.resize(picture, (width, width * 9 // 16), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])
        assert read_frame_number(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)) == number


def test_a_strip_with_a_wrong_cell_is_refused():
    picture = np.zeros((360, 640, 3), np.uint8)
    draw_frame_number(picture, 1234)
    picture[348:, 40 * 7 : 40 * 8] = 255 - picture[348:, 40 * 7 : 40 * 8]
    with pytest.raises(StripError, match="not a frame's strip"):
        read_frame_number(picture)


def test_a_frame_number_beyond_the_strip_is_refused():
    with pytest.raises(StripError, match="12 bits"):
        draw_frame_number(np.zeros((360, 640, 3), np.uint8), 4096)


def test_the_sidecar_of_the_clip_describes_its_file():
    sidecar, truth = json.loads(CLIP.with_suffix(".json").read_text()), truth_of(CLIP)
    assert sidecar["size_bytes"] == CLIP.stat().st_size
    assert (sidecar["width"], sidecar["height"]) == (truth["width"], truth["height"])
    assert sidecar["duration_sec"] == pytest.approx(truth["duration_s"], abs=1e-3)
    assert sidecar["fps"] == pytest.approx(float(Fraction(truth["frame_rate"])), abs=5e-3)


def sound_levels(video: Path, window_s: float) -> NDArray[np.float64]:
    """RMS of each window of the sound, from time 0."""
    with av.open(str(video)) as container:
        rate_hz = container.streams.audio[0].rate
        sound = np.zeros(round(30 * rate_hz))
        for frame in container.decode(audio=0):
            start, piece = round((frame.time or 0) * rate_hz), frame.to_ndarray()[0]
            sound[start : start + len(piece)] = piece
    return np.sqrt((sound.reshape(-1, round(window_s * rate_hz)) ** 2).mean(axis=1))


def test_the_episode_sounds_while_a_sentence_is_spoken_and_is_silent_otherwise():
    window_s = 0.01
    loud = sound_levels(EPISODE, window_s) > 0.004
    middles = (np.arange(len(loud)) + 0.5) * window_s
    spans = [(row["start_s"], row["end_s"]) for row in truth_of(EPISODE)["sentences"]]
    near = np.zeros(len(loud), bool)
    for start_s, end_s in spans:
        near |= (middles > start_s - 0.03) & (middles < end_s + 0.03)  # the codec smears by one block of 21 ms
        heard = middles[loud & (middles > start_s - 0.03) & (middles < end_s + 0.03)]
        assert (heard[0], heard[-1]) == pytest.approx((start_s, end_s), abs=0.06)
    assert not loud[~near].any()


def test_two_voices_speak_and_partly_at_once():
    sentences = {row["sentence"]: row for row in truth_of(EPISODE)["sentences"]}
    assert {(row["person"], row["voice"]) for row in sentences.values()} == {
        ("grace-hopper", "rms"),
        ("eileen-collins", "slt"),
    }
    (overlap,) = truth_of(EPISODE)["overlaps"]
    first, second = (sentences[index] for index in overlap["sentences"])
    assert (overlap["start_s"], overlap["end_s"]) == (second["start_s"], first["end_s"])
    assert first["person"] != second["person"]


def test_the_words_of_a_sentence_follow_each_other_within_it():
    truth = truth_of(EPISODE)
    for sentence in truth["sentences"]:
        words = [row for row in truth["words"] if row["sentence"] == sentence["sentence"]]
        edges = [moment for row in words for moment in (row["start_s"], row["end_s"])]
        assert " ".join(row["word"] for row in words) == sentence["text"]
        assert edges == sorted(edges)
        assert edges[0] == sentence["start_s"]
        assert edges[-1] <= sentence["end_s"]


@pytest.mark.parametrize(
    ("moment_s", "people"),
    [
        pytest.param(2.0, set(), id="title"),
        pytest.param(6.0, {"grace-hopper"}, id="alone"),
        pytest.param(11.0, {"eileen-collins"}, id="the other alone"),
        pytest.param(16.0, {"eileen-collins", "grace-hopper"}, id="together"),
        pytest.param(21.0, set(), id="nobody"),
        pytest.param(24.0, {"grace-hopper"}, id="again"),
        pytest.param(27.0, {"eileen-collins"}, id="last"),
    ],
)
def test_who_is_on_screen(moment_s: float, people: set[str]):
    rows = truth_of(EPISODE)["appearances"]
    assert {row["person"] for row in rows if row["start_s"] <= moment_s < row["end_s"]} == people


def test_every_face_is_large_and_within_the_picture():
    for row in truth_of(EPISODE)["faces"]:
        x1, y1, x2, y2 = row["box_xyxy"]
        assert x2 - x1 >= 90
        assert 0 <= x1 < x2 <= 640
        assert 0 <= y1 < y2 <= 360


def changed_regions(video: Path) -> list[Region]:
    """Every region of 2000 to 15000 px that changes between two consecutive frames, found by the plain algorithm."""
    regions, earlier = [], None
    for frame, later in enumerate(pictures(video, "bgr24")):
        if earlier is not None:
            gray = cv2.cvtColor(cv2.absdiff(earlier, later), cv2.COLOR_BGR2GRAY)
            _, mask = cv2.threshold(cv2.GaussianBlur(gray, (5, 5), 0), 20, 255, cv2.THRESH_BINARY)
            mask = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=3)
            contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
            for contour in (contour for contour in contours if 2000 <= cv2.contourArea(contour) <= 15000):
                x, y, width, height = cv2.boundingRect(contour)
                blue, green, red = earlier[y + 2 : y + height - 1, x + 2 : x + width - 1].sum(axis=(0, 1), dtype=int)
                regions.append(Region(frame - 1, (x, y, x + width, y + height), bool(blue > green + red)))
        earlier = later
    return regions


def overlap_ratio(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@every_build
def test_frame_differencing_finds_every_event_that_counts_and_no_other(video: Path):
    found = sorted((region.frame, region.box_xyxy) for region in changed_regions(video) if not region.blue)
    wanted = sorted((row["frame"], tuple(row["box_xyxy"])) for row in truth_of(video)["events"] if row["counts"])
    assert [frame for frame, _ in found] == [frame for frame, _ in wanted]
    for frame, box in wanted:
        assert max(overlap_ratio(box, other) for other_frame, other in found if other_frame == frame) > 0.85


@every_build
def test_the_recoaters_light_is_blue_and_would_count_by_its_area(video: Path):
    truth = truth_of(video)
    rate = Fraction(truth["frame_rate"])
    blue = {region.frame for region in changed_regions(video) if region.blue}
    for row in truth["recoatings"]:
        span = range(row["first_frame"], round(row["end_s"] * rate))
        assert blue & set(span)
        blue -= set(span)
    assert blue == set()


@every_build
def test_every_spatter_is_bright_in_its_box_and_was_dark_before(video: Path):
    rows = truth_of(video)["spatters"]
    first_frame: dict[int, int] = {}
    for row in rows:
        first_frame.setdefault(row["spatter"], row["frame"])
    for frame, picture in enumerate(pictures(video)):
        for row in rows:
            x1, y1, x2, y2 = row["box_xyxy"]
            if row["frame"] == frame:
                box = picture[y1:y2, x1:x2]
                assert int((box > 20).sum()) == pytest.approx(row["area_px"], rel=0.1, abs=10)
            elif first_frame[row["spatter"]] == frame + 2:  # the frame before its ember
                assert picture[y1:y2, x1:x2].max() < 20


@every_build
def test_layers_are_apart_by_more_than_any_pause_within_one(video: Path):
    truth = truth_of(video)
    frames = sorted(row["frame"] for row in truth["events"] if row["counts"])
    starts = [0, *(int(gap) + 1 for gap in np.flatnonzero(np.diff(frames) > truth["layer_gap_frames"]))]
    layer_of = {row["frame"]: row["layer"] for row in truth["events"]}
    assert [layer_of[frames[start]] for start in starts] == [row["layer"] for row in truth["layers"]]
    assert len(starts) == len(truth["layers"]) == 4


def test_low_flow_has_more_and_larger_spatters():
    low, high = ([row["area_px"] for row in truth_of(video)["events"] if row["counts"]] for video in (LOW, HIGH))
    assert len(low) > 1.5 * len(high)
    assert np.median(low) > 1.5 * np.median(high)


@every_build
def test_the_labels_of_a_build_are_in_its_sidecar(video: Path):
    truth = truth_of(video)
    labels = {"gas_flow": truth["gas_flow"], "position": truth["position"]}
    labels["extraction"] = {"layer_gap_frames": truth["layer_gap_frames"]}
    assert json.loads(video.with_suffix(".json").read_text()) == labels
