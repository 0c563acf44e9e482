import cv2
import numpy as np
import polars as pl

from vidassets.schemas.speech import WordAcoustics
from vidassets.speech.subtitles.timeline_picture import (
    LANE_PX,
    LEFT_PX,
    RIGHT_PX,
    TOP_PX,
    TURN_HEIGHT,
    TURN_TOP,
    draw_timeline,
)
from vidassets_tests.speech.subtitles.transcripts import CLIP, Said, spoken, table_of, turns_of

PLAIN_PX = 240


def drawn(*said: Said, names: dict[str, str] | None = None, end_s: float = 10.0) -> bytes:
    transcript, words = spoken(*said)
    loud = words.select("word_index", "start_s", "end_s", "speaker", "text").to_dicts()
    acoustics = table_of(
        WordAcoustics, [{"clip": CLIP, "intensity_mean_db": -20.0, "level": "high"} | row for row in loud]
    )
    return draw_timeline(turns_of(*said), transcript, words, acoustics, names or {}, (0.0, end_s))


def pixels(png: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def turn_spans(picture: np.ndarray, lane: int, end_s: float = 10.0) -> list[tuple[float, float]]:
    """Where the lane's bars stand, to the tenth of a second."""
    row = picture[round(TOP_PX + LANE_PX * (lane + TURN_TOP + TURN_HEIGHT / 2)), LEFT_PX + 2 : RIGHT_PX - 2]
    edges = np.flatnonzero(np.diff((row.min(axis=1) < PLAIN_PX).astype(int), prepend=0, append=0))
    times_s = (edges + 2) / (RIGHT_PX - LEFT_PX) * end_s
    return [
        (round(float(begin), 1), round(float(end), 1)) for begin, end in zip(times_s[::2], times_s[1::2], strict=True)
    ]


def test_turns_stand_where_they_are_spoken_also_two_at_once() -> None:
    picture = pixels(drawn(("S0", "here I am", 1, 4), ("S1", "so I see", 3, 6), ("S0", "well", 8, 9)))

    assert turn_spans(picture, lane=0) == [(1.0, 4.0), (8.0, 9.0)]
    assert turn_spans(picture, lane=1) == [(3.0, 6.0)]


def test_every_speaker_has_a_lane_and_so_have_words_of_nobody() -> None:
    single = pixels(drawn(("S0", "here", 1, 4)))
    three = pixels(drawn(("S0", "here", 1, 4), ("S1", "there", 4, 6), (None, "where", 6, 8)))

    assert len(three) - len(single) == 2 * LANE_PX


def test_a_long_clip_makes_a_small_picture() -> None:
    said = [(f"S{at % 7}", "quite a long story of it", at * 5.0, at * 5.0 + 6) for at in range(800)]

    assert len(drawn(*said, end_s=4010)) <= 150_000


def test_words_that_the_font_lacks_and_signs_of_formulas_are_drawn_without_a_complaint() -> None:
    assert pixels(drawn(("S0", "漢字 $x$ שלום 🎬", 1, 9), names={"S0": "名前 $"})).shape[1] == 1100


def test_a_crowd_is_cut_at_twelve_lanes() -> None:
    said = [(f"S{at}", "me", at, at + 1) for at in range(20)]

    assert len(pixels(drawn(*said, end_s=20))) == len(pixels(drawn(*said[:12], end_s=20)))


def test_a_clip_without_speech_has_a_picture_too() -> None:
    transcript, words = spoken(("S0", "gone", 0, 1))
    nothing = turns_of(("S0", "gone", 0, 1)).clear()

    png = draw_timeline(
        nothing, transcript.clear(), words.clear(), pl.DataFrame(schema=table_of(WordAcoustics, []).schema), {}, (0, 0)
    )

    assert pixels(png).shape[1] == 1100
