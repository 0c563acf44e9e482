import json
from pathlib import Path

import av
import numpy as np
import pytest

from vidassets.errors import InvalidSetting
from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.embedded_speakers import ResemblyzerSpeakers
from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.models import SpeakerModel, SpeakerOptions
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech.speakers.voices import activity, buzz

EPISODE = Path("samples/episodes/pioneers/s01/e02")
MODEL: SpeakerModel = ResemblyzerSpeakers()


@pytest.fixture(scope="module")
def episode(tmp_path_factory) -> bytes:
    """The voices of the sample episode's sentences, as the truth has them, joined where they overlap."""
    path = tmp_path_factory.mktemp("episode") / "clip.flac"
    with av.open(str(EPISODE / "episode.mp4")) as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE_HZ)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    write_flac(path, samples)
    sentences = json.loads((EPISODE / "episode.truth.json").read_text())["sentences"]
    spans = [(sentence["start_s"], sentence["end_s"]) for sentence in sentences]
    joined = [*spans[:4], (spans[4][0], spans[5][1]), *spans[6:]]
    return MODEL.infer_voices("clip", Sound.open(path), activity(*joined))


def who_speaks(turns, at_s: float) -> list[str]:
    return turns.filter((turns["start_s"] <= at_s) & (turns["end_s"] > at_s))["speaker"].to_list()


@pytest.mark.parametrize(
    "options", [pytest.param(SpeakerOptions(2), id="given"), pytest.param(SpeakerOptions(), id="not")]
)
def test_the_two_voices_of_the_sample_episode_are_distinguished(episode, options):
    result = MODEL.cluster_voices("clip", episode, options)
    SpeakerTurns.validate(result.turns)
    assert len(Speakers.validate(result.speakers)) == 2
    middles = [2.1, 6.5, 10.8, 13.3, 15.6, 18.2, 21.1, 24.2]
    expected = ["S0", "S1", "S1", "S0", "S1", "S0", "S0", "S1"]
    assert [who_speaks(result.turns, at_s) for at_s in middles] == [[speaker] for speaker in expected]


def test_the_number_says_where_it_is_from(episode):
    given, estimated = (
        MODEL.cluster_voices("clip", episode, options) for options in (SpeakerOptions(2), SpeakerOptions())
    )
    assert set(given.speakers.select("count_basis", "count_confidence").rows()) == {("given", None)}
    assert set(estimated.speakers["count_basis"]) == {"estimated"}


def test_bounds_that_leave_one_number_give_it(episode):
    result = MODEL.cluster_voices("clip", episode, SpeakerOptions(min_speakers=2, max_speakers=2))
    assert set(result.speakers["count_basis"]) == {"given"}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(SpeakerOptions(n_speakers=0), id="none"),
        pytest.param(SpeakerOptions(min_speakers=3, max_speakers=2), id="crossed"),
        pytest.param(SpeakerOptions(n_speakers=4, max_speakers=2), id="beyond"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(episode, options):
    with pytest.raises(InvalidSetting, match="min_speakers"):
        MODEL.cluster_voices("clip", episode, options)


def test_no_speech_is_no_failure(tmp_path):
    write_flac(tmp_path / "clip.flac", np.zeros(0, np.float32))
    result = MODEL.cluster_voices(
        "clip", MODEL.infer_voices("clip", Sound.open(tmp_path / "clip.flac"), activity()), SpeakerOptions(2)
    )
    assert (len(result.turns), len(result.exclusive), len(result.speakers)) == (0, 0, 0)


def test_a_channel_is_a_person_and_overlap_is_kept(tmp_path):
    write_flac(tmp_path / "clip.flac", np.stack([buzz(120, 700, 4.0), buzz(240, 1500, 4.0)]))
    heard = activity((0.0, 3.0)).vstack(activity((2.0, 4.0), channel=1))
    voices = MODEL.infer_voices("clip", Sound.open(tmp_path / "clip.flac"), heard)
    result = MODEL.cluster_voices("clip", voices, SpeakerOptions(n_speakers=3))
    assert result.turns.select("start_s", "end_s", "speaker").rows() == [(0.0, 3.0, "S0"), (2.0, 4.0, "S1")]
    assert result.speakers.select("overlapped_s", "count_basis").rows() == [(1.0, "channels")] * 2
    assert result.events == ["3 speakers were requested; 2 channels contain speech, one person each"]


def test_an_embedding_of_one_voice_is_comparable_with_a_speakers(tmp_path):
    samples = buzz(120, 700, 4.0)
    write_flac(tmp_path / "clip.flac", samples)
    voices = MODEL.infer_voices("clip", Sound.open(tmp_path / "clip.flac"), activity((0.0, 4.0)))
    stored = np.array(MODEL.cluster_voices("clip", voices, SpeakerOptions(1)).speakers["embedding"][0])
    assert float(stored @ MODEL.embed_samples(samples)) == pytest.approx(1, abs=1e-3)


def test_clustering_again_gives_the_same_turns(episode):
    first, second = (MODEL.cluster_voices("clip", episode, SpeakerOptions(2)) for _ in range(2))
    assert first.turns.equals(second.turns)


def test_the_weights_make_the_identity():
    assert MODEL.identity()["weights_sha256"].startswith("39373b86598fa3da")
