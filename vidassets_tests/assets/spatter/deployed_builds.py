"""Small recordings of a powder bed under two gas flows, and a deployment that learns from them in seconds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidassets_tests.assets.clip_deployment import ClipDeployment
from vidassets_tests.builders import reasons
from vidassets_tests.spatter.crops.recordings import bed, with_blot, write_recording

CHAIN = "*spatter_verdicts,*spatter_drift,*spatter_types"
SETTINGS: dict[str, dict[str, Any]] = {
    "spatter_crops": {"min_area_px": 200, "layer_gap_frames": 5},
    "spatter_classifier": {"epochs": 8, "min_steps": 1, "learning_rate": 0.005},
    "spatter_types": {"n_clusters": [2, 3], "n_requests": 6},
}
# What a crop shows: the blot's colour, and how bright the bed is around it.
LOOKS = {"low": ((40, 150, 250), 12), "high": ((120, 250, 120), 60)}
FLASHES, BLOTS = 4, 6  # in a layer; in a flash
PAUSE_FRAMES = 9


def pictures(gas_flow: str, seed: int = 0, n_layers: int = 3) -> list[np.ndarray]:
    """BGR: in each layer flashes of six blots, a frame without any between them, then a pause."""
    rng, (color, level) = np.random.default_rng(seed), LOOKS[gas_flow]
    dark = np.full_like(bed(), level)
    shown = [dark] * 2
    for _ in range(n_layers):
        for _ in range(FLASHES):
            flash = dark
            for place in range(BLOTS):
                x, y = np.array((80 * (place % 3) + 40, 80 * (place // 3) + 40)) + rng.integers(-6, 7, 2)
                axes = (int(rng.integers(14, 22)), int(rng.integers(12, 18)))
                flash = with_blot(flash, (int(x), int(y)), axes, color, float(rng.uniform(0, 180)))
            shown += [flash, dark]
        shown += [dark] * PAUSE_FRAMES
    return shown


@dataclass(frozen=True)
class Worked:
    """What a run came to: (asset, key) pairs worked on; assets over all builds that failed or wait, with the cause."""

    cells: set[tuple[str, str]]
    failures: dict[str, str]
    waiting: dict[str, str]

    @property
    def assets(self) -> set[str]:
        """Names of what was worked on."""
        return {asset for asset, _ in self.cells}


class Builds(ClipDeployment):
    """A deployment of recordings, with settings for small ones."""

    kind = "build"
    chain = CHAIN

    def set(self, resources: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Use a profile with these resources, and these settings of assets above those for small recordings."""
        names = {*SETTINGS, *assets}
        super().set(resources, **{name: {**SETTINGS.get(name, {}), **assets.get(name, {})} for name in names})

    def record(
        self, name: str, shows: str, sidecar: Mapping[str, Any] | None = None, seed: int = 0, n_layers: int = 3
    ) -> Path:
        """Write a recording into the folder of videos."""
        path = write_recording(self.videos / f"{name}.mp4", pictures(shows, seed, n_layers))
        if sidecar is not None:
            self.write_sidecar(name, **sidecar)
        return path

    def write_sidecar(self, name: str, **fields: Any) -> None:
        """Write a recording's sidecar."""
        (self.videos / f"{name}.json").write_text(json.dumps(fields))

    def run(self, select: str = "", **settings: Mapping[str, Any]) -> Worked:
        """Make the chain of spatter, or what is selected; with settings for this launch."""
        work = self.work(select, settings=settings)
        return Worked(work.do(lambda runs: None), work.failures, reasons(work))

    def states(self, select: str = "") -> dict[tuple[str, str], str]:
        """Return (asset, key) → state and reason of all that is not up to date."""
        return {where: f"{cell.state}: {cell.reason}" for where, cell in self.unsettled(select).items()}
