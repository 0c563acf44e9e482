"""Stretches of speech, from the scores of a voice activity model by thresholds; no inference."""

import numpy as np
import polars as pl

from vidassets.schemas.speech import SpeechActivity

# A stretch ends when a score falls this far below the threshold. Source: silero-vad, `neg_threshold`.
HYSTERESIS = 0.15
# Chosen here with benchmarks/speech_recognition.py: the shortest pause that is not within a sentence.
MIN_SILENCE_S = 0.3
# Chosen here, with `SileroPocketSphinx`: of pads from 0.1 to 0.2 s, the one with the lowest diarization error in three
# conversations and the sample; none was held out (benchmarks/speaker_diarization.py).
PAD_S = 0.13
MIN_SPEECH_S = 0.25  # silero-vad's default


def find_speech(
    clip: str,
    scores: pl.DataFrame,
    threshold: float,
    min_silence_s: float = MIN_SILENCE_S,
    min_speech_s: float = MIN_SPEECH_S,
    pad_s: float = PAD_S,
) -> pl.DataFrame:
    """Return one row per stretch of speech, by channel and time, with the columns of `speech_schemas.SpeechActivity`.

    A stretch begins with a window that scores at least `threshold`, and ends before a window that scores less than
    `threshold - HYSTERESIS`. Stretches less than `min_silence_s` apart are joined. Then stretches shorter than
    `min_speech_s` are dropped. Then each stretch is padded by `pad_s` at both ends, but not beyond the scores, and not
    beyond the middle of the gap to its neighbour.

    Args:
        clip: partition key.
        scores: rows of `speech_schemas.SpeechScores` of one clip.
        threshold: on the model's own scale.
        min_silence_s: seconds.
        min_speech_s: seconds.
        pad_s: seconds.
    """
    tables: list[pl.DataFrame] = [SpeechActivity.create_empty()]
    for (channel,), windows in scores.sort("channel", "window").group_by("channel", maintain_order=True):
        # All float (W,): the windows of the channel.
        start_s, end_s, score = (windows[name].to_numpy() for name in ("start_s", "end_s", "score"))
        # int64 (S,): the first window of each stretch, and the window after its last.
        first, past = _speaking(score, threshold)
        first, past = _joined(first, past, start_s, end_s, min_silence_s)
        long_enough = end_s[past - 1] - start_s[first] >= min_speech_s
        first, past = first[long_enough], past[long_enough]
        spans = _padded(start_s[first], end_s[past - 1], start_s[0], end_s[-1], pad_s)
        tables.append(_table(clip, channel, *spans).with_columns(mean_score=_mean_scores(score, first, past)))
    return pl.concat(tables)


def _speaking(score: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first window and the window after the last, int64 (S,) each, of every run of speech."""
    above, below = score >= threshold, score < threshold - HYSTERESIS
    # A score between the two thresholds changes nothing: use the last window that was above or below, -1 if none.
    clear = np.maximum.accumulate(np.where(above | below, np.arange(len(score)), -1))
    # bool (W + 2,), False at both ends, so that every run has a rising and a falling edge.
    speech = np.concatenate([[False], above[clear] & (clear >= 0), [False]])
    edges = np.flatnonzero(speech[1:] != speech[:-1])
    return edges[::2], edges[1::2]


def _joined(
    first: np.ndarray, past: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, min_silence_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Join runs that are separated by too short a silence."""
    # bool (S - 1,): whether the silence between neighbouring runs is long enough.
    separate = start_s[first[1:]] - end_s[past[:-1] - 1] >= min_silence_s
    begins, ends = np.ones(len(first), bool), np.ones(len(first), bool)
    begins[1:], ends[:-1] = separate, separate
    return first[begins], past[ends]


def _padded(
    start_s: np.ndarray, end_s: np.ndarray, least_s: float, most_s: float, pad_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and ends, padded up to the neighbours and the bounds."""
    middles_s = (end_s[:-1] + start_s[1:]) / 2
    room_before = np.concatenate([[least_s], middles_s])[: len(start_s)]
    room_after = np.concatenate([middles_s, [most_s]])[: len(end_s)]
    return np.maximum(start_s - pad_s, room_before), np.minimum(end_s + pad_s, room_after)


def _mean_scores(score: np.ndarray, first: np.ndarray, past: np.ndarray) -> pl.Series:
    """Return the mean score of each stretch's windows, before padding."""
    # (W + 1,): the sum of a stretch is a difference of two cumulative sums.
    summed = np.concatenate([[0.0], np.cumsum(score, dtype=np.float64)])
    return pl.Series((summed[past] - summed[first]) / (past - first), dtype=pl.Float32).clip(0, 1)


def _table(clip: str, channel: object, start_s: np.ndarray, end_s: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"start_s": start_s, "end_s": end_s}).select(
        clip=pl.lit(clip),
        channel=pl.lit(channel, pl.Int32),
        stretch=pl.int_range(pl.len(), dtype=pl.Int32),
        start_s=pl.col("start_s").cast(pl.Float64),
        end_s=pl.col("end_s").cast(pl.Float64),
    )
