"""How S3 is spoken to, for the store and for sources alike: bounded in time, retried in one place."""

from typing import Any

ATTEMPTS = 3


def s3_options(
    endpoint_url: str | None = None, connect_timeout_s: float = 5.0, read_timeout_s: float = 20.0
) -> dict[str, Any]:
    """Options of `s3fs.S3FileSystem`. Credentials are not among them: boto finds them in the environment.

    Args:
        endpoint_url: of an S3 service that is not Amazon's.
        connect_timeout_s: how long one attempt to connect may take.
        read_timeout_s: how long the service may stay silent in one attempt.
    """
    return {
        "endpoint_url": endpoint_url,
        "config_kwargs": {
            "connect_timeout": connect_timeout_s,
            "read_timeout": read_timeout_s,
            "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
            # A bucket is a host name only at Amazon: other endpoints need it in the path.
            "s3": {"addressing_style": "path" if endpoint_url else "auto"},
        },
        # Another process may have written since: what was listed once says nothing now.
        "use_listings_cache": False,
    }
