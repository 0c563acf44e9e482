import re

import polars as pl
import pysubs2
from hypothesis import given

from vidassets.speech.subtitles.ass import format_ass
from vidassets.speech.subtitles.cue import SubtitleStyle
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets.speech.subtitles.srt import format_srt
from vidassets.speech.subtitles.webvtt import format_webvtt
from vidassets_tests.speech.subtitles.test_cue_layout import WORDS, table
from vidassets_tests.speech.subtitles.transcripts import Said, spoken

NAMES = {"S0": "Ada, Countess"}


def parsed(*said: Said, emphasis: dict | None = None, offset_s: float = 0.0) -> pysubs2.SSAFile:
    cues = lay_out_cues(*spoken(*said), SubtitleStyle())
    return pysubs2.SSAFile.from_string(format_ass(cues, NAMES, emphasis, offset_s=offset_s), format_="ass")


def syllables(text: str) -> list[int]:
    return [int(cs) for cs in re.findall(r"\\k(\d+)", text)]


def test_every_word_has_its_karaoke_time() -> None:
    [event] = parsed(("S0", "one two three", 1.0, 2.5))

    assert event.text == r"{\k50}one {\k50}two {\k50}three"
    assert (event.start, event.end) == (1000, 2500)


def test_a_pause_belongs_to_the_word_before_it() -> None:
    [event] = parsed(("S0", "one", 1.0, 1.5), ("S0", "two", 2.0, 3.0))

    assert syllables(event.text) == [100, 100]


def test_a_speaker_has_a_style_and_a_name() -> None:
    subtitles = parsed(("S0", "here I am", 0, 2), ("S1", "so I see", 2, 4), (None, "who", 8, 9))

    assert [(event.style, event.name) for event in subtitles] == [
        ("S0", "Ada Countess"),
        ("S1", "Speaker 2"),
        ("Default", ""),
    ]
    assert subtitles.styles["S1"].primarycolor == pysubs2.Color(255, 255, 0)


def test_a_loud_word_is_larger_and_what_follows_is_not() -> None:
    [event] = parsed(("S0", "not now please", 0, 3), emphasis={1: ("emphasis",), 2: ("raised",)})

    assert event.text == r"{\k100}not {\k100\fscx125\fscy125\b1}now{\r} {\k100\i1}please{\r}"


def test_of_two_voices_the_first_comes_first_and_is_drawn_on_top() -> None:
    subtitles = parsed(("S0", "Ready?", 1.0, 1.4), ("S1", "Yes.", 1.5, 1.8))

    assert [event.plaintext for event in subtitles] == ["- Ready?", "- Yes."]
    assert len({(event.start, event.end) for event in subtitles}) == 1
    assert [event.marginv for event in subtitles] == [82, 0]


def test_braces_and_backslashes_are_text() -> None:
    [event] = parsed(("S0", r"{\an8} C:\New", 0, 2))

    assert event.text == "{\\k100}\\{\\\u2060an8\\} {\\k100}C:\\\u2060New"


def test_lines_are_broken_by_the_subtitles_alone() -> None:
    [event] = parsed(("S0", "how long does it take to fly around the world", 0, 3))

    assert event.plaintext == "how long does it take\nto fly around the world"


def test_lines_from_right_to_left_are_marked_for_the_player() -> None:
    assert parsed(("S0", "שלום עולם", 0, 2)).styles["S0"].encoding == -1
    assert parsed(("S0", "hello", 0, 2)).styles["S0"].encoding == 1


def test_no_cue_makes_a_valid_file_without_events() -> None:
    assert len(pysubs2.SSAFile.from_string(format_ass([], {}), format_="ass")) == 0


@given(WORDS)
def test_all_three_formats_have_the_same_words_in_the_same_order(rows: list) -> None:
    transcript, words = table(rows)
    numbered = words.with_columns(text=pl.format("w{}", "word_index"))
    cues = lay_out_cues(transcript, numbered, SubtitleStyle(), (0.0, 20.0))

    texts = format_ass(cues, {}).partition("[Events]")[2], format_srt(cues), format_webvtt(cues, {})
    assert len({tuple(re.findall(r"w\d+", text)) for text in texts}) == 1


@given(WORDS)
def test_karaoke_times_add_up_to_the_event(rows: list) -> None:
    subtitles = pysubs2.SSAFile.from_string(format_ass(lay_out_cues(*table(rows), SubtitleStyle()), {}), format_="ass")

    assert all(sum(syllables(event.text)) * 10 == event.end - event.start for event in subtitles)
