"""Predict the gas flow of every crop of a build with ONNX Runtime, batch by batch, never with all crops in memory."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import ArtifactDamaged, DeviceUnavailable, InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.stored_crops import Jpeg, StoredCrops
from vidassets.spatter.dataset.transforms import Colour, decode_crop, exclusion, small_square, unit_channels

# Chosen here: larger batches are no faster on a CPU, and 256 crops are 3 MB.
BATCH_CROPS = 256
INPUT, LOGIT, EMBEDDING = "crops", "logit", "embedding"


class Scores(NamedTuple):
    """The outputs for N crops: logit of high gas flow, float32 (N,); penultimate layer, float32 (N, D)."""

    logit: NDArray[np.float32]
    embedding: NDArray[np.float32]


def model_name(onnx: bytes) -> str:
    """Return the name of a model in predictions: 16 hex digits of the SHA-256 of its file."""
    return hashlib.sha256(onnx).hexdigest()[:16]


class CropClassifier:
    """A spatter classifier as ONNX: input `crops` float32 (N, 3, 32, 32) in [0, 1], outputs `logit` and `embedding`.

    Args:
        onnx: the bytes of the file.
        name: name of the file in errors.
        threads: number of threads of ONNX Runtime.
        providers: of ONNX Runtime, in order of preference; the first must be available.

    Attributes:
        model: see `model_name`.
        colour: of the training crops, from the file's metadata `preprocessing`; rgb if there is none.

    Raises:
        ArtifactDamaged: the bytes are not ONNX, or not a classifier of this form.
        DeviceUnavailable: the first provider is not available.
    """

    def __init__(
        self,
        onnx: bytes,
        name: str = "spatter classifier",
        threads: int = 1,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        import onnxruntime

        self.model = model_name(onnx)
        self._name = name
        available = onnxruntime.get_available_providers()
        if providers[0] not in available:
            raise DeviceUnavailable(
                f"{name}: ONNX Runtime has {', '.join(available)}, not {providers[0]}. "
                "Use one of these, or install the package that provides it (onnxruntime-gpu for CUDA)."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=list(providers))
        except Exception as error:  # ONNX Runtime has one error class per status and no common base class
            raise ArtifactDamaged(
                f"{name}: ONNX Runtime cannot load it ({error}). Train and export it again."
            ) from error
        note = self._session.get_modelmeta().custom_metadata_map.get("preprocessing")
        self.colour: Colour = json.loads(note)["colour"] if note else "rgb"
        found = {node.name for node in self._session.get_inputs()}, {node.name for node in self._session.get_outputs()}
        if found[0] != {INPUT} or not found[1] >= {LOGIT, EMBEDDING}:
            raise ArtifactDamaged(
                f"{name}: takes {sorted(found[0])} and gives {sorted(found[1])}, but a spatter classifier takes "
                f"'{INPUT}' and gives '{LOGIT}' and '{EMBEDDING}'. Export it with this project."
            )

    def score(self, crops: NDArray[np.float32]) -> Scores:
        """Return logits and embeddings of crops, float32 (N, 3, 32, 32) in [0, 1].

        Raises:
            ArtifactDamaged: the outputs have unexpected shapes, or are not finite.
        """
        logit, embedding = self._session.run([LOGIT, EMBEDDING], {INPUT: crops})
        scores = Scores(np.asarray(logit, np.float32), np.asarray(embedding, np.float32))
        if scores.logit.shape != crops.shape[:1] or scores.embedding.shape[:-1] != crops.shape[:1]:
            raise ArtifactDamaged(
                f"{self._name}: for {len(crops)} crops it returns logits {scores.logit.shape} and embeddings "
                f"{scores.embedding.shape}; (N,) and (N, D) are expected. Export it with this project."
            )
        if not (np.isfinite(scores.logit).all() and np.isfinite(scores.embedding).all()):
            raise ArtifactDamaged(
                f"{self._name}: its outputs are not finite, so its weights are damaged. Train it again."
            )
        return scores


def predict_crops(
    clip: str,
    jpegs: Iterable[Jpeg],
    classifier: CropClassifier,
    batch_crops: int = BATCH_CROPS,
) -> pl.DataFrame:
    """Return one row per crop, in order; columns in `spatter_schemas.SpatterPredictions`.

    Only the embeddings grow with the recording: 34 MB for 100,000 crops with LeNet-5.

    Args:
        clip: partition key.
        jpegs: crops of a build in order of event_index; read as needed.
        classifier: the model.
        batch_crops: number of crops in memory and per inference.

    Raises:
        InvalidSetting: batch_crops is below 1.
    """
    if batch_crops < 1:
        raise InvalidSetting(f"batch_crops is {batch_crops}: set it to 1 or more.")
    parts = [_predict_batch(batch, classifier) for batch in _batches(jpegs, batch_crops)]
    if not parts:
        return spatter_schemas.SpatterPredictions.create_empty()
    table = pl.concat(parts).with_columns(
        pl.lit(clip).alias("clip"),
        pl.int_range(pl.len(), dtype=pl.Int32).alias("event_index"),
        pl.lit(classifier.model).alias("model"),
    )
    return table.select(spatter_schemas.SpatterPredictions.column_names())


def jpegs_in_order(
    stored: StoredCrops, file: str, events: pl.DataFrame, batch_crops: int = BATCH_CROPS
) -> Iterator[Jpeg]:
    """Yield the JPEGs of a build's events in order of event_index, read one batch at a time.

    Args:
        stored: reads crops files.
        file: the crops file of the build, as named in `stored`.
        events: rows of `spatter_schemas.SpatterEvents` of the build.
        batch_crops: number of crops to read at once.

    Raises:
        ArtifactMissing, ArtifactDamaged, NotACropsFile: as `StoredCrops.jpegs`.
    """
    in_order = events.sort("event_index")
    for (dataset,), rows in in_order.group_by(["dataset"], maintain_order=True):
        ds_idx = rows["ds_idx"].to_numpy().astype(np.int64)
        for start in range(0, len(ds_idx), batch_crops):
            yield from stored.jpegs(file, str(dataset), ds_idx[start : start + batch_crops])


def _batches(jpegs: Iterable[Jpeg], batch_crops: int) -> Iterator[list[Jpeg]]:
    stream = iter(jpegs)
    while batch := list(islice(stream, batch_crops)):
        yield batch


def _predict_batch(batch: list[Jpeg], classifier: CropClassifier) -> pl.DataFrame:
    """Return the columns probability, excluded and embedding of a batch of B crops."""
    # Decode all crops; keep the pixels, uint8 (height, width, 3), of the U usable ones.
    decoded = [decode_crop(jpeg) for jpeg in batch]
    excluded = [exclusion(pixels) for pixels in decoded]
    usable = [pixels for pixels, reason in zip(decoded, excluded, strict=True) if pixels is not None and not reason]
    probability = np.full(len(batch), np.nan)
    embedding: list[pl.Series | None] = [None] * len(batch)
    if usable:
        # Score the usable crops: squares uint8 (U, 32, 32, 3), logits (U,), embeddings (U, D).
        squares = np.stack([small_square(pixels) for pixels in usable])
        scores = classifier.score(unit_channels(squares, classifier.colour))
        rows = [row for row, reason in enumerate(excluded) if reason is None]
        # The logistic function, computed by tanh to avoid overflow.
        probability[rows] = 0.5 * (1 + np.tanh(0.5 * scores.logit.astype(np.float64)))
        for row, vector in zip(rows, scores.embedding, strict=True):
            embedding[row] = pl.Series(vector, dtype=pl.Float32)
    return pl.DataFrame(
        {
            "probability": pl.Series(probability, nan_to_null=True).cast(pl.Float32),
            "excluded": pl.Series(excluded, dtype=pl.String),
            "embedding": pl.Series(embedding, dtype=pl.List(pl.Float32)),
        }
    )
