"""Pictures to describe, each of a different colour."""

from collections.abc import Sequence

import cv2
import numpy as np

from vidassets.descriptions.answers import FrameToDescribe

WIDTH, HEIGHT = 64, 36


def jpeg(bgr: Sequence[int]) -> bytes:
    ok, data = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), bgr, np.uint8))
    if not ok:
        raise RuntimeError("cannot encode")
    return data.tobytes()


def frames_of(n: int) -> list[FrameToDescribe]:
    """`n` frames, one every 10 s from 5 s, no two alike."""
    return [
        FrameToDescribe(i, 5.0 + 10 * i, WIDTH, HEIGHT, jpeg((8 * (i % 32), 8 * (i // 32 % 32), 128))) for i in range(n)
    ]
