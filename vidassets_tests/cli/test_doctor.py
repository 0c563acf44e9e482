"""What `vidassets doctor` finds."""

import pytest

from vidassets_tests.builders import Home


def test_doctor_as_json_has_findings(worked: Home):
    said = worked.command("doctor", "--json")
    assert said.code == 0
    assert [set(finding) for finding in said.json] == [{"what", "good", "said"}] * len(said.json)
    assert {"python", "profile", "store", "shot_model", "describer", "devices", "disk", "instance"} <= {
        finding["what"] for finding in said.json
    }


DOCTORED = [
    pytest.param(
        {"VIDASSETS__STORE__ROOT": "/dev/null/data"}, "", {"store": "/dev/null/data"}, id="a store that is no folder"
    ),
    pytest.param(
        {},
        "describer: {class: vidassets.resources.describers.OpenAICompatibleDescriber, api_key: {env: NO_SUCH_KEY}}",
        {"describer credentials": "NO_SUCH_KEY: not set; export it"},
        id="a key that is not set",
    ),
    pytest.param(
        {},
        "shot_model: {class: vidassets_tests.absent_model.AbsentModel}",
        {"shot_model": "pip install no-such-model", "graph": "pip install no-such-model"},
        id="a model that is not installed",
    ),
    pytest.param(
        {},
        "assets: {frames: {intervals: 5}}",
        {"graph": "It takes: interval_s"},
        id="a setting that there is not",
    ),
]


@pytest.mark.parametrize(("environment", "profile", "bad"), DOCTORED)
def test_doctor_says_what_is_wrong_and_how_to_fix_it(
    home: Home, environment: dict[str, str], profile: str, bad: dict[str, str]
):
    home.profile(profile)
    said = home.command("doctor", "--json", **environment)
    found = {finding["what"]: finding["said"] for finding in said.json if not finding["good"]}
    assert (said.code, set(found)) == (1, set(bad))
    assert {what: fix for what, fix in bad.items() if fix in found[what]} == bad
