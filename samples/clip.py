"""The sample clip: a workshop in six shots, with presentation time and frame number in every picture; no sound."""

from fractions import Fraction
from pathlib import Path

import cv2
from frame_strip import N_BITS, N_CELLS, STRIP_HEIGHT, draw_frame_number
from montage import Montage, Shot
from recording import HEIGHT, WIDTH, Clock, Picture, Recording, Truth
from workshop import aisle, bench, conveyor, gears, press, tool_wall

FRAME_RATE = Fraction(30_000, 1001)
FIRST_PTS_S = Fraction(1, 2)
N_FRAMES = 600


def clip() -> Recording:
    """Return the clip: 20.02 s at 30000/1001 fps, first pts 0.5 s; three cuts, a dissolve, a fade through black."""
    clock = Clock(FRAME_RATE, FIRST_PTS_S)
    shots = (
        Shot("conveyor", 0, conveyor),
        Shot("gears", 105, gears),
        Shot("tool-wall", 198, tool_wall),
        Shot("press", 300, press, "dissolve", 24),
        Shot("aisle", 402, aisle),
        Shot("bench", 504, bench, "fade", 13),
    )
    montage = Montage(shots, N_FRAMES, clock)

    def picture(frame: int) -> Picture:
        drawn = montage.picture(frame).copy()
        _write_time(drawn, clock.pts_s(frame))
        draw_frame_number(drawn, frame)
        return drawn

    truth: Truth = {
        **montage.truth(),
        "strip": {"height_px": round(HEIGHT * STRIP_HEIGHT), "cells": N_CELLS, "bits": N_BITS, "code": "gray"},
    }
    sidecar: Truth = {
        "factory_id": "factory_001",
        "worker_id": "worker_007",
        "video_index": 3,
        "duration_sec": round(float(N_FRAMES / FRAME_RATE), 3),
        "width": WIDTH,
        "height": HEIGHT,
        "fps": round(float(FRAME_RATE), 2),
        "size_bytes": None,
        "codec": "h264",
    }
    return Recording(
        path=Path("clips/workshop.mp4"),
        key="workshop",
        kind="clip",
        clock=clock,
        n_frames=N_FRAMES,
        picture=picture,
        truth=truth,
        crf=27,
        sidecar=sidecar,
    )


def _write_time(picture: Picture, pts_s: float) -> None:
    cv2.rectangle(picture, (12, 10), (140, 42), (0, 0, 0), -1)
    cv2.putText(picture, f"{pts_s:.3f} s", (20, 34), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2, cv2.LINE_AA)
