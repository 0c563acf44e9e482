"""Voice embeddings for every tenth of a second of speech: the inference that speaker clustering starts from."""

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

# Chosen here on the recordings of benchmarks/speaker_diarization.py, none held out: shorter windows confuse more
# speakers, longer windows miss short turns.
WINDOW_S = 1.0
HOP_S = 0.1
# The embedding is the state after the last frame, so it mostly describes the part after the window's middle.
CENTRE = 0.65
# Longest part of a window after the end of its stretch: the end of a window influences its embedding most.
BEYOND_S = 0.1
# The mel bands are not logarithmic, so loudness matters. Sounds are scaled to this peak.
PEAK = 0.5
# Silence within speech: this far below its loud parts, for this long. Chosen here, low enough for noisy rooms.
SILENCE_DB = 50.0
SILENCE_S = 0.2
LEVEL_S = 0.02
# Windows read and inferred together: a minute of sound, so that memory is bounded for stretches of any length.
GROUP_WINDOWS = 600
BLOCK_S = 60.0

RECOMPUTE = "Recompute them: materialise `voices` of this clip."

# Maps (start, stop) to float32 (stop - start,): samples counted from the first of the sound, zeros outside of it.
Reader = Callable[[int, int], np.ndarray]
Span = tuple[float, float]


@dataclass(frozen=True)
class VoiceWindows:
    """The content of the asset `voices` of the embedded model, stored as an .npz.

    Attributes:
        model: name of the network.
        n_channels: of the sound; several channels hold one person each.
        stretch_channel: int32 (S,).
        stretch_s: float64 (S, 2), clip times of each stretch of speech without silence, in order per channel.
        window_stretch: int64 (W,), non-decreasing: the stretch of each window; windows divide their stretch evenly.
        embedding: float16 (W, D), rows of unit length.
    """

    model: str
    n_channels: int
    stretch_channel: np.ndarray
    stretch_s: np.ndarray
    window_stretch: np.ndarray
    embedding: np.ndarray

    def to_bytes(self) -> bytes:
        """Return an .npz; the same windows give the same bytes."""
        file = io.BytesIO()
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, clip: str, voices: bytes, model: str) -> "VoiceWindows":
        """Read the result of `to_bytes`.

        Raises:
            EmbeddingMismatch: the windows are of another model.
            SpeechError: the bytes cannot be read.
        """
        try:
            with np.load(io.BytesIO(voices), allow_pickle=False) as stored:
                found = dict(stored.items())
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise SpeechError(f"{clip}: its stored voices cannot be read ({error}). {RECOMPUTE}") from error
        made_by = str(found.get("model", "unknown"))
        if made_by != model:
            raise EmbeddingMismatch(
                f"{clip}: its stored voices are of the model {made_by}, but the profile names {model}. "
                f"{RECOMPUTE} Or name the former speaker_model in the profile."
            )
        if missing := {field.name for field in fields(cls)} - set(found):
            raise SpeechError(f"{clip}: its stored voices lack {', '.join(sorted(missing))}. {RECOMPUTE}")
        return cls(**(found | {"model": made_by, "n_channels": int(found["n_channels"])}))


def embed_windows(sound: Sound, activity: pl.DataFrame, encoder: Encoder, model: str) -> VoiceWindows:
    """Return the voice windows of a clip's speech.

    Memory is bounded except for the result, 5 kB per second of speech.

    Args:
        sound: of the clip; several channels are processed separately.
        activity: rows of `speech_schemas.SpeechActivity`.
        encoder: the network.
        model: its name.
    """
    channels, stretches, embeddings, window_stretches = [], [], [np.zeros((0, EMBEDDING_SIZE), np.float16)], []
    for channel in range(sound.channels):
        spans = activity.filter(pl.col("channel") == channel).sort("start_s").select("start_s", "end_s").rows()
        if not spans:
            continue
        reader, gain = _reader(sound, channel), _gain(sound, channel)
        for span in spans:
            # Seconds of the sound, not of the clip, because samples are counted from the first of the sound.
            for part in without_silence(reader, span[0] - sound.start_s, span[1] - sound.start_s):
                for group in window_embeddings(reader, part, gain, encoder):
                    embeddings.append(group.astype(np.float16))
                    window_stretches.append(np.full(len(group), len(stretches)))
                channels.append(channel)
                stretches.append((part[0] + sound.start_s, part[1] + sound.start_s))
    return VoiceWindows(
        model=model,
        n_channels=sound.channels,
        stretch_channel=np.array(channels, np.int32),
        stretch_s=np.array(stretches, np.float64).reshape(-1, 2),
        window_stretch=np.concatenate([np.zeros(0, np.int64), *window_stretches]).astype(np.int64),
        embedding=np.concatenate(embeddings),
    )


def embed_samples(samples: np.ndarray, encoder: Encoder) -> np.ndarray:
    """Return the embedding of one person's voice, float32 (D,) of unit length, from the same windows as a clip's.

    Args:
        samples: float32 (N,) at 16 kHz.
        encoder: the network.
    Raises:
        SpeechError: the samples are silent.
    """
    peak = float(np.abs(samples).max(initial=0))

    def reader(start: int, stop: int) -> np.ndarray:
        return _padded(samples[max(0, start) : max(0, stop)], start, stop)

    parts = [
        group
        for part in without_silence(reader, 0.0, len(samples) / SAMPLE_RATE_HZ)
        for group in window_embeddings(reader, part, PEAK / peak, encoder)
    ]
    if not parts:
        raise SpeechError(
            "The recording contains no speech, so no voice embedding can be computed. Give a recording in which the "
            "person speaks."
        )
    return unit(np.concatenate(parts).mean(axis=0))


def without_silence(reader: Reader, start_s: float, end_s: float) -> list[Span]:
    """Return the parts of a stretch without its silent ends and gaps, which voice activity detection leaves in it.

    Times are seconds of the sound, in steps of 0.02 s except at both ends of the stretch.
    """
    step = round(LEVEL_S * SAMPLE_RATE_HZ)
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    per_block = round(BLOCK_S / LEVEL_S) * step
    # Mean power of each step of 0.02 s, read in blocks of a minute: float32 (L,).
    power = [np.zeros(0, np.float32)]
    for at in range(first, last, per_block):
        samples = reader(at, min(at + per_block, first + -(-(last - first) // step) * step))
        power.append(np.mean(samples[: len(samples) // step * step].reshape(-1, step) ** 2, axis=1))
    levels = np.concatenate(power)
    # int64 (K,): the steps that are at most SILENCE_DB below the 95th percentile.
    loud = np.flatnonzero(levels > np.quantile(levels, 0.95) * 10 ** (-SILENCE_DB / 10)) if len(levels) else levels
    if len(loud) == 0:
        return []
    # A part ends where the next loud step is more than SILENCE_S away.
    ends = np.flatnonzero(np.diff(loud) > SILENCE_S / LEVEL_S)
    starts_at, ends_at = loud[np.r_[0, ends + 1]], loud[np.r_[ends, len(loud) - 1]] + 1
    spans = [
        (start_s + a * LEVEL_S, min(end_s, start_s + b * LEVEL_S)) for a, b in zip(starts_at, ends_at, strict=True)
    ]
    return [span for span in spans if span[1] > span[0]]


def window_embeddings(reader: Reader, span: Span, gain: float, encoder: Encoder) -> Iterator[np.ndarray]:
    """Yield the embeddings, float32 (W, D) in groups, of windows around W equal parts of a stretch, each about 0.1 s.

    A window may begin before its stretch: for a short stretch, the sound before it is better than none.
    """
    # float64 (W,): the middle of each part, and the start of its window.
    middles_s = window_edges(span, n_windows(span))
    middles_s = (middles_s[:-1] + middles_s[1:]) / 2
    starts_s = np.minimum(middles_s - CENTRE * WINDOW_S, span[1] + BEYOND_S - WINDOW_S)
    # Aligned to whole frames of the sound, so that a window does not depend on its group.
    firsts = np.round(starts_s * FRAMES_PER_S).astype(int)
    length = round(WINDOW_S * FRAMES_PER_S)
    for at in range(0, len(firsts), GROUP_WINDOWS):
        group = firsts[at : at + GROUP_WINDOWS]
        # Two more frames on both sides, because the first and last frames of a spectrogram include padding.
        low, high = int(group[0]) - 2, int(group[-1]) + length + 2
        # (T, 40) for the group, of which each window is 100 consecutive frames.
        mels = mel_spectrogram(reader(low * HOP_SAMPLES, high * HOP_SAMPLES) * np.float32(gain))
        yield encoder.embeddings(np.stack([mels[first - low : first - low + length] for first in group]))


def n_windows(span: Span) -> int:
    """Return the number of windows of a stretch.

    >>> n_windows((0.0, 1.04)), n_windows((0.0, 0.02))
    (10, 1)
    """
    return max(1, round((span[1] - span[0]) / HOP_S))


def window_edges(span: Span, n: int) -> np.ndarray:
    """Return float64 (n + 1,): the edges of the n equal parts of a stretch."""
    return np.linspace(span[0], span[1], n + 1)


def _reader(sound: Sound, channel: int) -> Reader:
    def read(start: int, stop: int) -> np.ndarray:
        # Plus a quarter of a sample, so that rounding and truncation both lead to the same sample.
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
