"""WhisperX for real, on models that say what they are made to say."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import DeviceUnavailable, InvalidSetting, LanguageUnsupported
from vidassets.media.sound import Sound
from vidassets.resources import whisperx_speech
from vidassets.resources.whisperx_speech import WhisperXSpeech
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords, SpeechScores
from vidassets.speech.models import RecognitionOptions
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech_production.checkpoints import LANGUAGE, SENTENCE
from vidassets_tests.speech_production.conftest import activity_of, run_there, two_voices

START_S = 3.5


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return two_voices(tmp_path_factory.mktemp("sound") / "talk.flac", seconds=40.0, start_s=START_S)


@pytest.fixture(scope="module")
def whisperx(speech_python: str, checkpoints: Path) -> WhisperXSpeech:
    return WhisperXSpeech(
        python=speech_python,
        model=str(checkpoints / "whisper"),
        device="cpu",
        batch_size=2,
        beam_size=2,
        window_s=10.0,
        alignment_models=dict.fromkeys((LANGUAGE, "en"), str(checkpoints / "align")),
    )


def test_the_sentence_is_recognised_in_every_window_and_its_words_are_aligned(whisperx, sound):
    stretches = [(4.0, 9.0), (10.0, 12.0), (20.0, 24.0), (30.0, 43.0)]
    result = whisperx.recognize("talk", sound, activity_of(*stretches), RecognitionOptions(language="en"))
    RecognizedSegments.validate(result.segments)
    RecognizedWords.validate(result.words)
    # 4-12, 20-24, and 30-43 cut in two
    assert " ".join(result.segments["text"]) == " ".join([SENTENCE] * 4)
    assert result.segments["quality"].unique().to_list() == ["production"]
    assert result.words["text"].to_list() == SENTENCE.split() * 4
    assert result.words["timing"].unique().to_list() == ["aligned"]
    assert result.words["confidence"].null_count() == 0
    times_s = result.words.select("start_s", "end_s").rows()
    assert all(start_s <= end_s <= later_s for (start_s, end_s), (later_s, _) in itertools.pairwise(times_s))
    assert all(any(start_s <= at_s <= end_s for start_s, end_s in [(4, 12), (20, 24), (30, 43)]) for at_s, _ in times_s)


def test_a_sentence_ends_at_a_full_stop(whisperx, sound):
    result = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="en"))
    assert result.segments["text"].to_list() == ["The press is warm.", "Mind the gap."]


def test_missing_sentence_data_is_reported_for_every_clip(whisperx, sound):
    options = RecognitionOptions(language="en")
    for _ in range(2):
        events = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), options).events
        assert [event for event in events if "punkt_tab" in event] == events


def test_the_language_is_detected_by_the_model(whisperx, sound):
    segments = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions()).segments
    assert segments["language"].unique().to_list() == [LANGUAGE]
    assert 0 < segments["language_probability"][0] <= 1


def test_a_language_that_is_given_is_not_detected(whisperx, sound):
    segments = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="en")).segments
    assert segments["language"].unique().to_list() == ["en"]
    assert segments["language_probability"].null_count() == len(segments)


def test_an_unknown_language_is_an_error(whisperx, sound):
    with pytest.raises(LanguageUnsupported, match="'tlh'"):
        whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="tlh"))


def test_a_language_without_an_alignment_model_is_interpolated_and_reported(whisperx, sound):
    result = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="la"))
    assert result.words["timing"].unique().to_list() == ["interpolated"]
    assert result.words["confidence"].null_count() == len(result.words)
    assert any("no alignment model for 'la'" in event for event in result.events)
    assert (result.words["start_s"].min(), result.words["end_s"].max()) == (4.0, 9.0)


def test_a_translation_is_english_and_not_aligned(whisperx, sound):
    options = RecognitionOptions(language="fr", task="translate")
    result = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), options)
    assert result.segments["language"].unique().to_list() == ["en"]
    assert result.words["timing"].unique().to_list() == ["interpolated"]
    assert any("not aligned" in event for event in result.events)


@pytest.mark.parametrize("options", [{"initial_prompt": "Hm."}, {"hotwords": ("cam",)}], ids=["prompt", "hotwords"])
def test_prompt_and_hotwords_reach_the_decoder_for_that_clip_only(whisperx, sound, options):
    # The scripted model goes by position: what comes before the sentence pushes it out of sight.
    prompted = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="en", **options))
    assert SENTENCE.endswith(" ".join(prompted.segments["text"]))
    assert " ".join(prompted.segments["text"]) != SENTENCE
    plain = whisperx.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="en"))
    assert " ".join(plain.segments["text"]) == SENTENCE


def test_silence_gives_empty_tables(whisperx, sound):
    result = whisperx.recognize("talk", sound, activity_of(), RecognitionOptions())
    assert RecognizedSegments.validate(result.segments).is_empty()
    assert RecognizedWords.validate(result.words).is_empty()
    assert result.events == []


def test_the_shortest_stretch_is_no_error(whisperx, sound):
    result = whisperx.recognize("talk", sound, activity_of((4.0, 4.001)), RecognitionOptions(language="en"))
    RecognizedWords.validate(result.words)
    assert result.words["text"].to_list() == SENTENCE.split()


def test_a_sound_of_no_samples_has_no_scores(whisperx, tmp_path):
    write_flac(tmp_path / "none.flac", np.zeros(0, np.float32))
    assert SpeechScores.validate(whisperx.score_speech("talk", Sound.open(tmp_path / "none.flac"))).is_empty()


def test_scores_in_blocks_are_those_of_the_whole(whisperx, sound, speech_python, monkeypatch):
    monkeypatch.setattr(whisperx_speech, "ACTIVITY_UNITS", 1)
    scores = SpeechScores.validate(whisperx.score_speech("talk", sound))
    first_s, step_s, whole = json.loads(run_there(speech_python, "reference.py", "activity", sound.path))
    assert scores["score"].to_numpy() == pytest.approx(whole[: len(scores)], abs=2e-4)
    assert len(whole) - len(scores) <= 4  # frames whose middle is beyond the last sample
    middles_s = (scores["start_s"] + step_s / 2).to_numpy()
    assert middles_s == pytest.approx(START_S + first_s + step_s * np.arange(len(scores)))


def test_the_device_used_is_reported(whisperx):
    assert whisperx.execution() == {"device": "cpu", "compute_type": "float32", "batch_size": 2, "lowered": ""}


def test_the_identity_holds_model_versions_and_settings(whisperx):
    identity = whisperx.identity()
    assert identity["model"].startswith("sha256:")
    assert identity["whisperx"] == "3.8.6"
    assert identity != whisperx.model_copy(update={"beam_size": 3}).identity()
    assert identity == whisperx.model_copy(update={"batch_size": 3, "device": "auto"}).identity()


def test_half_precision_on_a_cpu_is_refused(whisperx, sound):
    half = whisperx.model_copy(update={"compute_type": "float16"})
    with pytest.raises(InvalidSetting, match="'float16' is not supported on cpu"):
        half.recognize("talk", sound, activity_of((4.0, 9.0)), RecognitionOptions(language="en"))


def test_a_missing_gpu_is_an_error_unless_the_cpu_is_allowed(whisperx):
    absent = whisperx.model_copy(update={"device": "cuda:7", "compute_type": "float16"})
    with pytest.raises(DeviceUnavailable, match="cuda:7"):
        absent.execution()
    execution = absent.model_copy(update={"cpu_fallback": True}).execution()
    assert (execution["device"], execution["compute_type"]) == ("cpu", "float32")
    assert "as the profile allows" in str(execution["lowered"])
