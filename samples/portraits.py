"""Two public-domain portraits, a camera that moves over them, and a painted landscape."""

from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib import cbook
from numpy.typing import NDArray
from recording import HEIGHT, WIDTH, Picture
from skimage import data

Box = tuple[float, float, float, float]
SWAY_DEGREES = 0.6  # a camera held by hand


@dataclass(frozen=True)
class Portrait:
    """A photograph (BGR) and the box of its face, brow to chin and cheek to cheek, in pixels of the photograph."""

    person: str
    picture: NDArray[np.uint8]
    face_xyxy: Box


def grace_hopper() -> Portrait:
    """Return the US Navy portrait of 1984 that matplotlib ships; 512 x 600."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return Portrait("grace-hopper", np.asarray(picture, np.uint8), (172.0, 130.0, 364.0, 326.0))


def eileen_collins() -> Portrait:
    """Return the NASA portrait of 1992 that scikit-image ships; 512 x 512."""
    picture = np.ascontiguousarray(data.astronaut()[..., ::-1])
    return Portrait("eileen-collins", picture, (177.0, 60.0, 275.0, 184.0))


@dataclass(frozen=True)
class Framing:
    """The view of a camera: its middle and width, in pixels of the photograph."""

    x: float
    y: float
    width_px: float


@dataclass(frozen=True)
class CameraMove:
    """A move from one framing to another over `seconds`, slow at both ends, with a little sway."""

    portrait: Portrait
    start: Framing
    end: Framing
    seconds: float
    size: tuple[int, int] = (WIDTH, HEIGHT)

    def take(self, seconds: float) -> Picture:
        """Return the view this many seconds into the move, BGR of `size`."""
        matrix, border = self._matrix(seconds), cv2.BORDER_REFLECT
        view = cv2.warpAffine(self.portrait.picture, matrix, self.size, flags=cv2.INTER_CUBIC, borderMode=border)
        return np.asarray(view, np.uint8)

    def face_xyxy(self, seconds: float) -> Box:
        """Return the upright box around the face, in pixels of the view."""
        x1, y1, x2, y2 = self.portrait.face_xyxy
        corners = np.array([[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]])
        seen = cv2.transform(corners, self._matrix(seconds))[0]
        left, top = seen.min(axis=0)
        right, bottom = seen.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def _matrix(self, seconds: float) -> NDArray[np.float64]:
        share = min(max(seconds / self.seconds, 0), 1)
        share = share * share * (3 - 2 * share)
        x = self.start.x + share * (self.end.x - self.start.x) + 1.6 * np.sin(2.1 * seconds)
        y = self.start.y + share * (self.end.y - self.start.y) + 1.2 * np.sin(1.7 * seconds + 1)
        width_px = self.start.width_px + share * (self.end.width_px - self.start.width_px)
        width, height = self.size
        matrix = cv2.getRotationMatrix2D((x, y), SWAY_DEGREES * np.sin(1.3 * seconds), width / width_px)
        matrix[:, 2] += (width / 2 - x, height / 2 - y)
        return np.asarray(matrix, np.float64)


@dataclass(frozen=True)
class TwoUp:
    """Two camera moves side by side, each 318 px wide, with a dark line between them."""

    left: CameraMove
    right: CameraMove

    def take(self, seconds: float) -> Picture:
        """Return both views in one picture."""
        line = np.full((HEIGHT, WIDTH - 2 * self.left.size[0], 3), 24, np.uint8)
        return np.hstack([self.left.take(seconds), line, self.right.take(seconds)])


def landscape(seconds: float, dusk: bool, title: str = "") -> Picture:
    """Return drifting hills under a wide sky, without people."""
    rows = np.linspace(0, 1, HEIGHT)[:, None]
    high, low = ((96, 52, 58), (120, 150, 236)) if dusk else ((196, 140, 74), (226, 214, 190))
    picture = np.repeat((rows * np.array(low) + (1 - rows) * np.array(high))[:, None], WIDTH, axis=1).astype(np.uint8)
    cv2.circle(picture, (470 - round(4 * seconds), 150 if dusk else 78), 30, (190, 226, 255), -1, cv2.LINE_AA)
    columns = np.arange(WIDTH)
    ranges = ((190, 26, 140, 8, 0.80), (236, 30, 95, 18, 0.58), (292, 24, 70, 34, 0.38))
    for base, rise, stretch, px_per_s, shade in ranges:
        x = (columns + px_per_s * seconds) / stretch
        ridge = base - rise * (np.sin(x) + 0.5 * np.sin(2.3 * x + base) + 0.25 * np.sin(5.1 * x))
        outline = np.stack([columns, ridge.round()], axis=1).astype(np.int32)
        ground = np.vstack([outline, [[WIDTH - 1, HEIGHT], [0, HEIGHT]]]).astype(np.int32)
        tint = np.array((112, 92, 104) if dusk else (104, 148, 96)) * shade
        cv2.fillPoly(picture, [ground], [float(part) for part in tint], cv2.LINE_AA)
    if title:
        cv2.putText(picture, title, (44, 92), cv2.FONT_HERSHEY_TRIPLEX, 1.7, (255, 255, 255), 2, cv2.LINE_AA)
    return picture
