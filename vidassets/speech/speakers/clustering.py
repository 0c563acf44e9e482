"""Clustering of voice windows into speakers, by their embeddings; no inference.

Method: subtract the mean vector of the file, which depends on the room and the line more than on any voice. Partition
the windows, averaged with their neighbours, by a tree of Ward's linkage. Then alternate between assigning windows to
centroids, where each change of speaker within a stretch has a cost, and recomputing the centroids (Viterbi training of
a hidden Markov model with one state per speaker). Agglomerative clustering by average cosine, the usual choice, was
tried: it splits off odd windows where it should split people, and each change of a setting changes its answer.

Measured on nine conversations of about 30 s and 116 excerpts of one voice (benchmarks/speaker_diarization.py): the mean
DER of the conversations, and the mean share of windows given to a second speaker who does not exist. One label for
everything has 0.410 and 0; a limit of the cosine that does not depend on the number of windows 0.282 and 0.121, or
0.351 and 0.111 if it is chosen leave-one-out; limits that do, chosen leave-one-out, 0.282 and 0.000. The package
`spectralcluster` 0.2.22 has a DER of 0.304 on the same embeddings and is not adopted.
"""

from dataclasses import dataclass

import numpy as np

from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers.voice_encoder import unit

# Chosen here on the recordings of benchmarks/speaker_diarization.py; none was held out, so expect worse elsewhere.
CHANGE_COST = 0.25
NEIGHBOURS = 11
# Two clusters count as one speaker if the distance (1 - cosine) of their mean vectors is at most
# SAME_VOICE + MEAN_NOISE * (1/n + 1/m), where n and m are their numbers of windows: the mean of few windows depends on
# what is said, so two halves of a short recording of one voice are farther apart than those of a long one. Chosen here;
# benchmarks/speaker_diarization.py judges the choice leave-one-out.
SAME_VOICE = 0.05
MEAN_NOISE = 2.4
MAX_ESTIMATE = 6
# If the number is estimated, a smaller cluster is no speaker.
MIN_SPEAKER_WINDOWS = 15
# Estimates are unreliable: if the number is not given, a third of the time is attributed to the wrong speaker.
MAX_CONFIDENCE = 0.5
CONFIDENT_MARGIN = 0.1
# A speaker is added only by a margin above this, a confidence of 0.01: below it the decision is a coin toss.
COIN_TOSS_MARGIN = 0.002
# The tree needs a number for each pair of windows: 64 MB for 4000. For longer files it is built from every n-th window.
MAX_TREE_WINDOWS = 4000
MAX_ROUNDS = 20
BLOCK_WINDOWS = 8192


@dataclass(frozen=True)
class SpeakerClustering:
    """The speaker of each window.

    Attributes:
        labels: int64 (W,), 0 … n_speakers - 1.
        n_speakers: may be fewer than requested if there are too few windows.
        confidence: in an estimated number, 0 … 0.5; None if it was given, or nothing could be compared.
    """

    labels: np.ndarray
    n_speakers: int
    confidence: float | None


def cluster_windows(embeddings: np.ndarray, stretches: np.ndarray, options: SpeakerOptions) -> SpeakerClustering:
    """Assign each window to a speaker.

    Needs about 100 MB besides the embeddings, for any number of windows.

    Args:
        embeddings: float16 or float32 (W, D), rows of unit length.
        stretches: int64 (W,), non-decreasing; a change of speaker between two stretches costs nothing.
        options: the number of speakers, or bounds for it.
    """
    if len(embeddings) == 0:
        return SpeakerClustering(np.zeros(0, np.int64), 0, None)
    fit = Fit(embeddings, stretches)
    if options.n_speakers is not None:
        labels = fit.labels(options.n_speakers)
        return SpeakerClustering(labels, int(labels.max()) + 1, None)
    return _estimated(
        fit, options.min_speakers or 1, options.max_speakers or max(MAX_ESTIMATE, options.min_speakers or 1)
    )


def _estimated(fit: "Fit", least: int, most: int) -> SpeakerClustering:
    """Add speakers as long as all pairs are distinct and each speaks for at least 1.5 s.

    The confidence grows with the smallest margin among the decisions that led to this number.
    """
    labels, n_speakers, margins = fit.labels(least), least, []
    # Try one speaker more than the last number accepted.
    while n_speakers < most and fit.n_windows >= (n_speakers + 1) * MIN_SPEAKER_WINDOWS:
        more = fit.labels(n_speakers + 1)
        # Windows of the smallest cluster, and by how much the most similar two clusters are distinct.
        substantial = np.bincount(more, minlength=n_speakers + 1).min() >= MIN_SPEAKER_WINDOWS
        margin = fit.least_distinction(more)
        if substantial:
            margins.append(abs(margin))
        if not substantial or margin <= COIN_TOSS_MARGIN:
            break
        labels, n_speakers = more, n_speakers + 1
    confidence = min(MAX_CONFIDENCE, MAX_CONFIDENCE * min(margins) / CONFIDENT_MARGIN) if margins else None
    return SpeakerClustering(labels, int(labels.max()) + 1, confidence)


class Fit:
    """Windows prepared for clustering into any number of speakers."""

    def __init__(self, embeddings: np.ndarray, stretches: np.ndarray) -> None:
        self._embeddings = embeddings
        self._stretches = stretches
        # The mean of the file, float32 (D,): subtracted from every window.
        self._mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._chains = _Chains(stretches)
        # int64 (R,), R ≤ MAX_TREE_WINDOWS: the windows from which the tree is built.
        every = -(-self.n_windows // MAX_TREE_WINDOWS)
        self._in_tree = np.arange(0, self.n_windows, every)
        self._tree = _ward_tree(self._averaged(self._in_tree))

    @property
    def n_windows(self) -> int:
        """Return the number of windows."""
        return len(self._embeddings)

    def labels(self, n_speakers: int) -> np.ndarray:
        """Return int64 (W,): 0 … n - 1, where n is `n_speakers` unless some speakers end up without a window."""
        if n_speakers == 1 or len(self._in_tree) == 1:
            return np.zeros(self.n_windows, np.int64)
        # First centroids, float32 (n, D): from the tree cut into n clusters.
        centroids = self._centroids(_cut(self._tree, min(n_speakers, len(self._in_tree))), self._in_tree)
        labels = np.full(self.n_windows, -1)
        for _ in range(MAX_ROUNDS):
            # Assign: the best sequence of speakers in each stretch, int64 (W,); drop speakers without a window.
            before, labels = labels, self._chains.best_paths(self._similarities(centroids))
            labels = np.unique(labels, return_inverse=True)[1]
            if np.array_equal(before, labels):
                break
            # Update: each centroid is the direction of the sum of its windows.
            centroids = self._centroids(labels, None)
        return labels

    def least_distinction(self, labels: np.ndarray) -> float:
        """Return the least distance of two speakers beyond that of one voice split in two; -1 if there is one speaker.

        Negative if two clusters count as one speaker.
        """
        distances, noise = self.distances(labels)
        # The part above the diagonal holds each pair once.
        beyond = (distances - (SAME_VOICE + MEAN_NOISE * noise))[np.triu_indices(len(distances), 1)]
        return float(beyond.min()) if len(beyond) else -1.0

    def distances(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - cosine of each pair of speakers' mean vectors, not centred, and 1/n + 1/m: both float (N, N)."""
        means, n_windows = unit(self._sums(labels, None, centred=False)), np.bincount(labels)
        return 1 - means @ means.T, 1 / n_windows[:, None] + 1 / n_windows

    def _centroids(self, labels: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        return unit(self._sums(labels, rows, centred=True))

    def _sums(self, labels: np.ndarray, rows: np.ndarray | None, centred: bool) -> np.ndarray:
        """Return float32 (n, D), the sum of each speaker's windows; `rows` are the labelled windows, None: all."""
        rows = np.arange(self.n_windows) if rows is None else rows
        sums = np.zeros((int(labels.max()) + 1, self._embeddings.shape[1]), np.float32)
        for at in range(0, len(rows), BLOCK_WINDOWS):
            block = rows[at : at + BLOCK_WINDOWS]
            vectors = self._centred(block) if centred else self._embeddings[block].astype(np.float32)
            # One-hot labels (n, B) times vectors (B, D).
            sums += (labels[at : at + BLOCK_WINDOWS] == np.arange(len(sums))[:, None]).astype(np.float32) @ vectors
        return sums

    def _similarities(self, centroids: np.ndarray) -> np.ndarray:
        """Return float32 (W, n): the cosine of each centred window with each centroid."""
        blocks = [
            np.arange(at, min(at + BLOCK_WINDOWS, self.n_windows)) for at in range(0, self.n_windows, BLOCK_WINDOWS)
        ]
        return np.concatenate([self._centred(block) @ centroids.T for block in blocks])

    def _centred(self, rows: np.ndarray) -> np.ndarray:
        return unit(self._embeddings[rows] - self._mean)

    def _averaged(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (R, D): windows averaged with their neighbours in the same stretch."""
        total = np.zeros((len(rows), self._embeddings.shape[1]), np.float32)
        for step in range(-(NEIGHBOURS // 2), NEIGHBOURS // 2 + 1):
            # The window `step` away, where there is one in the same stretch: int64 (R,), bool (R,).
            beside = np.clip(rows + step, 0, self.n_windows - 1)
            same = (self._stretches[beside] == self._stretches[rows]) & (beside == rows + step)
            total += self._centred(beside) * same[:, None]
        return unit(total)


class _Chains:
    """Stretches of windows, processed in parallel: step t handles the t-th window of every stretch that has one.

    S stretches are sorted by length, longest first, so the stretches that reach step t are always the first ones.
    """

    def __init__(self, stretches: np.ndarray) -> None:
        starts = np.flatnonzero(np.r_[True, np.diff(stretches) != 0])
        lengths = np.diff(np.r_[starts, len(stretches)])
        longest_first = np.argsort(-lengths, kind="stable")
        self._starts, self._lengths = starts[longest_first], lengths[longest_first]

    def best_paths(self, similarities: np.ndarray) -> np.ndarray:
        """Return int64 (W,): per stretch, the speakers with the highest sum of similarities minus costs of changes.

        This is the Viterbi algorithm with a cost of `CHANGE_COST` for each change of speaker.

        Args:
            similarities: float32 (W, n).
        """
        # (W, n): the speaker of the window before, on the best path that ends with this speaker in this window.
        came_from = np.zeros(similarities.shape, np.int16)
        # (S, n): the score of the best path so far that ends with each speaker.
        score = similarities[self._starts].astype(np.float64)
        # The number of stretches with more than t windows, for t = 1, 2, …
        alive = np.searchsorted(-self._lengths, -np.arange(1, self._lengths[0]), side="left")
        own = np.arange(similarities.shape[1])
        for t, n_alive in enumerate(alive, start=1):
            # (A, n) for the A stretches that reach step t: the best predecessor, and the score after a change from it.
            now = score[:n_alive]
            best = now.argmax(axis=1)
            changed = now[np.arange(n_alive), best] - CHANGE_COST
            # Stay with the same speaker unless a change scores higher.
            rows = self._starts[:n_alive] + t
            came_from[rows] = np.where(now >= changed[:, None], own, best[:, None])
            score[:n_alive] = np.maximum(now, changed[:, None]) + similarities[rows]
        return self._traced(came_from, score.argmax(axis=1))

    def _traced(self, came_from: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return int64 (W,): the paths, followed back from the last window of each stretch."""
        path = np.zeros(len(came_from), np.int64)
        state = last.copy()
        for t in range(int(self._lengths[0]) - 1, -1, -1):
            # The stretches with a window at step t.
            n_alive = int(np.searchsorted(-self._lengths, -t, side="left"))
            rows = self._starts[:n_alive] + t
            path[rows] = state[:n_alive]
            state[:n_alive] = came_from[rows, state[:n_alive]]
        return path


def _ward_tree(vectors: np.ndarray) -> np.ndarray:
    """Return SciPy's linkage matrix, float64 (R - 1, 4), of vectors (R, D)."""
    from scipy.cluster.hierarchy import linkage

    return linkage(vectors, "ward") if len(vectors) > 1 else np.zeros((0, 4))


def _cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return int64 (R,): labels 0 … n - 1 from the tree cut into at most `n_clusters`."""
    from scipy.cluster.hierarchy import fcluster

    return np.unique(fcluster(tree, n_clusters, "maxclust"), return_inverse=True)[1]
