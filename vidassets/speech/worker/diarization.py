"""Who speaks when, by pyannote's speaker diarization, with inference and clustering as separate steps.

Source: Bredin, "pyannote.audio 2.1 speaker diarization pipeline", Interspeech 2023; the pipeline and its parameters
are those of the given folder or hub name.
"""

# pyright: reportMissingImports=false
# (pyannote is in the worker's interpreter.)

import warnings
from typing import Any

import numpy as np

from vidassets.devices import FittingBatch, device_name
from vidassets.speech.worker.devices import MEMORY_TOO_SMALL, choose_device
from vidassets.speech.worker.failure import WorkerFailure
from vidassets.speech.worker.framing import Message
from vidassets.speech.worker.installed import imported

SAMPLE_RATE_HZ = 16_000
# In training mode, the pipeline takes earlier inferences from these keys, so it clusters without its networks.
SCORES_OF_CHUNKS = "training_cache/segmentation"
EMBEDDINGS = "training_cache/embeddings"


class DiarizationModel:
    """A diarization pipeline.

    Args:
        model: folder of the pipeline, or its name on the hub.
        revision: on the hub; None: the newest.
        device: auto, cpu, cuda or cuda:N.
        cpu_fallback: use the CPU if the GPU is missing.
        batch_size: chunks, or voices in them, per batch.
        threads: on the CPU.
        cache_folder: folder for downloads; None: that of each library.
    """

    def __init__(
        self,
        model: str,
        revision: str | None,
        device: str,
        cpu_fallback: bool,
        batch_size: int,
        threads: int,
        cache_folder: str | None,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self._device, self._fallen_back = choose_device(device, cpu_fallback)
        pipeline = imported("pyannote.audio").Pipeline.from_pretrained(model, revision=revision, cache_dir=cache_folder)
        if pipeline is None:
            raise WorkerFailure(
                "model_missing",
                f"{model}: the hub refuses access to it. Accept its conditions on its page, and set HF_TOKEN in the "
                "environment; or set `model` in the profile to a local folder of it.",
            )
        if not pipeline.instantiated:
            pipeline.instantiate(pipeline.default_parameters())
        pipeline.training = True
        self._pipeline = pipeline.to(torch.device(self._device))
        self._batch_size = batch_size
        self._batch = FittingBatch("chunks at once", MEMORY_TOO_SMALL.format("chunks"))

    def describe(self, _arrays: dict[str, np.ndarray]) -> Message:
        """Return the device and batch size used, each reduction of them, and the lengths of chunks and steps."""
        inference = self._pipeline._segmentation
        return Message(
            {
                "device": device_name(self._device),
                "batch_size": self._batch.size(self._batch_size),
                "lowered": "; ".join(self._fallen_back + self._batch.steps),
                "chunk_samples": round(inference.duration * SAMPLE_RATE_HZ),
                "step_samples": round(inference.step * SAMPLE_RATE_HZ),
            }
        )

    def infer(self, arrays: dict[str, np.ndarray]) -> Message:
        """Run the networks.

        Args:
            arrays: `samples`, float32 (N,).
        Returns:
            `segmentations` (chunks, frames, voices of the chunk) and `embeddings` (chunks, voices of the chunk, D),
            NaN if a voice is too short; `events`.
        """
        import torch

        file = {"uri": "sound", "waveform": torch.from_numpy(arrays["samples"])[None], "sample_rate": SAMPLE_RATE_HZ}
        steps_before = len(self._batch.steps)
        segmentations, embeddings = self._batch.attempt(
            self._batch_size, lambda batch_size: self._infer(dict(file), batch_size)
        )
        powerset = self._pipeline._segmentation.model.specifications.powerset
        return Message(
            {"events": self._batch.steps[steps_before:]},
            {
                # A powerset model returns decisions, 0 and 1; other models return probabilities.
                "segmentations": segmentations.data.astype(np.uint8 if powerset else np.float32),
                "embeddings": embeddings.astype(np.float32),
            },
        )

    def cluster(
        self,
        arrays: dict[str, np.ndarray],
        n_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
    ) -> Message:
        """Compute turns from the result of `infer`, by the pipeline's own clustering and reconstruction.

        Returns:
            `turns` and `exclusive`: [start_s, end_s, label] each; `labels`, in the order of the array `embeddings`,
            float32 (speakers, D); `events`.
        """
        segmentations = self._windowed(arrays["segmentations"].astype(np.float32))
        embeddings = arrays["embeddings"]
        bounds = {"num_speakers": n_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers}
        kept, events = self._possible(bounds, segmentations, embeddings)
        file = {"uri": "sound", SCORES_OF_CHUNKS: segmentations, EMBEDDINGS: self._cache(embeddings)}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            output = self._pipeline.apply(file, **kept)
        events += [
            " ".join(str(warning.message).split()) for warning in caught if "number of speakers" in str(warning.message)
        ]
        return Message(
            {
                "turns": _turns(output.speaker_diarization),
                "exclusive": _turns(output.exclusive_speaker_diarization),
                "labels": output.speaker_diarization.labels(),
                "events": events,
            },
            {"embeddings": np.asarray(output.speaker_embeddings, np.float32)},
        )

    def embed(self, arrays: dict[str, np.ndarray]) -> Message:
        """Return `embedding`, float32 (D,), of the single voice in `samples`."""
        import torch

        samples = arrays["samples"]
        embedder = self._pipeline._embedding
        if len(samples) < embedder.min_num_samples:
            return Message({}, {"embedding": np.full(embedder.dimension, np.nan, np.float32)})
        return Message({}, {"embedding": embedder(torch.from_numpy(samples)[None, None])[0].astype(np.float32)})

    def _infer(self, file: dict[str, Any], batch_size: int) -> tuple[Any, np.ndarray]:
        self._pipeline.segmentation_batch_size = batch_size
        self._pipeline.embedding_batch_size = batch_size
        segmentations = self._pipeline.get_segmentations(file)
        exclude_overlap = self._pipeline.embedding_exclude_overlap
        binary = self._binary(segmentations)
        return segmentations, self._pipeline.get_embeddings(file, binary, exclude_overlap=exclude_overlap)

    def _binary(self, segmentations: Any) -> Any:
        if self._pipeline._segmentation.model.specifications.powerset:
            return segmentations
        binarize = imported("pyannote.audio.utils.signal").binarize
        return binarize(segmentations, onset=self._pipeline.segmentation.threshold, initial_state=False)

    def _windowed(self, data: np.ndarray) -> Any:
        core, inference = imported("pyannote.core"), self._pipeline._segmentation
        window = core.SlidingWindow(start=0.0, duration=inference.duration, step=inference.step)
        return core.SlidingWindowFeature(data, window)

    def _cache(self, embeddings: np.ndarray) -> dict[str, Any]:
        cache: dict[str, Any] = {"embeddings": embeddings}
        if not self._pipeline._segmentation.model.specifications.powerset:
            cache["segmentation.threshold"] = self._pipeline.segmentation.threshold
        return cache

    def _possible(
        self, bounds: dict[str, int | None], segmentations: Any, embeddings: np.ndarray
    ) -> tuple[dict[str, int | None], list[str]]:
        """Limit the bounds to the number of single-voice stretches, above which k-means would fail; report a change."""
        stretches, _, _ = self._pipeline.clustering.filter_embeddings(
            embeddings, segmentations=self._binary(segmentations)
        )
        requested = max(bounds["num_speakers"] or 0, bounds["min_speakers"] or 0)
        if requested <= len(stretches):
            return bounds, []
        event = f"{requested} speakers were requested, but only {len(stretches)} stretches have a single voice"
        if len(stretches) < 2:  # nothing is clustered then
            return bounds, [event]
        return {name: value and min(value, len(stretches)) for name, value in bounds.items()}, [event]


def _turns(annotation: Any) -> list[tuple[float, float, str]]:
    return [(float(turn.start), float(turn.end), label) for turn, _, label in annotation.itertracks(yield_label=True)]
