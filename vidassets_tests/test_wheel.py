"""The wheel, installed into an environment of its own and used outside the checkout."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from vidassets_tests.daemon_process import Ui, free_port, wait_for
from vidassets_tests.project import PROJECT

pytestmark = pytest.mark.xdist_group("wheel")  # one process: the wheel is built and installed once

WHERE = """
import json
from vidassets import shipped
from vidassets.resources import packages, speech_worker
print(json.dumps([str(shipped.FILES), str(shipped.DEFAULT_HOME), packages.INSTALL, speech_worker.INSTALL]))
"""


@dataclass
class Installed:
    """An environment that has the wheel, and a user's home folder."""

    environment: Path
    home: Path

    @property
    def site_packages(self) -> Path:
        return next((self.environment / "lib").glob("python*/site-packages"))

    def run(self, program: str, *words: str) -> str:
        """Run a program of the environment as a user does: in their home folder, with no variable of ours set."""
        result = subprocess.run(
            [self.environment / "bin" / program, *words],
            cwd=self.home,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def start(self, program: str, *words: str) -> "subprocess.Popen[str]":
        """Start a program as `run` does, in a session of its own."""
        return subprocess.Popen(
            [self.environment / "bin" / program, *words],
            cwd=self.home,
            env=self._variables,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDASSETS", "DAGSTER"))}
        kept.pop("PYTHONPATH", None)
        return kept | {"HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}

    def files(self) -> set[Path]:
        return {path.relative_to(self.environment) for path in self.environment.rglob("*")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    installed = Installed(folder / "environment", folder / "home")
    installed.home.mkdir()
    venv.create(installed.environment, symlinks=True)
    # The dependencies are those of this environment. A path file makes them importable without processing the path
    # files in that folder, one of which points to the checkout.
    (installed.site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = installed.environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    return installed


def test_an_installed_wheel_has_its_profiles_and_makes_a_clip_in_a_folder_of_the_user(installed: Installed):
    before = installed.files()
    assert "resources/cpu.yaml" in installed.run("vidassets", "doctor")
    installed.run("vidassets", "add", str(PROJECT / "samples" / "clips"))
    installed.run("vidassets", "run", "--select", "raw_clip")
    data = installed.home / "vidassets" / "data"
    assert [path.name for path in (data / "raw_clip").iterdir()] == ["workshop.parquet"]
    assert (installed.home / "vidassets" / ".dagster_home" / "dagster.yaml").exists()
    assert [path.name for path in installed.home.iterdir()] == ["vidassets"]
    assert installed.files() == before


def test_an_installed_wheel_has_the_files_that_its_error_messages_name(installed: Installed):
    files, home, *commands = json.loads(installed.run("python", "-c", WHERE))
    assert Path(files).is_relative_to(installed.site_packages)
    assert Path(home) == installed.home / "vidassets"
    for command in commands:
        requirements = Path(shlex.split(command)[-1])
        assert requirements.read_bytes() == (PROJECT / "requirements" / requirements.name).read_bytes()


def test_an_installed_wheel_has_every_profile_of_the_checkout(installed: Installed):
    files = Path(json.loads(installed.run("python", "-c", WHERE))[0])
    folders = [PROJECT / "resources", files / "resources"]
    checkout, wheel = ({path.name: path.read_text() for path in folder.iterdir()} for folder in folders)
    assert wheel == checkout


ASSETS = "{ assetNodes { assetKey { path } } }"


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_the_ui_of_an_installed_wheel_loads_the_assets_and_ends_cleanly(
    installed: Installed, signal_sent: signal.Signals
):
    port = free_port()
    profile = installed.home / "mine.yaml"
    profile.write_text("extends: cpu-low-power.yaml\n")
    process = installed.start("vidassets", "ui", "--port", str(port), "--profile", "./mine.yaml")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"The Dagster UI: http://127.0.0.1:{port} (Ctrl-C ends it)\n"
        ui = Ui(f"http://127.0.0.1:{port}")
        nodes = wait_for(lambda: ui.ask(ASSETS)["assetNodes"], "the assets to load")
        assert ["shots"] in [node["assetKey"]["path"] for node in nodes]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == 0
        process.send_signal(signal_sent)
        assert process.wait() == 0
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
