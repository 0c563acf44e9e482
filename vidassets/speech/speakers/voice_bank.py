"""The voices of known people, out of recordings of them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import VoiceBank
from vidassets.speech.models import SpeakerModel

# A voice in less than this is more the words than the voice; chosen here, the length of one window of the encoders.
MIN_SPEECH_S = 1.0


class Reference(NamedTuple):
    """A recording of one person alone.

    `person`; `recording`, its file's name; `samples`, float32 (N,) at 16 kHz: the speech in it, without its pauses.
    """

    person: str
    recording: str
    samples: np.ndarray


def embed_references(references: Iterable[Reference], speakers: SpeakerModel) -> pl.DataFrame:
    """One row per recording, in order of person and recording; columns in `speech_schemas.VoiceBank`.

    Args:
        references: read one after the other, none is held.
        speakers: what describes the voices; its name goes into every row.
    Raises:
        SpeechError: a recording holds less than 1 s of speech, or is given twice.
    """
    model = speakers.identity()["model"]
    rows: dict[tuple[str, str], dict] = {}
    for person, recording, samples in references:
        speech_s = len(samples) / SAMPLE_RATE_HZ
        if speech_s < MIN_SPEECH_S:
            raise SpeechError(
                f"{person}/{recording}: {speech_s:.1f} s of speech, and a voice is told from {MIN_SPEECH_S:.0f} s on. "
                "Give a longer recording, 10 s or more is good, or take it out of the voice bank."
            )
        if (person, recording) in rows:
            raise SpeechError(f"{person}/{recording}: twice in the voice bank. Rename or remove one of the two.")
        rows[person, recording] = {
            "person": person,
            "recording": recording,
            "speech_s": speech_s,
            "embedding": speakers.embed_samples(samples).tolist(),
            "model": model,
        }
    return pl.DataFrame([rows[key] for key in sorted(rows)], schema=VoiceBank.create_empty().schema)
