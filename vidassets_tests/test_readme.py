"""Every command of the README runs, in its order; what needs S3, a bill or Docker is checked by what it names."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vidassets.cli.main import app
from vidassets_tests.project import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def _lines(word: str) -> list[str]:
    return [line for block in _blocks("sh") for line in block.splitlines() if line.startswith(word)]


@pytest.mark.parametrize("line", _lines("make"))
def test_every_make_command_names_targets_that_there_are(line: str):
    made = subprocess.run([*line.split(), "--dry-run"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_every_vidassets_command_runs_in_the_readmes_order_and_its_python_reads_what_they_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("VIDASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster_home"))
    monkeypatch.setenv("VIDASSETS_PROFILE", "cpu-low-power")
    commands = [line for line in _lines("vidassets") if "s3://" not in line]
    codes = {line: CliRunner().invoke(app, line.split()[1:]).exit_code for line in commands[:-2]}
    assert codes == dict.fromkeys(commands[:-2], 0)

    monkeypatch.chdir(tmp_path)
    for block in _blocks("python"):
        exec(compile(block, "README.md", "exec"), {})

    assert commands[-2:] == ["vidassets remove workshop", "vidassets doctor"]
    assert CliRunner().invoke(app, ["remove", "workshop"]).exit_code == 0
    monkeypatch.setenv("VIDASSETS_PROFILE", "endpoint")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    doctor = CliRunner().invoke(app, ["doctor"])
    assert doctor.exit_code == 1
    assert "api_key from OPENAI_API_KEY: not set" in doctor.stdout.replace("\n", " ")


def test_the_profiles_of_the_readme_load(tmp_path: Path):
    from vidassets.automation.profiles import load_profile
    from vidassets.definitions import build_definitions

    settings = {}
    for block in _blocks("yaml"):
        path = tmp_path / "mine.yaml"
        path.write_text(block.replace("cpu.yaml", str(PROJECT / "resources" / "cpu-low-power.yaml")))
        profile = load_profile(path, tmp_path, {})
        build_definitions(profile)
        settings |= profile.assets
    assert settings["shots"] == {"threshold": 0.5}
    assert settings["speaker_turns"] == {"n_speakers": 2}


def test_every_profile_variable_target_and_file_that_the_readme_names_exists():
    profiles = set(re.findall(r"^\| `([a-z-]+)` \| (?!what)", README, flags=re.MULTILINE))
    assert profiles == {path.stem for path in (PROJECT / "resources").glob("*.yaml")}
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for target in re.findall(r"docker build --target (\w+)", README):
        assert re.search(rf"^FROM .* AS {target}$", dockerfile, flags=re.MULTILINE)
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in link or (PROJECT / link).exists(), link
    assert "VIDASSETS_WATCH" in (PROJECT / "vidassets" / "definitions.py").read_text()
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
