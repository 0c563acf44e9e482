from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting, SchemaViolation
from vidassets.speech.subtitles.cue import Cue, SubtitleStyle, char_count
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets_tests.speech.subtitles.transcripts import spoken

STYLE = SubtitleStyle()


def shown(cues: list[Cue]) -> list[list[str]]:
    return [cue.text_lines for cue in cues]


def spans(cues: list[Cue]) -> list[tuple[float, float]]:
    return [(round(cue.start_s, 3), round(cue.end_s, 3)) for cue in cues]


def test_a_short_sentence_is_one_line_as_long_as_it_is_spoken() -> None:
    cues = lay_out_cues(*spoken(("S0", "it takes about ninety minutes", 12.5, 14.5)), STYLE)

    assert shown(cues) == [["it takes about ninety minutes"]]
    assert spans(cues) == [(12.5, 14.5)]


def test_what_is_too_long_for_a_line_is_broken_where_the_lines_are_alike() -> None:
    cues = lay_out_cues(*spoken(("S0", "how long does it take to fly around the world", 0, 3)), STYLE)

    assert shown(cues) == [["how long does it take", "to fly around the world"]]


def test_a_line_is_broken_after_a_comma_sooner_than_in_the_middle() -> None:
    cues = lay_out_cues(*spoken(("S0", "when the rain is over, we all go out to see the garden", 0, 3)), STYLE)

    assert shown(cues) == [["when the rain is over,", "we all go out to see the garden"]]


def test_what_is_too_long_for_a_cue_is_divided_after_a_sentence() -> None:
    text = (
        "One sentence is here to begin with. Another one follows it at once, longer than the first, and ends the talk."
    )
    cues = lay_out_cues(*spoken(("S0", text, 0, 6)), STYLE)

    assert shown(cues) == [
        ["One sentence is here to begin with."],
        ["Another one follows it at once,", "longer than the first, and ends the talk."],
    ]


def test_a_pause_ends_a_cue() -> None:
    cues = lay_out_cues(*spoken(("S0", "first", 0, 1), ("S0", "then", 2.5, 3.5)), STYLE)

    assert shown(cues) == [["first"], ["then"]]


def test_segments_without_a_pause_between_them_share_a_cue() -> None:
    cues = lay_out_cues(*spoken(("S0", "first", 0, 1), ("S0", "then", 1.3, 2.3)), STYLE)

    assert shown(cues) == [["first then"]]


def test_another_speaker_begins_another_cue() -> None:
    cues = lay_out_cues(*spoken(("S0", "here I am", 0, 2), ("S1", "so I see", 2, 4)), STYLE)

    assert shown(cues) == [["here I am"], ["so I see"]]
    assert [cue.voices[0].speaker for cue in cues] == ["S0", "S1"]


def test_two_who_speak_at_once_share_a_cue_with_a_line_each() -> None:
    cues = lay_out_cues(*spoken(("S0", "no you never did", 1.0, 3.0), ("S1", "yes I did", 1.5, 3.5)), STYLE)

    assert shown(cues) == [["- no you never did", "- yes I did"]]
    assert [voice.speaker for voice in cues[0].voices] == ["S0", "S1"]
    assert spans(cues) == [(1.0, 3.5)]


def test_a_quick_reply_shares_the_cue_with_what_it_replies_to() -> None:
    cues = lay_out_cues(*spoken(("S0", "Ready?", 1.0, 1.4), ("S1", "Yes.", 1.5, 1.8)), STYLE)

    assert shown(cues) == [["- Ready?", "- Yes."]]


def test_speech_that_two_lines_cannot_hold_at_once_is_shown_in_sequence() -> None:
    first = "nobody would ever have thought of such a thing"
    second = "there is always another question that wants an answer"
    cues = lay_out_cues(*spoken(("S0", first, 0, 4), ("S1", second, 0, 4)), STYLE)

    said: dict[str | None, str] = {"S0": "", "S1": ""}
    for cue in cues:
        for voice in cue.voices:
            said[voice.speaker] += " " + " ".join(word.text for word in voice.words)
    assert said == {"S0": " " + first, "S1": " " + second}
    assert all(before.end_s <= after.start_s for before, after in pairwise(cues))


def test_only_the_words_of_a_long_talk_that_are_spoken_over_share_a_cue() -> None:
    talk = "this is a talk of many words, and at the end of it someone says something"
    cues = lay_out_cues(*spoken(("S0", talk, 0, 8), ("S1", "excuse me", 7.0, 8.5)), STYLE)

    assert shown(cues) == [
        ["this is a talk of many words,", "and at the end of it someone"],
        ["- says something", "- excuse me"],
    ]


def test_an_interjection_shares_the_cue_it_falls_into() -> None:
    cues = lay_out_cues(*spoken(("S0", "I think", 0, 1), ("S1", "no", 0.8, 1.3), ("S0", "that", 1.3, 2.3)), STYLE)

    assert shown(cues) == [["- I think that", "- no"]]


def test_a_brief_word_stays_for_the_least_duration() -> None:
    cues = lay_out_cues(*spoken(("S0", "Yes", 1.0, 1.2)), SubtitleStyle(min_duration_s=0.9))

    assert spans(cues) == [(1.0, 1.9)]


def test_a_cue_that_is_read_more_slowly_than_spoken_lingers() -> None:
    style = SubtitleStyle(max_chars_per_s=10, linger_s=0.5, lead_s=0)
    cues = lay_out_cues(*spoken(("S0", "x" * 13, 0, 1.0), ("S0", "y" * 40, 5, 6.0)), style)

    assert spans(cues) == [(0.0, 1.3), (5.0, 6.5)]


def test_a_cue_that_lingering_does_not_make_readable_begins_before_its_first_word() -> None:
    style = SubtitleStyle(max_chars_per_s=10, linger_s=0.5, lead_s=0.4)
    cues = lay_out_cues(*spoken(("S0", "y" * 40, 5, 6.0)), style)

    assert spans(cues) == [(4.6, 6.5)]


def test_the_last_cue_ends_with_the_clip_and_begins_early_enough_to_be_read() -> None:
    cues = lay_out_cues(*spoken(("S0", "goodbye", 29.8, 30.2)), SubtitleStyle(lead_s=1), (0.0, 30.0))

    assert spans(cues) == [(29.167, 30.0)]


def test_words_at_the_end_of_a_fast_run_join_the_words_before_them_so_that_they_can_be_read() -> None:
    said = (
        ("S0", "We came. Nobody would have known.", 0.0, 1.9),
        ("S1", "and then it all went on for a while", 2.0, 9.0),
    )
    cues = lay_out_cues(*spoken(*said), SubtitleStyle())

    assert shown(cues)[0] == ["We came. Nobody would have known."]


def test_a_reply_joins_what_is_too_fast_to_be_read_alone() -> None:
    said = ("S0", "you can not possibly mean that", 0.0, 1.0), ("S1", "I do", 1.05, 2.2)
    cues = lay_out_cues(*spoken(*said), STYLE)

    assert shown(cues) == [["- you can not possibly mean that", "- I do"]]


def test_a_cue_leaves_a_gap_before_the_next() -> None:
    style = SubtitleStyle(min_gap_s=0.1, close_gap_s=0.3)
    cues = lay_out_cues(*spoken(("S0", "here I am", 0, 2), ("S1", "so I see", 2, 4)), style)

    assert spans(cues) == [(0.0, 1.9), (2.0, 4.0)]


def test_a_gap_that_would_flicker_is_closed() -> None:
    style = SubtitleStyle(min_gap_s=0.1, close_gap_s=0.3)
    cues = lay_out_cues(*spoken(("S0", "here I am", 0, 2), ("S1", "so I see", 2.25, 4)), style)

    assert spans(cues) == [(0.0, 2.15), (2.25, 4.0)]


def test_no_cue_is_longer_than_the_longest() -> None:
    cues = lay_out_cues(*spoken(("S0", "a very slow sentence indeed", 0, 20)), STYLE)

    assert shown(cues) == [["a"], ["very"], ["slow"], ["sentence"], ["indeed"]]
    assert all(cue.end_s - cue.start_s <= 7 for cue in cues)


def test_a_language_without_spaces_is_set_without_spaces() -> None:
    cues = lay_out_cues(*spoken(("S0", "今日は天気がいいです", 0, 3), language="ja", separator=""), STYLE)

    assert shown(cues) == [["今日は天気がいいです"]]


def test_marks_that_combine_take_no_room() -> None:
    assert char_count("cafe\u0301") == 4


def test_a_word_longer_than_a_line_has_a_line_of_its_own() -> None:
    long = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    cues = lay_out_cues(*spoken(("S0", f"das {long} gilt", 0, 4)), STYLE)

    assert [line for cue in cues for line in cue.text_lines] == ["das", long, "gilt"]


def test_no_words_make_no_cues() -> None:
    transcript, words = spoken(("S0", "gone", 0, 1))

    assert lay_out_cues(transcript.clear(), words.clear(), STYLE) == []


def test_a_segment_with_text_and_no_words_is_refused() -> None:
    transcript, words = spoken(("S0", "lost words", 0, 1))

    with pytest.raises(SchemaViolation, match=r"segment 0 .* no words"):
        lay_out_cues(transcript, words.clear(), STYLE)


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param({"max_chars_per_line": 3}, id="no room for a dash and a word"),
        pytest.param({"max_lines": 0}, id="no line"),
        pytest.param({"linger_s": -1}, id="negative time"),
        pytest.param({"max_duration_s": 0.3}, id="longest below least"),
    ],
)
def test_a_style_that_makes_no_sense_is_refused(setting: dict) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(setting))):
        SubtitleStyle(**setting)


TEXTS = st.sampled_from(
    ["a", "no.", "yes,", "wonderful", "x" * 50, "שלום", "漢字", "<b>", "{\\an8}", "-->", "&amp;", " "]
)
WORDS = st.lists(
    st.tuples(
        TEXTS,
        st.integers(0, 3000).map(lambda cs: cs / 100),
        st.integers(-20, 200).map(lambda cs: cs / 100),
        st.sampled_from(["S0", "S1", "S2", None]),
    ),
    max_size=40,
)


def table(rows: list[tuple[str, float, float, str | None]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A transcript of one segment, and its words as they come: in order of start, ends anywhere."""
    transcript, words = spoken(("S0", "x", 0, 1))
    rows = sorted(rows, key=lambda row: row[1])
    return transcript.with_columns(text=pl.lit("")), pl.DataFrame(
        [
            words.row(0, named=True)
            | {"word_index": index, "text": text, "start_s": start_s, "end_s": start_s + lasts_s, "speaker": speaker}
            for index, (text, start_s, lasts_s, speaker) in enumerate(rows)
        ],
        schema=words.schema,
    )


@given(WORDS)
def test_cues_of_any_words_never_overlap_nor_run_backwards(rows: list) -> None:
    cues = lay_out_cues(*table(rows), STYLE)

    assert all(cue.start_s < cue.end_s for cue in cues)
    assert all(before.end_s <= after.start_s for before, after in pairwise(cues))


@given(WORDS)
def test_every_word_is_shown_once_in_its_speakers_order(rows: list) -> None:
    transcript, words = table(rows)
    cues = lay_out_cues(transcript, words, STYLE)

    for speaker in ("S0", "S1", "S2", None):
        said = [
            word.word_index for cue in cues for voice in cue.voices if voice.speaker == speaker for word in voice.words
        ]
        assert (
            said == words.filter(pl.col("speaker").eq_missing(speaker), pl.col("text") != " ")["word_index"].to_list()
        )


@given(WORDS, st.integers(8, 50), st.integers(1, 3))
def test_lines_keep_their_length_unless_one_word_is_longer(rows: list, max_chars: int, max_lines: int) -> None:
    cues = lay_out_cues(*table(rows), SubtitleStyle(max_chars_per_line=max_chars, max_lines=max_lines))

    for cue in cues:
        assert len(cue.text_lines) <= max_lines
        for line, words in zip(cue.text_lines, [line for voice in cue.voices for line in voice.lines], strict=True):
            assert char_count(line) <= max_chars or len(words) == 1


@given(WORDS)
def test_a_cue_stays_for_the_least_duration_unless_the_next_begins_before(rows: list) -> None:
    cues = lay_out_cues(*table(rows), STYLE)

    for cue, following in pairwise(cues):
        stays_s = cue.end_s - cue.start_s
        assert stays_s >= STYLE.min_duration_s - 1e-9 or following.start_s - cue.end_s < STYLE.min_gap_s + 1e-9


def text_of(cue: Cue) -> str:
    """The text of a cue without dashes, each voice on one line."""
    return "".join(voice.separator.join(word.text for word in voice.words) for voice in cue.voices)


ENDS = st.sampled_from([0.001, 0.3, 2.0, 12.0, 29.5, 40.0])


@given(WORDS, ENDS)
def test_no_cue_of_any_words_is_outside_the_clip(rows: list, end_s: float) -> None:
    cues = lay_out_cues(*table(rows), STYLE, (0.0, end_s))

    assert all(0 <= cue.start_s < cue.end_s <= end_s for cue in cues)
    assert all(before.end_s <= after.start_s for before, after in pairwise(cues))


@given(WORDS, ENDS)
def test_a_cue_that_cannot_be_read_in_its_time_has_no_room_on_either_side(rows: list, end_s: float) -> None:
    cues = lay_out_cues(*table(rows), STYLE, (0.0, end_s))

    for number, cue in enumerate(cues):
        words = [word for voice in cue.voices for word in voice.words]
        needed_s = min(
            max(STYLE.min_duration_s, char_count(text_of(cue)) / STYLE.max_chars_per_s), STYLE.max_duration_s
        )
        if cue.end_s - cue.start_s > needed_s - 1e-6:
            continue
        free_s = cues[number - 1].end_s + STYLE.min_gap_s if number else 0.0
        until_s = cues[number + 1].start_s - STYLE.min_gap_s if number + 1 < len(cues) else end_s
        first_s, last_s = min(word.start_s for word in words), max(word.end_s for word in words)
        assert cue.start_s <= max(free_s, first_s - STYLE.lead_s) + 1e-6
        assert cue.end_s >= min(until_s, last_s + STYLE.linger_s) - 1e-6


@given(WORDS)
def test_no_cue_of_any_words_stays_longer_than_the_longest(rows: list) -> None:
    assert all(cue.end_s - cue.start_s <= STYLE.max_duration_s + 1e-9 for cue in lay_out_cues(*table(rows), STYLE))
