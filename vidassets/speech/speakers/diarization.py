"""Who speaks when, from voice windows: one speaker per channel, or clusters of windows."""

import numpy as np

from vidassets.errors import InvalidSetting
from vidassets.speech.models import Diarization, SpeakerOptions
from vidassets.speech.speakers.clustering import SpeakerClustering, cluster_windows
from vidassets.speech.speakers.turns import SpeakerFacts, Turn, spans_of_labels, tabulate_turns
from vidassets.speech.speakers.voice_encoder import unit
from vidassets.speech.speakers.voice_windows import VoiceWindows, window_edges

# The mean of fewer windows (less than 1 s of speech) depends more on the words than on the voice. Chosen here.
MIN_VOICE_WINDOWS = 10
# Below this confidence in the number of speakers, of at most 0.5, the page says that it is a guess. Chosen here.
GUESS_CONFIDENCE = 0.05


def diarize(clip: str, windows: VoiceWindows, options: SpeakerOptions) -> Diarization:
    """Return who speaks when: each of several channels is a person; windows of a single channel are clustered.

    Raises:
        InvalidSetting: the options contradict each other.
    """
    options = _consistent(options)
    if windows.n_channels > 1:
        return _by_channel(clip, windows, options)
    clustering = cluster_windows(windows.embedding, windows.window_stretch, options)
    facts = SpeakerFacts(
        count_basis="given" if options.n_speakers is not None else "estimated",
        count_confidence=clustering.confidence,
        model=windows.model,
        events=_events(clustering, options),
    )
    return tabulate_turns(
        clip, turns_of_windows(windows, clustering.labels), _voices(windows, clustering.labels), facts
    )


def _consistent(options: SpeakerOptions) -> SpeakerOptions:
    """Return the options, with `n_speakers` set if the bounds allow only one number."""
    n, least, most = options.n_speakers, options.min_speakers, options.max_speakers
    lowest, highest = least or 1, most if most is not None else n or least or 1
    if any(value is not None and value < 1 for value in (n, least, most)) or not lowest <= (n or lowest) <= highest:
        raise InvalidSetting(
            f"n_speakers {n}, min_speakers {least}, max_speakers {most}: these contradict each other. Each is 1 or "
            "more, and min_speakers ≤ n_speakers ≤ max_speakers; leave out those that are not known."
        )
    return SpeakerOptions(n if n is not None or least != most else least, least, most)


def _by_channel(clip: str, windows: VoiceWindows, options: SpeakerOptions) -> Diarization:
    turns = [
        Turn(start_s, end_s, int(channel))
        for (start_s, end_s), channel in zip(windows.stretch_s.tolist(), windows.stretch_channel, strict=True)
    ]
    n_speakers = len(set(windows.stretch_channel.tolist()))
    events = []
    if options.n_speakers not in (None, n_speakers):
        events.append(
            f"{options.n_speakers} speakers were requested; {n_speakers} channels contain speech, one person each"
        )
    labels = windows.stretch_channel[windows.window_stretch]
    return tabulate_turns(clip, turns, _voices(windows, labels), SpeakerFacts("channels", None, windows.model, events))


def turns_of_windows(windows: VoiceWindows, labels: np.ndarray) -> list[Turn]:
    """Return the turns of windows with a speaker each, int64 (W,)."""
    # int64 (S + 1,): the first window of each stretch, and the end.
    firsts = np.searchsorted(windows.window_stretch, np.arange(len(windows.stretch_s) + 1))
    return [
        turn
        for span, first, end in zip(windows.stretch_s, firsts[:-1], firsts[1:], strict=True)
        for turn in spans_of_labels(window_edges((span[0], span[1]), end - first), labels[first:end])
    ]


def _voices(windows: VoiceWindows, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Return float32 (D,) of unit length per label, the mean of its windows; only labels with enough windows."""
    # bool (W,) per label.
    masks = {int(label): labels == label for label in np.unique(labels)}
    return {
        label: unit(windows.embedding[own].mean(axis=0, dtype=np.float32))
        for label, own in masks.items()
        if own.sum() >= MIN_VOICE_WINDOWS
    }


def _events(clustering: SpeakerClustering, options: SpeakerOptions) -> list[str]:
    if clustering.confidence is not None and clustering.confidence < GUESS_CONFIDENCE:
        return [
            f"the number of speakers, {clustering.n_speakers}, is little more than a guess (confidence "
            f"{clustering.confidence:.2f}); set n_speakers if you know it"
        ]
    least = options.n_speakers or options.min_speakers or 0
    if 0 < clustering.n_speakers < least:
        return [
            f"{least} speakers were requested; the speech is too short or the voices too similar for "
            f"{clustering.n_speakers + 1}"
        ]
    return []
