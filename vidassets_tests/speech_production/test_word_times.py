import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.speech.transcript.word_times import fill_times, place_words, words_of


def times(placed):
    return [(word.text, round(word.start_s, 6), round(word.end_s, 6)) for word in placed]


def test_words_share_the_speech_by_their_letters():
    assert times(place_words(["a", "bcd"], [(2.0, 4.0)])) == [("a", 2.0, 2.5), ("bcd", 2.5, 4.0)]


def test_no_word_begins_in_a_silence():
    assert times(place_words(["ab", "cd"], [(0.0, 1.0), (5.0, 6.0)])) == [("ab", 0.0, 1.0), ("cd", 5.0, 6.0)]


def test_placed_words_are_interpolated_and_have_no_confidence():
    (word,) = place_words(["a"], [(0.0, 1.0)])
    assert (word.timing, word.confidence) == ("interpolated", None)


def test_a_word_without_a_time_gets_the_room_between_its_neighbours():
    placed = fill_times([("one", 1.0, 2.0, 0.9), ("2", None, None, None), ("three", 3.0, 4.0, 0.8)], 0.0, 10.0)
    assert times(placed) == [("one", 1.0, 2.0), ("2", 2.0, 3.0), ("three", 3.0, 4.0)]
    assert [word.timing for word in placed] == ["aligned", "interpolated", "aligned"]


def test_a_time_without_a_score_is_not_of_an_alignment():
    (word,) = fill_times([("7", 1.0, 2.0, None)], 0.0, 4.0)
    assert (word.start_s, word.end_s, word.timing) == (0.0, 4.0, "interpolated")


@pytest.mark.parametrize(("language", "n_words"), [("en", 1), ("ja", 3), (None, 1)])
def test_text_without_spaces_is_words_of_a_character_where_its_language_has_none(language, n_words):
    assert len(words_of("今日は", language)) == n_words


moment = st.none() | st.floats(-5, 15)


@given(st.lists(st.tuples(st.sampled_from(["a", "bc"]), moment, moment, st.none() | st.floats(-1, 2)), max_size=9))
def test_times_never_run_backwards_nor_out_of_bounds(words):
    placed = fill_times(words, 0.0, 10.0)
    assert [word.text for word in placed] == [word[0] for word in words]
    edges = [edge for word in placed for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= 10.0 for edge in edges)
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in placed)
