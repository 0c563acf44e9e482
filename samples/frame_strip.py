"""Draw and read the number of a frame as a strip of light and dark cells that survives any codec.

The strip is along the bottom edge, 16 cells of 40 x 12 px at 640 x 360, and scales with the picture:

    light dark | 12 cells, most significant first: the number in Gray code, light is 1 | parity | light

Gray code changes one cell (and the parity) from frame to frame: the strip costs few bits, and a picture that mixes
two frames fails the parity or names one of the two.
"""

import numpy as np
from numpy.typing import NDArray

N_BITS = 12
N_CELLS = N_BITS + 4
STRIP_HEIGHT = 12 / 360
LIGHT, DARK = 235, 16


class StripError(ValueError):
    """The picture has no strip, or a damaged strip."""


def strip_cells(frame: int) -> list[bool]:
    """Return the cells of a frame's strip, left to right; True is light.

    >>> "".join("#" if cell else "." for cell in strip_cells(5))
    '#..........#####'
    """
    if not 0 <= frame < 2**N_BITS:
        raise StripError(f"frame {frame} does not fit the strip's {N_BITS} bits; draw fewer frames.")
    gray = frame ^ (frame >> 1)
    bits = [bool(gray >> place & 1) for place in reversed(range(N_BITS))]
    return [True, False, *bits, sum(bits) % 2 == 1, True]


def draw_frame_number(picture: NDArray[np.uint8], frame: int) -> None:
    """Paint the strip of `frame` over the bottom edge of `picture`, uint8 (H, W, 3), in place."""
    height, width = picture.shape[:2]
    top = height - round(height * STRIP_HEIGHT)
    edges = np.linspace(0, width, N_CELLS + 1).round().astype(int)
    for cell, left, right in zip(strip_cells(frame), edges[:-1], edges[1:], strict=True):
        picture[top:, left:right] = LIGHT if cell else DARK


def read_frame_number(picture: NDArray[np.uint8]) -> int:
    """Return the number of the frame that `picture` shows.

    Args:
        picture: uint8, (H, W) luma or (H, W, 3) of any channel order, of any size that keeps the strip.
    Raises:
        StripError: the guard or parity cells are wrong.
    """
    luma = picture if picture.ndim == 2 else picture.mean(axis=2)
    height, width = luma.shape
    row = luma[height - round(height * STRIP_HEIGHT * 0.7) : height - round(height * STRIP_HEIGHT * 0.2)].mean(axis=0)
    centres = ((np.arange(N_CELLS) + 0.5) * width / N_CELLS).astype(int)
    reach = max(1, width // N_CELLS // 4)
    cells = [bool(row[centre - reach : centre + reach].mean() > (LIGHT + DARK) / 2) for centre in centres]
    first_light, first_dark, *bits, parity, last_light = cells
    if not first_light or first_dark or not last_light or parity != (sum(bits) % 2 == 1):
        raise StripError(f"cells {''.join('#' if cell else '.' for cell in cells)} are not a frame's strip.")
    frame = 0
    for bit in bits:
        frame = frame << 1 | (bit ^ (frame & 1))
    return frame
