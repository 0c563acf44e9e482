"""What cannot be carried out ends with code 2 and says how to fix it."""

import re
import socket
from pathlib import Path

import pytest

from vidassets_tests.builders import Home, film, flat

# What pydantic and Dagster write themselves.
RAW = r"validation error|pydantic|type=|Errors whilst|Error 1:|Stack Trace|Traceback|AssetKey\(|root:"


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        pytest.param(["show", "none"], "none: no clip has this key. `vidassets status` lists keys", id="unknown key"),
        pytest.param(["show", "a,b"], "a,b: no clip has this key", id="two keys to show"),
        pytest.param(["show", ""], "no clip has this key", id="no key to show"),
        pytest.param(["remove", "a", "none"], "none: no clip has this key", id="unknown key to remove"),
        pytest.param(["remove", ""], "no clip has this key", id="no key to remove"),
        pytest.param(["remove", "a,b"], "a,b: no clip has this key", id="keys with a comma to remove"),
        pytest.param(["run", "--clips", "a,none"], "none: no clip has this key", id="unknown clip"),
        pytest.param(["run", "--clips", ","], "(an empty key)", id="no clip at all"),
        pytest.param(
            ["run", "--select", "fraems"], "there is no asset fraems. Did you mean frames?", id="unknown asset"
        ),
        pytest.param(["run", "--select", "frames or"], "not a selection. Name assets", id="no selection"),
        pytest.param(
            ["run", "--select", "source_video"], "selects nothing that a run makes", id="nothing that a run makes"
        ),
        pytest.param(["run", "--select", ","], "names no asset", id="a comma"),
        pytest.param(["run", "--select", "+spatter_event"], "Did you mean spatter_events?", id="misspelt companion"),
        pytest.param(["show", "aa"], "Did you mean a?", id="misspelt key"),
        pytest.param(["status", "--profile", "cpuu"], "Did you mean cpu?", id="misspelt profile"),
        pytest.param(["status", "--profile", "."], "no such profile", id="a profile that is a folder"),
        pytest.param(["run", "--set", "spatter_events.x=1"], "write spatter_crops.x", id="setting of a companion"),
        pytest.param(["run", "--set", "fraems.interval_s=5"], "there is no asset fraems", id="setting of no asset"),
        pytest.param(["run", "--set", "frames.intervals=5"], "It takes: interval_s", id="unknown setting"),
        pytest.param(["run", "--set", "frames.interval_s=-1"], "greater than 0", id="setting out of bounds"),
        pytest.param(["run", "--set", "raw_clip.x=1"], "takes no settings", id="asset without settings"),
        pytest.param(["run", "--set", "interval_s=5"], "write asset.setting=value", id="setting without asset"),
        pytest.param(["run", "--set", "frames.interval_s=["], "write asset.setting=value", id="value that is no YAML"),
        pytest.param(["add", "/nowhere/at/all"], "nothing is there. Check the path", id="no such folder"),
        pytest.param(["add", "."], "Looked for", id="a folder without videos"),
    ],
)
def test_what_cannot_be_carried_out_ends_with_2_and_says_how_to_fix_it(
    worked: Home, words: list[str], fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    said = worked.command(*words)
    assert said.code == 2
    assert fix in flat(said.err)
    assert said.err.startswith("error ")
    assert not re.search(RAW, said.err)
    assert worked.partitions() == {"clips": ["a", "b"]}


@pytest.mark.parametrize(
    ("environment", "fix"),
    [
        pytest.param({"VIDASSETS_PROFILE": "none"}, "no such profile. Set VIDASSETS_PROFILE to one", id="no profile"),
        pytest.param({"VIDASSETS__FRAMES__INTERVAL_S": "x"}, "interval_s", id="a variable of another type"),
        pytest.param({"VIDASSETS__FRAMES__INTERVAL_S": "["}, "VIDASSETS__FRAMES__INTERVAL_S", id="no YAML"),
        pytest.param({"VIDASSETS__STORE": "x"}, "VIDASSETS__KEY__FIELD", id="a variable without a field"),
        pytest.param(
            {"VIDASSETS__STORE__ROOT": "ftp://host/data"}, "Give a folder or s3://BUCKET/PREFIX", id="no store"
        ),
        pytest.param({"DAGSTER_HOME": "/dev/null/home"}, "DAGSTER_HOME", id="no place for Dagster"),
    ],
)
def test_a_deployment_that_cannot_work_ends_with_2_and_says_how_to_fix_it(
    worked: Home, environment: dict[str, str], fix: str
):
    said = worked.command("run", **environment)
    assert said.code == 2
    assert fix in flat(said.err)
    assert not re.search(RAW, said.err)


BROKEN_INSTANCES = [
    pytest.param("telemetri: {enabled: false}", "telemetri: there is no such setting. Did you mean telemetry?", id="a"),
    pytest.param("telemetry: {enabeld: false}", "telemetry: enabeld: there is no such setting. Did you mean", id="b"),
    pytest.param("telemetry: {enabled: 3}", "telemetry: enabled: expected a value of type Bool", id="another type"),
    pytest.param("a: [", "line 1, column 5: not YAML", id="no YAML"),
    pytest.param("- a", "expected `name: value` lines", id="a list"),
]


@pytest.mark.parametrize(("text", "fix"), BROKEN_INSTANCES)
def test_a_broken_dagster_yaml_is_one_sentence_with_file_field_and_nearest_name(home: Home, text: str, fix: str):
    path = home.path / "dagster" / "dagster.yaml"
    path.write_text(text)
    said = home.command("status")
    assert said.code == 2
    assert said.err.startswith(f"error {path}: {fix}")
    assert not re.search(RAW, said.err)


BROKEN_PROFILES = [
    pytest.param("stor: {root: x}", "unknown key stor. Did you mean store?", id="unknown key"),
    pytest.param("store: {roots: x}", "store: roots: there is no such setting. Did you mean root?", id="unknown field"),
    pytest.param("shot_model: {threads: many}", "shot_model: threads: ", id="a value of another type"),
    pytest.param(
        "shot_model: {class: vidassets.resources.shot_models.TransNetV3}", "Did you mean TransNetV2?", id="no class"
    ),
    pytest.param("shot_model: {class: no.such.Thing}", "there is no module no.", id="no module"),
    pytest.param("assets: {fraems: {interval_s: 5}}", "assets: there is no asset fraems. Did you mean", id="no asset"),
    pytest.param("assets: {frames: {interval: 5}}", "assets: frames: interval: there is no such", id="no setting"),
    pytest.param("a: [", "not YAML", id="no YAML"),
]


@pytest.mark.parametrize(("text", "fix"), BROKEN_PROFILES)
def test_a_broken_profile_is_one_sentence_with_file_field_and_nearest_name(home: Home, text: str, fix: str):
    home.profile(text)
    said = home.command("status")
    assert said.code == 2
    assert said.err.startswith(f"error {home.environment['VIDASSETS_PROFILE']}: ")
    assert fix in said.err
    assert not re.search(RAW, said.err)


def test_a_dagster_home_that_holds_no_database_is_refused_with_the_variable(home: Home):
    (home.path / "dagster" / "history").mkdir()
    (home.path / "dagster" / "history" / "runs.db").write_text("garbage")
    said = home.command("status")
    assert said.code == 2
    assert said.err.startswith(f"error {home.path / 'dagster'}: ")
    assert "set DAGSTER_HOME to another one" in said.err


def test_a_variable_that_overrides_a_resource_is_named(home: Home):
    said = home.command("status", VIDASSETS__STORE__ROT="x")
    assert said.code == 2
    assert "VIDASSETS__STORE__ROT: store: rot: there is no such setting. Did you mean root?" in said.err


def test_a_port_that_is_taken_is_refused_with_the_option_that_names_another(worked: Home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = worked.command("ui", "--port", str(port))
    assert said.code == 2
    assert said.err.startswith(f"error port {port}: ")
    assert "`vidassets ui --port N`" in said.err


def test_a_variable_that_the_profile_names_and_nobody_set_ends_with_2_and_is_named(home: Home):
    described = "vidassets.resources.describers.OpenAICompatibleDescriber"
    home.profile(f"describer: {{class: {described}, api_key: {{env: NO_SUCH_KEY}}}}")
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run")
    assert said.code == 2
    assert "describer: api_key: the environment variable NO_SUCH_KEY is not set" in flat(said.err)
    assert not re.search(RAW, said.err)
    assert home.command("run", "--select", "shots,shot_scores,raw_clip").code == 0
