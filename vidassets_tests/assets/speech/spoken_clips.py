"""Small clips with sound out of the sample episode, or generated, and a deployment that hears them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
from scipy.signal import resample_poly

from vidassets.definitions import GRAPH
from vidassets.graph.lineage import latest
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets_tests.assets.clip_deployment import ALL, ClipDeployment
from vidassets_tests.speech.recordings import spoken

CHAIN = "*subtitles,*speech_document"
# Of the sample episode, with the silence around it: who says it, and when.
SENTENCES = {
    "welcome": (0.3, 4.0),
    "program": (4.8, 8.2),
    "fly": (9.2, 12.35),
    "ninety": (12.35, 14.3),
    "nobody": (19.8, 22.5),
    "story": (23.2, 25.2),
}
FRAME_RATE, FRAME_SIZE = 5, (64, 48)


def sentence(name: str, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Return a sentence of the sample episode, float (N,)."""
    return resample_poly(spoken(*SENTENCES[name]), rate_hz, SAMPLE_RATE_HZ)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ))


def talking_film(
    path: Path,
    samples: np.ndarray,
    *,
    rate_hz: int = SAMPLE_RATE_HZ,
    layout: str = "mono",
    first_pts_s: float = 0.0,
    codec: str = "pcm_s16le",
) -> Path:
    """A video of gray pictures with this sound, float (C, N) in [-1, 1]; both begin at `first_pts_s`."""
    samples = np.atleast_2d(samples)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=FRAME_RATE)
        pictures.width, pictures.height = FRAME_SIZE
        pictures.pix_fmt = "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 100)
        pictures.codec_context.thread_count = 1
        sound = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(sound, av.AudioStream)
        sound.time_base = Fraction(1, rate_hz)
        for index in range(max(1, int(samples.shape[1] / rate_hz * FRAME_RATE))):
            picture = av.VideoFrame.from_ndarray(np.full((*FRAME_SIZE[::-1], 3), 100, np.uint8), format="rgb24")
            picture.pts, picture.time_base = round((first_pts_s + index / FRAME_RATE) * 100), Fraction(1, 100)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        for first in range(0, samples.shape[1], 1024):
            part = np.round(np.clip(samples[:, first : first + 1024], -1, 0.9999) * 32768).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part.T.reshape(1, -1).copy(), format="s16", layout=layout)
            frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = round(first_pts_s * rate_hz) + first
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@dataclass(frozen=True)
class Heard:
    """What a run came to: names of the artifacts made, by clip or `all`, and the causes of what failed."""

    made: dict[str, set[str]]
    failed: dict[tuple[str, str], str]


@dataclass
class SpokenClips(ClipDeployment):
    """A deployment of clips with sound."""

    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=dict)  # (artifact, key) → its latest, after a run

    chain: ClassVar[str] = CHAIN

    def set(self, resources: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Use a profile with these resources and settings of assets, above all that were set before."""
        self.resources |= resources or {}
        for name, settings in assets.items():
            self.assets[name] = {**self.assets.get(name, {}), **settings}
        super().set(self.resources, **self.assets)

    def run(self, select: str = "", clips: Sequence[str] = (), **settings: Mapping[str, Any]) -> Heard:
        """Make all of speech, or what is selected, with settings for this launch."""
        work = self.work(select, list(clips), settings)
        work.do(lambda runs: None)
        before, self.events = self.events, self._latest_events()
        made: dict[str, set[str]] = {}
        for (name, key), event in self.events.items():
            if before.get((name, key)) != event:
                made.setdefault(key, set()).add(name)
        cells = work.board().cells
        failed = {where: cell.reason for where, cell in cells.items() if cell.state.value == "failed"}
        return Heard(made, failed | {(name, ALL): cause for name, cause in work.failures.items()})

    def _latest_events(self) -> dict[tuple[str, str], int]:
        keys = [key for asset in GRAPH.clip_assets if asset.group.startswith("speech_") for key in asset.keys]
        found = {
            (key.to_user_string(), clip): made.storage_id
            for key in keys
            for clip, made in latest(self.instance, key, self.clips).items()
        }
        for asset in GRAPH.dataset_assets:
            if asset.group.startswith("speech_") and (made := self.made(asset.name)) is not None:
                found[asset.name, ALL] = made.storage_id
        return found

    def states(self, select: str = "") -> dict[tuple[str, str], str]:
        """Return (asset, key) → state of all that is not up to date."""
        return {where: cell.state.value for where, cell in self.unsettled(select).items()}
