import numpy as np
import onnxruntime
import pytest

from vidassets.resources.packages import package_path
from vidassets.schemas.speech import SpeechScores
from vidassets.speech.transcript.silero import CONTEXT_SAMPLES, WINDOW_SAMPLES, SileroNetwork, score_speech
from vidassets_tests.speech.recordings import recording, spoken


@pytest.fixture(scope="module")
def network() -> SileroNetwork:
    return SileroNetwork(package_path("silero_vad", "data/silero_vad_16k_sequence.onnx", "pip install"))


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Silence, a sentence from 0.5 s on to 3.78 s, silence."""
    return spoken(0, 4.5)


def scores_of(network: SileroNetwork, samples: np.ndarray, n_windows: int) -> np.ndarray:
    """Scores of a whole, fed in blocks of so many windows."""
    size = n_windows * WINDOW_SAMPLES
    return np.concatenate(list(network.scores(samples[at : at + size] for at in range(0, len(samples), size))))


def test_a_sentence_is_speech_and_the_silence_around_it_is_none(network, voice):
    score = scores_of(network, voice, 512)
    at_s = (np.arange(len(score)) + 0.5) * 0.032
    assert score[at_s < 0.45].max() < 0.2
    assert score[(at_s > 0.7) & (at_s < 3.6)].min() > 0.5
    assert score[at_s > 4.1].max() < 0.2


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(16000), id="digital silence"),
        pytest.param(0.05 * np.random.default_rng(7).standard_normal(32000), id="noise"),
        pytest.param(0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000), id="a tone"),
    ],
)
def test_what_nobody_says_is_no_speech(network, samples):
    assert np.median(scores_of(network, samples.astype(np.float32), 512)) < 0.3


def test_blocks_score_as_the_network_that_takes_one_window_at_a_time(network, voice):
    path = package_path("silero_vad", "data/silero_vad.onnx", "pip install")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    samples = voice[: 60 * WINDOW_SAMPLES]
    padded = np.concatenate([np.zeros(CONTEXT_SAMPLES, np.float32), samples])
    state, expected = np.zeros((2, 1, 128), np.float32), []
    for at in range(0, len(samples), WINDOW_SAMPLES):
        window = padded[None, at : at + CONTEXT_SAMPLES + WINDOW_SAMPLES]
        score, state = session.run(None, {"input": window, "state": state, "sr": np.array(16000)})
        expected.append(np.asarray(score).item())
    np.testing.assert_allclose(scores_of(network, samples, 7), expected, atol=1e-4)


def test_every_window_is_scored_whatever_the_blocks(network, voice):
    samples = voice[:20_001]
    whole = scores_of(network, samples, 512)
    assert len(whole) == 40
    np.testing.assert_allclose(scores_of(network, samples, 1), whole, atol=1e-5)


def test_scores_are_on_the_clips_clock_and_end_with_the_sound(network, voice, tmp_path):
    sound = recording(tmp_path, voice[:20_001], start_s=-2.5)
    table = SpeechScores.validate(score_speech("talk", sound, network, "silero-vad"))
    assert table["start_s"][:2].to_list() == pytest.approx([-2.5, -2.468])
    assert table["end_s"][-2:].to_list() == pytest.approx([-2.5 + 39 * 0.032, sound.end_s])


def test_channels_are_scored_separately(network, voice, tmp_path):
    samples = np.stack([np.zeros(48_000, np.float32), voice[:48_000]])
    table = score_speech("talk", recording(tmp_path, samples), network, "silero-vad")
    highest = SpeechScores.validate(table).group_by("channel", maintain_order=True).max()
    assert (highest["score"] > 0.5).to_list() == [False, True]


def test_a_sound_longer_than_a_block_is_scored_as_one(network, voice, tmp_path):
    samples = np.tile(voice, 5)[: 22 * 16000]
    table = score_speech("talk", recording(tmp_path, samples), network, "silero-vad")
    np.testing.assert_allclose(table["score"], scores_of(network, samples, 100), atol=1e-2)
    assert table["start_s"].diff().drop_nulls().to_numpy() == pytest.approx(0.032)


def test_no_sound_has_no_scores(network, tmp_path):
    table = score_speech("talk", recording(tmp_path, np.zeros(0, np.float32)), network, "silero-vad")
    assert len(SpeechScores.validate(table)) == 0
