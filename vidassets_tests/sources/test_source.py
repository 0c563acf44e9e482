import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import SourceError
from vidassets.sources.source import KINDS, Source

text = st.text(st.characters(exclude_categories=["Cs"]))
sources = st.builds(
    Source,
    key=st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True),
    uri=text,
    kind=st.sampled_from(KINDS),
    size_bytes=st.integers(min_value=0),
    fingerprint=text,
    sidecar_uri=st.none() | text,
    sidecar_fingerprint=st.none() | text,
)
ONE = asdict(Source("a", "/a.mp4", "clip", 3, "mtime_ns:1-3"))


@given(sources)
def test_a_source_comes_back_from_its_json(source: Source):
    assert Source.from_json(source.to_json()) == source


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("{", id="cut"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param(json.dumps(ONE | {"colour": "red"}), id="an unknown field"),
        pytest.param(json.dumps({name: value for name, value in ONE.items() if name != "uri"}), id="a missing field"),
        pytest.param(json.dumps(ONE | {"size_bytes": "3"}), id="a size in text"),
        pytest.param(json.dumps(ONE | {"size_bytes": True}), id="a size of true"),
        pytest.param(json.dumps(ONE | {"size_bytes": -1}), id="a negative size"),
        pytest.param(json.dumps(ONE | {"uri": None}), id="no uri"),
        pytest.param(json.dumps(ONE | {"sidecar_uri": 1}), id="a sidecar that is a number"),
        pytest.param(json.dumps(ONE | {"kind": "film"}), id="an unknown kind"),
        pytest.param(json.dumps(ONE | {"key": "../a"}), id="a key that leaves its folder"),
    ],
)
def test_what_is_not_a_source_is_refused(document: str):
    with pytest.raises(SourceError):
        Source.from_json(document)
