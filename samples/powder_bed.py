"""Draw a powder bed as a camera sees it: the scanning melt pool, glowing spatters, the recoater's blue light."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from recording import HEIGHT, WIDTH, Picture

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels, the last two exclusive
Light = NDArray[np.float32]

DIFFERENCE = 20  # gray levels between two frames that count as a change
# Brightness of a spatter on its frames. It starts as an ember that is too faint to be a change; each later step is far
# above DIFFERENCE over the whole body. So wherever a change is found, the earlier frame shows the spatter.
GLOW = (0.06, 0.6, 1.0, 0.45)
# A sudden spatter has no ember: the first of its frames shows the empty bed, and the change to the next one is found.
SUDDEN_GLOW = (0.0, *GLOW[1:])
DILATIONS = 3
HOT = np.array((0.52, 0.80, 1.0), np.float32)  # BGR of glowing metal: never more blue than green and red together
AMBIENT_BLUE = np.array((44, 12, 8), np.float32)
LAMP_BLUE = np.array((250, 96, 76), np.float32)
PICTURE: Box = (0, 0, WIDTH, HEIGHT)
RECOATING_FRAMES = 42
FADE_FRAMES = 14  # slow enough that fading the light in and out stays below DIFFERENCE


@dataclass(frozen=True)
class Spatter:
    """A glowing droplet or streak, on `len(GLOW)` frames from `first_frame` on, drifting a little between them.

    `length_px` and `breadth_px` are half axes; `lobes` > 1 makes it a ragged streak; a `sudden` one has no ember.
    """

    first_frame: int
    x: float
    y: float
    length_px: float
    breadth_px: float
    angle: float
    lobes: int
    peak: float
    sudden: bool = False

    @property
    def frames(self) -> range:
        """The frames that show the spatter, starting with the ember, or the empty bed."""
        return range(self.first_frame, self.first_frame + len(GLOW))

    def light(self, frame: int, window: Box = PICTURE) -> Light:
        """Return the light of this spatter alone, float32 (rows, columns of the window), 0 elsewhere."""
        x1, y1, x2, y2 = window
        if frame not in self.frames:
            return np.zeros((y2 - y1, x2 - x1), np.float32)
        age = frame - self.first_frame
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        rows, columns = np.mgrid[y1:y2, x1:x2].astype(np.float32)
        across, down = columns - (self.x + 2.5 * age * cos), rows - (self.y + 2.5 * age * sin)
        along, aside = across * cos + down * sin, down * cos - across * sin
        ripple = 1 + 0.16 * (self.lobes > 1) * np.cos(self.lobes * 1.6 * along / self.length_px)
        distance = (along / self.length_px) ** 2 + (aside / (self.breadth_px * ripple)) ** 2
        return (self.peak * (SUDDEN_GLOW if self.sudden else GLOW)[age] * np.exp(-(distance**2))).astype(np.float32)


@dataclass(frozen=True)
class Pass:
    """The pass of the laser over one layer: it hatches back and forth during `frames`."""

    frames: range
    left: float
    right: float

    def pool(self, frame: int) -> tuple[float, float]:
        """Return the position of the melt pool, x and y."""
        done = (frame - self.frames.start) / len(self.frames)
        swing = 2 * abs((frame - self.frames.start) / 18 % 1 - 0.5)
        return self.left + (self.right - self.left) * swing, 60 + 240 * done

    def light(self, frame: int, window: Box = PICTURE) -> Light:
        """Return the light of the pool: a small white core in a faint glow; its steps change less than a spatter."""
        x, y = self.pool(frame)
        x1, y1, x2, y2 = window
        rows, columns = np.mgrid[y1:y2, x1:x2].astype(np.float32)
        distance = (columns - x) ** 2 + (rows - y) ** 2
        return (240 * np.exp(-((distance / 50) ** 2)) + 13 * np.exp(-distance / 900)).astype(np.float32)


def glowing(light: Light) -> Picture:
    """Return light in the colours of hot metal, BGR."""
    return np.clip(light[..., None] * HOT + np.maximum(light[..., None] - 150, 0) * 0.6 * (1 - HOT), 0, 255).astype(
        np.uint8
    )


def recoating(age: int) -> Picture:
    """Return the chamber during recoating, `age` frames after the blue light starts to fade in."""
    level = min(1.0, (age + 1) / FADE_FRAMES, (RECOATING_FRAMES - age) / FADE_FRAMES)
    picture = np.full((HEIGHT, WIDTH, 3), AMBIENT_BLUE * level, np.float32)
    if FADE_FRAMES <= age < RECOATING_FRAMES - FADE_FRAMES:
        left = 40 + 34 * (age - FADE_FRAMES)
        picture[70:170, left : left + 44] = LAMP_BLUE
        picture[210:300, left : left + 44] = LAMP_BLUE
    return picture.round().astype(np.uint8)


def glowing_region(light: Light) -> tuple[Box, int]:
    """Return box and area of the pixels above `DIFFERENCE` on the gray picture."""
    gray = cv2.cvtColor(glowing(light), cv2.COLOR_BGR2GRAY)
    return _extent((gray > DIFFERENCE).astype(np.uint8))


def changed_region(earlier: Light, later: Light) -> tuple[Box, int]:
    """Return box and area of the changed pixels, see `changed_mask`."""
    return _extent(changed_mask(earlier, later))


def changed_mask(earlier: Light, later: Light) -> NDArray[np.uint8]:
    """Return 1 where two lights differ: gray, blurred 5 x 5, above `DIFFERENCE`, dilated `DILATIONS` times by 3 x 3."""
    difference = cv2.cvtColor(cv2.absdiff(glowing(earlier), glowing(later)), cv2.COLOR_BGR2GRAY)
    mask = (cv2.GaussianBlur(difference, (5, 5), 0) > DIFFERENCE).astype(np.uint8)
    return np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=DILATIONS), np.uint8)


def _extent(mask: NDArray[np.uint8]) -> tuple[Box, int]:
    x, y, width, height = cv2.boundingRect(mask)
    return (x, y, x + width, y + height), int(mask.sum())
