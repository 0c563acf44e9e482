from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.profiles import load_profile
from vidassets.definitions import build_definitions
from vidassets.errors import ModelMissing, ProfileError
from vidassets.resources.describers import MeasuredDescriber
from vidassets.resources.experiment_tracker import MlflowTracker, NoTracker
from vidassets.resources.shot_models import AdaptiveDetector
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets_tests.project import PROJECT

BASE = """
store: {class: vidassets.resources.store.Store, root: data}
shot_model: {class: vidassets.resources.shot_models.AdaptiveDetector}
speech_model: {class: vidassets.resources.embedded_speech.SileroPocketSphinx}
speaker_model: {class: vidassets.resources.embedded_speakers.ResemblyzerSpeakers}
describer: {class: vidassets.resources.describers.MeasuredDescriber}
"""


def _written(folder: Path, text: str, name: str = "some.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


SPEECH_PYTHON = PROJECT / ".venv-speech" / "bin" / "python"


@pytest.mark.parametrize("path", sorted((PROJECT / "resources").glob("*.yaml")), ids=lambda path: path.name)
def test_every_profile_of_the_project_loads_and_makes_definitions(path: Path, tmp_path: Path):
    profile = load_profile(path, tmp_path, {})
    if path.stem == "gpu-speech" and not SPEECH_PYTHON.exists():
        with pytest.raises(ModelMissing, match="make speech"):
            build_definitions(profile)
        pytest.skip(f"{SPEECH_PYTHON} is not there: `make speech`")
    build_definitions(profile)
    assert profile.name == path.stem


def test_a_profile_names_classes_and_their_settings(tmp_path: Path):
    profile = load_profile(_written(tmp_path, BASE), tmp_path, {})
    assert isinstance(profile.resources["shot_model"], AdaptiveDetector)
    assert isinstance(profile.resources["describer"], MeasuredDescriber)


def test_what_a_profile_leaves_out_has_a_class_that_needs_no_settings(tmp_path: Path):
    profile = load_profile(_written(tmp_path, BASE), tmp_path, {})
    assert isinstance(profile.resources["experiment_tracker"], NoTracker)
    assert profile.resources["trainer"] == Trainer()


def test_a_profile_that_names_them_is_followed(tmp_path: Path):
    tracker = "{class: vidassets.resources.experiment_tracker.MlflowTracker, tracking_uri: 'sqlite:///runs.db'}"
    trainer = "{class: vidassets.resources.trainer.Trainer, threads: 3}"
    text = f"{BASE}experiment_tracker: {tracker}\ntrainer: {trainer}\n"
    resources = load_profile(_written(tmp_path, text), tmp_path, {}).resources
    assert isinstance(resources["experiment_tracker"], MlflowTracker)
    assert resources["trainer"] == Trainer(threads=3)


def test_where_a_classifier_is_trained_does_not_change_its_version(tmp_path: Path):
    def version(text: str) -> str | None:
        definitions = build_definitions(load_profile(_written(tmp_path, text), tmp_path, {}))
        return definitions.resolve_asset_graph().get(dg.AssetKey("spatter_classifier")).code_version

    trainer = "trainer: {class: vidassets.resources.trainer.Trainer, threads: 3, workers: 2}\n"
    assert version(BASE) == version(BASE + trainer)


def test_a_relative_store_lies_below_home_and_a_bucket_where_it_is(tmp_path: Path):
    def root(text: str) -> str:
        store = load_profile(_written(tmp_path, BASE.replace("root: data", f"root: {text}")), tmp_path / "home", {})
        return store.resources["store"].root  # type: ignore[attr-defined]

    assert root("data") == str(tmp_path / "home" / "data")
    assert root("/srv/data") == "/srv/data"
    assert root("s3://bucket/data") == "s3://bucket/data"


def test_the_environment_stands_above_the_profile_for_resources_and_assets(tmp_path: Path):
    path = _written(tmp_path, BASE + "assets: {frames: {interval_s: 5, jpeg_quality: 70}}")
    environment = {
        "VIDASSETS__STORE__ROOT": "/elsewhere",
        "VIDASSETS__FRAMES__INTERVAL_S": "2.5",
        "VIDASSETS__SHOTS__THRESHOLD": "0.7",
        "OTHER": "1",
    }
    profile = load_profile(path, tmp_path, environment)
    assert isinstance(profile.resources["store"], Store)
    assert profile.resources["store"].root == "/elsewhere"
    assert profile.assets == {"frames": {"interval_s": 2.5, "jpeg_quality": 70}, "shots": {"threshold": 0.7}}


def test_a_profile_extends_another_field_by_field_but_a_new_class_begins_again(tmp_path: Path):
    _written(tmp_path, BASE.replace("root: data", "root: data, endpoint_url: http://localhost:1"), "base.yaml")
    over = "extends: base.yaml\nstore: {root: other}\nshot_model: {class: vidassets.resources.shot_models.TransNetV2}\n"
    profile = load_profile(_written(tmp_path, over), tmp_path, {})
    assert isinstance(profile.resources["store"], Store)
    assert profile.resources["store"].endpoint_url == "http://localhost:1"
    assert type(profile.resources["shot_model"]).__name__ == "TransNetV2"


def test_a_secret_is_a_reference_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    described = "describer: {class: vidassets.resources.describers.OpenAICompatibleDescriber, api_key: {env: SOME_KEY}}"
    lines = [line for line in BASE.splitlines() if not line.startswith("describer")]
    profile = load_profile(_written(tmp_path, "\n".join([*lines, described])), tmp_path, {})
    describer = profile.resources["describer"]
    assert isinstance(describer.api_key, dg.EnvVar)  # type: ignore[attr-defined]
    assert "sk-very-secret" not in repr(describer) + str(profile.identities())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(BASE + "stor: {}", "unknown key stor", id="a misspelt key"),
        pytest.param(BASE.replace("describer:", "# describer:"), "no describer", id="a key that is missing"),
        pytest.param(BASE.replace("root: data", "roots: data"), "roots", id="a misspelt field"),
        pytest.param(BASE.replace("store.Store", "store.Stor"), "class vidassets.resources.store.Stor", id="no class"),
        pytest.param(
            BASE.replace("vidassets.resources.store.Store", "pathlib.Path"), "not a dagster", id="another class"
        ),
        pytest.param(
            BASE + "assets: {frames: 3}", "expected `name: value` lines, got int", id="settings that are none"
        ),
        pytest.param("- a\n- b", "expected `name: value` lines, got list", id="a list"),
        pytest.param("a: [", "not YAML", id="broken YAML"),
        pytest.param("extends: some.yaml", "extends itself", id="a circle"),
    ],
)
def test_a_wrong_profile_is_refused_and_the_message_names_what_is_wrong(tmp_path: Path, text: str, said: str):
    with pytest.raises(ProfileError, match=said):
        load_profile(_written(tmp_path, text), tmp_path, {})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param("{fraems: {interval_s: 5}}", "no asset fraems", id="a misspelt asset"),
        pytest.param("{frames: {intervals: 5}}", "It takes: interval_s", id="a misspelt setting"),
        pytest.param("{frames: {interval_s: -1}}", "greater than 0", id="out of bounds"),
        pytest.param("{shot_scores: {threshold: 1}}", "takes no settings", id="an asset without settings"),
    ],
)
def test_wrong_settings_of_an_asset_are_refused(tmp_path: Path, settings: str, said: str):
    profile = load_profile(_written(tmp_path, BASE + f"assets: {settings}"), tmp_path, {})
    with pytest.raises(ProfileError, match=said):
        build_definitions(profile)


def test_a_missing_profile_reports_which_there_are(tmp_path: Path):
    with pytest.raises(ProfileError, match="Set VIDASSETS_PROFILE to one of aws, cpu, "):
        load_profile(tmp_path / "none.yaml", tmp_path, {})
