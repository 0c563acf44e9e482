"""Measured facts of a picture in a sentence: light, contrast, sharpness, colour and motion, but no content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import numpy as np
from cv2.typing import MatLike

from vidassets.descriptions.answers import Answer, FrameToDescribe

MODEL = "measured"
WIDTH_PX = 256  # pictures are measured at one width, because sharpness depends on size
MOTION_WIDTH_PX = 64
# A pixel of the smoothed luma (0 to 1) has changed if it differs by more than this; chosen here, above JPEG noise.
MOTION_STEP = 0.06
# A colour is named if it covers at least this share of the picture (chosen here).
NAMED_SHARE = 0.15

# Words by upper limit. Light, contrast and sharpness: chosen here on real footage. Colourfulness: Hasler & Süsstrunk,
# "Measuring colourfulness in natural images" (2003), table 2, with their seven words reduced to four.
LIGHT = ((0.08, "very dark"), (0.30, "dim"), (0.65, "evenly lit"), (0.85, "bright"), (1.01, "very bright"))
CONTRAST = ((0.12, "low contrast"), (0.25, "medium contrast"), (np.inf, "high contrast"))
SHARPNESS = ((60.0, "blurred"), (250.0, "soft"), (np.inf, "sharp"))
COLOURFULNESS = ((15.0, "hardly any colour"), (45.0, "muted colours"), (82.0, "colourful"), (np.inf, "very colourful"))
MOTION = ((0.02, "almost nothing"), (0.15, "a little"), (0.45, "much"), (0.8, "most"), (1.01, "nearly all"))

# Names of hues by upper limit, in degrees of the colour circle (chosen here). Dark orange is called brown.
HUES = (
    (15, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (200, "cyan"),
    (260, "blue"),
    (290, "purple"),
    (345, "pink"),
    (360, "red"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """The measurements of one picture.

    Attributes:
        luma: mean, 0 to 1.
        contrast: standard deviation of the luma, 0 to 0.5.
        sharpness: variance of the Laplacian of the 8-bit luma at 256 px width.
        colourfulness: Hasler & Süsstrunk's M, 0 (grey) to some 110.
        colours: names of the dominant colours, the largest first.
        motion: share of the picture that changed since the previous frame, 0 to 1; None for the first.
    """

    luma: float
    contrast: float
    sharpness: float
    colourfulness: float
    colours: tuple[str, ...]
    motion: float | None

    def sentence(self) -> str:
        """Return the facts as a sentence, such as "Dim, low contrast, soft; muted colours, mostly brown."."""
        light = f"{_word(LIGHT, self.luma)}, {_word(CONTRAST, self.contrast)}, {_word(SHARPNESS, self.sharpness)}"
        colour = f"{_word(COLOURFULNESS, self.colourfulness)}, {_mostly(self.colours)}"
        text = f"{light}; {colour}"
        if self.motion is not None:
            text += f"; {_word(MOTION, self.motion)} changed since the last frame (motion {self.motion:.2f})"
        return text[0].upper() + text[1:] + "."


def measure(picture: MatLike, before: MatLike | None = None, max_colours: int = 3) -> Facts:
    """Measure one picture.

    Args:
        picture: uint8 (H, W, 3), BGR.
        before: the previous picture, of any size, or None.
        max_colours: largest number of colours that are named.
    """
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (WIDTH_PX, max(1, round(height * WIDTH_PX / width))), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return Facts(
        luma=float(luma.mean()) / 255,
        contrast=float(luma.std()) / 255,
        sharpness=float(cv2.Laplacian(luma, cv2.CV_64F).var()),
        colourfulness=_colourfulness(small),
        colours=_colours(small)[:max_colours],
        motion=None if before is None else float((np.abs(_coarse(picture) - _coarse(before)) > MOTION_STEP).mean()),
    )


def describe_measured(frames: Sequence[FrameToDescribe], max_colours: int = 3) -> Iterator[Answer]:
    """Yield one answer per frame, in order of time. A picture that does not decode fails alone."""
    before = None
    for frame in frames:
        picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR) if frame.jpeg else None
        sentence = None if picture is None else measure(picture, before, max_colours).sentence()
        yield Answer(
            frame_index=frame.frame_index,
            pts_s=frame.pts_s,
            image_hash=frame.image_hash,
            model=MODEL,
            status="failed" if sentence is None else "ok",
            description=sentence,
            input_tokens=0,
            output_tokens=0,
            cost_usd=0.0,
            error="the picture does not decode: materialise frames again" if sentence is None else None,
            described_at=datetime.now(UTC),
        )
        before = picture


def _colourfulness(picture: MatLike) -> float:
    """Return Hasler & Süsstrunk's M of a picture, uint8 (H, W, 3), BGR."""
    # Two opponent channels, float64 (H, W) each.
    blue, green, red = (picture[..., channel].astype(np.float64) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    # M = spread + 0.3 · distance of the mean from grey.
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def _colours(picture: MatLike) -> tuple[str, ...]:
    """Return the names of the colours that cover enough of a picture, uint8 (H, W, 3) BGR, the largest first."""
    # OpenCV's hue is in steps of 2 degrees: uint8 (H, W) each.
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))
    # The name of each pixel's hue, (H, W).
    names = np.array([name for _, name in HUES])[np.searchsorted([limit for limit, _ in HUES], hue.astype(int) * 2)]
    names = np.where(np.isin(names, ["orange"]) & (value < 160), "brown", names)
    # A pixel without saturation has no hue, and in the dark no hue is visible.
    names = np.where(saturation < 45, np.where(value > 200, "white", "grey"), names)
    names = np.where(value < 45, "black", names)
    found, counts = np.unique(names, return_counts=True)
    # (-share, name) from the largest share on; the largest colour is named in any case.
    shares = sorted(zip(-counts / names.size, found.tolist(), strict=True))
    dominant = shares[0][1]
    named = [name for share, name in shares if -share >= NAMED_SHARE] or [dominant]
    return tuple(named)


def _coarse(picture: MatLike) -> MatLike:
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    # A fixed shape, so that frames can be compared even if the stream changes its size.
    small = cv2.resize(luma, (MOTION_WIDTH_PX, MOTION_WIDTH_PX * 9 // 16), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small.astype(np.float32) / 255, (3, 3), 0)


def _mostly(colours: tuple[str, ...]) -> str:
    *others, last = colours
    return f"mostly {', '.join(others)} and {last}" if others else f"mostly {last}"


def _word(limits: tuple[tuple[float, str], ...], value: float) -> str:
    return next(word for limit, word in limits if value < limit)
