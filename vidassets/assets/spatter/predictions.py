"""Apply the classifier: probabilities of crops, layers and builds, a verdict, and a drift alarm."""

from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.edited_tables import spreadsheet_csv
from vidassets.graph.artifact import Blob, StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.clip_check import ClipCheck, Verdict
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import RESULT, AssetResult, Figure
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.schemas import spatter as spatter_schemas


@clip_asset(
    group="spatter_verdicts",
    kinds={"parquet", "onnx"},
    version="1",
    schema=spatter_schemas.SpatterPredictions,
    partitions=builds,
    pool="spatter_classifier",
    references={"spatter_events": ["clip", "event_index"]},
)
def spatter_predictions(
    clip: str, spatter_crops: StoredFile, spatter_events: pl.DataFrame, spatter_classifier: bytes
) -> AssetResult:
    """The probability of high gas flow for each crop of a build, and the classifier's embedding of the crop."""
    from vidassets.spatter.dataset.stored_crops import StoredCrops
    from vidassets.spatter.verdicts.prediction import CropClassifier, jpegs_in_order, predict_crops

    classifier = CropClassifier(spatter_classifier)
    with spatter_crops.path() as path:
        stored = StoredCrops({clip: path})
        try:
            table = predict_crops(clip, jpegs_in_order(stored, clip, spatter_events), classifier)
        finally:
            stored.close()
    return AssetResult(table, {"model": classifier.model, "excluded": int(table["excluded"].count())})


def _like_training(drift: pl.DataFrame) -> Verdict:
    row = drift.row(0, named=True)
    figures = {name: row[name] for name in ("stability_index", "threshold", "outlying_share") if row[name] is not None}
    return Verdict(row["likeness"] in (None, "like"), row["detail"], figures)


@clip_asset(
    group="spatter_verdicts",
    kinds={"parquet"},
    version="2",
    schema=spatter_schemas.SpatterDrift,
    partitions=builds,
    checks=[
        ClipCheck(
            "like_the_training_data",
            "Does the classifier know spatter like this build's, so that its verdict is more than a guess?",
            _like_training,
            dg.AssetCheckSeverity.WARN,
        )
    ],
)
def spatter_drift(clip: str, spatter_predictions: pl.DataFrame, spatter_drift_reference: bytes) -> AssetResult:
    """How much a build differs from the classifier's training data: a verdict on unfamiliar data is a guess."""
    from vidassets.spatter.verdicts.drift import DriftReference, measure_drift

    table = measure_drift(clip, spatter_predictions, DriftReference.from_bytes(spatter_drift_reference))
    row = table.row(0, named=True)
    return AssetResult(table, {"alarm": row["alarm"], "detail": row["detail"], RESULT: row["detail"]})


class Judgement(dg.Config, extra="forbid"):
    """When a build is judged low or high; changing it needs no inference."""

    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="A build is high if its whole interval is above, low if below."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Confidence level of the interval.")
    min_crops: int = Field(default=10, ge=1, description="A build with fewer crops stays undecided.")


def _over_layers(artifact: pl.DataFrame, spatter_layers: pl.DataFrame, config: Judgement) -> str:
    from vidassets.spatter.verdicts.layer_picture import layer_picture

    return picture(layer_picture(spatter_layers, artifact, config.threshold), "probability of high flow over layers")


@clip_asset(
    group="spatter_verdicts",
    kinds={"parquet"},
    version="2",
    schema=spatter_schemas.SpatterVerdicts,
    partitions=builds,
    also={"spatter_layers": spatter_schemas.SpatterLayers},
    preview=_over_layers,
    figures=[Figure("verdict", "verdict")],
)
def spatter_verdict(
    clip: str,
    spatter_predictions: pl.DataFrame,
    spatter_events: pl.DataFrame,
    spatter_drift: pl.DataFrame,
    config: Judgement,
) -> AssetResult:
    """Whether a build ran under low or high gas flow, with an interval; `spatter_layers` has it per layer.

    A build that is unlike the training data stays undecided, and a verdict with `trusted` false needs a second look.
    """
    from vidassets.spatter.verdicts.verdict import judge_build, layer_probabilities, shown_verdict

    table = judge_build(
        clip,
        spatter_predictions,
        spatter_events,
        spatter_drift,
        config.threshold,
        config.confidence,
        config.min_crops,
    )
    row = table.row(0, named=True)
    metadata: dict[str, Any] = {"verdict": shown_verdict(row), "trusted": row["trusted"]}
    metadata |= {"reason": row["reason"]} if row["reason"] else {}
    if row["probability"] is not None:
        metadata["probability_of_high"] = f"{row['probability']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
    result = [f"gas flow {metadata['verdict']}"]
    if "probability_of_high" in metadata:
        result.append(f"probability of high flow {metadata['probability_of_high']}")
    metadata[RESULT] = "; ".join([*result, *filter(None, [row["reason"]])])
    layers = layer_probabilities(spatter_predictions, spatter_events, config.confidence)
    return AssetResult(table, metadata, also={"spatter_layers": layers})


def _verdicts_page(artifact: pl.DataFrame, spatter_index: pl.DataFrame) -> str:
    from vidassets.spatter.verdicts.verdict import shown_verdict

    labelled = set(spatter_index["build"].unique())
    lines = ["| build | verdict | probability of high | crops | layers | remark |", "|---|---|---|---|---|---|"]
    for row in artifact.iter_rows(named=True):
        known = row["probability"] is not None
        shown = f"{row['probability']:.3f} ({row['low']:.3f} to {row['high']:.3f})" if known else ""
        known_build = "labelled: used to train or evaluate the classifier" if row["clip"] in labelled else None
        remark = "; ".join(filter(None, [row["reason"], known_build]))
        cells = (row["clip"], f"**{shown_verdict(row)}**", shown, row["n_crops"], row["n_layers"], remark)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


@dataset_asset(
    group="spatter_verdicts",
    kinds={"parquet", "csv"},
    version="2",
    schema=spatter_schemas.SpatterVerdicts,
    partitions=builds,
    also={"spatter_verdicts_csv": Blob("csv", "The verdict on every build as CSV.")},
    preview=_verdicts_page,
)
def spatter_verdicts(spatter_verdict: AllClips, spatter_index: pl.DataFrame) -> AssetResult:
    """The verdict on every build in one table, whether to trust it, and why not; the preview marks labelled builds."""
    table = pl.concat([verdict for _, verdict in spatter_verdict]).sort("clip")
    counts = dict(table["verdict"].value_counts().iter_rows())
    doubtful = table.filter(~pl.col("trusted"))["clip"]
    metadata: dict[str, Any] = {f"n_{verdict}": count for verdict, count in counts.items()}
    metadata |= {"not_trusted": ", ".join(doubtful) or "none"}
    metadata |= {"labelled": ", ".join(sorted(set(spatter_index["build"]) & set(table["clip"]))) or "none"}
    return AssetResult(table, metadata, also={"spatter_verdicts_csv": spreadsheet_csv(table)})
