"""pyannote's speaker diarization as a speaker model: its networks once, its clustering as often as one likes.

It runs in an interpreter of its own (requirements/speech.txt). Long sound is never in memory as a whole: chunks are
inferred apart from each other, so blocks of them give what the whole would give.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from vidassets.errors import InvalidSetting, SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.speech_models import local_or_hub, model_identity
from vidassets.resources.speech_worker import SpeechWorker, interpreter_path, speech_worker, versions
from vidassets.speech.models import Diarization, SpeakerOptions
from vidassets.speech.speakers.model_turns import ModelTurns, tabulate_model_turns
from vidassets.speech.speakers.turns import SpeakerFacts, diarize_channels

BLOCK_S = 300.0  # 19 MB of samples
CHANNEL_COLUMNS = ("start_s", "end_s", "channel")


class PyannoteSpeakers(dg.ConfigurableResource, extra="forbid"):
    """pyannote.audio's speaker diarization. Hears overlap, estimates the number of speakers."""

    python: str = Field(
        default=".venv-speech/bin/python", description="interpreter that has requirements/speech.txt installed"
    )
    model: str = Field(
        default="pyannote/speaker-diarization-community-1",
        min_length=1,
        description="name on the hub (HF_TOKEN in the environment, conditions accepted), or folder of the pipeline; "
        "its checkpoints are unpickled: trusted ones only",
    )
    revision: str | None = Field(default=None, description="of the hub; none: the newest")
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:N, or auto: cuda where there is one, else cpu",
    )
    cpu_fallback: bool = Field(default=False, description="whether the CPU may do it where there is no GPU; recorded")
    batch_size: int = Field(
        default=32, ge=1, le=1024, description="chunks at once; halved when a GPU's memory does not hold them"
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads")
    cache_folder: str | None = Field(
        default=None, description="where downloads are kept; by default where their libraries keep them"
    )

    def identity(self) -> dict[str, str]:
        """Model and versions.

        Raises:
            ModelMissing: the interpreter or a package in it is not installed.
        """
        return {
            "model": model_identity(self.model),
            "revision": self.revision or "",
            **versions(interpreter_path(self.python), "pyannote.audio"),
        }

    def execution(self) -> dict[str, str | int]:
        """Device and batch really used, and each step by which it was lowered. Loads the model."""
        described = self._ask("describe").values
        return {name: described[name] for name in ("device", "batch_size", "lowered")}

    @property
    def name_threshold(self) -> float:
        """Chosen here, not measured: its weights were not at hand. Set `speaker_names: threshold` by your voices."""
        return 0.6

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """An .npz of what the networks say of each chunk. See `SpeakerModel`.

        Activity is not asked: pyannote's own segmentation hears who speaks, overlapped or not. Of several channels each
        is a person: then the activity is all there is to tell, and no network is run.
        """
        if sound.channels > 1:
            return _npz({name: activity[name].to_numpy() for name in CHANNEL_COLUMNS})
        answers = [self._ask("infer", {"samples": samples}) for samples in self._blocks(sound)]
        arrays = {
            "segmentations": _joined([one.arrays["segmentations"] for one in answers]),
            "embeddings": _joined([one.arrays["embeddings"] for one in answers]),
            "start_s": np.float64(sound.start_s),
            "duration_s": np.float64(sound.duration_s),
            "events": np.array([event for one in answers for event in one.values["events"]], dtype=np.str_),
        }
        return _npz(arrays)

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Turns, overlap kept, and exclusive ones, from what `voices` gave. See `SpeakerModel`.

        Raises:
            InvalidSetting: bounds that contradict each other.
        """
        fewest, most = options.min_speakers or 1, options.max_speakers
        if most is not None and fewest > most:
            raise InvalidSetting(
                f"min_speakers {fewest} is above max_speakers {most}. Lower the one, or raise the other."
            )
        with np.load(io.BytesIO(voices), allow_pickle=False) as stored:
            if set(stored) == set(CHANNEL_COLUMNS):
                activity = pl.DataFrame({name: stored[name] for name in CHANNEL_COLUMNS})
                return diarize_channels(clip, activity, f"pyannote {self.model}")
            arrays = {name: stored[name] for name in ("segmentations", "embeddings")}
            start_s, duration_s = float(stored["start_s"]), float(stored["duration_s"])
            events = [str(event) for event in stored["events"]]
        apart = ModelTurns([], [], [], np.zeros((0, 0), np.float32))
        if arrays["segmentations"].any():
            answer = self._ask(
                "cluster",
                arrays,
                n_speakers=options.n_speakers,
                min_speakers=None if options.n_speakers else options.min_speakers,
                max_speakers=None if options.n_speakers else options.max_speakers,
            )
            apart = ModelTurns(
                answer.values["turns"], answer.values["exclusive"], answer.values["labels"], answer.arrays["embeddings"]
            )
            events += answer.values["events"]
        given = options.n_speakers is not None or (most is not None and fewest == most)
        told = SpeakerFacts("given" if given else "estimated", None, f"pyannote {self.model}", events)
        return tabulate_model_turns(clip, apart, start_s, duration_s, told)

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """Of one voice: float32 (D,), unit length. See `SpeakerModel`.

        Raises:
            SpeechError: too short, or silent.
        """
        embedding = self._ask("embed", {"samples": samples.astype(np.float32)}).arrays["embedding"]
        length = float(np.linalg.norm(embedding))
        if not np.isfinite(length) or length == 0:
            raise SpeechError(
                f"{len(samples) / SAMPLE_RATE_HZ:.2f} s of sound are too short or too silent to know a voice by. "
                "Give some seconds of the person speaking alone."
            )
        return embedding / length

    def _blocks(self, sound: Sound) -> Iterator[np.ndarray]:
        """Samples of whole chunks each, overlapping by a chunk less a step; the last one with what is left."""
        if sound.n_samples == 0:
            return
        described = self._ask("describe").values
        chunk, step = described["chunk_samples"], described["step_samples"]
        n_whole = max(0, (sound.n_samples - chunk) // step + 1)
        per_block = max(1, int(BLOCK_S * SAMPLE_RATE_HZ) // step)
        first = 0
        while True:
            last = first + per_block
            end = sound.n_samples if last >= n_whole else (last - 1) * step + chunk
            yield sound.samples(sound.start_s + first * step / SAMPLE_RATE_HZ, sound.start_s + end / SAMPLE_RATE_HZ)
            if last >= n_whole:
                return
            first = last

    def _ask(self, operation: str, arrays: dict[str, np.ndarray] | None = None, **arguments: Any) -> Any:
        settings = {
            "model": local_or_hub(self.model),
            "revision": self.revision,
            "device": self.device,
            "cpu_fallback": self.cpu_fallback,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "cache_folder": self.cache_folder and local_or_hub(self.cache_folder),
        }
        return self._worker().ask(f"diarization.{operation}", settings, arrays, **arguments)

    def _worker(self) -> SpeechWorker:
        return speech_worker(interpreter_path(self.python))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, 0, 0), np.float32)


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
