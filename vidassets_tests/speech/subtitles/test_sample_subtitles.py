"""The sample episode's own words, through every writer: two people, and a second in which both speak."""

import json
from pathlib import Path

import pytest

from vidassets.schemas.speech import Transcript, TranscriptWords
from vidassets.speech.subtitles.cue import Cue, SubtitleStyle
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets_tests.speech.subtitles.transcripts import CLIP, table_of

TRUTH = Path(__file__).parents[3] / "samples/episodes/pioneers/s01/e02/episode.truth.json"
SPEAKERS = {"eileen-collins": "S0", "grace-hopper": "S1"}


@pytest.fixture(scope="module")
def cues() -> list[Cue]:
    truth = json.loads(TRUTH.read_text("utf-8"))
    sentences, words = truth["sentences"], sorted(truth["words"], key=lambda word: word["start_s"])
    rows = [
        {"clip": CLIP, "segment_index": row["sentence"], "start_s": row["start_s"], "end_s": row["end_s"]}
        | {"speaker": SPEAKERS[sentences[row["sentence"]]["person"]], "language": "en", "quality": "draft"}
        | {"text": row.get("text", row.get("word")), "model": "truth", "timing": "aligned"}
        for row in (*sentences, *words)
    ]
    said = [row | {"word_index": index} for index, row in enumerate(rows[len(sentences) :])]
    return lay_out_cues(table_of(Transcript, rows[: len(sentences)]), table_of(TranscriptWords, said), SubtitleStyle())


def test_every_sentence_is_shown_while_it_is_spoken(cues: list[Cue]) -> None:
    assert [(round(cue.start_s, 2), cue.text_lines) for cue in cues] == [
        (0.5, ["welcome to a short story about", "two people who went first"]),
        (5.0, ["the program begins with", "one simple question"]),
        (9.4, ["how long does it take", "to fly around the world"]),
        (12.5, ["it takes about ninety minutes"]),
        (15.0, ["we should write it down"]),
        (16.27, ["- before we forget it", "- there is always another"]),
        (17.37, ["question to answer"]),
        (20.0, ["nobody lives here but", "the birds and the trees"]),
        (23.4, ["that is the end of our story"]),
    ]


def test_both_who_speak_at_once_are_reported(cues: list[Cue]) -> None:
    assert [voice.speaker for voice in cues[5].voices] == ["S1", "S0"]
