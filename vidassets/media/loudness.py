"""The integrated loudness of an audio stream (ITU-R BS.1770-5), measured on its frames at their own rate and layout.

ffmpeg's filter `ebur128`, through PyAV, weights the samples and reports the loudness of the last 400 ms every 100 ms.
The two gates are applied here, because a stream whose rate or layout changes midway needs one filter graph per part
and has one loudness. Holes between frames do not count.

The source is measured because its 16 kHz mono mix has another loudness: -23.2 LUFS for -20.1 in stereo, -45.0 for
-34.0 in 5.1, and up to 0.5 LU off in mono. Of 23 recordings all agree with pyloudnorm within 0.02 LU, but for one of
1.6 s (0.2 LU). The extraction of a minute of stereo AAC costs 0.61 CPU-s, 0.62 when the mix was measured
(benchmarks/audio.py).
"""

import math

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.error import BlockingIOError as NothingToPull
from av.filter import Graph

# Below it the upper filter of the weighting, at 1.68 kHz, would be too near to half the rate.
LEAST_RATE_HZ = 4000
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = 10.0


class LoudnessMeter:
    """Measures samples that are pushed block by block. Memory grows by 32 bytes per second of sound."""

    def __init__(self) -> None:
        self._momentary_lufs: list[float] = []
        self._format: tuple[int, str] | None = None
        self._graph: Graph | None = None

    def push(self, samples: np.ndarray, rate_hz: int, layout: AudioLayout) -> None:
        """Add a block, float32 (C, N), finite, full scale at 1; `layout` is that of its C channels."""
        if rate_hz < LEAST_RATE_HZ:
            return
        if self._graph is None or self._format != (rate_hz, layout.name):
            self._format, self._graph = (rate_hz, layout.name), _loudness_graph(rate_hz, layout)
        # (C, N) to N packed samples of C channels, (1, N * C).
        frame = AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="flt", layout=layout.name)
        frame.sample_rate = rate_hz
        self._graph.push(frame)
        while True:
            try:
                step = self._graph.pull()
            except NothingToPull:
                return
            # -120.7 until the first window is complete.
            self._momentary_lufs.append(float(step.metadata["lavfi.r128.M"]))

    @property
    def integrated_lufs(self) -> float | None:
        """The loudness of everything pushed; None: less than 400 ms, silent, or below 4 kHz."""
        return _gated_mean_lufs(np.array(self._momentary_lufs))


def _gated_mean_lufs(momentary_lufs: np.ndarray) -> float | None:
    """Return the mean loudness of the windows that pass the absolute and the relative gate; None: no window does.

    Args:
        momentary_lufs: float (T,), of windows of 400 ms, one every 100 ms.
    """
    loud = momentary_lufs[momentary_lufs >= ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return None
    return _mean_lufs(loud[loud >= _mean_lufs(loud) - RELATIVE_GATE_LU])


def _mean_lufs(lufs: np.ndarray) -> float:
    """Return the loudness of the mean power."""
    return 10 * math.log10(np.mean(10 ** (lufs / 10)))


def _loudness_graph(rate_hz: int, layout: AudioLayout) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate_hz, format="flt", layout=layout.name)
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
