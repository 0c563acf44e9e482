from vidassets_tests.s3_server import crowded_bucket, s3_bucket, s3_client, s3_credentials, s3_server

__all__ = ["crowded_bucket", "s3_bucket", "s3_client", "s3_credentials", "s3_server"]
