from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import EmbeddingMismatch, SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.speech.speakers import voice_windows as module
from vidassets.speech.speakers.voice_encoder import EMBEDDING_SIZE, mel_spectrogram
from vidassets.speech.speakers.voice_windows import VoiceWindows, embed_samples, embed_windows, without_silence
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech.speakers.voices import activity, buzz


class BandShares:
    """An encoder without a network: the share of the power in each mel band."""

    def embeddings(self, spectrograms: np.ndarray) -> np.ndarray:
        power = np.pad(spectrograms.sum(axis=1), ((0, 0), (0, EMBEDDING_SIZE - spectrograms.shape[2])))
        return (power / np.linalg.norm(power, axis=1, keepdims=True)).astype(np.float32)


def sound(folder: Path, samples: np.ndarray, start_s: float = 0.0) -> Sound:
    write_flac(folder / "clip.flac", samples, start_s)
    return Sound.open(folder / "clip.flac")


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def read(samples: np.ndarray):
    return lambda start, stop: np.pad(samples, (0, SAMPLE_RATE_HZ))[start:stop]


def test_the_spectrogram_is_librosas():
    librosa = pytest.importorskip("librosa", reason="librosa, to compare with, is not installed")
    samples = buzz(120, 700, 1.7)
    theirs = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T
    np.testing.assert_allclose(mel_spectrogram(samples), theirs, rtol=2e-4, atol=1e-7)


def test_silent_ends_and_gaps_of_a_stretch_are_left_out():
    samples = np.concatenate([silence(0.3), buzz(120, 700, 1.0), silence(0.5), buzz(120, 700, 1.0), silence(0.3)])
    spans = without_silence(read(samples), 0.0, 3.1)
    assert [pytest.approx(span, abs=0.021) for span in spans] == [(0.3, 1.3), (1.8, 2.8)]


def test_a_short_gap_does_not_end_a_stretch():
    samples = np.concatenate([buzz(120, 700, 1.0), silence(0.1), buzz(120, 700, 1.0)])
    assert without_silence(read(samples), 0.0, 2.1) == [pytest.approx((0.0, 2.1))]


def test_a_silent_stretch_has_no_parts():
    assert without_silence(read(silence(2.0)), 0.0, 2.0) == []


def test_windows_stand_for_a_tenth_of_a_second_of_their_stretch(tmp_path):
    made = embed_windows(sound(tmp_path, buzz(120, 700, 4.0)), activity((0.5, 1.5), (2.0, 2.5)), BandShares(), "net")
    assert made.stretch_s.tolist() == [[0.5, 1.5], [2.0, 2.5]]
    assert np.bincount(made.window_stretch).tolist() == [10, 5]


def test_times_are_on_the_clips_clock(tmp_path):
    samples = np.concatenate([buzz(120, 700, 2.0), buzz(240, 1500, 2.0)])
    at_zero = embed_windows(sound(tmp_path, samples), activity((1.0, 3.0)), BandShares(), "net")
    later = embed_windows(sound(tmp_path, samples, 90.0), activity((91.0, 93.0)), BandShares(), "net")
    assert later.stretch_s.tolist() == [[91.0, 93.0]]
    assert np.array_equal(at_zero.embedding, later.embedding)


def test_groups_and_blocks_do_not_change_the_windows(tmp_path, monkeypatch):
    given = sound(tmp_path, buzz(120, 700, 3.0)), activity((0.1, 2.9)), BandShares(), "net"
    whole = embed_windows(*given)
    monkeypatch.setattr(module, "GROUP_WINDOWS", 4)
    monkeypatch.setattr(module, "BLOCK_S", 0.5)
    parted = embed_windows(*given)
    assert np.array_equal(whole.stretch_s, parted.stretch_s)
    np.testing.assert_allclose(whole.embedding, parted.embedding, atol=1e-3)


def test_channels_are_processed_separately(tmp_path):
    both = np.stack([buzz(120, 700, 2.0), buzz(240, 1500, 2.0)])
    stretches = activity((0.0, 2.0)).vstack(activity((0.0, 2.0), channel=1))
    made = embed_windows(sound(tmp_path, both), stretches, BandShares(), "net")
    assert (made.n_channels, made.stretch_channel.tolist()) == (2, [0, 1])
    assert float(made.embedding[10] @ made.embedding[-10]) < 0.5


@pytest.mark.parametrize("seconds", [pytest.param(0.0, id="no samples"), pytest.param(1.0, id="no speech")])
def test_no_speech_has_no_windows_and_is_stored(tmp_path, seconds):
    made = embed_windows(sound(tmp_path, silence(seconds)), activity(), BandShares(), "net")
    again = VoiceWindows.from_bytes("clip", made.to_bytes(), "net")
    assert (again.embedding.shape, again.stretch_s.shape) == ((0, EMBEDDING_SIZE), (0, 2))


def test_stored_windows_read_back_the_same(tmp_path):
    made = embed_windows(sound(tmp_path, buzz(120, 700, 2.0)), activity((0.0, 2.0)), BandShares(), "net")
    assert VoiceWindows.from_bytes("clip", made.to_bytes(), "net").to_bytes() == made.to_bytes()


def test_stored_windows_of_another_model_are_refused(tmp_path):
    made = embed_windows(sound(tmp_path, silence(0.0)), activity(), BandShares(), "net")
    with pytest.raises(EmbeddingMismatch, match=r"model net.*names other"):
        VoiceWindows.from_bytes("clip", made.to_bytes(), "other")


@pytest.mark.parametrize("stored", [pytest.param(b"", id="empty"), pytest.param(b"PK\x03\x04 torn", id="torn")])
def test_bytes_that_are_not_stored_windows_are_refused(stored):
    with pytest.raises(SpeechError, match="clip"):
        VoiceWindows.from_bytes("clip", stored, "net")


def test_a_voice_does_not_depend_on_its_loudness():
    samples = buzz(120, 700, 2.0)
    loud, soft = embed_samples(samples, BandShares()), embed_samples(samples * 0.1, BandShares())
    np.testing.assert_allclose(loud, soft, atol=1e-4)
    assert np.linalg.norm(loud) == pytest.approx(1)


def test_silence_has_no_voice():
    with pytest.raises(SpeechError, match="no speech"):
        embed_samples(silence(1.0), BandShares())
