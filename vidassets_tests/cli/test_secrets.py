"""No secret is stored or shown: everything that is written is searched, after runs with every secret set."""

import base64
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from vidassets_tests.builders import Home, film, flat
from vidassets_tests.descriptions.wire_server import WireServer
from vidassets_tests.media.range_server import serving

SECRET = "wq7-very-secret-Zk3"
SECRETS = {
    "OPENAI_API_KEY": f"sk-{SECRET}-openai",
    "AWS_ACCESS_KEY_ID": f"{SECRET}-id",
    "AWS_SECRET_ACCESS_KEY": f"{SECRET}-key",
    "AWS_SESSION_TOKEN": f"{SECRET}-session",
    "MLFLOW_TRACKING_USERNAME": f"{SECRET}-user",
    "MLFLOW_TRACKING_PASSWORD": f"{SECRET}-mlflow",
    "MLFLOW_TRACKING_TOKEN": f"{SECRET}-bearer",
    "DAGSTER_POSTGRES_PASSWORD": f"{SECRET}-postgres",
    "HF_TOKEN": f"hf_{SECRET}",
}
PRICED = """
describer:
  class: vidassets.resources.describers.OpenAICompatibleDescriber
  base_url: {base_url}
  api_key: {{env: OPENAI_API_KEY}}
  prompt: "?"
  requests_per_second: 1000
  max_retries: 0
  first_backoff_s: 0.01
  budget_usd_dataset: 1
  prices:
    - {{model: gpt-4o-mini, input_usd_per_million: 1, output_usd_per_million: 1, image_base_tokens: 100,
       as_of: "2026-11-05", source: a page}}
"""
NEEDLES = [SECRET.encode(), base64.b64encode(f"x:{SECRET}".encode())[4:20]]


def test_nothing_that_a_run_writes_or_prints_holds_a_secret(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    netrc = tmp_path_factory.mktemp("netrc") / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login name password {SECRET}-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    path = film(home.videos / "a.mp4", (1.0, 1.0))
    with WireServer() as server, serving(path.read_bytes(), password=("name", f"{SECRET}-netrc")) as videos:
        home.profile(PRICED.format(base_url=server.base_url))
        added = home.command("add", videos.url)
        assert (added.code, added.err) == (0, "")
        server.behave = lambda request: "echo-key 400" if request.n % 2 else "echo-key 401"
        said = [added, home.command("run"), home.command("run")]
        server.behave = lambda _: "ok"
        said += [home.command("run"), home.command("doctor"), home.command("status"), home.command("show", "video")]
        assert [one.code for one in said[3:]] == [0] * 4
        assert server.requests[0].authorization == f"Bearer {SECRETS['OPENAI_API_KEY']}"
    written = dict(texts(home.path)) | {"printed": "".join(one.out + one.err for one in said).encode()}
    assert len(written) > 20
    assert [name for name, text in written.items() if any(needle in text for needle in NEEDLES)] == []


REFUSED = {
    "VIDASSETS__DESCRIBER__BASE_URL": [
        f"https://user:{SECRET}@host/v1",
        f"https://user:{SECRET}/x@host/v1",
        f"https://{SECRET}@host/v1",
        f"https://host/v1?api_key={SECRET}",
    ],
    "VIDASSETS__DESCRIBER__API_KEY": [f"sk-{SECRET}"],
    "VIDASSETS__DESCRIBER__APIKEY": [f"sk-{SECRET}"],
    "VIDASSETS__DESCRIBER__SEED": [f"[{SECRET}"],
    "VIDASSETS__STORE__ENDPOINT_URL": [f"https://user:{SECRET}@host"],
    "VIDASSETS__STORE__ROOT": [f"s3://key:{SECRET}@bucket/prefix"],
    "VIDASSETS__EXPERIMENT_TRACKER__TRACKING_URI": [f"postgresql://user:{SECRET}@host/mlflow"],
    "VIDASSETS__EXPERIMENT_TRACKER__ARTIFACT_LOCATION": [f"s3://key:{SECRET}@bucket"],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(variable, value) for variable, values in REFUSED.items() for value in values]
)
def test_a_secret_written_out_in_a_profile_is_refused_unseen(home: Home, variable: str, value: str):
    home.profile(
        "describer: {class: vidassets.resources.describers.OpenAICompatibleDescriber}\n"
        "experiment_tracker: {class: vidassets.resources.experiment_tracker.MlflowTracker, tracking_uri: x}"
    )
    said = home.command("doctor", **{variable: value})
    assert (said.code, said.out) == (2, "")
    assert variable.rpartition("__")[2].lower() in said.err.lower()
    assert SECRET not in said.err


def test_a_refused_password_says_how_to_give_it(home: Home):
    home.profile("describer: {class: vidassets.resources.describers.OpenAICompatibleDescriber}")
    said = home.command("run", VIDASSETS__DESCRIBER__BASE_URL=f"https://user:{SECRET}@host/v1")
    assert "describer: base_url: this URL contains a user name or password" in flat(said.err)
    assert "`api_key: {env: NAME}`" in flat(said.err)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host/a.mp4",
        f"tar://a.mp4::https://user:{SECRET}@host/a.tar",
        f"https://bucket.s3.amazonaws.com/a.mp4?X-Amz-Credential=a&X-Amz-Signature={SECRET}",
        f"https://host/a.mp4?token={SECRET}",
        f"https://account.blob.core.windows.net/c/a.mp4?sv=2024&sig={SECRET}",
        f"s3://key:{SECRET}@bucket/videos",
    ],
)
def test_the_url_of_a_video_with_a_secret_is_refused_and_not_stored(home: Home, url: str):
    said = home.command("add", url)
    assert said.code == 2
    assert "netrc" in said.err
    written = b"".join(text for _, text in texts(home.path))
    assert SECRET not in said.out + said.err + written.decode(errors="replace")


def test_an_endpoint_of_s3_with_a_password_is_refused_unseen(home: Home):
    film(home.videos / "a.mp4")
    said = home.command(
        "add",
        str(home.videos),
        VIDASSETS__STORE__ROOT="s3://bucket",
        AWS_ENDPOINT_URL=f"http://user:{SECRET}@127.0.0.1:1",
    )
    assert said.code == 2
    assert "AWS_ACCESS_KEY_ID" in said.err
    assert SECRET not in said.err


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the content of each file below a folder, with what SQLite and Parquet compress or split unpacked."""
    for path in filter(Path.is_file, folder.rglob("*")):
        data = path.read_bytes()
        if data.startswith(b"SQLite format 3"):
            data += b"".join(_cells(path))
        elif path.suffix == ".parquet":
            data += str(pl.read_parquet(path).drop("image", strict=False).to_dicts()).encode()
        yield str(path), data


def _cells(path: Path) -> Iterator[bytes]:
    with sqlite3.connect(path) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    data = value if isinstance(value, bytes) else str(value).encode()
                    yield zlib.decompress(data) if data[:1] == b"\x78" and isinstance(value, bytes) else data
