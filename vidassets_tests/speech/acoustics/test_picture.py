from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from vidassets.schemas import speech as speech_schemas
from vidassets.speech.acoustics.picture import LEVEL_COLORS, WORDS_PX, draw_acoustics

NO_FRAMES = speech_schemas.AcousticFrames.create_empty()
NO_WORDS = speech_schemas.WordAcoustics.create_empty()


def frames_of(n_frames: int, seed: int = 1) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    f0_hz = np.where(random.random(n_frames) < 0.5, 100 + 300 * random.random(n_frames), np.nan)
    return pl.DataFrame(
        {
            "pts_s": 0.005 + 0.01 * np.arange(n_frames),
            "f0_hz": pl.Series(f0_hz, dtype=pl.Float32, nan_to_null=True),
            "intensity_db": pl.Series(-60 * random.random(n_frames), dtype=pl.Float32),
        }
    )


def words_of(n_words: int, duration_s: float, levels: list[str | None], text: str = "word") -> pl.DataFrame:
    starts_s = np.arange(n_words) * duration_s
    return pl.DataFrame(
        {
            "start_s": starts_s,
            "end_s": starts_s + duration_s,
            "text": [text] * n_words,
            "level": pl.Series([levels[index % len(levels)] for index in range(n_words)], dtype=pl.String),
        }
    )


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def test_the_words_are_in_order_and_in_the_colours_of_their_levels():
    pixels = pixels_of(draw_acoustics("clip", frames_of(400), words_of(4, 1.0, [*LEVEL_COLORS])))
    assert pixels.shape == (400, 1200, 3)
    row = pixels[WORDS_PX[1] - 6].astype(int)
    places = []
    for color in LEVEL_COLORS.values():
        rgb = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        places.append(np.flatnonzero((row == rgb).all(axis=1)).mean())
    np.testing.assert_allclose(np.diff(places), (1184 - 60) / 4, atol=5)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        pytest.param(NO_FRAMES, NO_WORDS, id="no sound"),
        pytest.param(frames_of(100), NO_WORDS, id="no words"),
        pytest.param(NO_FRAMES, words_of(3, 0.5, [None]), id="no grid"),
        pytest.param(frames_of(1), words_of(1, 0.01, ["low"]), id="one frame"),
        pytest.param(frames_of(100), words_of(2, 0.5, ["high"], text="你好 $x_$ \N{GRINNING FACE}"), id="odd letters"),
    ],
)
def test_odd_input_gives_a_picture(frames, words):
    assert pixels_of(draw_acoustics("clip_$a$", frames, words)).shape == (400, 1200, 3)


def test_the_picture_of_an_hour_has_at_most_150_kb():
    hour = draw_acoustics("clip", frames_of(360_000), words_of(9_000, 0.4, [*LEVEL_COLORS]))
    assert len(hour) <= 150_000
