"""The voice in every tenth of a second of speech: all of telling speakers apart that costs an inference."""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from vidassets.errors import EmbeddingMismatch, SpeechError
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.speech.speakers.voice_encoder import (
    EMBEDDING_SIZE,
    FRAMES_PER_S,
    HOP_SAMPLES,
    Encoder,
    mel_spectrogram,
    unit,
)

# Chosen here on the recordings of benchmarks/speaker_diarization.py, of which none was held out: the
# shorter windows confuse more, the longer ones miss the short turns.
WINDOW_S = 1.0
HOP_S = 0.1
# The network reads forward and answers at the end, so a window tells most of what lies behind its middle.
CENTRE = 0.65
# How far a window may reach beyond the end of its stretch: what it ends with is what it tells most of.
BEYOND_S = 0.1
# The mel bands are not logarithmic: loudness counts. The loudest sample of a sound is brought to this.
PEAK = 0.5
# Speech is silent where it is this far below its own loud parts, for this long: chosen here, deep enough for rooms.
SILENCE_DB = 50.0
SILENCE_S = 0.2
LEVEL_S = 0.02
# Windows read and inferred together: a minute of sound, whatever the length of the stretch.
GROUP_WINDOWS = 600
BLOCK_S = 60.0

AGAIN = "Make them again: materialise `voices` of this clip."

# float32 (stop - start,): the samples from start to stop, counted from the first of the sound, zeros outside of it.
Reader = Callable[[int, int], np.ndarray]
Span = tuple[float, float]


@dataclass(frozen=True)
class VoiceWindows:
    """What `voices` of the embedded model stores, as an .npz.

    Attributes:
        model: name of the network.
        n_channels: of the sound; more than one: a person on each.
        stretch_channel: int32 (S,).
        stretch_s: float64 (S, 2), start and end of every sounding stretch of speech, clip time, in order per channel.
        window_stretch: int64 (W,), non-decreasing: of which stretch a window is; those of one share it evenly.
        embedding: float16 (W, D), each of unit length.
    """

    model: str
    n_channels: int
    stretch_channel: np.ndarray
    stretch_s: np.ndarray
    window_stretch: np.ndarray
    embedding: np.ndarray

    def to_bytes(self) -> bytes:
        """An .npz: the same bytes for the same windows."""
        file = io.BytesIO()
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, clip: str, voices: bytes, model: str) -> "VoiceWindows":
        """What `to_bytes` gave.

        Raises:
            EmbeddingMismatch: they are of another model.
            SpeechError: they are none.
        """
        try:
            with np.load(io.BytesIO(voices), allow_pickle=False) as stored:
                found = dict(stored.items())
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise SpeechError(f"{clip}: its stored voices cannot be read ({error}). {AGAIN}") from error
        made_by = str(found.get("model", "unknown"))
        if made_by != model:
            raise EmbeddingMismatch(
                f"{clip}: its stored voices are of the model {made_by}, and the profile names {model}. "
                f"{AGAIN} Or name the former speaker_model in the profile."
            )
        if missing := {field.name for field in fields(cls)} - set(found):
            raise SpeechError(f"{clip}: its stored voices lack {', '.join(sorted(missing))}. {AGAIN}")
        return cls(**(found | {"model": made_by, "n_channels": int(found["n_channels"])}))


def embed_windows(sound: Sound, activity: pl.DataFrame, encoder: Encoder, model: str) -> VoiceWindows:
    """The voice windows of a clip's speech; memory is bounded but for the result, 5 kB a second of speech.

    Args:
        sound: of the clip; with several channels, each is heard apart from the others.
        activity: rows of `speech_schemas.SpeechActivity`.
        encoder: the network.
        model: its name.
    """
    channels, stretches, embeddings, of_stretch = [], [], [np.zeros((0, EMBEDDING_SIZE), np.float16)], []
    for channel in range(sound.channels):
        spans = activity.filter(pl.col("channel") == channel).sort("start_s").select("start_s", "end_s").rows()
        if not spans:
            continue
        reader, gain = _reader(sound, channel), _gain(sound, channel)
        for span in spans:
            # In seconds of the sound from here on: samples are counted from its first.
            for part in sounding(reader, span[0] - sound.start_s, span[1] - sound.start_s):
                for group in window_embeddings(reader, part, gain, encoder):
                    embeddings.append(group.astype(np.float16))
                    of_stretch.append(np.full(len(group), len(stretches)))
                channels.append(channel)
                stretches.append((part[0] + sound.start_s, part[1] + sound.start_s))
    return VoiceWindows(
        model=model,
        n_channels=sound.channels,
        stretch_channel=np.array(channels, np.int32),
        stretch_s=np.array(stretches, np.float64).reshape(-1, 2),
        window_stretch=np.concatenate([np.zeros(0, np.int64), *of_stretch]).astype(np.int64),
        embedding=np.concatenate(embeddings),
    )


def embed_samples(samples: np.ndarray, encoder: Encoder) -> np.ndarray:
    """float32 (D,) of unit length: the voice in samples of one person, by the same windows as a clip's.

    Args:
        samples: float32 (N,) at 16 kHz.
        encoder: the network.
    Raises:
        SpeechError: they are silent.
    """
    peak = float(np.abs(samples).max(initial=0))

    def reader(start: int, stop: int) -> np.ndarray:
        return _padded(samples[max(0, start) : max(0, stop)], start, stop)

    parts = [
        group
        for part in sounding(reader, 0.0, len(samples) / SAMPLE_RATE_HZ)
        for group in window_embeddings(reader, part, PEAK / peak, encoder)
    ]
    if not parts:
        raise SpeechError("A voice is asked for of silence. Give a recording in which the person is heard.")
    return unit(np.concatenate(parts).mean(axis=0))


def sounding(reader: Reader, start_s: float, end_s: float) -> list[Span]:
    """The parts of a stretch that sound: without its silent ends and holes. What finds speech leaves some around it.

    Times are seconds of the sound, in steps of 0.02 s but for the two ends.
    """
    step = round(LEVEL_S * SAMPLE_RATE_HZ)
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    per_block = round(BLOCK_S / LEVEL_S) * step
    power = [np.zeros(0, np.float32)]
    for at in range(first, last, per_block):
        samples = reader(at, min(at + per_block, first + -(-(last - first) // step) * step))
        power.append(np.mean(samples[: len(samples) // step * step].reshape(-1, step) ** 2, axis=1))
    levels = np.concatenate(power)
    loud = np.flatnonzero(levels > np.quantile(levels, 0.95) * 10 ** (-SILENCE_DB / 10)) if len(levels) else levels
    if len(loud) == 0:
        return []
    ends = np.flatnonzero(np.diff(loud) > SILENCE_S / LEVEL_S)
    starts_at, ends_at = loud[np.r_[0, ends + 1]], loud[np.r_[ends, len(loud) - 1]] + 1
    spans = [
        (start_s + a * LEVEL_S, min(end_s, start_s + b * LEVEL_S)) for a, b in zip(starts_at, ends_at, strict=True)
    ]
    return [span for span in spans if span[1] > span[0]]


def window_embeddings(reader: Reader, span: Span, gain: float, encoder: Encoder) -> Iterator[np.ndarray]:
    """float32 (W, D), in groups: of windows around the middles of W equal parts of a stretch, each 0.1 s or nearly so.

    A window may begin before its stretch: what stands before a short one is better than nothing.
    """
    middles_s = window_edges(span, n_windows(span))
    middles_s = (middles_s[:-1] + middles_s[1:]) / 2
    starts_s = np.minimum(middles_s - CENTRE * WINDOW_S, span[1] + BEYOND_S - WINDOW_S)
    # Whole frames of the sound: a window is the same whatever group it is in.
    firsts = np.round(starts_s * FRAMES_PER_S).astype(int)
    length = round(WINDOW_S * FRAMES_PER_S)
    for at in range(0, len(firsts), GROUP_WINDOWS):
        group = firsts[at : at + GROUP_WINDOWS]
        # Two frames more on both sides: those at the ends would see the zeros that pad a spectrogram.
        low, high = int(group[0]) - 2, int(group[-1]) + length + 2
        mels = mel_spectrogram(reader(low * HOP_SAMPLES, high * HOP_SAMPLES) * np.float32(gain))
        yield encoder.embeddings(np.stack([mels[first - low : first - low + length] for first in group]))


def n_windows(span: Span) -> int:
    """How many windows a stretch has.

    >>> n_windows((0.0, 1.04)), n_windows((0.0, 0.02))
    (10, 1)
    """
    return max(1, round((span[1] - span[0]) / HOP_S))


def window_edges(span: Span, n: int) -> np.ndarray:
    """float64 (n + 1,): where the parts of a stretch begin that its windows stand for, and where the last ends."""
    return np.linspace(span[0], span[1], n + 1)


def _reader(sound: Sound, channel: int) -> Reader:
    def read(start: int, stop: int) -> np.ndarray:
        # A quarter of a sample later, on both sides: the seconds are then no other sample's, rounded or cut.
        start_s, stop_s = ((max(0, at) + 0.25) / SAMPLE_RATE_HZ + sound.start_s for at in (start, stop))
        return _padded(sound.samples(start_s, stop_s, channel), start, stop)

    return read


def _padded(samples: np.ndarray, start: int, stop: int) -> np.ndarray:
    before = min(max(0, -start), stop - start)
    samples = samples[: stop - start - before]
    return np.pad(samples, (before, stop - start - before - len(samples)))


def _gain(sound: Sound, channel: int) -> float:
    peak = max((float(np.abs(block).max(initial=0)) for _, block in sound.blocks(BLOCK_S, channel)), default=0.0)
    return PEAK / peak if peak > 0 else 1.0
