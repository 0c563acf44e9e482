"""What cannot be carried out ends with code 2 and says how to fix it."""

from pathlib import Path

import pytest

from vidassets_tests.builders import Home, film, flat


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
        pytest.param(["run", "--select", "fraems"], "Name assets: acoustic_frames", id="unknown asset"),
        pytest.param(["run", "--select", "frames or"], "Name assets: acoustic_frames", id="no selection"),
        pytest.param(["run", "--select", "source_video"], "Name assets", id="nothing that a run makes"),
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


def test_a_variable_that_the_profile_names_and_nobody_set_ends_with_2_and_is_named(home: Home):
    described = "vidassets.resources.describers.OpenAICompatibleDescriber"
    home.profile(f"describer: {{class: {described}, api_key: {{env: NO_SUCH_KEY}}}}")
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("run")
    assert said.code == 2
    assert 'environment variable "NO_SUCH_KEY" which is not set' in flat(said.err)
    assert "Stack Trace" not in said.err
    assert home.command("run", "--select", "shots,shot_scores,raw_clip").code == 0
