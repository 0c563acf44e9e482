"""Accuracy and speed of speaker diarization: python -m benchmarks.speaker_diarization [--footage FOLDER]

Data: the sample episode (28 s, two voices, 1.1 s of overlap) and, where a folder of real footage is given (or
VIDASSETS_FOOTAGE names it), eight conversations of 30 s of two to four people, with RTTM, and five recordings of one
voice. DER is by pyannote.metrics, with
overlap and no collar, over the whole recording: missed, false and confused speech divided by all speech. Given: two
speakers; estimated: no number given. Speech is found by silero-vad in two ways: with the settings of the assets, and
tuned for this benchmark (peak at half scale, threshold 0.35, pads of 0.1 s). CPU-s are per second of sound, with one
torch thread.

The second table judges the limits of the estimate leave-one-out: those that are best on the other recordings are
applied to each. The error of a conversation is its DER; that of one voice the mean share of windows given to another
speaker, over excerpts of 4 to 24 s of speech. Compared: one label for everything, the limits in use, a limit of the
cosine that does not depend on the number of windows, and limits that do.
"""

import argparse
import json
import math
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.embedded_speakers import MODEL, ResemblyzerSpeakers
from vidassets.resources.embedded_speech import SileroPocketSphinx
from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers import clustering
from vidassets.speech.speakers.diarization import turns_of_windows
from vidassets.speech.speakers.rttm import read_rttm
from vidassets.speech.speakers.turns import SpeakerFacts, tabulate_turns
from vidassets.speech.speakers.voice_windows import VoiceWindows
from vidassets.speech.transcript.activity import find_speech
from vidassets_tests.media.flac import write_flac

EPISODE = Path("samples/episodes/pioneers/s01/e02")
CONVERSATIONS = {"phone-call": 0.15, "meeting-00": 0.26, "meeting-01": 0.20}
# Not used to choose the length of windows, and what else was chosen on the three above.
CONVERSATIONS |= dict.fromkeys([f"meeting-{name}" for name in ("trn00", "trn03", "trn05", "trn06", "tst01")], math.nan)
ONE_VOICE = ("city-upon-a-hill.flac", "narration.opus", "libri-1088.wav", "lj-1813.wav", "lj-press-yard.wav")
EXCERPT_WINDOWS = (40, 60, 90, 120, 160, 240)
Limits = tuple[float, float]
LIMITS: list[Limits] = [
    (round(float(a), 3), round(float(n), 1)) for a in np.arange(0.03, 0.125, 0.005) for n in np.arange(0, 4.1, 0.2)
]
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
    samples = samples_of(EPISODE / "episode.mp4")
    sentences = json.loads((EPISODE / "episode.truth.json").read_text())["sentences"]
    truth = pl.DataFrame(sentences).select("start_s", "end_s", speaker="person")
    return Recording("sample episode", samples, truth, EPISODE_DER)


def samples_of(path: Path) -> np.ndarray:
    """Return float32 (N,), mono at 16 kHz."""
    import av

    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE_HZ)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


def conversations(folder: Path) -> Iterator[Recording]:
    """Yield the real conversations."""
    for name, at_most in CONVERSATIONS.items():
        [path] = (path for path in (folder / "speech").glob(f"{name}.*") if path.suffix != ".rttm")
        truth = read_rttm(path.with_suffix(".rttm").read_text()).select("start_s", "end_s", "speaker")
        yield Recording(name, samples_of(path), truth, at_most)


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
    return dict(DiarizationErrorRate()(said, found, uem=Timeline([Segment(0, end_s)]), detailed=True))  # type: ignore


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
            has_aim = number == "given" and math.isfinite(recording.at_most)
            yield [
                recording.name, found, number, str(len(result.speakers)),
                "" if confidence is None else f"{confidence:.2f}",
                f"{der:.3f}", f"{recording.at_most:.2f}" if has_aim else "", *seconds, f"{cpu_s:.3f}",
            ]  # fmt: skip


def windows_of(samples: np.ndarray, folder: Path) -> VoiceWindows:
    """Return the voice windows of a recording as the assets compute them."""
    write_flac(folder / "clip.flac", samples)
    sound = Sound.open(folder / "clip.flac")
    activity = find_speech("clip", SPEECH.score_speech("clip", sound), SPEECH.activity_threshold)
    return VoiceWindows.from_bytes("clip", SPEAKERS.infer_voices("clip", sound, activity), MODEL)


class Clusterings(NamedTuple):
    """The clusterings of an excerpt into 1, 2 … speakers: pairs (distance, noise) of their voices, and the error."""

    pairs: list[list[tuple[float, float]]]
    errors: list[float]

    def error(self, limits: Limits) -> float:
        """Return the error of the number of speakers that is estimated with these limits."""
        same_voice, noise = limits
        n_accepted = 0
        while n_accepted + 1 < len(self.pairs) and all(
            distance > same_voice + noise * of_means for distance, of_means in self.pairs[n_accepted + 1]
        ):
            n_accepted += 1
        return self.errors[n_accepted]


def clusterings(windows: VoiceWindows, truth: pl.DataFrame | None) -> Clusterings:
    """Return the clusterings of a recording, up to the number at which a speaker has too few windows."""
    fit = clustering.Fit(windows.embedding, windows.window_stretch)
    found = Clusterings([], [])
    for n_speakers in range(1, clustering.MAX_ESTIMATE + 1):
        labels = fit.labels(n_speakers)
        sizes = np.bincount(labels, minlength=n_speakers)
        if n_speakers > 1 and sizes.min() < clustering.MIN_SPEAKER_WINDOWS:
            break
        distances, noise = fit.distances(labels)
        above = np.triu_indices(n_speakers, 1)
        found.pairs.append(list(zip(distances[above], noise[above], strict=True)))
        if truth is None:
            found.errors.append(float(1 - sizes.max() / sizes.sum()))
        else:
            facts = SpeakerFacts("estimated", None, windows.model)
            turns = tabulate_turns("clip", turns_of_windows(windows, labels), {}, facts).turns
            found.errors.append(error_rate(truth, turns)["diarization error rate"])
    return found


def excerpts(windows: VoiceWindows) -> Iterator[VoiceWindows]:
    """Yield the recording, and parts of it with fewer windows."""
    yield windows
    for size in EXCERPT_WINDOWS:
        for at in range(0, len(windows.embedding) - size, max(30, size // 2)):
            part = slice(at, at + size)
            yield replace(windows, embedding=windows.embedding[part], window_stretch=windows.window_stretch[part])


def leave_one_out(sources: dict[str, list[Clusterings]]) -> Table:
    """Return the mean error of each recording under limits that it did not choose."""

    def error(source: str, limits: Limits) -> float:
        return float(np.mean([each.error(limits) for each in sources[source]]))

    def chosen(others: list[str], among: list[Limits]) -> Limits:
        means = np.array([np.mean([error(source, limits) for source in others]) for limits in among])
        best = np.array(among)[means <= means.min() + 1e-9]
        # Of equally good limits, the one in their middle.
        nearest = np.abs((best - np.median(best, axis=0)) / (0.05, 2)).sum(axis=1).argmin()
        return float(best[nearest][0]), float(best[nearest][1])

    table = Table(title="Estimated number of speakers, chosen leave-one-out", box=None)
    for column in ("recording", "one label", "in use", "cosine alone", "by number of windows"):
        table.add_column(column)
    in_use, cosine = (clustering.SAME_VOICE, clustering.MEAN_NOISE), [limits for limits in LIMITS if not limits[1]]
    for name in sources:
        others = [other for other in sources if other != name]
        columns = [(math.inf, 0.0), in_use, chosen(others, cosine), chosen(others, LIMITS)]
        table.add_row(name, *(f"{error(name, limits):.3f}" for limits in columns))
    return table


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
        recordings, sources = [episode(), *(conversations(Path(footage)) if footage else [])], {}
        for recording in recordings:
            for row in rows_of(recording, Path(folder)):
                table.add_row(*row)
            sources[recording.name] = [clusterings(windows_of(recording.samples, Path(folder)), recording.truth)]
        for name in ONE_VOICE if footage else ():
            windows = windows_of(samples_of(Path(footage) / "speech" / name), Path(folder))
            sources[name] = [clusterings(part, None) for part in excerpts(windows)]
    Console(width=140).print(table)
    if footage:
        Console(width=140).print(leave_one_out(sources))


if __name__ == "__main__":
    main()
