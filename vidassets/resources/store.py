"""The artifact store of a profile: a folder or an S3 prefix."""

import dagster as dg
from pydantic import Field

from vidassets.storage.store import ArtifactStore


class Store(dg.ConfigurableResource, extra="forbid"):
    """Where artifacts are stored. S3 credentials come from the environment, as for every AWS tool."""

    root: str = Field(description="A folder, or s3://bucket/prefix. A relative folder is below the project's home.")
    endpoint_url: str | None = Field(
        default=None, description="URL of an S3 service other than Amazon's. AWS_ENDPOINT_URL has the same effect."
    )

    def open(self) -> ArtifactStore:
        """Return the artifact store."""
        return ArtifactStore(self.root, endpoint_url=self.endpoint_url)
