import numpy as np
import polars as pl
import pytest

from vidassets.media.sound import Sound
from vidassets.resources.packages import package_path
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords, SpeechActivity
from vidassets.speech.transcript.sphinx import DecodedWord, SphinxDecoder, WordDecoder, recognize_stretches
from vidassets_tests.speech.recordings import FIRST_SENTENCE, recording, spoken, truth


class Metronome:
    """A decoder that returns a word from 0.2 s to 0.6 s of every second that is not silent, and notes its inputs."""

    def __init__(self) -> None:
        self.decoded_s: list[float] = []

    def words(self, samples: np.ndarray) -> list[DecodedWord]:
        self.decoded_s.append(len(samples) / 16000)
        seconds = range(-(-len(samples) // 16000))
        return [DecodedWord("tick", at + 0.2, at + 0.6) for at in seconds if samples[at * 16000 :][:16000].any()]


@pytest.fixture(scope="module")
def sphinx() -> SphinxDecoder:
    return SphinxDecoder(package_path("pocketsphinx", "model/en-us", "pip install"), second_pass=True)


def active(*spans: tuple[float, float], channel: int = 0) -> pl.DataFrame:
    rows = [("talk", channel, at, *span, 0.9) for at, span in enumerate(spans)]
    return SpeechActivity.validate(pl.DataFrame(rows, schema=SpeechActivity.create_empty().schema, orient="row"))


def tables(sound: Sound, activity: pl.DataFrame, decoder: WordDecoder, longest_s: float = 30.0):
    segments, words = recognize_stretches("talk", sound, activity, decoder, longest_s, "drawn")
    return RecognizedSegments.validate(segments), RecognizedWords.validate(words)


def loud(seconds: float) -> np.ndarray:
    return np.full(round(seconds * 16000), 0.5, np.float32)


def test_a_segment_reaches_from_the_first_to_the_last_word_of_its_stretch(tmp_path):
    segments, words = tables(recording(tmp_path, loud(9)), active((1, 3), (5, 6)), Metronome())
    assert segments.select("start_s", "end_s", "text").rows() == [
        (pytest.approx(1.2), pytest.approx(2.6), "tick tick"),
        (pytest.approx(5.2), pytest.approx(5.6), "tick"),
    ]
    assert words["segment_index"].to_list() == [0, 0, 1]
    assert words["start_s"].to_list() == pytest.approx([1.2, 2.2, 5.2])


def test_words_are_on_the_clips_clock(tmp_path):
    _, words = tables(recording(tmp_path, loud(4), start_s=100.25), active((101.25, 102.25)), Metronome())
    assert words.select("start_s", "end_s").rows() == [(pytest.approx(101.45), pytest.approx(101.85))]


def test_no_word_ends_after_its_stretch(tmp_path):
    _, words = tables(recording(tmp_path, loud(4)), active((1, 2.5)), Metronome())
    assert words["end_s"].to_list() == pytest.approx([1.6, 2.5])


def test_a_stretch_without_a_word_is_no_segment(tmp_path):
    sound = recording(tmp_path, np.concatenate([loud(1), 0 * loud(3)]))
    segments, words = tables(sound, active((0, 1), (2, 4)), Metronome())
    assert (len(segments), len(words)) == (1, 1)


def test_a_long_stretch_is_decoded_in_parts_cut_where_it_is_quietest(tmp_path):
    samples = loud(22)
    samples[8 * 16000 : 8 * 16000 + 1600] = 0
    metronome = Metronome()
    segments, _ = tables(recording(tmp_path, samples), active((0, 22)), metronome, longest_s=10)
    assert metronome.decoded_s[0] == pytest.approx(8.05, abs=0.01)
    assert max(metronome.decoded_s) <= 10
    assert sum(metronome.decoded_s) == pytest.approx(22, abs=0.001)
    assert len(segments) == len(metronome.decoded_s)


def test_segments_of_all_channels_are_counted_in_order_of_time(tmp_path):
    sound = recording(tmp_path, np.stack([loud(9), loud(9)]))
    activity = pl.concat([active((1, 2), (6, 7)), active((3, 4), channel=1)])
    segments, words = tables(sound, activity, Metronome())
    assert segments.select("segment_index", "channel").rows() == [(0, 0), (1, 1), (2, 0)]
    assert words["segment_index"].to_list() == [0, 1, 2]


def test_no_speech_makes_empty_tables(tmp_path):
    segments, words = tables(recording(tmp_path, np.zeros(0, np.float32)), active(), Metronome())
    assert (len(segments), len(words)) == (0, 0)


def test_the_sample_sentence_is_recognised_with_word_times(sphinx, tmp_path):
    segments, words = tables(recording(tmp_path, spoken(0, 4.5)), active((0.3, 4.0)), sphinx)
    true = [row for row in truth()["words"] if row["sentence"] == 0]
    np.testing.assert_allclose(words["start_s"], [row["start_s"] for row in true], atol=0.1)
    assert segments.select("text", "language", "language_probability", "confidence", "quality").row(0) == (
        FIRST_SENTENCE,
        "en",
        None,
        None,
        "draft",
    )
    assert words.select("confidence", "timing").unique().rows() == [(None, "decoder")]


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(0, np.float32), id="nothing"),
        pytest.param(np.zeros(100, np.float32), id="less than a frame"),
    ],
)
def test_sound_without_speech_has_no_words(sphinx, samples):
    assert sphinx.words(samples) == []


def test_earlier_utterances_change_nothing(sphinx):
    sentence, noise = spoken(0.3, 4.0), 0.3 * np.random.default_rng(7).standard_normal(32000).astype(np.float32)
    first = sphinx.words(sentence)
    sphinx.words(noise)
    assert sphinx.words(sentence) == first


def test_samples_beyond_full_scale_are_clipped_and_not_wrapped(sphinx):
    sentence = spoken(0.3, 4.0)
    sentence *= 1.2 / np.abs(sentence).max()
    assert "welcome" in [word.text for word in sphinx.words(sentence)]
