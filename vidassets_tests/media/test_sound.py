import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import SpeechError
from vidassets.media.sound import Sound, SoundWriter
from vidassets_tests.media.flac import write_flac

RAMP = np.arange(0, 32_000, dtype=np.float32)[None] / 32_768


@pytest.fixture
def ramp(tmp_path):
    write_flac(tmp_path / "ramp.flac", RAMP, start_s=3.0)
    return Sound.open(tmp_path / "ramp.flac")


def test_a_sound_knows_its_place_on_the_clips_clock(ramp):
    assert (ramp.start_s, ramp.duration_s, ramp.end_s, ramp.channels) == (3.0, 2.0, 5.0, 1)


def test_samples_are_found_by_the_clips_time(ramp):
    assert np.array_equal(ramp.samples(3.5, 3.5 + 4 / 16_000), RAMP[0, 8000:8004])


@pytest.mark.parametrize(
    ("start_s", "end_s", "n_samples"),
    [
        pytest.param(None, None, 32_000, id="everything"),
        pytest.param(0.0, 3.25, 4000, id="from before the start"),
        pytest.param(4.75, 99.0, 4000, id="beyond the end"),
        pytest.param(6.0, 7.0, 0, id="after it"),
        pytest.param(4.0, 3.5, 0, id="backwards"),
    ],
)
def test_times_outside_the_sound_are_clamped(ramp, start_s, end_s, n_samples):
    assert ramp.samples(start_s, end_s).shape == (n_samples,)


def test_channels_are_read_separately_or_as_their_mean(tmp_path):
    write_flac(tmp_path / "two.flac", np.array([[0.5] * 8, [0.25] * 8], np.float32))
    sound = Sound.open(tmp_path / "two.flac")
    assert [sound.samples(channel=channel)[3] for channel in (0, 1, None)] == [0.5, 0.25, 0.375]


def test_a_missing_channel_is_an_error(ramp):
    with pytest.raises(SpeechError, match=r"no channel 1\. It has 1"):
        ramp.samples(channel=1)


def test_a_sound_without_a_sample_is_valid(tmp_path):
    write_flac(tmp_path / "empty.flac", np.zeros((2, 0), np.float32), start_s=7.0)
    sound = Sound.open(tmp_path / "empty.flac")
    assert (sound.n_samples, sound.channels, sound.start_s) == (0, 2, 7.0)
    assert (sound.samples().shape, list(sound.blocks(1.0))) == ((0,), [])


def test_a_sound_without_a_sample_opens_in_other_programs_as_almost_nothing(tmp_path):
    write_flac(tmp_path / "empty.flac", np.zeros((2, 0), np.float32), start_s=7.0)
    assert soundfile.info(tmp_path / "empty.flac").duration == 0.001
    samples, _ = soundfile.read(tmp_path / "empty.flac")
    assert (samples.shape, samples.any()) == ((16, 2), False)
    with av.open(str(tmp_path / "empty.flac")) as container:
        assert (container.duration, [frame.samples for frame in container.decode(audio=0)]) == (1000, [16])


@given(block_s=st.floats(0.0001, 3.0))
def test_blocks_of_any_length_make_the_whole(tmp_path_factory, block_s):
    path = tmp_path_factory.mktemp("sound") / "ramp.flac"
    write_flac(path, RAMP[:, ::100], start_s=3.0)
    blocks = list(Sound.open(path).blocks(block_s))
    assert np.array_equal(np.concatenate([samples for _, samples in blocks]), RAMP[0, ::100])
    counts = np.cumsum([0, *(len(samples) for _, samples in blocks[:-1])])
    assert [start_s for start_s, _ in blocks] == [3.0 + count / 16_000 for count in counts]


def test_a_start_is_kept_to_the_last_bit(tmp_path):
    write_flac(tmp_path / "a.flac", np.zeros(4, np.float32), start_s=-0.1 - 0.2)
    assert Sound.open(tmp_path / "a.flac").start_s == -0.1 - 0.2


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail() -> None:
        with SoundWriter(tmp_path / "a.flac") as writer:
            writer.write(RAMP)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_values_beyond_full_scale_are_clipped_not_wrapped(tmp_path):
    write_flac(tmp_path / "a.flac", np.array([1.5, -1.5], np.float32))
    assert Sound.open(tmp_path / "a.flac").samples() == pytest.approx([1.0, -1.0], abs=1e-4)


@pytest.mark.parametrize("content", [pytest.param(b"", id="no byte"), pytest.param(b"no sound", id="text")])
def test_a_file_that_is_not_a_sound_is_an_error(tmp_path, content):
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(SpeechError, match=r"a\.flac: not a readable sound file"):
        Sound.open(tmp_path / "a.flac")
