from io import StringIO
from itertools import pairwise

import pytest
import webvtt as webvtt_py
from hypothesis import given

from vidassets.speech.subtitles.cue import SubtitleStyle
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets.speech.subtitles.webvtt import format_webvtt
from vidassets_tests.speech.subtitles.test_cue_layout import WORDS, table
from vidassets_tests.speech.subtitles.transcripts import Said, spoken
from vidassets_tests.speech.subtitles.webvtt_grammar import check_webvtt


def captions(*said: Said, names: dict | None = None, emphasis: dict | None = None, offset_s: float = 0.0) -> str:
    return format_webvtt(lay_out_cues(*spoken(*said), SubtitleStyle()), names or {}, emphasis, offset_s=offset_s)


def payload(text: str) -> str:
    return text.rstrip("\n").split("\n\n")[-1].split("\n", 2)[2]


def test_words_have_their_times_and_the_speaker_a_name() -> None:
    text = captions(("S0", "one two three", 1.0, 2.5), names={"S0": "Ada"})

    assert payload(text) == "<v.S0 Ada>one <00:00:01.500>two <00:00:02.000>three</v>"
    assert check_webvtt(text) == [(1000, 2500)]


def test_a_speaker_without_a_name_is_numbered() -> None:
    assert payload(captions(("S1", "hello", 0, 1))) == "<v.S1 Speaker 2>hello</v>"


def test_words_of_nobody_have_no_voice() -> None:
    assert payload(captions((None, "hello", 0, 1))) == "hello"


def test_two_voices_share_a_cue_without_word_times() -> None:
    text = captions(("S0", "Ready now?", 1.0, 1.4), ("S1", "Yes I am.", 1.5, 1.8))

    assert payload(text) == "<v.S0 Speaker 1>- Ready now?</v>\n<v.S1 Speaker 2>- Yes I am.</v>"
    check_webvtt(text)


def test_emphasised_words_have_a_class() -> None:
    text = captions(("S0", "not now", 0, 2), emphasis={1: ("emphasis", "raised")})

    assert payload(text) == "<v.S0 Speaker 1>not <00:00:01.000><c.emphasis.raised>now</c></v>"
    assert "::cue(.emphasis) { font-weight: bold }" in text
    check_webvtt(text)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("a < b & c --> d", id="marks"),
        pytest.param("<00:00:00.500>", id="a time stamp"),
        pytest.param("שלום עולם", id="right to left"),
        pytest.param("naïve café 漢字 🎬", id="unicode"),
        pytest.param("NOTE 42", id="digits and keywords"),
    ],
)
def test_another_parser_reads_the_same_text_times_and_voice(said: str) -> None:
    [cue] = webvtt_py.from_buffer(StringIO(captions(("S0", said, 1.0, 3.25), names={"S0": "Ada L."})))

    text = cue.text
    for mark, reference in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(reference, mark)
    assert text == said
    assert (cue.start, cue.end, cue.voice) == ("00:00:01.000", "00:00:03.250", "Ada L.")


def test_a_name_cannot_leave_its_tag() -> None:
    text = captions(("S0", "hello", 0, 1), names={"S0": "A > B & <C>\n--> D"})

    assert payload(text) == "<v.S0 A &gt; B &amp; &lt;C&gt; --&gt; D>hello</v>"
    check_webvtt(text)


def test_a_note_says_where_the_words_come_from() -> None:
    text = format_webvtt([], {}, note="draft\n\nquality --> of pocketsphinx")

    assert text == "WEBVTT\n\nNOTE draft quality --&gt; of pocketsphinx\n"
    assert check_webvtt(text) == []


def test_no_cue_makes_a_valid_empty_file() -> None:
    assert format_webvtt([], {}) == "WEBVTT\n"
    assert len(webvtt_py.from_buffer(StringIO(format_webvtt([], {})))) == 0


def test_the_offset_is_taken_from_cues_and_words() -> None:
    text = captions(("S0", "one two", 1.85, 3.85), offset_s=0.85)

    assert "00:00:01.000 --> 00:00:03.000" in text
    assert "<00:00:02.000>two" in text


@given(WORDS)
def test_captions_of_any_words_keep_the_grammar(rows: list) -> None:
    spans = check_webvtt(format_webvtt(lay_out_cues(*table(rows), SubtitleStyle()), {}, {2: ("high",), 3: ("low",)}))

    assert all(before[1] <= after[0] for before, after in pairwise(spans))
