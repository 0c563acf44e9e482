"""A speech model that costs nothing, and fails where a test asks it to."""

import dagster as dg
import polars as pl

from vidassets.media.sound import Sound
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords, SpeechScores
from vidassets.speech.models import RecognitionOptions, RecognizedSpeech

FAILURE = "CUDA error: device-side assert triggered"


class OneWord(dg.ConfigurableResource, extra="forbid"):
    """Takes every sound for speech, and hears "yes" in all of it."""

    fails_on: str = ""

    def identity(self) -> dict[str, str]:
        return {"model": "one word"}

    def execution(self) -> dict[str, str | int]:
        return {"device": "none"}

    @property
    def activity_threshold(self) -> float:
        return 0.5

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        row = {"clip": clip, "channel": 0, "window": 0, "start_s": 0.0, "end_s": sound.end_s}
        return _table(SpeechScores, row | {"score": 1.0, "model": "one word"})

    def recognize(
        self, clip: str, sound: Sound, activity: pl.DataFrame, options: RecognitionOptions
    ) -> RecognizedSpeech:
        if clip == self.fails_on:
            raise RuntimeError(FAILURE)
        row = {"clip": clip, "segment_index": 0, "channel": 0, "start_s": 0.0, "end_s": sound.end_s, "text": "yes"}
        segment = row | {"language": "en", "quality": "draft", "model": "one word"}
        return RecognizedSpeech(
            _table(RecognizedSegments, segment),
            _table(RecognizedWords, row | {"word_index": 0, "timing": "decoder"}),
            [f"{clip} was not listened to"],
        )


def _table(schema: type, row: dict) -> pl.DataFrame:
    columns = schema.create_empty().schema
    return pl.DataFrame([{name: row.get(name) for name in columns}], schema=columns)
