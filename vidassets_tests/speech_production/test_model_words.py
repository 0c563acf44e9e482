from vidassets.schemas.speech import RecognizedSegments, RecognizedWords
from vidassets.speech.transcript.model_words import WindowText, tabulate_words
from vidassets.speech.transcript.windows import SpeechWindow


def window_text(text="", sentences=None, start_s=10.0, channel=0, end_s=14.0):
    answer = {"text": text, "confidence": 0.5} | ({} if sentences is None else {"sentences": sentences})
    return WindowText(channel, SpeechWindow(((start_s, end_s),)), "en", None, answer)


def word(text, start_s=None, end_s=None, score=None):
    return {"text": text, "start_s": start_s, "end_s": end_s, "score": score}


TWO_SENTENCES = [
    {"text": "Stop it.", "words": [word("Stop", 0.5, 1.0, 0.9), word("it.", 1.0, 1.25, 0.8)]},
    {"text": "Now!", "words": [word("Now!", 2.0, 3.0, 0.7)]},
]


def test_sentences_are_segments_on_the_clips_clock():
    result = tabulate_words("talk", [window_text("Stop it. Now!", TWO_SENTENCES)], "m")
    assert result.segments.select("start_s", "end_s", "text").rows() == [
        (10.5, 11.25, "Stop it."),
        (12.0, 13.0, "Now!"),
    ]
    assert result.words["start_s"].to_list() == [10.5, 11.0, 12.0]
    assert result.words["segment_index"].to_list() == [0, 0, 1]
    assert result.words["timing"].unique().to_list() == ["aligned"]
    RecognizedSegments.validate(result.segments)
    RecognizedWords.validate(result.words)


def test_a_window_that_could_not_be_aligned_is_interpolated_and_reported():
    result = tabulate_words(
        "talk", [window_text("a bcd", sentences=[]), window_text("Stop it. Now!", TWO_SENTENCES)], "m"
    )
    assert result.words.filter(text="bcd").select("start_s", "end_s", "timing").row(0) == (11.0, 14.0, "interpolated")
    assert result.events == ["1 of 2 windows could not be aligned: the times of their words are interpolated"]


def test_a_window_in_which_nothing_was_said_leaves_nothing():
    result = tabulate_words("talk", [window_text("")], "m")
    assert result.segments.is_empty()
    assert RecognizedWords.validate(result.words).is_empty()


def test_channels_are_merged_by_time():
    result = tabulate_words(
        "talk", [window_text("b", start_s=12.0, channel=0), window_text("a", start_s=11.0, channel=1)], "m"
    )
    assert result.segments.select("text", "channel", "segment_index").rows() == [("a", 1, 0), ("b", 0, 1)]


def test_an_event_is_reported_once():
    assert tabulate_words("talk", [], "m", ["halved", "halved"]).events == ["halved"]
