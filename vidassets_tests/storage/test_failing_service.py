"""An S3 service that fails now and then, or for good; a real proxy in front of the server answers for it."""

from collections.abc import Callable, Iterator

import pytest

from vidassets.errors import SourceError, StoreUnreachable
from vidassets.sources.find import find_videos
from vidassets.storage.store import ArtifactStore
from vidassets_tests.builders import Home, film
from vidassets_tests.s3_proxy import ACCESS_DENIED, EXPIRED_TOKEN, INTERNAL_ERROR, SLOW_DOWN, Fault, S3Proxy, s3_proxy
from vidassets_tests.s3_server import S3Bucket
from vidassets_tests.storage.test_reaching_the_store import CALLS

pytestmark = pytest.mark.runs


@pytest.fixture
def proxy(s3_bucket: S3Bucket) -> Iterator[S3Proxy]:
    with s3_proxy(s3_bucket.endpoint_url) as proxy:
        yield proxy


def every_third(fault: Fault) -> Callable[[int, str], Fault | None]:
    return lambda number, method: fault if number % 3 == 0 else None


@pytest.mark.parametrize("fault", [SLOW_DOWN, INTERNAL_ERROR], ids=["throttled", "500"])
def test_a_service_that_fails_now_and_then_is_asked_again(proxy: S3Proxy, s3_bucket: S3Bucket, fault: Fault):
    proxy.fault = every_third(fault)
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=proxy.url)
    for number in range(5):
        store.write_bytes("audio", f"{number}", "flac", bytes([number]))
    assert [store.read_bytes("audio", f"{number}", "flac") for number in range(5)] == [bytes([n]) for n in range(5)]
    assert (len(store.keys("audio", "flac")), proxy.n_faults > 3) == (5, True)


@pytest.mark.parametrize(
    ("fault", "said", "fix"),
    [
        (SLOW_DOWN, "SlowDown: Please reduce", "run less at once"),
        (INTERNAL_ERROR, "InternalError: We encountered", "run again later"),
        (EXPIRED_TOKEN, "ExpiredToken", "sign in again"),
        (ACCESS_DENIED, "AccessDenied", "s3:PutObject"),
    ],
    ids=["throttled", "500", "expired", "denied"],
)
def test_a_failure_that_lasts_names_object_action_endpoint_and_fix(
    proxy: S3Proxy, s3_bucket: S3Bucket, fault: Fault, said: str, fix: str
):
    proxy.fault = lambda number, method: fault
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=proxy.url)
    with pytest.raises(StoreUnreachable) as caught:
        CALLS["write"](store)
    message = str(caught.value)
    assert message.startswith(f"s3://{s3_bucket.name}/p/audio/a.flac: PutObject failed with {said}")
    assert f"(endpoint: {proxy.url})" in message
    assert fix in message
    assert proxy.n_requests == (5 if fault[0] >= 500 else 1)


@pytest.mark.parametrize(("fault", "fix"), [(ACCESS_DENIED, "may not do this"), (EXPIRED_TOKEN, "AWS_ACCESS_KEY_ID")])
def test_a_head_request_has_no_text_and_is_explained_by_its_status(
    proxy: S3Proxy, s3_bucket: S3Bucket, fault: Fault, fix: str
):
    proxy.fault = lambda number, method: fault
    with pytest.raises(StoreUnreachable, match=rf"HeadObject failed with {fault[0]}.*{fix}"):
        CALLS["stat"](ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=proxy.url))


def test_an_endpoint_of_the_environment_is_named(proxy: S3Proxy, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    proxy.fault = lambda number, method: ACCESS_DENIED
    with pytest.raises(StoreUnreachable, match=f"endpoint: {proxy.url}"):
        CALLS["write"](ArtifactStore(f"s3://{s3_bucket.name}/p"))


def test_an_endpoint_of_the_environment_gets_the_bucket_in_the_path(
    proxy: S3Proxy, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url.replace("127.0.0.1", "localhost"))
    CALLS["write"](ArtifactStore(f"s3://{s3_bucket.name}/p"))
    assert s3_bucket.keys() == ["p/audio/a.flac"]


@pytest.mark.parametrize("fault", [SLOW_DOWN, EXPIRED_TOKEN, ACCESS_DENIED])
def test_a_source_that_cannot_be_listed_names_endpoint_and_fix(
    proxy: S3Proxy, s3_bucket: S3Bucket, fault: Fault, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    proxy.fault = lambda number, method: fault
    with pytest.raises(SourceError, match=rf"ListObjectsV2 failed with {fault[1]}.*endpoint: {proxy.url}"):
        find_videos(f"s3://{s3_bucket.name}/videos", "clip")


def test_a_run_on_a_service_that_fails_now_and_then_makes_everything(
    proxy: S3Proxy, s3_bucket: S3Bucket, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    home = Home(tmp_path, {"VIDASSETS__STORE__ROOT": f"s3://{s3_bucket.name}/data"})
    s3_bucket.put("videos/a.mp4", film(home.videos / "a.mp4", (1.0, 0.5)).read_bytes())
    proxy.fault = lambda number, method: (SLOW_DOWN, INTERNAL_ERROR)[number % 2] if number % 7 < 2 else None
    assert home.command("add", f"s3://{s3_bucket.name}/videos").code == 0
    assert home.command("run", "--select", "raw_clip,frames,shots,shot_scores").code == 0
    assert proxy.n_faults > 5
    proxy.fault = lambda number, method: SLOW_DOWN
    for words in (["add", f"s3://{s3_bucket.name}/videos"], ["run"], ["status"]):
        said = home.command(*words)
        assert (said.code, said.err.count("error ")) == (2, 1), words
        assert "SlowDown" in said.err
        assert "Traceback" not in said.err
    said = home.command("doctor", "--json")
    assert "SlowDown" in next(finding["said"] for finding in said.json if finding["what"] == "store")
