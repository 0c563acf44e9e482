"""Draw the probability of high gas flow over the layers of a build."""

from io import BytesIO
from textwrap import fill

import numpy as np
import polars as pl

from vidassets.errors import SchemaViolation
from vidassets.spatter.verdicts.verdict import shown_verdict

WIDTH_PX, HEIGHT_PX, DPI = 900, 320, 100
REASON_CHARS = 140  # of a line at font size 8
COLOURS = {"low": "tab:red", "high": "tab:green", "undecided": "tab:gray"}


def layer_picture(layers: pl.DataFrame, verdict: pl.DataFrame, threshold: float = 0.5) -> bytes:
    """Return a PNG of 900x320 pixels with the probability and interval of each layer and of the build.

    Args:
        layers: rows of `spatter_schemas.SpatterLayers` of one build; without rows the picture is empty.
        verdict: the row of `spatter_schemas.SpatterVerdicts` of the same build.
        threshold: the threshold of the verdict, drawn as a dashed line.

    Raises:
        SchemaViolation: `verdict` does not have exactly one row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if len(verdict) != 1:
        raise SchemaViolation(f"{len(verdict)} verdicts for a picture of one build: pass the row of that build.")
    build = verdict.row(0, named=True)
    colour = COLOURS[build["verdict"]]
    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(ylim=(-0.02, 1.02))
    if build["probability"] is not None:
        axes.axhspan(build["low"], build["high"], color=colour, alpha=0.15, linewidth=0)
        axes.axhline(build["probability"], color=colour, linewidth=1)
    axes.axhline(threshold, color="0.3", linewidth=0.8, linestyle="--")
    if len(layers):
        layer, mean = layers["layer"].to_numpy(), layers["probability"].to_numpy()
        whiskers = np.stack([mean - layers["low"].to_numpy(), layers["high"].to_numpy() - mean]).clip(0)
        # With more than 150 layers whiskers would overlap, so the intervals are drawn as a band.
        crowded = len(layers) > 150
        axes.errorbar(
            layer, mean, None if crowded else whiskers, fmt=".", markersize=3 if crowded else 6,
            color="tab:blue", ecolor="0.7", elinewidth=0.8,
        )  # fmt: skip
        if crowded:
            axes.fill_between(layer, layers["low"], layers["high"], color="tab:blue", alpha=0.15, linewidth=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    doubt = "" if build["probability"] is None or not build["reason"] else f"\n{fill(build['reason'], REASON_CHARS)}"
    axes.set_xlabel(f"layer{doubt}", fontsize=8)
    axes.set_ylabel("P(high gas flow)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_title(f"{build['clip']}: {shown_verdict(build)} gas flow", fontsize=10, loc="left")
    axes.set_title(_numbers(build), fontsize=8, loc="right", color="0.4")
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()


def _numbers(build: dict) -> str:
    """Return the numbers of the verdict, or the reason why there are none."""
    if build["probability"] is None:
        return build["reason"]
    return (
        f"{build['probability']:.3f} [{build['low']:.3f}, {build['high']:.3f}], "
        f"{build['n_crops']} crops of {build['n_layers']} layers"
    )
