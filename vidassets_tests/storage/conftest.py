import pytest

from vidassets.storage.store import ArtifactStore


@pytest.fixture
def store(place: dict[str, str]) -> ArtifactStore:
    return ArtifactStore(**place)
