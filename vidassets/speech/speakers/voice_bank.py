"""The voices of known people, from recordings of them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import VoiceBank
from vidassets.speech.models import SpeakerModel

# The embedding of shorter speech depends more on the words than on the voice. Chosen here: one window of the encoder.
MIN_SPEECH_S = 1.0


class Reference(NamedTuple):
    """A recording of one person.

    Attributes:
        person: name.
        recording: name of the file.
        samples: float32 (N,) at 16 kHz; the speech, without pauses.
    """

    person: str
    recording: str
    samples: np.ndarray


def embed_references(references: Iterable[Reference], speakers: SpeakerModel) -> pl.DataFrame:
    """Return one row per recording, by person and recording, with the columns of `speech_schemas.VoiceBank`.

    Args:
        references: consumed lazily.
        speakers: computes the embeddings; its model name is stored in every row.
    Raises:
        SpeechError: a recording contains less than 1 s of speech, or is given twice.
    """
    model = speakers.identity()["model"]
    rows: dict[tuple[str, str], dict] = {}
    for person, recording, samples in references:
        speech_s = len(samples) / SAMPLE_RATE_HZ
        if speech_s < MIN_SPEECH_S:
            raise SpeechError(
                f"{person}/{recording}: {speech_s:.1f} s of speech; at least {MIN_SPEECH_S:.0f} s is needed. "
                "Give a longer recording (10 s or more is good), or remove it from the voice bank."
            )
        if (person, recording) in rows:
            raise SpeechError(f"{person}/{recording}: occurs twice in the voice bank. Rename or remove one of the two.")
        rows[person, recording] = {
            "person": person,
            "recording": recording,
            "speech_s": speech_s,
            "embedding": speakers.embed_samples(samples).tolist(),
            "model": model,
        }
    return pl.DataFrame([rows[key] for key in sorted(rows)], schema=VoiceBank.create_empty().schema)
