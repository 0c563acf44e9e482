"""The artifact store of a profile: a folder or an S3 prefix."""

import dagster as dg
from pydantic import Field

from vidassets.storage.store import ArtifactStore


class Store(dg.ConfigurableResource, extra="forbid"):
    """Where artifacts lie. Credentials of S3 come from the environment, as every AWS tool reads them."""

    root: str = Field(description="A folder, or s3://bucket/prefix. A relative folder is below the project's home.")
    endpoint_url: str | None = Field(
        default=None, description="URL of an S3 service that is not Amazon's; AWS_ENDPOINT_URL says the same."
    )

    def open(self) -> ArtifactStore:
        """The store behind it."""
        return ArtifactStore(self.root, endpoint_url=self.endpoint_url)
