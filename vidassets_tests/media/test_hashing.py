import hashlib

import pytest

from vidassets.errors import SourceMissing
from vidassets.media.hashing import content_hash


def test_a_local_file_is_known_by_the_sha256_of_its_bytes(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * 3_000_000)
    assert content_hash(str(path)) == f"sha256:{hashlib.sha256(b'x' * 3_000_000).hexdigest()}"


def test_a_missing_file_has_no_hash(tmp_path):
    with pytest.raises(SourceMissing):
        content_hash(str(tmp_path / "gone.mp4"))
