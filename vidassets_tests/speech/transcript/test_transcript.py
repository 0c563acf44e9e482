import polars as pl
import pytest

from vidassets.schemas.speech import RecognizedSegments, RecognizedWords, SpeakerTurns, Transcript, TranscriptWords
from vidassets.speech.transcript.transcript import attribute_words

Word = tuple[str, float, float]


def recognized(*segments: list[Word], channels: list[int] | None = None, texts: list[str] | None = None):
    """Tables of segments, each given by its words; of channel 0, and written with spaces, unless said otherwise."""
    placed = [(index, word) for index, words in enumerate(segments) for word in words]
    rows = [
        {
            "clip": "talk",
            "segment_index": index,
            "channel": channels[index] if channels else 0,
            "start_s": words[0][1],
            "end_s": words[-1][2],
            "text": texts[index] if texts else " ".join(text for text, _, _ in words),
            "language": "en",
            "quality": "draft",
            "model": "drawn",
        }
        for index, words in enumerate(segments)
    ]
    word_rows = [
        {
            "clip": "talk",
            "word_index": at,
            "segment_index": index,
            "start_s": start_s,
            "end_s": end_s,
            "text": text,
            "confidence": 0.5,
            "timing": "decoder",
        }
        for at, (index, (text, start_s, end_s)) in enumerate(placed)
    ]
    return (
        RecognizedSegments.validate(pl.DataFrame(rows, schema=RecognizedSegments.create_empty().schema)),
        RecognizedWords.validate(pl.DataFrame(word_rows, schema=RecognizedWords.create_empty().schema)),
    )


def turns(*spans: tuple[float, float, str]) -> pl.DataFrame:
    rows = [("talk", index, *span) for index, span in enumerate(spans)]
    return SpeakerTurns.validate(pl.DataFrame(rows, schema=SpeakerTurns.create_empty().schema, orient="row"))


def attributed(tables: tuple[pl.DataFrame, pl.DataFrame], *spans: tuple[float, float, str], **settings: float):
    segments, words = attribute_words("talk", *tables, turns(*spans), **settings)
    return Transcript.validate(segments), TranscriptWords.validate(words)


def said(segments: pl.DataFrame) -> list[tuple[str | None, str]]:
    return segments.select("speaker", "text").rows()


@pytest.mark.parametrize(
    ("word", "spans", "speaker"),
    [
        pytest.param((1.0, 2.0), [(0, 3, "S0")], "S0", id="within a turn"),
        pytest.param((1.0, 2.0), [(0, 1.4, "S0"), (1.4, 3, "S1")], "S1", id="more of it in the second"),
        pytest.param((1.0, 2.0), [(0, 1.5, "S0"), (1.5, 3, "S1")], "S0", id="half in each: the earlier"),
        pytest.param((1.0, 2.0), [(0, 0.7, "S0"), (2.2, 3, "S1")], "S1", id="between two: the nearer"),
        pytest.param((1.0, 2.0), [(0, 0.9, "S0"), (2.2, 3, "S1")], "S0", id="between two: the nearer, before it"),
        pytest.param((1.0, 2.0), [(0, 0.5, "S0")], None, id="near none"),
        pytest.param((1.0, 1.0), [(0, 1, "S0"), (1, 2, "S1")], "S0", id="of no length, where two meet"),
        pytest.param((1.5, 1.5), [(0, 1, "S0"), (1, 2, "S1")], "S1", id="of no length, within a turn"),
        pytest.param((1.0, 9.0), [(0, 2, "S0"), (3, 4, "S1"), (5, 8, "S2")], "S2", id="longer than some turns"),
        pytest.param((1.0, 2.0), [], None, id="no turns"),
    ],
)
def test_a_word_belongs_to_the_turn_that_overlaps_most_or_is_nearest(word, spans, speaker):
    segments, words = attributed(recognized([("word", *word)]), *spans)
    assert (segments["speaker"].to_list(), words["speaker"].to_list()) == ([speaker], [speaker])


def test_how_near_a_turn_must_be_is_a_setting():
    assert said(attributed(recognized([("word", 1, 2)]), (0, 0.5, "S0"), nearest_s=0.5)[0]) == [("S0", "word")]


def test_a_segment_is_split_where_the_speaker_changes():
    tables = recognized([("who", 0, 1), ("goes", 1, 2), ("me", 2.5, 3)], [("oh", 5, 6)])
    segments, words = attributed(tables, (0, 2, "S0"), (2, 3, "S1"), (5, 6, "S1"))
    assert said(segments) == [("S0", "who goes"), ("S1", "me"), ("S1", "oh")]
    assert segments.select("start_s", "end_s").rows() == [(0, 2), (2.5, 3), (5, 6)]
    assert words.select("segment_index", "text", "speaker").rows() == [
        (0, "who", "S0"),
        (0, "goes", "S0"),
        (1, "me", "S1"),
        (2, "oh", "S1"),
    ]


def test_a_speaker_who_comes_back_within_a_segment_has_two():
    segments, _ = attributed(
        recognized([("a", 0, 1), ("b", 1, 2), ("c", 2, 3)]), (0, 1, "S0"), (1, 2, "S1"), (2, 3, "S0")
    )
    assert said(segments) == [("S0", "a"), ("S1", "b"), ("S0", "c")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("你好吗", ["你好", "吗"], id="without spaces"),
        pytest.param("「你 好」 吗?", ["「你 好」", "吗?"], id="with marks that are no words"),
        pytest.param("something else", ["你 好", "吗"], id="a text that lacks the words"),
    ],
)
def test_the_parts_of_a_segment_are_spaced_as_its_text_is(text, parts):
    segments, _ = attributed(
        recognized([("你", 0, 1), ("好", 1, 2), ("吗", 2, 3)], texts=[text]), (0, 2, "S0"), (2, 3, "S1")
    )
    assert segments["text"].to_list() == parts


def test_a_segment_of_one_speaker_keeps_its_text_and_times_whole():
    segments, words = recognized([("one", 1, 2)], texts=["One!"])
    wider = segments.with_columns(start_s=pl.lit(0.5), end_s=pl.lit(2.5))
    (row,) = attributed((wider, words), (0, 3, "S0"))[0].to_dicts()
    assert (row["text"], row["start_s"], row["end_s"]) == ("One!", 0.5, 2.5)


def test_a_segment_whose_words_have_no_times_is_attributed_as_a_whole():
    segments, words = recognized([("one", 1, 2)])
    assert said(attributed((segments, words.clear()), (0, 3, "S1"))[0]) == [("S1", "one")]


def test_with_a_person_per_channel_words_belong_to_the_person_of_their_channel():
    tables = recognized([("hello", 0, 1), ("there", 1, 2)], [("yes", 1.2, 1.8)], [("indeed", 3, 4)], channels=[0, 1, 1])
    segments, words = attributed(tables, (0, 2, "S0"), (3, 4, "S1"))
    assert said(segments) == [("S0", "hello there"), ("S1", "yes"), ("S1", "indeed")]
    assert words["text"].to_list() == ["hello", "there", "yes", "indeed"]


def test_two_channels_are_never_one_person():
    tables = recognized([("hello", 0, 3)], [("echo", 1, 2)], channels=[0, 1])
    assert said(attributed(tables, (0, 3, "S0"), (5, 6, "S1"))[0]) == [("S0", "hello"), (None, "echo")]


def test_words_and_segments_are_counted_in_order_of_time():
    tables = recognized([("a", 0, 1), ("d", 3, 4)], [("b", 1, 2), ("c", 2, 3)], channels=[0, 1])
    segments, words = attributed(tables, (0, 1, "S0"), (1, 3, "S1"), (3, 4, "S0"))
    assert words.select("word_index", "segment_index", "text").rows() == [
        (0, 0, "a"),
        (1, 1, "b"),
        (2, 1, "c"),
        (3, 0, "d"),
    ]
    assert said(segments) == [("S0", "a d"), ("S1", "b c")]


def test_what_the_recognition_says_of_a_segment_is_kept_in_its_parts():
    segments, words = attributed(recognized([("a", 0, 1), ("b", 1, 2)]), (0, 1, "S0"), (1, 2, "S1"))
    assert segments.select("language", "quality", "model", "confidence").unique().rows() == [
        ("en", "draft", "drawn", None)
    ]
    assert words.select("confidence", "timing").unique().rows() == [(0.5, "decoder")]


def test_no_words_make_an_empty_transcript():
    segments, words = attributed(recognized(), (0, 1, "S0"))
    assert (len(segments), len(words)) == (0, 0)
