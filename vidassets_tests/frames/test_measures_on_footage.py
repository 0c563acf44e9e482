import os
from collections.abc import Sequence
from pathlib import Path

import av
import pytest

from vidassets.frames.measures import luma, perceptual_hash, without_black_bars
from vidassets_tests.frames.pictures import hash_distance

pytestmark = [
    pytest.mark.footage,
    pytest.mark.skipif("VIDASSETS_FOOTAGE" not in os.environ, reason="VIDASSETS_FOOTAGE names no folder of footage"),
]


def lumas(name: str, frame_numbers: Sequence[int]) -> list:
    """Luma of some frames of a clip, counted from 0."""
    with av.open(Path(os.environ["VIDASSETS_FOOTAGE"]) / "clips" / name) as container:
        wanted = set(frame_numbers)
        frames = zip(range(max(wanted) + 1), container.decode(video=0), strict=False)
        return [luma(frame.to_ndarray(format="rgb24")) for number, frame in frames if number in wanted]


def test_frames_of_a_sub_clip_hash_like_those_of_the_whole():
    # The sub-clip begins at frame 72 of the whole, and was encoded again.
    part = lumas("animation-10s.mp4", [10, 40, 180, 200])
    whole = lumas("animation-30s.mp4", [82, 112, 252, 272])
    distances = [
        hash_distance(perceptual_hash(first), perceptual_hash(second))
        for first, second in zip(part, whole, strict=True)
    ]
    assert max(distances) <= 1


def test_two_takes_in_one_gym_are_not_duplicates():
    first, second = ([perceptual_hash(luma) for luma in lumas(f"gym-take-{take}.mpg", [30, 60, 90])] for take in (1, 2))
    assert min(hash_distance(a, b) for a in first for b in second) > 6


def test_the_letterbox_of_a_film_is_cropped():
    (picture,) = lumas("animation-30s.mp4", [84])
    assert (picture.shape, without_black_bars(picture).shape) == ((480, 854), (364, 854))
