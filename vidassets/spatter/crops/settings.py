"""What counts as spatter, and which part of a recording is looked at."""

from dataclasses import dataclass

from vidassets.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """How spatter is found; the defaults are those of the tool that made the first six recordings' crops.

    Attributes:
        start_frame: the first frame looked at; frames are counted from here.
        left_bound, right_bound: columns looked at, half-open; None for the picture's right edge.
        min_area_px, max_area_px: a contour's area, both included.
        difference_threshold: gray levels, after blurring, above which two frames differ.
        layer_gap_frames: a layer begins with spatter more than so many frames after the last.
        max_crops: stop there; None for all.

    Raises:
        InvalidSetting: a value outside of what it can mean.
    """

    start_frame: int = 0
    left_bound: int = 0
    right_bound: int | None = None
    min_area_px: float = 2000
    max_area_px: float = 15000
    difference_threshold: int = 20
    layer_gap_frames: int = 700
    max_crops: int | None = None

    def __post_init__(self) -> None:
        _check(self.start_frame >= 0, f"start_frame is {self.start_frame}: set it to 0 or more.")
        _check(
            self.left_bound >= 0 and (self.right_bound is None or self.right_bound > self.left_bound),
            f"columns [{self.left_bound}, {self.right_bound}) hold nothing: set left_bound to 0 or more, and "
            "right_bound above it, or leave it out for the picture's right edge.",
        )
        _check(
            0 <= self.min_area_px <= self.max_area_px,
            f"no area lies within [{self.min_area_px}, {self.max_area_px}] px: set 0 <= min_area_px <= max_area_px.",
        )
        _check(
            0 <= self.difference_threshold <= 254,
            f"difference_threshold is {self.difference_threshold}: set it to 0 … 254 gray levels.",
        )
        _check(self.layer_gap_frames >= 1, f"layer_gap_frames is {self.layer_gap_frames}: set it to 1 or more.")
        _check(
            self.max_crops is None or self.max_crops >= 1,
            f"max_crops is {self.max_crops}: set it to 1 or more, or leave it out for no limit.",
        )


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise InvalidSetting(message)
