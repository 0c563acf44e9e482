"""Samples of a decoded frame as floats, and their mix to one channel."""

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

# ITU-R BS.775-4, table 2, to 1/0: the centre whole, left and right at -3 dB, surrounds at -6 dB, no low effects.
# What the table does not name (heights, wides, a back centre) is taken for a surround.
FRONT, CENTRE, SURROUND = 0.7071, 1.0, 0.5
WEIGHTS = {
    "FL": FRONT, "FR": FRONT, "FLC": FRONT, "FRC": FRONT, "DL": FRONT, "DR": FRONT, "FC": CENTRE,
    "LFE": 0.0, "LFE2": 0.0,
}  # fmt: skip


def float_samples(frame: AudioFrame) -> np.ndarray:
    """float32 (C, N) of a frame of any sample format, full scale at 1; what is not a number is 0."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "u":
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return (samples / float(2 ** (8 * samples.dtype.itemsize - 1))).astype(np.float32)
    samples = samples.astype(np.float32, copy=False)
    return samples if np.isfinite(samples).all() else np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)


def channel_names(layout: AudioLayout) -> list[str]:
    """The name of each channel; a file that does not tell them has those that are usual for their number.

    >>> channel_names(AudioLayout("6 channels"))
    ['FL', 'FR', 'FC', 'LFE', 'BL', 'BR']
    """
    names = [channel.name for channel in layout.channels]
    if "NONE" not in names:
        return names
    return [channel.name for channel in AudioLayout(f"{layout.nb_channels}c").channels]


def mono_weights(channel_names: list[str]) -> np.ndarray:
    """float32 (C,): what each channel is worth in the mix to one; their sum is 1, so that nothing clips.

    >>> mono_weights(["FL", "FR"]).tolist()
    [0.5, 0.5]
    """
    weights = np.array([WEIGHTS.get(name, SURROUND) for name in channel_names], np.float32)
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return weights / weights.sum()
