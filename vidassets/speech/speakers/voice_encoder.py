"""Embeddings of voices, by Resemblyzer's network with the weights from its package.

Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification", arXiv:1710.10467, as trained and published
by Resemblyzer. Its package is not imported, because it needs a compiler and librosa. Instead, the weights are loaded
into the same layers here, and the mel spectrogram is computed with numpy; tests compare it with librosa's. Torch is
imported inside functions only.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.progress import counted
from vidassets.speech.mel import mel_filters

MODEL = "resemblyzer"
EMBEDDING_SIZE = 256
# From this cosine a voice may be a known person's. Measured on thirteen voices in few recordings: 0.89 or more for one
# person (mostly two halves of a recording), up to 0.87 for two people. Chosen here, between the two.
NAME_THRESHOLD = 0.88

# The input the weights were trained on: 25 ms windows every 10 ms, 40 mel bands, power (not its logarithm).
FFT_SAMPLES = 400
HOP_SAMPLES = 160
FRAMES_PER_S = SAMPLE_RATE_HZ // HOP_SAMPLES
N_MELS = 40

# Windows of 100 frames per inference: about 40 MB; larger batches are not faster. Chosen here.
BATCH_WINDOWS = 64


class Encoder(Protocol):
    """Computes embeddings of spectrograms."""

    def embeddings(self, spectrograms: np.ndarray) -> np.ndarray:
        """Return float32 (N, D), rows of unit length, for float32 (N, T, 40)."""
        ...


class VoiceEncoder:
    """The network on the CPU.

    Args:
        module: maps float32 (B, T, 40) to float32 (B, 256).
        threads: of torch, during inference.
    """

    def __init__(self, module: Any, threads: int = 1) -> None:
        self._module = module
        self._threads = threads

    def embeddings(self, spectrograms: np.ndarray) -> np.ndarray:
        """Return float32 (N, 256), all values at least 0, rows of unit length.

        Args:
            spectrograms: float32 (N, T, 40), see `mel_spectrogram`; N may be 0.
        """
        import torch

        threads_before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                batches = range(0, len(spectrograms), BATCH_WINDOWS)
                parts = [
                    self._module(torch.from_numpy(np.ascontiguousarray(spectrograms[at : at + BATCH_WINDOWS]))).numpy()
                    for at in counted(batches, "batches of speech", len(batches))
                ]
        finally:
            torch.set_num_threads(threads_before)
        raw = np.concatenate(parts) if parts else np.zeros((0, EMBEDDING_SIZE), np.float32)
        return unit(raw)


def load_encoder(weights: Path, threads: int = 1) -> VoiceEncoder:
    """Load the network with its weights.

    Args:
        weights: `pretrained.pt` of the package `resemblyzer`; only its tensors are read.
        threads: of torch.
    """
    import torch

    class LstmEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(N_MELS, 256, num_layers=3, batch_first=True)
            self.linear = torch.nn.Linear(256, EMBEDDING_SIZE)

        def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
            # (B, T, 40) → the hidden state of the last layer after the last frame, (B, 256) → (B, 256).
            _, (hidden, _) = self.lstm(spectrograms)
            return torch.relu(self.linear(hidden[-1]))

    stored = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
    with torch.random.fork_rng([]):  # the initial random weights must not advance the process's generator
        network = LstmEncoder()
    network.load_state_dict({name: stored[name] for name in network.state_dict()})
    return VoiceEncoder(network.eval(), threads)


def mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Return float32 (1 + N // 160, 40): power in 40 mel bands, frame i centred at sample 160 i; padded with zeros.

    Equal to `librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=400, hop_length=160, n_mels=40).T`.

    Args:
        samples: float32 (N,) at 16 kHz.
    """
    padded = np.pad(samples, FFT_SAMPLES // 2)
    # (T, 400) windows, one every 160 samples.
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)
    # (T, 201) power spectrum; then (T, 201) times (201, 40).
    power = np.abs(np.fft.rfft(frames * hann.astype(np.float32), axis=1)).astype(np.float32) ** 2
    return power @ mel_filters(N_MELS, FFT_SAMPLES // 2 + 1, SAMPLE_RATE_HZ).T


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (…, D) to length 1, float32; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
