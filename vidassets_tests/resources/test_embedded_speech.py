import importlib.metadata
import subprocess
import sys
from pathlib import Path

import jiwer
import numpy as np
import pytest
from pydantic import ValidationError

from vidassets.errors import LanguageUnsupported, ModelMissing
from vidassets.media.sound import Sound
from vidassets.resources import model_cache
from vidassets.resources.embedded_speech import SileroPocketSphinx
from vidassets.resources.packages import package_path
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords, SpeechActivity, SpeechScores
from vidassets.speech.models import RecognitionOptions, RecognizedSpeech, SpeechModel
from vidassets.speech.transcript.activity import find_speech
from vidassets.speech.transcript.silero import SileroNetwork
from vidassets_tests.speech.recordings import (
    FIRST_SENTENCE,
    FOOTAGE,
    decoded,
    narration,
    needs_footage,
    recording,
    speech_in_a_hall,
    spoken,
)

MODEL: SpeechModel = SileroPocketSphinx()


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Sound:
    """The first sentence of the sample episode, from 2 s on."""
    return recording(tmp_path_factory.mktemp("sound"), spoken(0, 4.5), start_s=2.0)


def recognized(sound: Sound, **options) -> RecognizedSpeech:
    scores = SpeechScores.validate(MODEL.score_speech("talk", sound))
    activity = SpeechActivity.validate(find_speech("talk", scores, MODEL.activity_threshold))
    found = MODEL.recognize("talk", sound, activity, RecognitionOptions(**options))
    RecognizedSegments.validate(found.segments)
    RecognizedWords.validate(found.words)
    return found


def test_a_sentence_is_found_and_recognised(sound):
    found = recognized(sound, language="en")
    assert found.segments["text"].to_list() == [FIRST_SENTENCE]
    assert found.words["start_s"][0] == pytest.approx(2.5, abs=0.1)
    assert found.events == []


@pytest.mark.parametrize("language", ["en", "EN", "en-GB"])
def test_english_may_be_named_with_its_region(sound, language):
    assert recognized(sound, language=language).segments["language"].to_list() == ["en"]


def test_without_a_language_english_is_assumed_and_that_is_reported(sound):
    found = recognized(sound)
    assert found.segments.select("language", "language_probability").rows() == [("en", None)]
    assert found.events == ["PocketSphinx does not detect the language: English was assumed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"language": "de"}, r"talk: .*'de'.*supports only 'en'.*WhisperXSpeech", id="German"),
        pytest.param({"language": "eng"}, r"'eng'.*supports only 'en'", id="a code of three letters"),
        pytest.param({"task": "translate"}, r"does not translate.*`language: en`.*WhisperXSpeech", id="translation"),
        pytest.param({"task": "translate", "language": "fr"}, r"'fr'", id="translation from French"),
    ],
)
def test_an_unsupported_language_or_task_is_refused_with_a_way_to_fix_it(sound, options, message):
    with pytest.raises(LanguageUnsupported, match=message):
        recognized(sound, **options)


def test_english_in_english_is_as_it_was_said(sound):
    assert len(recognized(sound, language="en", task="translate").words) == 11


def test_a_prompt_and_hotwords_are_not_used_and_that_is_reported(sound):
    found = recognized(sound, language="en", initial_prompt="A story.", hotwords=("Hopper", "Collins"))
    assert found.events == [
        "PocketSphinx does not support a prompt: `initial_prompt` was not used",
        "PocketSphinx does not support hotwords: Hopper, Collins were not used",
    ]


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(0, np.float32), id="no sound"),
        pytest.param(np.zeros(32000, np.float32), id="silence"),
        pytest.param(0.3 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000).astype(np.float32), id="a tone"),
    ],
)
def test_sound_without_speech_has_no_words_and_no_error(samples, tmp_path):
    found = recognized(recording(tmp_path, samples))
    assert (len(found.segments), len(found.words)) == (0, 0)


def test_the_identity_names_packages_weights_and_the_settings_that_change_the_words():
    identity = MODEL.identity()
    for package in ("silero-vad", "pocketsphinx"):
        assert identity[package] == importlib.metadata.version(package)
    assert all(identity[weights].startswith("sha256:") for weights in ("silero_weights", "pocketsphinx_weights"))
    assert SileroPocketSphinx(longest_s=20).identity() != identity
    assert SileroPocketSphinx(second_pass=False).identity() != identity


def test_the_device_used_is_reported():
    assert MODEL.execution() == {"device": "cpu", "threads": 1}


def test_its_models_are_loaded_once_for_all_clips_of_a_run(sound):
    key = (SileroNetwork, MODEL.identity()["silero_weights"])
    model_cache.free()
    before = model_cache.loads(key)
    for _ in range(2):
        SileroPocketSphinx().score_speech("talk", sound)
    assert model_cache.loads(key) == before + 1


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValidationError, match="second_pas"):
        SileroPocketSphinx(**{"second_pas": False})


@pytest.mark.parametrize(
    ("module", "how_to_fix"),
    [
        pytest.param("onnxruntime", r"pip install 'vidassets\[embedded\]'", id="onnxruntime"),
        pytest.param("pocketsphinx", "pip install --no-deps", id="pocketsphinx"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch, sound, module, how_to_fix):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelMissing, match=rf"{module}.*`{how_to_fix}"):
        recognized(sound)


@pytest.mark.parametrize("distribution", ["silero-vad", "pocketsphinx"])
def test_an_uninstalled_package_has_no_identity(monkeypatch, distribution):
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == distribution:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(ModelMissing, match=rf"{distribution} .*requirements/embedded.txt"):
        MODEL.identity()


def test_a_package_without_its_files_is_an_error():
    with pytest.raises(ModelMissing, match=r"silero_vad/data/none.onnx: does not exist.*`pip install x`"):
        package_path("silero_vad", "data/none.onnx", "pip install x")


@pytest.mark.runs
def test_nothing_heavy_is_imported_with_the_resource():
    program = "import sys, vidassets.resources.embedded_speech as _; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"torch", "onnxruntime", "pocketsphinx", "silero_vad", "soundfile"} & set(imported) == set()


@pytest.mark.footage
@needs_footage
@pytest.mark.parametrize(
    ("name", "text_of", "at_most"),
    [
        pytest.param("narration.opus", lambda folder: narration(folder)[0], 0.10, id="a clean narration"),
        pytest.param("city-upon-a-hill.flac", speech_in_a_hall, 0.30, id="an echoing hall"),
    ],
)
def test_real_speech_is_recognised_well_enough_for_a_draft(name, text_of, at_most, tmp_path):
    folder = Path(str(FOOTAGE))
    found = recognized(recording(tmp_path, decoded(folder / "speech" / name)), language="en")
    assert jiwer.wer(text_of(folder), " ".join(found.segments["text"])) <= at_most


@pytest.mark.footage
@needs_footage
def test_a_cat_says_no_words(tmp_path):
    samples = decoded(Path(str(FOOTAGE)) / "clips/a name with spaces and '.mp4")
    assert len(recognized(recording(tmp_path, samples)).words) == 0
