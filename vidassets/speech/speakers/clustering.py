"""Which windows hold the same voice: clustering of embeddings, no inference.

Method: the file's mean vector is taken off (it is the room and the line more than anybody's voice); a tree by Ward's
linkage over windows averaged with their neighbours gives a first partition; windows and centroids are then fitted to
each other in turns, where a change of voice within a stretch costs something (Viterbi training of a hidden Markov model
with one state a speaker). Agglomerative clustering by average cosine, the usual choice, was tried: it splits off
odd windows where it should split people, and each change of a setting changes its answer.
"""

from dataclasses import dataclass

import numpy as np

from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers.voice_encoder import unit

# Chosen here on the recordings of benchmarks/speaker_diarization.py; none was held out, so expect worse elsewhere.
CHANGE_COST = 0.25
NEIGHBOURS = 11
# Two voices whose mean vectors are more alike are held to be one. Between what was measured of one speaker cut in
# two (0.894 to 0.95) and of two people (0.65 to 0.93: not separable; most are below 0.89).
ALIKE = 0.892
MAX_ESTIMATE = 6
# Less is no speaker, where the number is estimated.
MIN_SPEAKER_WINDOWS = 15
# No estimate is worth more: with the count unknown, a third of the time is given to the wrong speaker.
MAX_CONFIDENCE = 0.5
CONFIDENT_MARGIN = 0.1
# The tree holds a number for each pair: 4000 windows, 64 MB. A longer file's tree is of every n-th of its windows.
MAX_TREE_WINDOWS = 4000
MAX_ROUNDS = 20
BLOCK_WINDOWS = 8192


@dataclass(frozen=True)
class SpeakerClustering:
    """Whose window each is.

    Attributes:
        labels: int64 (W,), 0 … n_speakers - 1.
        n_speakers: may be fewer than asked for, where the windows do not suffice.
        confidence: in an estimated number, 0 … 0.5; None where it was given, or nothing could be compared.
    """

    labels: np.ndarray
    n_speakers: int
    confidence: float | None


def cluster_windows(embeddings: np.ndarray, stretches: np.ndarray, options: SpeakerOptions) -> SpeakerClustering:
    """The windows' speakers.

    Memory is that of the embeddings and some 100 MB, however many windows there are.

    Args:
        embeddings: float16 or float32 (W, D), rows of unit length.
        stretches: int64 (W,), non-decreasing: nobody's voice is expected to go on from one stretch to the next.
        options: how many speakers there are, or between how many.
    """
    if len(embeddings) == 0:
        return SpeakerClustering(np.zeros(0, np.int64), 0, None)
    fit = _Fit(embeddings, stretches)
    if options.n_speakers is not None:
        labels = fit.labels(options.n_speakers)
        return SpeakerClustering(labels, int(labels.max()) + 1, None)
    return _estimated(
        fit, options.min_speakers or 1, options.max_speakers or max(MAX_ESTIMATE, options.min_speakers or 1)
    )


def _estimated(fit: "_Fit", least: int, most: int) -> SpeakerClustering:
    """One more speaker as long as all of them are unlike, see `ALIKE`, and speak for 1.5 s.

    The confidence is the distance of the nearest decision to `ALIKE`, of those that made this number.
    """
    labels, n_speakers, margins = fit.labels(least), least, []
    while n_speakers < most and fit.n_windows >= (n_speakers + 1) * MIN_SPEAKER_WINDOWS:
        more = fit.labels(n_speakers + 1)
        substantial = np.bincount(more, minlength=n_speakers + 1).min() >= MIN_SPEAKER_WINDOWS
        likest = fit.likest(more)
        if substantial:
            margins.append(abs(ALIKE - likest))
        if not substantial or likest >= ALIKE:
            break
        labels, n_speakers = more, n_speakers + 1
    confidence = min(MAX_CONFIDENCE, MAX_CONFIDENCE * min(margins) / CONFIDENT_MARGIN) if margins else None
    return SpeakerClustering(labels, int(labels.max()) + 1, confidence)


class _Fit:
    """Windows, ready to be split among any number of speakers."""

    def __init__(self, embeddings: np.ndarray, stretches: np.ndarray) -> None:
        self._embeddings = embeddings
        self._stretches = stretches
        self._mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._chains = _Chains(stretches)
        every = -(-self.n_windows // MAX_TREE_WINDOWS)
        self._in_tree = np.arange(0, self.n_windows, every)
        self._tree = _ward_tree(self._averaged(self._in_tree))

    @property
    def n_windows(self) -> int:
        return len(self._embeddings)

    def labels(self, n_speakers: int) -> np.ndarray:
        """int64 (W,): 0 … n - 1, where n is `n_speakers` unless some of them end up with no window."""
        if n_speakers == 1 or len(self._in_tree) == 1:
            return np.zeros(self.n_windows, np.int64)
        centroids = self._centroids(_cut(self._tree, min(n_speakers, len(self._in_tree))), self._in_tree)
        labels = np.full(self.n_windows, -1)
        for _ in range(MAX_ROUNDS):
            before, labels = labels, self._chains.best_paths(self._likeness(centroids))
            labels = np.unique(labels, return_inverse=True)[1]
            if np.array_equal(before, labels):
                break
            centroids = self._centroids(labels, None)
        return labels

    def likest(self, labels: np.ndarray) -> float:
        """The highest cosine of two speakers' mean vectors, as the network gives them; 1 where there is only one."""
        means = unit(self._sums(labels, None, centred=False))
        cosines = means @ means.T
        return float(cosines[np.triu_indices(len(means), 1)].max(initial=-1)) if len(means) > 1 else 1.0

    def _centroids(self, labels: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        return unit(self._sums(labels, rows, centred=True))

    def _sums(self, labels: np.ndarray, rows: np.ndarray | None, centred: bool) -> np.ndarray:
        """float32 (n, D): the sum of every speaker's windows; `rows` are the windows labelled, None: all of them."""
        rows = np.arange(self.n_windows) if rows is None else rows
        sums = np.zeros((int(labels.max()) + 1, self._embeddings.shape[1]), np.float32)
        for at in range(0, len(rows), BLOCK_WINDOWS):
            block = rows[at : at + BLOCK_WINDOWS]
            vectors = self._centred(block) if centred else self._embeddings[block].astype(np.float32)
            sums += (labels[at : at + BLOCK_WINDOWS] == np.arange(len(sums))[:, None]).astype(np.float32) @ vectors
        return sums

    def _likeness(self, centroids: np.ndarray) -> np.ndarray:
        blocks = [
            np.arange(at, min(at + BLOCK_WINDOWS, self.n_windows)) for at in range(0, self.n_windows, BLOCK_WINDOWS)
        ]
        return np.concatenate([self._centred(block) @ centroids.T for block in blocks])

    def _centred(self, rows: np.ndarray) -> np.ndarray:
        return unit(self._embeddings[rows] - self._mean)

    def _averaged(self, rows: np.ndarray) -> np.ndarray:
        """float32 (R, D): windows averaged with their neighbours of the same stretch."""
        total = np.zeros((len(rows), self._embeddings.shape[1]), np.float32)
        for step in range(-(NEIGHBOURS // 2), NEIGHBOURS // 2 + 1):
            beside = np.clip(rows + step, 0, self.n_windows - 1)
            same = (self._stretches[beside] == self._stretches[rows]) & (beside == rows + step)
            total += self._centred(beside) * same[:, None]
        return unit(total)


class _Chains:
    """Stretches of windows, laid side by side, so that one loop over the longest serves all of them."""

    def __init__(self, stretches: np.ndarray) -> None:
        starts = np.flatnonzero(np.r_[True, np.diff(stretches) != 0])
        lengths = np.diff(np.r_[starts, len(stretches)])
        longest_first = np.argsort(-lengths, kind="stable")
        self._starts, self._lengths = starts[longest_first], lengths[longest_first]

    def best_paths(self, likeness: np.ndarray) -> np.ndarray:
        """int64 (W,): in every stretch, the speakers with the most likeness less `CHANGE_COST` for each change.

        Args:
            likeness: float32 (W, n).
        """
        came_from = np.zeros(likeness.shape, np.int16)
        score = likeness[self._starts].astype(np.float64)
        # How many stretches are longer than t: they come first.
        alive = np.searchsorted(-self._lengths, -np.arange(1, self._lengths[0]), side="left")
        own = np.arange(likeness.shape[1])
        for t, n_alive in enumerate(alive, start=1):
            now = score[:n_alive]
            best = now.argmax(axis=1)
            changed = now[np.arange(n_alive), best] - CHANGE_COST
            rows = self._starts[:n_alive] + t
            came_from[rows] = np.where(now >= changed[:, None], own, best[:, None])
            score[:n_alive] = np.maximum(now, changed[:, None]) + likeness[rows]
        return self._traced(came_from, score.argmax(axis=1))

    def _traced(self, came_from: np.ndarray, last: np.ndarray) -> np.ndarray:
        path = np.zeros(len(came_from), np.int64)
        state = last.copy()
        for t in range(int(self._lengths[0]) - 1, -1, -1):
            n_alive = int(np.searchsorted(-self._lengths, -t, side="left"))
            rows = self._starts[:n_alive] + t
            path[rows] = state[:n_alive]
            state[:n_alive] = came_from[rows, state[:n_alive]]
        return path


def _ward_tree(vectors: np.ndarray) -> np.ndarray:
    from scipy.cluster.hierarchy import linkage

    return linkage(vectors, "ward") if len(vectors) > 1 else np.zeros((0, 4))


def _cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    from scipy.cluster.hierarchy import fcluster

    return np.unique(fcluster(tree, n_clusters, "maxclust"), return_inverse=True)[1]
