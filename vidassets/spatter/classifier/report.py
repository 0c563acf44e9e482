"""Pictures of a classifier: learning curves, evaluation, recipe search. PNG, drawn by matplotlib."""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from vidassets.spatter.classifier.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
# Blue and orange of the palette of Okabe and Ito, which colour-blind people can distinguish.
TRAIN, VALIDATION = "#0072B2", "#E69F00"
LOW, HIGH = "#0072B2", "#D55E00"
MAX_BUILDS_SHOWN = 12
CLASSES = ("low", "high")


def draw_training(history: pl.DataFrame) -> bytes:
    """Return a PNG of 900x300 px: training and validation loss and accuracy by epoch, with the best epoch marked.

    Args:
        history: rows of `spatter_schemas.SpatterTraining`.
    """
    figure = _figure(900, 300)
    best = int(history.filter("best")["epoch"].item())
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, colour in (("train", TRAIN), ("validation", VALIDATION)):
            axes.plot(history["epoch"], history[f"{part}_{measure}"], color=colour, marker=".", label=part)
        axes.axvline(best, color="0.5", linewidth=0.8, linestyle="--", label=f"best: epoch {best}")
        _label_axes(axes, measure, "epoch", "nats per crop" if measure == "loss" else "share of crops")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
    return _png(figure)


def draw_evaluation(evaluation: Evaluation) -> bytes:
    """Return a PNG of 1000x640 px: confusion matrix, ROC curve, reliability, and accuracy per build.

    With more than 12 builds, only the 12 with the lowest accuracy are shown.
    """
    figure = _figure(1000, 640)
    row = evaluation.metrics.row(0, named=True)
    figure.suptitle(f"{row['part']}, split by {row['split']}: {row['n_crops']} crops", fontsize=11)
    (confusion, roc), (reliability, builds) = figure.subplots(2, 2)
    _draw_confusion(confusion, row)
    _draw_roc(roc, evaluation.roc, row["roc_auc"])
    _draw_reliability(reliability, evaluation.reliability, row["calibration_error"])
    _draw_builds(builds, evaluation.builds)
    return _png(figure)


def draw_search(trials: pl.DataFrame) -> bytes:
    """Return a PNG of 800x400 px: accuracy against parameters of each complete trial, with the Pareto front as a line.

    Args:
        trials: rows of `spatter_schemas.SpatterSearch`.
    """
    figure = _figure(800, 400)
    axes = figure.subplots()
    complete = trials.filter(pl.col("state") == "complete")
    for (architecture,), tried in sorted(complete.group_by("architecture")):
        axes.plot(tried["n_parameters"], tried["validation_accuracy"], "o", markersize=5, alpha=0.7, label=architecture)
    front = complete.filter("pareto").sort("n_parameters")
    axes.step(
        front["n_parameters"],
        front["validation_accuracy"],
        where="post",
        color="0.4",
        linewidth=1,
        label="Pareto front",
    )
    for trial, n_parameters, accuracy in front.select("trial", "n_parameters", "validation_accuracy").rows():
        axes.annotate(str(trial), (n_parameters, accuracy), xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    n_failed = len(trials) - len(complete)
    title = f"{len(trials)} trials" + (f", {n_failed} failed" if n_failed else "")
    _label_axes(axes, title, "parameters", "validation accuracy")
    axes.legend(fontsize=8)
    return _png(figure)


def _draw_confusion(axes: "Axes", row: dict[str, int]) -> None:
    counts = np.array([[row["true_low"], row["false_high"]], [row["false_low"], row["true_high"]]])
    # Shaded by share of the row, so that a rare class is as visible as a common one.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (truth, called), count in np.ndenumerate(counts):
        share = shares[truth, called]
        colour = "white" if share > 0.5 else "black"
        axes.text(called, truth, f"{count}\n{share:.1%}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks([0, 1], CLASSES)
    axes.set_yticks([0, 1], CLASSES)
    _label_axes(axes, f"accuracy {row['accuracy']:.2%}", "gas flow called", "true gas flow")


def _draw_roc(axes: "Axes", roc: pl.DataFrame, roc_auc: float | None) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle="--")
    axes.plot(roc["false_high_rate"], roc["true_high_rate"], color=LOW)
    title = "ROC: needs both classes" if roc_auc is None else f"ROC, area {roc_auc:.4f}"
    _label_axes(axes, title, "low flow called high", "high flow called high")


def _draw_reliability(axes: "Axes", reliability: pl.DataFrame, calibration_error: float) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle="--")
    sizes = 12 + 150 * np.sqrt(reliability["n_crops"] / reliability["n_crops"].sum())
    axes.plot(reliability["probability"], reliability["high_share"], color=LOW, linewidth=0.8)
    axes.scatter(reliability["probability"], reliability["high_share"], s=sizes, color=LOW, alpha=0.6, linewidths=0)
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    _label_axes(axes, f"calibration error {calibration_error:.3f}", "probability of high flow", "share of high flow")


def _draw_builds(axes: "Axes", builds: pl.DataFrame) -> None:
    shown = builds.sort("accuracy", "build").head(MAX_BUILDS_SHOWN).reverse()
    colours = {0: LOW, 1: HIGH, None: "0.5"}
    axes.barh(range(len(shown)), shown["accuracy"], color=[colours[label] for label in shown["label"]])
    for position, (accuracy, n_crops) in enumerate(shown.select("accuracy", "n_crops").rows()):
        # On the bar, or beside it if the bar is too short for the text.
        colour = "white" if accuracy > 0.35 else "black"
        x = 0.01 if accuracy > 0.35 else accuracy + 0.01
        axes.text(x, position, f"{accuracy:.1%} of {n_crops}", va="center", fontsize=8, color=colour)
    axes.set_yticks(range(len(shown)), [_short(build) for build in shown["build"]])
    axes.set_xlim(0, 1)
    left_out = len(builds) - len(shown)
    title = "builds: low flow blue, high flow orange" + (f"; {left_out} better ones left out" if left_out else "")
    _label_axes(axes, title, "accuracy", "")


def _short(build: str) -> str:
    return build if len(build) <= 24 else f"{build[:11]}…{build[-12:]}"


def _label_axes(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)


def _figure(width_px: int, height_px: int) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: "Figure") -> bytes:
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()
