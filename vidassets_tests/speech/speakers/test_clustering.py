import numpy as np
import pytest

from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers import clustering
from vidassets.speech.speakers.clustering import cluster_windows
from vidassets.speech.speakers.diarization import diarize
from vidassets.speech.speakers.voice_windows import VoiceWindows
from vidassets_tests.speech.speakers.voices import scattered

TWO = [0] * 60 + [1] * 40 + [0] * 30
STRETCHES = np.repeat([0, 1, 2], [60, 40, 30])


def same_partition(labels: np.ndarray, truth: list[int]) -> bool:
    pairs = set(zip(labels.tolist(), truth, strict=True))
    return len(pairs) == len(set(truth)) == len(set(labels.tolist()))


@pytest.mark.parametrize("seed", range(3))
def test_two_voices_are_distinguished(seed):
    found = cluster_windows(scattered(TWO, seed), STRETCHES, SpeakerOptions(n_speakers=2))
    assert same_partition(found.labels, TWO)


def test_a_change_of_voice_within_a_stretch_is_found():
    found = cluster_windows(scattered(TWO), np.zeros(len(TWO), int), SpeakerOptions(n_speakers=2))
    assert same_partition(found.labels, TWO)


@pytest.mark.parametrize("n_speakers", [1, 2, 3, 4])
def test_the_number_of_dissimilar_voices_is_found(n_speakers):
    truth = np.repeat(np.arange(n_speakers), 40).tolist()
    found = cluster_windows(scattered(truth), np.array(truth), SpeakerOptions())
    assert found.n_speakers == n_speakers
    assert same_partition(found.labels, truth)


def two_groups(n_windows: int, cosine: float) -> np.ndarray:
    """Windows of two groups whose mean vectors have this cosine, without scatter."""
    first, second = np.zeros(32), np.zeros(32)
    first[0], second[:2] = 1, (cosine, np.sqrt(1 - cosine**2))
    return np.repeat([first, second], n_windows, axis=0).astype(np.float16)


@pytest.mark.parametrize(("n_windows", "n_speakers"), [(30, 1), (300, 2)])
def test_the_means_of_few_windows_must_be_farther_apart_to_be_two_voices(n_windows, n_speakers):
    found = cluster_windows(two_groups(n_windows, 0.87), np.repeat([0, 1], n_windows), SpeakerOptions())
    assert found.n_speakers == n_speakers


def test_a_coin_toss_adds_no_speaker():
    limit = clustering.SAME_VOICE + clustering.MEAN_NOISE * 2 / 300
    found = cluster_windows(two_groups(300, 1 - limit - 0.001), np.repeat([0, 1], 300), SpeakerOptions())
    assert found.n_speakers == 1
    assert found.confidence is not None
    assert found.confidence < 0.01


def test_a_number_that_is_a_guess_is_reported():
    limit = clustering.SAME_VOICE + clustering.MEAN_NOISE * 2 / 300
    stretches = np.repeat([0, 1], 300)
    windows = VoiceWindows(
        "net", 1, np.zeros(2, np.int32), np.array([[0.0, 30.0], [31.0, 61.0]]), stretches, two_groups(300, 1 - limit)
    )
    [event] = diarize("clip", windows, SpeakerOptions()).events
    assert event.startswith("the number of speakers, 1, is little more than a guess (confidence 0.0")
    assert diarize("clip", windows, SpeakerOptions(n_speakers=2)).events == []


def test_an_estimate_is_never_confident():
    found = cluster_windows(scattered(TWO), STRETCHES, SpeakerOptions())
    assert found.confidence is not None
    assert 0 <= found.confidence <= 0.5


def test_a_given_number_has_no_confidence():
    assert cluster_windows(scattered(TWO), STRETCHES, SpeakerOptions(n_speakers=2)).confidence is None


@pytest.mark.parametrize(
    ("options", "n_speakers"),
    [
        pytest.param(SpeakerOptions(max_speakers=1), 1, id="at most 1"),
        pytest.param(SpeakerOptions(min_speakers=3), 3, id="at least 3"),
    ],
)
def test_an_estimate_stays_within_its_bounds(options, n_speakers):
    assert cluster_windows(scattered(TWO), STRETCHES, options).n_speakers == n_speakers


def test_fewer_windows_than_speakers_give_fewer_speakers():
    assert cluster_windows(scattered([0]), np.zeros(1, int), SpeakerOptions(n_speakers=2)).n_speakers == 1


def test_no_windows_have_no_speakers():
    assert cluster_windows(np.zeros((0, 32), np.float16), np.zeros(0, int), SpeakerOptions()).n_speakers == 0


def test_a_tree_of_every_nth_window_gives_the_same_speakers(monkeypatch):
    monkeypatch.setattr(clustering, "MAX_TREE_WINDOWS", 40)
    found = cluster_windows(scattered(TWO), STRETCHES, SpeakerOptions(n_speakers=2))
    assert same_partition(found.labels, TWO)


def test_the_tree_of_a_long_file_has_a_bounded_number_of_windows():
    truth = np.tile(np.repeat([0, 1], 50), 100)
    fit = clustering.Fit(scattered(truth.tolist()), np.arange(len(truth)) // 50)
    assert len(fit._tree) < clustering.MAX_TREE_WINDOWS < len(truth)
    assert same_partition(fit.labels(2), truth.tolist())


def test_blocks_do_not_change_the_result(monkeypatch):
    whole = cluster_windows(scattered(TWO), STRETCHES, SpeakerOptions(n_speakers=2))
    monkeypatch.setattr(clustering, "BLOCK_WINDOWS", 7)
    assert np.array_equal(whole.labels, cluster_windows(scattered(TWO), STRETCHES, SpeakerOptions(n_speakers=2)).labels)
