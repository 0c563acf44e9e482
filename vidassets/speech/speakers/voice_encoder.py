"""A voice as a point on the unit sphere: the network of Resemblyzer with the weights that its package carries.

Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification", arXiv:1710.10467, as trained and published
by Resemblyzer. Its package is not imported (it needs a compiler and librosa): the weights load into the same three
layers here, fed by the same mel spectrogram in numpy, which tests hold against librosa's. Torch only in functions.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.speech.mel import mel_filters

MODEL = "resemblyzer"
EMBEDDING_SIZE = 256
# From here on a voice may be taken for a known person's. Measured on thirteen voices in few recordings: of one person,
# mostly two halves of a recording, 0.89 and more; of two people up to 0.87. Chosen here, between the two.
NAME_THRESHOLD = 0.88

# What the weights were trained on: 25 ms windows every 10 ms, 40 mel bands, power, not its logarithm.
FFT_SAMPLES = 400
HOP_SAMPLES = 160
FRAMES_PER_S = SAMPLE_RATE_HZ // HOP_SAMPLES
N_MELS = 40

# Windows of 100 frames inferred at once: some 40 MB, and no faster beyond. Chosen here.
BATCH_WINDOWS = 64


class Encoder(Protocol):
    """What the topic needs of a network."""

    def embeddings(self, spectrograms: np.ndarray) -> np.ndarray:
        """float32 (N, D), rows of unit length, from float32 (N, T, 40)."""
        ...


class VoiceEncoder:
    """The network, on the CPU.

    Args:
        module: takes float32 (B, T, 40), gives float32 (B, 256).
        threads: of torch, while it infers.
    """

    def __init__(self, module: Any, threads: int = 1) -> None:
        self._module = module
        self._threads = threads

    def embeddings(self, spectrograms: np.ndarray) -> np.ndarray:
        """float32 (N, 256), no value below 0, rows of unit length.

        Args:
            spectrograms: float32 (N, T, 40), see `mel_spectrogram`; N may be 0.
        """
        import torch

        threads_before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                parts = [
                    self._module(torch.from_numpy(np.ascontiguousarray(spectrograms[at : at + BATCH_WINDOWS]))).numpy()
                    for at in range(0, len(spectrograms), BATCH_WINDOWS)
                ]
        finally:
            torch.set_num_threads(threads_before)
        raw = np.concatenate(parts) if parts else np.zeros((0, EMBEDDING_SIZE), np.float32)
        return unit(raw)


def load_encoder(weights: Path, threads: int = 1) -> VoiceEncoder:
    """The network with its weights.

    Args:
        weights: `pretrained.pt` of the package `resemblyzer`; only tensors are read from it.
        threads: of torch.
    """
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(N_MELS, 256, num_layers=3, batch_first=True)
            self.linear = torch.nn.Linear(256, EMBEDDING_SIZE)

        def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
            _, (hidden, _) = self.lstm(spectrograms)
            return torch.relu(self.linear(hidden[-1]))

    stored = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
    with torch.random.fork_rng([]):  # the first, random weights are none of the process's chance
        network = Network()
    network.load_state_dict({name: stored[name] for name in network.state_dict()})
    return VoiceEncoder(network.eval(), threads)


def mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """float32 (1 + N // 160, 40): power in 40 mel bands, frame i around sample 160 i; zeros beyond both ends.

    Equal to `librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=400, hop_length=160, n_mels=40).T`.

    Args:
        samples: float32 (N,) at 16 kHz.
    """
    padded = np.pad(samples, FFT_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)
    power = np.abs(np.fft.rfft(frames * hann.astype(np.float32), axis=1)).astype(np.float32) ** 2
    return power @ mel_filters(N_MELS, FFT_SAMPLES // 2 + 1, SAMPLE_RATE_HZ).T


def unit(vectors: np.ndarray) -> np.ndarray:
    """float32 (…, D): the same directions, of length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
