from pathlib import Path

import pytest

from vidassets.storage.store import ArtifactStore


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What `ArtifactStore` needs to open an empty store; every test that takes it runs on both."""
    if request.param == "folder":
        return {"root": str(tmp_path / "store")}
    bucket = request.getfixturevalue("s3_bucket")
    return {"root": f"s3://{bucket.name}/some/prefix", "endpoint_url": bucket.endpoint_url}


@pytest.fixture
def store(place: dict[str, str]) -> ArtifactStore:
    return ArtifactStore(**place)
