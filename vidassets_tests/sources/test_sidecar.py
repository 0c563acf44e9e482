import json
import os
from pathlib import Path

import pytest

from vidassets.errors import SidecarError
from vidassets.sources.sidecar import read_sidecar
from vidassets_tests.s3_server import S3Bucket


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def sidecar(folder: Path, content: str | bytes) -> str:
    path = folder / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_sidecar_is_read_as_it_is(tmp_path: Path):
    document = {"factory_id": "factory_001", "fps": 30.5, "tags": [1, None, {"ü": True}]}
    assert read_sidecar(sidecar(tmp_path, json.dumps(document))) == document


def test_a_video_without_a_sidecar_has_none():
    assert read_sidecar(None) is None


def test_a_sidecar_twenty_deep_is_read(tmp_path: Path):
    assert read_sidecar(sidecar(tmp_path, nested(20))) == json.loads(nested(20))


def test_a_sidecar_with_a_byte_order_mark_is_read(tmp_path: Path):
    assert read_sidecar(sidecar(tmp_path, b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(nested(21), "20 deep", id="too deep"),
        pytest.param("[" * 400_000, "20 deep", id="a bomb of brackets"),
        pytest.param('{"a": "' + "x" * 1_000_000 + '"}', "over 1000000 bytes", id="huge"),
        pytest.param("[1]", "holds a list", id="a list"),
        pytest.param("3", "holds a int", id="a number"),
        pytest.param('{"a": NaN}', "NaN", id="not a number"),
        pytest.param('{"a": -Infinity}', "Infinity", id="infinity"),
        pytest.param('{"a": 1e999}', "too large a number", id="an infinity in disguise"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "digits", id="endless digits"),
        pytest.param(r'{"a": "\ud800"}', "surrogate", id="half a character"),
        pytest.param(b'{"a": "\xff"}', "utf-8", id="not UTF-8"),
        pytest.param('{"a": "b\0"}', "Invalid control character", id="NUL"),
        pytest.param(r'{"a": [{"b": "c\u0000"}]}', "control character", id="NUL, escaped"),
        pytest.param(r'{"a\u0000": 1}', "control character", id="NUL in a name"),
        pytest.param("{", "Expecting", id="cut"),
        pytest.param("", "Expecting value", id="empty"),
    ],
)
def test_a_hostile_sidecar_is_refused_by_name_with_the_fix(tmp_path: Path, content: str | bytes, message: str):
    uri = sidecar(tmp_path, content)
    with pytest.raises(SidecarError, match=message) as refusal:
        read_sidecar(uri)
    assert str(refusal.value).startswith(f"{uri}: ")
    assert str(refusal.value).endswith("Make it a small JSON object, or take it away, and add the video again.")


def test_a_sidecar_that_is_gone_is_reported(tmp_path: Path):
    with pytest.raises(SidecarError, match="is gone"):
        read_sidecar(str(tmp_path / "a.json"))


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(SidecarError, match="no file"):
        read_sidecar(str(tmp_path / "a.json"))


def test_a_remote_sidecar_is_read(s3_bucket: S3Bucket):
    s3_bucket.put("a.json", b'{"a": 1}')
    assert read_sidecar(f"s3://{s3_bucket.name}/a.json", {"endpoint_url": s3_bucket.endpoint_url}) == {"a": 1}


def test_a_remote_sidecar_that_is_gone_is_reported(s3_bucket: S3Bucket):
    with pytest.raises(SidecarError, match="nothing is there"):
        read_sidecar(f"s3://{s3_bucket.name}/a.json", {"endpoint_url": s3_bucket.endpoint_url})
