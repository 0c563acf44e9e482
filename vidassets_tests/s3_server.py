"""A real S3 server: its own process on a loopback port, spoken to over HTTP as any other."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "only-for-loopback",
    "AWS_SECRET_ACCESS_KEY": "only-for-loopback",
    "AWS_DEFAULT_REGION": "us-east-1",
}


# S3 checks the condition of a write and writes in one step. moto does so in two, so writes are let in one at a time.
SERVER = """
import threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

application, writing = DomainDispatcherApplication(create_backend_app), threading.Lock()

def one_write_at_a_time(environ, start_response):
    if environ["REQUEST_METHOD"] != "PUT":
        return application(environ, start_response)
    with writing:
        return application(environ, start_response)

run_simple("127.0.0.1", 0, one_write_at_a_time, threaded=True)
"""


@dataclass(frozen=True)
class S3Bucket:
    name: str
    endpoint_url: str
    client: Any  # boto3's own, to check what the code under test stored

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextmanager
def s3_server_process(log: Path, **environment: str) -> Iterator[str]:
    """The endpoint's URL, while the server runs."""
    command = [sys.executable, "-c", SERVER]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | CREDENTIALS | environment)
    try:
        yield _address(server, log)
    finally:
        server.kill()
        server.wait()


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
        if server.poll() is not None:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)
    return found.group()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server_process(tmp_path_factory.mktemp("s3") / "log") as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def s3_client(s3_server: str) -> Iterator[Any]:
    session = boto3.Session("only-for-loopback", "only-for-loopback", region_name="us-east-1")
    client = session.client("s3", endpoint_url=s3_server, config=Config(s3={"addressing_style": "path"}))
    yield client
    client.close()


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3_bucket(s3_client: Any, s3_credentials: None) -> S3Bucket:
    """An empty bucket, with credentials for it in the environment."""
    return new_bucket(s3_client)


@pytest.fixture(scope="session")
def crowded_bucket(s3_client: Any) -> S3Bucket:
    """A bucket with videos/0000.mp4 to videos/2099.mp4: three pages of a listing."""
    bucket = new_bucket(s3_client)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: bucket.put(f"videos/{number:04d}.mp4", b""), range(2_100)))
    return bucket


def new_bucket(client: Any) -> S3Bucket:
    name = f"videos-{uuid4().hex}"
    client.create_bucket(Bucket=name)
    return S3Bucket(name, client.meta.endpoint_url, client)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What `ArtifactStore` needs to open an empty store; every test that takes it runs on both."""
    if request.param == "folder":
        return {"root": str(tmp_path / "store")}
    bucket = request.getfixturevalue("s3_bucket")
    return {"root": f"s3://{bucket.name}/some/prefix", "endpoint_url": bucket.endpoint_url}
