"""pyannote's speaker diarization as a speaker model: its networks run once, its clustering can be repeated.

It runs in an interpreter of its own (requirements/speech.txt). Long sound is never in memory as a whole: chunks are
inferred independently, so blocks of chunks give the same result as the whole sound.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from vidassets.errors import InvalidSetting, SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.speech_models import local_or_hub, model_identity
from vidassets.resources.speech_worker import WorkerModel, interpreter_path, versions
from vidassets.speech.models import Diarization, SpeakerOptions
from vidassets.speech.speakers.model_turns import ModelTurns, tabulate_model_turns
from vidassets.speech.speakers.turns import SpeakerFacts, diarize_channels

BLOCK_S = 300.0  # 19 MB of samples
CHANNEL_COLUMNS = ("start_s", "end_s", "channel")


class PyannoteSpeakers(WorkerModel, extra="forbid"):
    """pyannote.audio's speaker diarization. Detects overlap and estimates the number of speakers."""

    model: str = Field(
        default="pyannote/speaker-diarization-community-1",
        min_length=1,
        description="name on the hub (HF_TOKEN in the environment, conditions accepted), or folder of the pipeline; "
        "its checkpoints are unpickled: use only trusted ones",
    )
    revision: str | None = Field(default=None, description="revision on the hub; none: the newest")
    cpu_fallback: bool = Field(default=False, description="use the CPU if there is no GPU; recorded")
    batch_size: int = Field(
        default=32, ge=1, le=1024, description="chunks per batch; halved if it does not fit into the GPU's memory"
    )

    def identity(self) -> dict[str, str]:
        """Return the model and the versions of its packages.

        Raises:
            ModelMissing: the interpreter or a package in it is not installed.
        """
        return {
            "model": model_identity(self.model),
            "revision": self.revision or "",
            **versions(interpreter_path(self.python), "pyannote.audio"),
        }

    def execution(self) -> dict[str, str | int]:
        """Return the device and batch size used, and each reduction of the batch size. Loads the model."""
        described = self._ask("describe").values
        return {name: described[name] for name in ("device", "batch_size", "lowered")}

    @property
    def name_threshold(self) -> float:
        """The default similarity of a known voice. Chosen without a measurement: set `speaker_names: threshold`."""
        return 0.6

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """Return an .npz of the networks' output for each chunk. See `SpeakerModel`.

        The activity of a single channel is not used, since pyannote has its own segmentation. Each of several channels
        is one person: then only the activity is stored, and no network is run.
        """
        if sound.channels > 1:
            return _npz({name: activity[name].to_numpy() for name in CHANNEL_COLUMNS})
        answers = [self._ask("infer", {"samples": samples}) for samples in self._blocks(sound)]
        arrays = {
            "segmentations": _joined([answer.arrays["segmentations"] for answer in answers]),
            "embeddings": _joined([answer.arrays["embeddings"] for answer in answers]),
            "start_s": np.float64(sound.start_s),
            "duration_s": np.float64(sound.duration_s),
            "events": np.array([event for answer in answers for event in answer.values["events"]], dtype=np.str_),
        }
        return _npz(arrays)

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Return turns with overlap, and exclusive turns, from the result of `infer_voices`. See `SpeakerModel`.

        Raises:
            InvalidSetting: the bounds contradict each other.
        """
        fewest, most = options.min_speakers or 1, options.max_speakers
        if most is not None and fewest > most:
            raise InvalidSetting(
                f"min_speakers {fewest} is above max_speakers {most}. Lower the first or raise the second."
            )
        with np.load(io.BytesIO(voices), allow_pickle=False) as stored:
            if set(stored) == set(CHANNEL_COLUMNS):
                activity = pl.DataFrame({name: stored[name] for name in CHANNEL_COLUMNS})
                return diarize_channels(clip, activity, f"pyannote {self.model}")
            arrays = {name: stored[name] for name in ("segmentations", "embeddings")}
            start_s, duration_s = float(stored["start_s"]), float(stored["duration_s"])
            events = [str(event) for event in stored["events"]]
        found = ModelTurns([], [], [], np.zeros((0, 0), np.float32))
        if arrays["segmentations"].any():
            answer = self._ask(
                "cluster",
                arrays,
                n_speakers=options.n_speakers,
                min_speakers=None if options.n_speakers else options.min_speakers,
                max_speakers=None if options.n_speakers else options.max_speakers,
            )
            found = ModelTurns(
                answer.values["turns"], answer.values["exclusive"], answer.values["labels"], answer.arrays["embeddings"]
            )
            events += answer.values["events"]
        given = options.n_speakers is not None or (most is not None and fewest == most)
        facts = SpeakerFacts("given" if given else "estimated", None, f"pyannote {self.model}", events)
        return tabulate_model_turns(clip, found, start_s, duration_s, facts)

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return the embedding of one voice, float32 (D,) of unit length. See `SpeakerModel`.

        Raises:
            SpeechError: the samples are too short or silent.
        """
        embedding = self._ask("embed", {"samples": samples.astype(np.float32)}).arrays["embedding"]
        length = float(np.linalg.norm(embedding))
        if not np.isfinite(length) or length == 0:
            raise SpeechError(
                f"{len(samples) / SAMPLE_RATE_HZ:.2f} s of sound are too short or too quiet for a voice embedding. "
                "Give some seconds of the person speaking alone."
            )
        return embedding / length

    def _blocks(self, sound: Sound) -> Iterator[np.ndarray]:
        """Yield samples of whole chunks; blocks overlap by a chunk minus a step, and the last one has the rest."""
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


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, 0, 0), np.float32)


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
