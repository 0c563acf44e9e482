"""Accuracy and speed of speaker diarization: python -m benchmarks.speaker_diarization [--footage FOLDER]

Data: the sample episode (28 s, two voices, 1.1 s of overlap) and, where a folder of real footage is given (or
VIDASSETS_FOOTAGE names it), three conversations of 30 s of two people each, with RTTM. DER is by pyannote.metrics, with
overlap and no collar, over the whole recording: missed, false and confused speech divided by all speech. Given: two
speakers; estimated: no number given. Speech is found by silero-vad in two ways: with the settings of the assets, and
tuned for this benchmark (peak at half scale, threshold 0.35, pads of 0.1 s). CPU-s are per second of sound, with one
torch thread.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.embedded_speakers import ResemblyzerSpeakers
from vidassets.resources.embedded_speech import SileroPocketSphinx
from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers.rttm import read_rttm
from vidassets.speech.transcript.activity import find_speech
from vidassets_tests.media.flac import write_flac

EPISODE = Path("samples/episodes/pioneers/s01/e02")
CONVERSATIONS = {"phone-call": 0.15, "meeting-00": 0.26, "meeting-01": 0.20}
EPISODE_DER = 0.15
SPEECH = SileroPocketSphinx()
SPEAKERS = ResemblyzerSpeakers()


class Recording(NamedTuple):
    """Samples, who speaks when (start_s, end_s, speaker), and the DER to reach."""

    name: str
    samples: np.ndarray
    truth: pl.DataFrame
    at_most: float


def episode() -> Recording:
    """Return the sample; its truth is from its script."""
    import av

    with av.open(str(EPISODE / "episode.mp4")) as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE_HZ)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    sentences = json.loads((EPISODE / "episode.truth.json").read_text())["sentences"]
    truth = pl.DataFrame(sentences).select("start_s", "end_s", speaker="person")
    return Recording("sample episode", samples, truth, EPISODE_DER)


def conversations(folder: Path) -> Iterator[Recording]:
    """Yield the real conversations."""
    import soundfile

    for name, at_most in CONVERSATIONS.items():
        samples, _ = soundfile.read(folder / "speech" / f"{name}.wav", dtype="float32")
        truth = read_rttm((folder / "speech" / f"{name}.rttm").read_text()).select("start_s", "end_s", "speaker")
        yield Recording(name, samples, truth, at_most)


def error_rate(truth: pl.DataFrame, turns: pl.DataFrame) -> dict[str, float]:
    """Return the DER, and its parts in seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside of its own dependencies
        from pyannote.core import Annotation, Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate

    said, found = Annotation(), Annotation()
    for annotation, table in ((said, truth), (found, turns)):
        for track, (start_s, end_s, speaker) in enumerate(table.select("start_s", "end_s", "speaker").iter_rows()):
            annotation[Segment(start_s, end_s), track] = speaker
    end_s = max([*truth["end_s"], *turns["end_s"]])
    return DiarizationErrorRate()(said, found, uem=Timeline([Segment(0, end_s)]), detailed=True)


def rows_of(recording: Recording, folder: Path) -> Iterator[list[str]]:
    """Yield a row for each way of finding speech, with the number of speakers given and estimated."""
    for found, gain, threshold, pad_s in (
        ("as the assets", 1.0, SPEECH.activity_threshold, None),
        ("tuned", 0.5 / float(np.abs(recording.samples).max()), 0.35, 0.1),
    ):
        write_flac(folder / "clip.flac", recording.samples * gain)
        sound = Sound.open(folder / "clip.flac")
        scores = SPEECH.score_speech("clip", sound)
        activity = find_speech("clip", scores, threshold, **({} if pad_s is None else {"pad_s": pad_s}))
        started = time.process_time()
        voices = SPEAKERS.infer_voices("clip", sound, activity)
        cpu_s = (time.process_time() - started) / sound.duration_s
        for number, options in (("given", SpeakerOptions(2)), ("estimated", SpeakerOptions())):
            result = SPEAKERS.cluster_voices("clip", voices, options)
            rates = error_rate(recording.truth, result.turns)
            seconds = [f"{rates[part]:.1f}" for part in ("missed detection", "false alarm", "confusion")]
            der, confidence = rates["diarization error rate"], result.speakers["count_confidence"][0]
            yield [
                recording.name, found, number, str(len(result.speakers)),
                "" if confidence is None else f"{confidence:.2f}",
                f"{der:.3f}", f"{recording.at_most:.2f}" if number == "given" else "", *seconds, f"{cpu_s:.3f}",
            ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--footage", type=Path, default=os.environ.get("VIDASSETS_FOOTAGE"))
    footage = parser.parse_args().footage
    table = Table(title="Speaker diarization", box=None)
    for column in (
        "recording",
        "speech found",
        "number",
        "found",
        "conf.",
        "DER",
        "aim",
        "missed s",
        "false s",
        "confused s",
    ):
        table.add_column(column)
    table.add_column("CPU-s/s")
    SPEAKERS.embed_samples(np.ones(SAMPLE_RATE_HZ, np.float32))  # loads the model outside of what is timed
    with tempfile.TemporaryDirectory() as folder:
        for recording in [episode(), *(conversations(Path(footage)) if footage else [])]:
            for row in rows_of(recording, Path(folder)):
                table.add_row(*row)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
