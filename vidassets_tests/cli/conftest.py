from pathlib import Path

import pytest

from vidassets_tests.builders import Home, film


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty deployment."""
    return Home(tmp_path)


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two clips of which everything is made; for tests that only look."""
    home = Home(tmp_path_factory.mktemp("worked"))
    film(home.videos / "a.mp4", (1.0, 1.0), place=1)
    film(home.videos / "b.mp4", (1.2,), place=2)
    home.command("add", str(home.videos))
    assert home.command("run").code == 0
    return home


@pytest.fixture
def finished(worked: Home, tmp_path: Path) -> Home:
    """A copy of `worked` for a test that changes it; the videos stay where they are."""
    return worked.copy(tmp_path / "copy")
