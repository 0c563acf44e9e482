"""A deployment that all tests of this folder share: the sample episode and clips of odd sound, computed in one run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.resources import model_cache
from vidassets.resources.embedded_speakers import ResemblyzerSpeakers
from vidassets.resources.embedded_speech import SileroPocketSphinx
from vidassets.speech.transcript.silero import SileroNetwork
from vidassets.speech.transcript.sphinx import SphinxDecoder
from vidassets_tests.assets.speech.spoken_clips import Heard, SpokenClips, sentence, silence, talking_film
from vidassets_tests.media.sounds import clicks
from vidassets_tests.media.videos import write_sound
from vidassets_tests.project import PROJECT
from vidassets_tests.speech.acoustics.acoustic_sounds import noise, tone
from vidassets_tests.speech.recordings import spoken

TONE_HZ, TONE_S, CLICK_S, LATE_S = 220.0, (2.85, 3.85), 7.3, 0.85


@dataclass
class Everything:
    """The deployment, what the run made, and how often it loaded each model."""

    clips: SpokenClips
    heard: Heard
    loads: dict[str, int]


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    with SpokenClips.at(tmp_path_factory.mktemp("speech")) as clips:
        for place in ("episodes", "clips"):
            clips.add(PROJECT / "samples" / place)
        make_odd_ones(clips)
        clips.add()
        model_cache.free()
        before = _loads()
        heard = clips.run()
        yield Everything(clips, heard, {name: n - before[name] for name, n in _loads().items()})


def make_odd_ones(clips: SpokenClips) -> None:
    videos, said = clips.videos, sentence("ninety")
    talking_film(videos / "silent.mkv", silence(2))
    write_sound(videos / "no-picture.mp4")
    # A tone that swells as music does: silero-vad takes the sudden beginning of a tone for speech.
    talking_film(videos / "tone.mkv", tone(TONE_HZ, 3.0) * np.hanning(3 * SAMPLE_RATE_HZ))
    talking_film(videos / "one-word.mkv", np.concatenate([silence(0.5), spoken(0.45, 0.9), silence(1)]))
    talking_film(videos / "8-khz.mkv", sentence("ninety", 8000), rate_hz=8000)
    talking_film(videos / "96-khz.mkv", sentence("ninety", 96_000), rate_hz=96_000)
    nothing = np.zeros_like(said)
    surround = np.stack([nothing, nothing, said, nothing, nothing, nothing])
    talking_film(videos / "surround.mov", surround, layout="5.1")
    late = [silence(2), tone(TONE_HZ, 1.0), silence(3.4), clicks([0.05], 0.1, SAMPLE_RATE_HZ)[0], silence(0.9)]
    talking_film(videos / "late.mkv", np.concatenate(late), first_pts_s=LATE_S)
    # Faint noise: a codec would make nothing of silence, and there would be no middle to damage.
    parts = np.concatenate([sentence("ninety"), noise(3.0, 0.002), sentence("story")])
    damaged = talking_film(videos / "damaged.mkv", parts, codec="flac")
    content = bytearray(damaged.read_bytes())
    middle, length = len(content) // 2, len(content) // 20
    content[middle : middle + length] = np.random.default_rng(1).bytes(length)
    damaged.write_bytes(content)


def _loads() -> dict[str, int]:
    speech, speakers = SileroPocketSphinx(), ResemblyzerSpeakers()
    keys = {
        "silero-vad": (SileroNetwork, speech.identity()["silero_weights"]),
        "pocketsphinx": (SphinxDecoder, speech.identity()["pocketsphinx_weights"], speech.second_pass),
        "resemblyzer": (ResemblyzerSpeakers, *speakers.identity().values(), speakers.threads),
    }
    return {name: model_cache.loads(key) for name, key in keys.items()}
