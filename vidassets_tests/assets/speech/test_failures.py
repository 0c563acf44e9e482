"""A model that fails is a failed asset with its cause, never an empty table, and harms nobody else."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from vidassets.definitions import GRAPH
from vidassets.graph.lineage import latest
from vidassets_tests.assets.speech.spoken_clips import Heard, SpokenClips, sentence, talking_film
from vidassets_tests.assets.speech.stand_in_models import FAILURE
from vidassets_tests.speech.speakers.voices import buzz

STAND_IN = {"class": "vidassets_tests.assets.speech.stand_in_models.OneWord"}
BELOW = ["transcript", "word_acoustics", "subtitles", "speech_document"]
BESIDE = ["audio", "speech_activity", "speaker_turns", "acoustic_frames"]
CHAIN = [asset for asset in GRAPH.clip_assets if asset.group.startswith("speech_")]
ARTIFACTS = [artifact.name for asset in CHAIN for artifact in asset.artifacts]


@dataclass
class Batch:
    """Three clips in a run, in which the model failed on the second; then the same without a failure."""

    clips: SpokenClips
    heard: Heard
    stored: dict[str, bool]
    repaired: Heard


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    with SpokenClips.at(tmp_path_factory.mktemp("batch")) as clips:
        for place, name in enumerate("abc"):
            talking_film(clips.videos / f"{name}.mkv", buzz(120 + 40 * place, 700, 1.5))
        clips.set({"speech_model": STAND_IN | {"fails_on": "b"}})
        clips.add()
        heard = clips.run()
        names = [*BELOW[:2], "recognized_segments", "recognized_words"]
        stored = {name: clips.store.exists(name, "b", "parquet") for name in names}
        clips.set({"speech_model": STAND_IN})
        yield Batch(clips, heard, stored, clips.run())


def test_a_model_that_fails_is_a_failed_asset_with_its_cause(batch: Batch):
    assert batch.heard.failed == {("recognized_segments", "b"): f"RuntimeError: {FAILURE}"}


def test_of_what_failed_there_is_no_empty_table(batch: Batch):
    assert set(batch.stored.values()) == {False}


def test_what_does_not_hang_on_the_failure_is_made(batch: Batch):
    assert set(BESIDE) <= batch.heard.made["b"]
    assert not set(BELOW) & batch.heard.made["b"]


@pytest.mark.parametrize("clip", ["a", "c"])
def test_the_neighbours_of_a_failure_are_whole(batch: Batch, clip: str):
    assert set(ARTIFACTS) <= batch.heard.made[clip]


def test_a_later_run_makes_what_failed_and_nothing_else(batch: Batch):
    assert set(batch.repaired.made) == {"b"}
    assert not set(BESIDE) & batch.repaired.made["b"]
    assert batch.clips.states() == {}


def test_what_happened_on_the_way_is_reported(batch: Batch):
    assert batch.clips.figures("recognized_segments", "a")["events"] == "- a was not listened to"


Recorded = dict[str, tuple[str, dict[str, str]]]


@pytest.fixture(scope="module")
def twice(batch: Batch) -> tuple[Recorded, Recorded]:
    """The runs and tags of a clip's artifacts, made in a batch, and made again alone."""
    clips = batch.clips

    def recorded() -> Recorded:
        made = {name: latest(clips.instance, dg.AssetKey(name), ["a"])["a"] for name in ARTIFACTS}
        # Dagster's pointer is the input's latest event of any partition, the batch's that of the clip's own.
        return {
            name: (event.run_id, {tag: value for tag, value in event.tags.items() if "event_pointer" not in tag})
            for name, event in made.items()
        }

    in_batch = recorded()
    assert clips.launch(",".join(asset.name for asset in CHAIN), "a").is_success
    return in_batch, recorded()


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_a_batch_records_what_a_clip_alone_records(twice: tuple[Recorded, Recorded], artifact: str):
    (first_run, in_batch), (second_run, alone) = (recorded[artifact] for recorded in twice)
    assert first_run != second_run
    assert in_batch == alone


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SpokenClips, Heard, Heard]]:
    """Two clips for a model that knows English only; one is given as being in another language."""
    with SpokenClips.at(tmp_path_factory.mktemp("foreign")) as clips:
        for name in ("english", "foreign"):
            talking_film(clips.videos / f"{name}.mkv", sentence("ninety"))
        clips.add()
        said = clips.run(clips=["foreign"], recognized_segments={"language": "zh"})
        yield clips, said, clips.run(clips=["english"])


def test_a_language_that_the_model_does_not_know_fails_and_says_how_to_fix_it(foreign):
    _, said, _ = foreign
    assert set(said.failed) == {("recognized_segments", "foreign")}
    cause = said.failed["recognized_segments", "foreign"]
    assert cause.startswith("LanguageUnsupported: foreign: its language is given as 'zh'")
    assert "WhisperXSpeech" in cause


def test_what_needs_no_words_is_there_in_any_language(foreign):
    _, said, _ = foreign
    assert set(BESIDE) <= said.made["foreign"]
    assert not {"recognized_segments", *BELOW} & said.made["foreign"]


def test_the_neighbours_of_a_foreign_clip_are_heard(foreign):
    clips, _, after = foreign
    assert after.failed == {}
    assert clips.table("transcript", "english")["text"].to_list() == ["it takes about ninety minutes"]
