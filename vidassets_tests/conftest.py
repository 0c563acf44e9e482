from hypothesis import settings

from vidassets_tests.s3_server import crowded_bucket, s3_bucket, s3_client, s3_credentials, s3_server
from vidassets_tests.toy_deployment import toy

__all__ = ["crowded_bucket", "s3_bucket", "s3_client", "s3_credentials", "s3_server", "toy"]

# The same examples in every run, and no time asserted: a failure is the change's, not the machine's or chance's.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
