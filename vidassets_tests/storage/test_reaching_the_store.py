import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vidassets.errors import StoreUnreachable
from vidassets.storage.store import ArtifactStore
from vidassets_tests.s3_server import CREDENTIALS, S3Bucket, s3_server_process

pytestmark = pytest.mark.runs

CALLS: dict[str, Callable[[ArtifactStore], object]] = {
    "write": lambda store: store.write_bytes("audio", "a", "flac", b""),
    "read": lambda store: store.read_bytes("audio", "a", "flac"),
    "stat": lambda store: store.stat("audio", "a", "flac"),
    "list": lambda store: store.keys("audio"),
    "check": lambda store: store.check(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_call
def test_a_bucket_that_is_not_there_is_unreachable(s3_bucket: S3Bucket, call: Callable):
    store = ArtifactStore("s3://no-such-bucket/p", endpoint_url=s3_bucket.endpoint_url)
    with pytest.raises(StoreUnreachable, match=r"s3://no-such-bucket.*Check that the bucket exists"):
        call(store)


def test_an_endpoint_where_nobody_listens_is_unreachable(s3_credentials: None):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        store = ArtifactStore("s3://bucket", endpoint_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(StoreUnreachable, match="endpoint: http://127"):
            store.check()


@pytest.mark.parametrize("name", ["write", "read"])
def test_an_endpoint_that_never_answers_is_unreachable(s3_credentials: None, name: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = ArtifactStore("s3://bucket", endpoint_url=endpoint_url, connect_timeout_s=0.2, read_timeout_s=0.2)
        with pytest.raises(StoreUnreachable, match="endpoint: http://127"):
            CALLS[name](store)


def test_an_endpoint_that_is_no_url_is_unreachable(s3_credentials: None):
    with pytest.raises(StoreUnreachable, match="endpoint: nonsense"):
        ArtifactStore("s3://bucket", endpoint_url="nonsense").check()


@pytest.fixture(scope="module")
def forbidding_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server that knows nobody's credentials."""
    log = tmp_path_factory.mktemp("s3") / "log"
    with s3_server_process(log, INITIAL_NO_AUTH_ACTION_COUNT="0") as endpoint_url:
        yield endpoint_url


@every_call
def test_a_bucket_without_permission_is_unreachable(
    forbidding_server: str, monkeypatch: pytest.MonkeyPatch, call: Callable
):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreUnreachable, match="AWS_ACCESS_KEY_ID"):
        call(ArtifactStore("s3://bucket", endpoint_url=forbidding_server))


def test_a_url_without_a_bucket_is_refused():
    with pytest.raises(StoreUnreachable, match="the bucket is missing"):
        ArtifactStore("s3://")


@pytest.mark.parametrize("name", ["write", "read", "stat", "check"])
def test_a_store_that_is_a_file_is_unreachable(tmp_path: Path, name: str):
    (tmp_path / "store").touch()
    with pytest.raises(StoreUnreachable, match="Make sure that it is a folder"):
        CALLS[name](ArtifactStore(tmp_path / "store"))


@pytest.fixture
def forbidden_folder() -> Iterator[Path]:
    """A folder that this process may not write to, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        as_root = os.geteuid() == 0
        if as_root:
            os.seteuid(65534)
        yield Path(folder)
        if as_root:
            os.seteuid(0)


def test_a_folder_without_permission_is_unreachable(forbidden_folder: Path):
    with pytest.raises(StoreUnreachable, match="Permission denied"):
        ArtifactStore(forbidden_folder).check()


def test_loading_the_store_for_a_folder_imports_no_s3_client():
    program = (
        "import sys; from vidassets.storage.store import ArtifactStore; ArtifactStore('x');"
        "print([name for name in ('boto3', 'botocore', 'pyarrow', 'aiohttp') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
