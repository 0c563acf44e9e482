"""Sound files as the project stores them, for tests."""

from pathlib import Path

import numpy as np

from vidassets.media.sound import SoundWriter


def write_flac(path: Path, samples: np.ndarray, start_s: float = 0.0) -> None:
    """Write float32 (N,) or (C, N) at 16 kHz. N may be 0."""
    with SoundWriter(path, 1 if samples.ndim == 1 else len(samples), start_s) as writer:
        writer.write(samples)
