"""Settings: what counts as spatter, and which part of a recording is examined."""

from dataclasses import dataclass
from typing import Literal

from vidassets.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """How spatter is found. The defaults are those of the tool that extracted the crops of the first six recordings,
    except for `crop_from`, which benchmarks/spatter_crop_frames.py chose.

    Attributes:
        start_frame: first frame to examine; frames are counted from here.
        left_bound, right_bound: columns to examine, half-open; None for the right edge of the picture.
        min_area_px, max_area_px: bounds of a contour's area, both inclusive.
        difference_threshold: two frames differ above this gray level of their blurred difference.
        layer_gap_frames: a pause of more than this many frames starts a new layer.
        max_crops: stop after this many crops; None to extract all.
        crop_from: the frame of a pair that gives the crop. `earlier`: as that tool, although the earlier frame shows
            the bed without the spatter where it appears at once; `brighter`: the one that is brighter within the box.

    Raises:
        InvalidSetting: a value is out of range.
    """

    start_frame: int = 0
    left_bound: int = 0
    right_bound: int | None = None
    min_area_px: float = 2000
    max_area_px: float = 15000
    difference_threshold: int = 20
    layer_gap_frames: int = 700
    max_crops: int | None = None
    crop_from: Literal["earlier", "brighter"] = "brighter"

    def __post_init__(self) -> None:
        _check(self.start_frame >= 0, f"start_frame is {self.start_frame}: set it to 0 or more.")
        _check(
            self.left_bound >= 0 and (self.right_bound is None or self.right_bound > self.left_bound),
            f"columns [{self.left_bound}, {self.right_bound}) are empty: set left_bound to 0 or more, and right_bound "
            "above it, or omit right_bound for the right edge of the picture.",
        )
        _check(
            0 <= self.min_area_px <= self.max_area_px,
            f"no area is within [{self.min_area_px}, {self.max_area_px}] px: set 0 <= min_area_px <= max_area_px.",
        )
        _check(
            0 <= self.difference_threshold <= 254,
            f"difference_threshold is {self.difference_threshold}: set it to 0 … 254 gray levels.",
        )
        _check(self.layer_gap_frames >= 1, f"layer_gap_frames is {self.layer_gap_frames}: set it to 1 or more.")
        _check(
            self.max_crops is None or self.max_crops >= 1,
            f"max_crops is {self.max_crops}: set it to 1 or more, or omit it for no limit.",
        )
        _check(
            self.crop_from in ("earlier", "brighter"),
            f"crop_from is {self.crop_from!r}: set it to earlier or brighter.",
        )


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise InvalidSetting(message)
