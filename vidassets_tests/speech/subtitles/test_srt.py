import pysubs2
import pytest

from vidassets.speech.subtitles.cue import SubtitleStyle
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets.speech.subtitles.srt import format_srt
from vidassets_tests.speech.subtitles.transcripts import Said, spoken


def srt_of(*said: Said, offset_s: float = 0.0) -> str:
    return format_srt(lay_out_cues(*spoken(*said), SubtitleStyle()), offset_s)


def test_subrip_is_written_as_players_read_it() -> None:
    assert srt_of(("S0", "here I am", 1, 3), ("S1", "so I see", 3661.5, 3663)) == (
        "1\n00:00:01,000 --> 00:00:03,000\nhere I am\n\n2\n01:01:01,500 --> 01:01:03,000\nso I see\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a < b & c --> d", id="marks"),
        pytest.param("שלום עולם", id="right to left"),
        pytest.param("naïve café 漢字 🎬", id="unicode"),
        pytest.param("C:\\Notes {curly}", id="backslash and braces"),
        pytest.param("42", id="digits"),
    ],
)
def test_another_parser_reads_the_same_text_and_times(text: str) -> None:
    subtitles = pysubs2.SSAFile.from_string(srt_of(("S0", text, 1.0, 3.25)), format_="srt", keep_unknown_html_tags=True)

    assert [(event.start, event.end, event.text) for event in subtitles] == [(1000, 3250, text)]


def test_a_word_that_looks_like_a_tag_is_shown_not_obeyed() -> None:
    assert "<\u2060i>" in srt_of(("S0", "say <i> twice", 0, 2))


def test_the_offset_is_taken_from_every_time() -> None:
    assert "00:00:01,000 --> 00:00:03,000" in srt_of(("S0", "here", 1.85, 3.85), offset_s=0.85)


def test_what_lies_before_the_players_zero_is_left_out() -> None:
    assert srt_of(("S0", "gone", 0, 1), ("S0", "here", 5, 6), offset_s=2) == "1\n00:00:03,000 --> 00:00:04,000\nhere\n"


def test_no_cue_makes_an_empty_file() -> None:
    assert format_srt([]) == ""
