import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import InvalidKey
from vidassets.keys import check_key
from vidassets.sources.keys import clip_key, key_collisions
from vidassets.sources.source import Source

names = st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=30)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param("a.mp4", "a", id="the extension goes"),
        pytest.param("Kitchen/Take 1.MP4", "kitchen.take-1", id="lower case, folders, spaces"),
        pytest.param("a name with spaces and '.mp4", "a-name-with-spaces-and--", id="quotes"),
        pytest.param("ünïcode.mp4", "n-code-b8be89", id="letters that are lost leave their name's hash"),
        pytest.param("東京/一.mp4", "195004", id="nothing but such letters"),
        pytest.param("- take.mp4", "take", id="no dash at the beginning, for it would be an option"),
        pytest.param("v1.2.mp4", "v1.2", id="dots in a name stay"),
        pytest.param("wait...what.mp4", "wait-what", id="dots in a row become a dash"),
        pytest.param("the_office/s01/e02/episode.mp4", "the_office-s01e02", id="an episode"),
        pytest.param("The Office/S1/E2/Episode.mkv", "the-office-s01e02", id="an episode in capitals"),
        pytest.param("tv/office/s12/e103/episode.mp4", "tv.office-s12e103", id="an episode deeper down"),
        pytest.param("office/s01/e02/extra.mp4", "office.s01.e02.extra", id="not the episode itself"),
        pytest.param("s01/e02/episode.mp4", "s01.e02.episode", id="an episode of no show"),
    ],
)
def test_a_key_is_made_of_the_path_below_the_root(path: str, key: str):
    assert clip_key("/data", f"/data/{path}") == key


@pytest.mark.parametrize(
    "path",
    ["/data/.mp4", "/data/.hidden.mp4", "/data/../etc/a.mp4", "/data", "/elsewhere/a.mp4", f"/data/{'a' * 201}.mp4"],
)
def test_a_path_that_gives_no_key_is_refused_by_name(path: str):
    with pytest.raises(InvalidKey, match=path[:20]):
        clip_key("/data", path)


@given(paths)
def test_whatever_the_path_its_key_is_valid_or_refused(path: str):
    try:
        key = clip_key("/data", f"/data/{path}.mp4")
    except InvalidKey:
        return
    assert check_key(key) == key


@given(paths)
def test_a_key_is_the_same_however_a_file_system_composes_its_letters(path: str):
    def key(form: str) -> str | None:
        try:
            return clip_key("/data", f"/data/{unicodedata.normalize(form, path)}.mp4")
        except InvalidKey:
            return None

    assert key("NFC") == key("NFD")


@given(st.from_regex(r"[a-z0-9_ -]{1,20}(/[a-z0-9_ -]{1,20}){0,3}", fullmatch=True))
def test_a_key_is_the_same_in_capitals(path: str):
    assert clip_key("/data", f"/data/{path}.mp4") == clip_key("/data", f"/data/{path.upper()}.MP4")


def test_two_videos_of_one_key_are_both_named():
    sources = [Source("a", uri, "clip", 1, "x") for uri in ("/one/a.mp4", "/two/A.mp4")]
    collisions = key_collisions(sources)
    assert list(collisions) == ["/one/a.mp4", "/two/A.mp4"]
    assert all("/one/a.mp4 and /two/A.mp4: would share the key 'a'" in str(error) for error in collisions.values())


def test_videos_of_different_keys_pass():
    assert key_collisions([Source(key, f"/{key}.mp4", "clip", 1, "x") for key in ("a", "b")]) == {}
