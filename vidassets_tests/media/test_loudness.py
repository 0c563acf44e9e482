from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.layout import AudioLayout
from hypothesis import given, settings
from hypothesis import strategies as st

from vidassets.media.audio import decode_audio
from vidassets.media.loudness import LoudnessMeter
from vidassets_tests.media.sounds import framed, write_audio

RATE_HZ = 48_000


def tone(duration_s: float = 5, amplitude: float = 1.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """float64 (1, N): 997 Hz, for which the recommendation gives a loudness."""
    return amplitude * np.sin(2 * np.pi * 997 * np.arange(round(duration_s * rate_hz)) / rate_hz)[None]


def noise_in_syllables(duration_s: float) -> np.ndarray:
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(0).normal(size=len(t))
    return 0.1 * (noise * np.sin(np.pi * 4 * t) ** 2 * (t % 2.5 < 2.0))[None]


def pushed(
    meter: LoudnessMeter, samples: np.ndarray, rate_hz: int = RATE_HZ, layout: str = "mono", length: int = 1024
) -> LoudnessMeter:
    for _, block in framed(samples.astype(np.float32), length=length):
        meter.push(block, rate_hz, AudioLayout(layout))
    return meter


def loudness_of(samples: np.ndarray, rate_hz: int = RATE_HZ, layout: str = "mono", length: int = 1024) -> float | None:
    return pushed(LoudnessMeter(), samples, rate_hz, layout, length).integrated_lufs


def file_loudness(path: Path, **options) -> float | None:
    with decode_audio(str(path), lambda _: None, **options) as track:
        assert track is not None
        assert sum(block.shape[1] for block in track.blocks())
        return track.loudness.integrated_lufs


def ffmpeg_integrated_lufs(samples: np.ndarray) -> float:
    """The figure of ffmpeg's own gates."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE_HZ, format="flt", layout="mono", time_base=None)
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = RATE_HZ, 0
    source.push(frame)
    lufs = float("nan")
    while True:
        try:
            lufs = float(sink.pull().metadata["lavfi.r128.I"])
        except av.error.BlockingIOError:
            return lufs


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 44_100, 48_000, 192_000])
def test_a_full_tone_of_997_hz_has_the_loudness_of_the_recommendation(rate_hz):
    assert loudness_of(tone(rate_hz=rate_hz), rate_hz) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    ("layout", "sounding", "gain_db"),
    [
        pytest.param("stereo", [0], 0.0, id="left alone"),
        pytest.param("stereo", [0, 1], 3.01, id="the powers of two channels add up"),
        pytest.param("5.1", [2], 0.0, id="the centre counts once"),
        pytest.param("5.1", [4], 1.49, id="a surround counts 1.41 times"),
        pytest.param("5.1", [0, 1, 2, 3, 4, 5], 7.65, id="low effects do not count"),
        pytest.param("9 channels", [0], 0.0, id="channels without names"),
    ],
)
def test_channels_are_weighted_as_the_recommendation_has_it(tmp_path, layout, sounding, gain_db):
    samples = np.zeros((AudioLayout(layout).nb_channels, 5 * RATE_HZ))
    samples[sounding] = tone(amplitude=0.1)
    path = write_audio(tmp_path / "a.nut", framed(samples), layout=layout)
    assert file_loudness(path) == pytest.approx(-23.01 + gain_db, abs=0.05)


def test_low_effects_alone_have_no_loudness():
    samples = np.zeros((6, RATE_HZ))
    samples[3] = tone(1)
    assert loudness_of(samples, layout="5.1") is None


def test_silence_and_what_is_10_lu_quieter_are_left_out():
    loud = tone(20, amplitude=0.1)
    gated = np.concatenate([loud, 0.03 * loud, 0 * loud], axis=1)
    assert loudness_of(gated) == pytest.approx(-23.01, abs=0.1)


def test_the_gates_agree_with_those_of_ffmpeg():
    sound = noise_in_syllables(20)
    assert loudness_of(sound) == pytest.approx(ffmpeg_integrated_lufs(sound), abs=0.05)


@settings(max_examples=10, deadline=None)
@given(length=st.integers(50, 20_000))
def test_the_size_of_blocks_changes_nothing(length):
    sound = noise_in_syllables(1)
    assert loudness_of(sound, length=length) == loudness_of(sound, length=4800)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((48_000, "mono"), (48_000, "stereo"), id="another layout"),
        pytest.param((48_000, "mono"), (44_100, "mono"), id="another rate"),
    ],
)
def test_a_stream_that_changes_midway_has_one_loudness(first, second):
    meter, powers = LoudnessMeter(), []
    for rate_hz, layout in (first, second):
        n_channels = AudioLayout(layout).nb_channels
        pushed(meter, np.repeat(tone(10, 0.1, rate_hz), n_channels, axis=0), rate_hz, layout)
        powers.append(n_channels * 10**-2.301)
    assert meter.integrated_lufs == pytest.approx(10 * np.log10(np.mean(powers)), abs=0.05)


def test_a_file_whose_layout_changes_midway_has_one_loudness(tmp_path):
    mono = write_audio(tmp_path / "mono.ts", framed(tone(10, 0.1), length=1024), codec="mp2")
    both = np.repeat(tone(10, 0.1), 2, axis=0)
    stereo = write_audio(tmp_path / "stereo.ts", framed(both, at=480_000, length=1024), codec="mp2", layout="stereo")
    (tmp_path / "joined.ts").write_bytes(mono.read_bytes() + stereo.read_bytes())
    expected = 10 * np.log10(np.mean([10**-2.301, 2 * 10**-2.301]))
    assert file_loudness(tmp_path / "joined.ts") == pytest.approx(expected, abs=0.1)


def test_the_chosen_stream_is_measured(tmp_path):
    path = write_audio(tmp_path / "a.mkv", framed(tone(amplitude=0.1)), language="deu", others=["fra"])
    assert file_loudness(path, stream="fra") is None
    assert file_loudness(path, stream="deu") == pytest.approx(-23.01, abs=0.05)


def test_separate_channels_have_the_loudness_of_the_mix(tmp_path):
    stereo = np.concatenate([tone(amplitude=0.1), 0.5 * tone(amplitude=0.1)])
    path = write_audio(tmp_path / "a.mkv", framed(stereo), layout="stereo")
    assert file_loudness(path, separate_channels=True) == file_loudness(path)


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        pytest.param(np.zeros((1, 0)), RATE_HZ, id="nothing"),
        pytest.param(np.zeros((1, RATE_HZ)), RATE_HZ, id="digital silence"),
        pytest.param(tone(0.39), RATE_HZ, id="less than 400 ms"),
        pytest.param(tone(5, rate_hz=3000), 3000, id="a rate too low for the weighting"),
    ],
)
def test_no_loudness_is_made_up(samples, rate_hz):
    assert loudness_of(samples, rate_hz) is None
