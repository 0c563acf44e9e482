"""From the voices in windows of speech to who speaks when."""

import numpy as np

from vidassets.errors import InvalidSetting
from vidassets.speech.models import Diarization, SpeakerOptions
from vidassets.speech.speakers.clustering import SpeakerClustering, cluster_windows
from vidassets.speech.speakers.turns import SpeakerFacts, Turn, spans_of_labels, tabulate_turns
from vidassets.speech.speakers.voice_encoder import unit
from vidassets.speech.speakers.voice_windows import VoiceWindows, window_edges

# Fewer windows, less than 1 s of speech, and a mean of them is more the words than the voice; chosen here.
MIN_VOICE_WINDOWS = 10


def diarize(clip: str, windows: VoiceWindows, options: SpeakerOptions) -> Diarization:
    """Who speaks when; of several channels, each is a person, else the windows are clustered.

    Raises:
        InvalidSetting: the options contradict each other.
    """
    options = _consistent(options)
    if windows.n_channels > 1:
        return _by_channel(clip, windows, options)
    clustering = cluster_windows(windows.embedding, windows.window_stretch, options)
    told = SpeakerFacts(
        count_basis="given" if options.n_speakers is not None else "estimated",
        count_confidence=clustering.confidence,
        model=windows.model,
        events=_events(clustering, options),
    )
    return tabulate_turns(clip, _turns(windows, clustering.labels), _voices(windows, clustering.labels), told)


def _consistent(options: SpeakerOptions) -> SpeakerOptions:
    """With a number where the bounds leave only one."""
    n, least, most = options.n_speakers, options.min_speakers, options.max_speakers
    lowest, highest = least or 1, most if most is not None else n or least or 1
    if any(value is not None and value < 1 for value in (n, least, most)) or not lowest <= (n or lowest) <= highest:
        raise InvalidSetting(
            f"n_speakers {n}, min_speakers {least}, max_speakers {most}: no number is all of these. Each is 1 or more, "
            "and min_speakers ≤ n_speakers ≤ max_speakers; leave out those that are not known."
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
        events.append(f"{options.n_speakers} speakers were asked for; {n_speakers} channels hold speech, a person each")
    labels = windows.stretch_channel[windows.window_stretch]
    return tabulate_turns(clip, turns, _voices(windows, labels), SpeakerFacts("channels", None, windows.model, events))


def _turns(windows: VoiceWindows, labels: np.ndarray) -> list[Turn]:
    firsts = np.searchsorted(windows.window_stretch, np.arange(len(windows.stretch_s) + 1))
    return [
        turn
        for span, first, end in zip(windows.stretch_s, firsts[:-1], firsts[1:], strict=True)
        for turn in spans_of_labels(window_edges((span[0], span[1]), end - first), labels[first:end])
    ]


def _voices(windows: VoiceWindows, labels: np.ndarray) -> dict[int, np.ndarray]:
    """float32 (D,) of unit length by label: the mean of the windows, where there are enough."""
    of_label = {int(label): labels == label for label in np.unique(labels)}
    return {
        label: unit(windows.embedding[own].mean(axis=0, dtype=np.float32))
        for label, own in of_label.items()
        if own.sum() >= MIN_VOICE_WINDOWS
    }


def _events(clustering: SpeakerClustering, options: SpeakerOptions) -> list[str]:
    least = options.n_speakers or options.min_speakers or 0
    if 0 < clustering.n_speakers < least:
        return [
            f"{least} speakers were asked for; the speech is too short or too alike for {clustering.n_speakers + 1}"
        ]
    return []
