"""Scores of silero-vad: the probability of speech in each window of 32 ms.

Source: the network "16k_sequence" of the package `silero-vad` (MIT), which takes many windows in one call; each window
is preceded by the end of the previous window. The package's Python code is not used because it needs torch.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.schemas.speech import SpeechScores

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
WINDOWS_AT_ONCE = 512  # 16.4 s of sound, some 1 MB


class SileroNetwork:
    """The network on one CPU thread.

    Args:
        weights: the ONNX file.
    """

    def __init__(self, weights: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors only: it warns of unused weights in the file
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def scores(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the probability of speech in each window, float32 (W,) per block.

        Args:
            blocks: float32 (N,) in [-1, 1] at 16 kHz, consecutive; N is a multiple of 512 except in the last block,
                whose last window is padded with silence.
        """
        # The state of the network, and the end of the previous block.
        before = np.zeros(CONTEXT_SAMPLES, np.float32)
        hidden = cell = np.zeros(STATE_SHAPE, np.float32)
        for samples in blocks:
            padded = np.concatenate([before, samples, np.zeros(-len(samples) % WINDOW_SAMPLES, np.float32)])
            # (W, 64 + 512): each window with the 64 samples before it.
            windows = sliding_window_view(padded, CONTEXT_SAMPLES + WINDOW_SAMPLES)[::WINDOW_SAMPLES]
            inputs = {"input": np.ascontiguousarray(windows), "h": hidden, "c": cell}
            scores, hidden, cell = self._session.run(None, inputs)
            before = padded[-CONTEXT_SAMPLES:]
            yield np.clip(np.asarray(scores), 0.0, 1.0)


def score_speech(clip: str, sound: Sound, network: SileroNetwork, model: str) -> pl.DataFrame:
    """Return one row per window of 32 ms and channel, with the columns of `speech_schemas.SpeechScores`.

    Args:
        clip: partition key.
        sound: of the clip; read block by block.
        network: scores the windows.
        model: name and version, stored with every score.
    """
    tables: list[pl.DataFrame] = [SpeechScores.create_empty()]
    block_s = WINDOWS_AT_ONCE * WINDOW_SAMPLES / SAMPLE_RATE_HZ
    for channel in range(sound.channels if sound.n_samples else 0):
        blocks = (samples for _, samples in sound.blocks(block_s, channel))
        scores = np.concatenate(list(network.scores(blocks)))
        start_s = sound.start_s + np.arange(len(scores)) * WINDOW_SAMPLES / SAMPLE_RATE_HZ
        table = pl.DataFrame({"start_s": start_s, "score": scores}).select(
            clip=pl.lit(clip),
            channel=pl.lit(channel, pl.Int32),
            window=pl.int_range(pl.len(), dtype=pl.Int64),
            start_s="start_s",
            end_s=pl.min_horizontal(pl.col("start_s") + WINDOW_SAMPLES / SAMPLE_RATE_HZ, pl.lit(sound.end_s)),
            score="score",
            model=pl.lit(model),
        )
        tables.append(table)
    return pl.concat(tables)
