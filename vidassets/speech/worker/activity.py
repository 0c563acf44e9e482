"""The probability of speech, by the segmentation model in the package `whisperx`."""

# pyright: reportMissingImports=false
# (whisperx and pyannote are in the worker's interpreter.)

import numpy as np

from vidassets.speech.worker.devices import choose_device
from vidassets.speech.worker.framing import Message
from vidassets.speech.worker.installed import imported


class ActivityModel:
    """Voice activity by pyannote's segmentation network.

    Source: Bredin and Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation", Interspeech 2021.
    """

    def __init__(self, device: str, cpu_fallback: bool, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._device, _ = choose_device(device, cpu_fallback)
        self._pipeline = imported("whisperx.vads.pyannote").load_vad_model(self._device)

    def scores(self, arrays: dict[str, np.ndarray]) -> Message:
        """Return the probability of speech, every `step_s`.

        Args:
            arrays: `samples`, float32 (N,) at 16 kHz.
        Returns:
            `middle_s` of the first frame and `step_s`; `scores`, float32 (frames,).
        """
        import torch

        waveform = torch.from_numpy(arrays["samples"]).unsqueeze(0)
        frames = self._pipeline({"waveform": waveform, "sample_rate": 16_000})
        scores = np.clip(np.nan_to_num(np.max(frames.data, axis=1)), 0, 1)
        grid = frames.sliding_window
        return Message(
            {"middle_s": float(grid[0].middle), "step_s": float(grid.step)}, {"scores": scores.astype(np.float32)}
        )
