"""Paint six scenes of a workshop, each at another place and in motion."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from recording import HEIGHT, WIDTH, Picture

Colour = tuple[float, float, float]  # BGR


@cache
def _surface(seed: int, colour: Colour, grain_px: int) -> NDArray[np.uint8]:
    """Return a stained wall or floor, 960 x 540, soft enough to compress."""
    rng = np.random.default_rng(seed)
    stains = rng.normal(size=(540 // grain_px, 960 // grain_px, 1)).astype(np.float32)
    stains = cv2.resize(stains, (960, 540), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(np.array(colour) * (1 + 0.09 * stains), 0, 255).astype(np.uint8)


def _view(surface: NDArray[np.uint8], x: float, y: float) -> Picture:
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
    return np.asarray(cv2.warpAffine(surface, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _box(picture: Picture, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Draw a filled rectangle with a darker edge, in sixteenths of a pixel so that slow motion is smooth."""
    corners = [(round(x * 16), round(y * 16)), (round((x + width) * 16), round((y + height) * 16))]
    outline = np.array(
        [corners[0], (corners[1][0], corners[0][1]), corners[1], (corners[0][0], corners[1][1])], np.int32
    )
    cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA, 4)
    cv2.polylines(picture, [outline], True, [0.6 * part for part in colour], 2, cv2.LINE_AA, 4)


def conveyor(seconds: float) -> Picture:
    """Paint cartons that move to the left on a belt."""
    picture = _view(_surface(1, (150, 138, 120), 40), 60 + 12 * np.sin(seconds), 40)
    cv2.rectangle(picture, (0, 236), (WIDTH, 300), (52, 48, 46), -1)
    for mark in range(9):
        x = (mark * 80 - 110 * seconds) % 720 - 60
        _box(picture, x, 262, 26, 10, (92, 88, 84))
    for carton, (width, height) in enumerate(((96, 84), (120, 110), (80, 64))):
        x = (carton * 250 + 60 - 110 * seconds) % 760 - 120
        _box(picture, x, 238 - height, width, height, (84, 138, 186))
        _box(picture, x + width / 2 - 9, 238 - height, 18, height, (126, 182, 214))
    return picture


def gears(seconds: float) -> Picture:
    """Paint three gears that turn."""
    picture = _view(_surface(2, (86, 104, 62), 54), 100, 60)
    wheels = ((206, 190, 104, 16, 1.0, (70, 160, 224)), (404, 172, 84, 13, -16 / 13, (190, 190, 196)))
    for x, y, radius, teeth, speed, colour in (*wheels, (536, 252, 54, 8, 2.0, (96, 92, 210))):
        angles = np.linspace(0, 2 * np.pi, teeth * 8, endpoint=False)
        reach = radius * (1 + 0.09 * np.tanh(4 * np.sin(teeth * (angles - 0.7 * speed * seconds))))
        rim = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1)
        cv2.fillPoly(picture, [(rim * 16).round().astype(np.int32)], colour, cv2.LINE_AA, 4)
        for spoke in range(5):
            turn = 0.7 * speed * seconds + spoke * 2 * np.pi / 5
            centre = (round((x + radius * 0.55 * np.cos(turn)) * 16), round((y + radius * 0.55 * np.sin(turn)) * 16))
            cv2.circle(picture, centre, round(radius * 0.17 * 16), (60, 70, 46), -1, cv2.LINE_AA, 4)
    return picture


def tool_wall(seconds: float) -> Picture:
    """Paint a pan along tools that hang on a wall."""
    picture = _view(_surface(3, (120, 164, 196), 30), 40 + 30 * seconds, 80)
    for tool in range(9):
        x = 60 + tool * 130 - 70 * seconds
        head, handle = ((60, 60, 180), (40, 90, 130)) if tool % 2 else ((150, 150, 154), (110, 60, 40))
        _box(picture, x + 18, 120, 20, 130 + 12 * (tool % 3), handle)
        _box(picture, x, 84, 56 if tool % 3 else 76, 40, head)
    return picture


def press(seconds: float) -> Picture:
    """Paint a press that comes down on sheet metal and goes up again."""
    picture = _view(_surface(4, (74, 66, 70), 46), 80, 60)
    down = 70 * (0.5 - 0.5 * np.cos(2.4 * seconds))
    _box(picture, 276, -20, 88, 120 + down, (170, 174, 180))
    _box(picture, 190, 96 + down, 260, 54, (40, 176, 230))
    for stripe in range(6):
        _box(picture, 200 + 42 * stripe, 136 + down, 22, 14, (30, 32, 36))
    _box(picture, 120, 240, 400, 26, (206, 200, 190))
    _box(picture, 150, 266, 340, 74, (96, 100, 110))
    return picture


def aisle(seconds: float) -> Picture:
    """Paint a walk down an aisle of shelves."""
    picture = _view(_surface(5, (176, 170, 158), 60), 120, 70)
    colours = ((88, 130, 70), (70, 92, 176), (160, 118, 60), (92, 160, 190))
    for bay in reversed(range(7)):
        depth = bay + 1 - (0.55 * seconds) % 1
        size = 230 / depth
        shade = 0.45 + 0.55 / (0.5 + 0.5 * depth)
        blue, green, red = (min(255, part * shade) for part in colours[(bay + int(0.55 * seconds)) % 4])
        for side in (-1, 1):
            x = WIDTH / 2 + side * 330 / depth - size * 0.32
            for level in (-1.0, -0.28, 0.44):
                _box(picture, x, 170 + level * size, size * 0.64, size * 0.6, (blue, green, red))
    return picture


def bench(seconds: float) -> Picture:
    """Paint parts on a bench from above, while the view turns slightly."""
    picture = _view(_surface(6, (60, 96, 142), 34), 100, 80)
    rng = np.random.default_rng(7)
    for part in range(14):
        x, y, radius = rng.uniform(30, 610), rng.uniform(30, 310), rng.uniform(14, 34)
        angle = 0.12 * seconds
        x, y = x - 320, y - 180
        x, y = 320 + x * np.cos(angle) - y * np.sin(angle), 180 + x * np.sin(angle) + y * np.cos(angle)
        centre = (round(x * 16), round(y * 16))
        cv2.circle(picture, centre, round(radius * 16), (190 - 8 * part, 196, 150 + 6 * part), -1, cv2.LINE_AA, 4)
        cv2.circle(picture, centre, round(radius * 7), (60, 64, 70), -1, cv2.LINE_AA, 4)
    return picture
