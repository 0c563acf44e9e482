"""Small clips with sound out of the sample episode, or generated, and a deployment that hears them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import dagster as dg
import numpy as np
import polars as pl
import yaml
from scipy.signal import resample_poly

from vidassets.automation.launch import launch
from vidassets.automation.profiles import load_profile
from vidassets.automation.registration import refresh, register
from vidassets.automation.work import Workload
from vidassets.definitions import GRAPH, Settings
from vidassets.deployment import Deployment
from vidassets.graph.lineage import latest, latest_whole
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.resources.store import Store
from vidassets.shipped import PROFILES
from vidassets.sources.find import find_videos
from vidassets.storage.store import ArtifactStore
from vidassets_tests.speech.recordings import spoken

CHAIN = "*subtitles,*speech_document"
ALL = "all"
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
    """float (N,): one of the sample episode's."""
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
class SpokenClips:
    """A deployment of clips in a folder: `videos/`, `data/`; its instance lives in memory."""

    path: Path
    instance: dg.DagsterInstance
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=dict)  # (artifact, key) → its latest, after a run

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> "Iterator[SpokenClips]":
        """An empty one."""
        (path / "videos").mkdir()
        with dg.DagsterInstance.ephemeral() as instance:
            clips = cls(path, instance)
            clips.set()
            yield clips

    @property
    def videos(self) -> Path:
        return self.path / "videos"

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.path / "data")

    @cached_property
    def deployment(self) -> Deployment:
        """As a command opens it."""
        profile = load_profile(self.path / "test.yaml", self.path, {})
        store = profile.resources["store"]
        assert isinstance(store, Store)
        return Deployment(Settings(self.path, self.path / "test.yaml", {}), profile, self.instance, store.open())

    def set(self, resources: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Put a profile in force: these resources and settings of assets, above all that were set before."""
        self.resources |= resources or {}
        for name, settings in assets.items():
            self.assets[name] = {**self.assets.get(name, {}), **settings}
        base = str(PROFILES / "cpu-low-power.yaml")
        text = yaml.safe_dump({"extends": base, "assets": self.assets, **self.resources})
        (self.path / "test.yaml").write_text(text)
        self.__dict__.pop("deployment", None)

    def add(self, place: Path | None = None) -> None:
        """Register what is in the folder of videos, or elsewhere."""
        register(self.instance, self.store, find_videos(str(place or self.videos), "clip").sources)

    @property
    def clips(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("clips"))

    def work(self, select: str = CHAIN, clips: Sequence[str] = (), **settings: Mapping[str, Any]) -> Workload:
        """The work on all clips, or on some, with settings for this launch; as `vidassets run` does it."""
        refresh(self.instance, self.store)
        return self.deployment.workload(clips or self.clips, select.split(","), settings)

    def run(self, select: str = CHAIN, clips: Sequence[str] = (), **settings: Mapping[str, Any]) -> Heard:
        """The whole of speech made, or what is selected."""
        work = self.work(select, clips, **settings)
        work.do(lambda runs: None)
        before, self.events = self.events, self._latest_events()
        made: dict[str, set[str]] = {}
        for (name, key), event in self.events.items():
            if before.get((name, key)) != event:
                made.setdefault(key, set()).add(name)
        cells = work.board().cells
        failed = {where: cell.reason for where, cell in cells.items() if cell.state.value == "failed"}
        return Heard(made, failed | {(name, ALL): cause for name, cause in work.failures.items()})

    def launch(self, assets: str, clips: tuple[str, str] | str) -> dg.DagsterRun:
        """One run of Dagster over assets, as the UI or a backfill launches it."""
        declared = GRAPH.assets
        keys = [key for name in assets.split(",") for key in declared[name].keys]
        return launch(self.deployment.definitions, self.instance, keys, clips)

    def _latest_events(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for asset in (asset for asset in GRAPH.clip_assets if asset.group.startswith("speech_")):
            for key in asset.keys:
                made = latest(self.instance, key, self.clips)
                found |= {(key.to_user_string(), clip): one.storage_id for clip, one in made.items()}
        for asset in (asset for asset in GRAPH.dataset_assets if asset.group.startswith("speech_")):
            if (made := latest_whole(self.instance, dg.AssetKey(asset.name))) is not None:
                found[asset.name, ALL] = made.storage_id
        return found

    def figures(self, asset: str, clip: str) -> dict[str, Any]:
        """The metadata of its latest materialisation, as plain values."""
        made = latest(self.instance, dg.AssetKey(asset), [clip])[clip]
        return {name: value.value for name, value in made.metadata.items()}

    def states(self, select: str = CHAIN) -> dict[tuple[str, str], str]:
        """(asset, key) → state, of all that is not up to date."""
        work = self.work(select)
        cells = work.board().cells | {(name, ALL): cell for name, cell in work.dataset_cells().items()}
        return {where: cell.state.value for where, cell in cells.items() if cell.state.value != "up to date"}

    def table(self, asset: str, key: str = ALL) -> pl.DataFrame:
        """A stored table."""
        return self.store.read_table(asset, key)

    def blob(self, asset: str, extension: str, key: str) -> bytes:
        """A stored file."""
        return self.store.read_bytes(asset, key, extension)
