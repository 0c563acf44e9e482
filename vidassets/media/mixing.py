"""Convert a decoded frame to floats, and find the weights that mix its channels to mono."""

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

# ITU-R BS.775-4, table 2, column 1/0: centre at 0 dB, left and right at -3 dB, surrounds at -6 dB, no low effects.
# Channels that the table does not name (heights, wides, a back centre) count as surrounds.
FRONT, CENTRE, SURROUND = 0.7071, 1.0, 0.5
WEIGHTS = {
    "FL": FRONT, "FR": FRONT, "FLC": FRONT, "FRC": FRONT, "DL": FRONT, "DR": FRONT, "FC": CENTRE,
    "LFE": 0.0, "LFE2": 0.0,
}  # fmt: skip


def float_samples(frame: AudioFrame) -> np.ndarray:
    """Return the samples of a frame of any format, float32 (C, N), full scale at 1. NaN becomes 0, infinity 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "u":
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return (samples / float(2 ** (8 * samples.dtype.itemsize - 1))).astype(np.float32)
    samples = samples.astype(np.float32, copy=False)
    return samples if np.isfinite(samples).all() else np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)


def named_layout(layout: AudioLayout) -> AudioLayout:
    """Return the layout; if it does not name its channels, the usual one for their number, if any.

    >>> [named_layout(AudioLayout(name)).name for name in ("5.1(side)", "6 channels", "9 channels")]
    ['5.1(side)', '5.1', '9 channels']
    """
    if all(channel.name != "NONE" for channel in layout.channels):
        return layout
    try:
        return AudioLayout(f"{layout.nb_channels}c")
    except ValueError:
        return layout


def mono_weights(layout: AudioLayout) -> np.ndarray:
    """Return the weight of each channel in the mix to one, float32 (C,). Their sum is 1, so that nothing clips.

    >>> mono_weights(AudioLayout("stereo")).tolist()
    [0.5, 0.5]
    """
    weights = np.array([WEIGHTS.get(channel.name, SURROUND) for channel in layout.channels], np.float32)
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return weights / weights.sum()
