"""Clips are added to a deployment and taken out of it."""

from pathlib import Path

import pytest

from vidassets_tests.builders import Home, film


def test_add_as_json_has_keys_by_what_became_of_them_and_refusals_by_uri(worked: Home, tmp_path: Path):
    other = film(tmp_path / "a.mp4")
    said = worked.command("add", str(tmp_path), str(worked.videos), "--json")
    assert said.code == 1
    results = {"added", "replaced", "moved", "unchanged", "refused", "sidecars", "kind_changed"}
    assert set(said.json) == results
    assert said.json["unchanged"] == ["a", "b"]
    assert list(said.json["refused"]) == [str(other)]


def test_remove_as_json_has_the_keys_and_what_became_of_artifacts(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("remove", "a", "--json")
    assert (said.code, said.json) == (0, {"removed": ["a"], "artifacts": "kept"})


def test_remove_keeps_artifacts_and_adding_again_finds_all_up_to_date(worked: Home, finished: Home):
    assert finished.command("remove", "a").out == "a: removed; artifacts kept\n"
    assert finished.partitions() == {"clips": ["b"]}
    assert finished.store.exists("frames", "a")
    finished.command("add", str(worked.videos))
    assert finished.partitions() == {"clips": ["b", "a"]}
    assert finished.states() == {}


def test_remove_with_artifacts_deletes_all_of_that_clip_and_nothing_of_another(worked: Home, finished: Home):
    data = finished.path / "data"
    assert {path.stem for path in data.rglob("*") if path.is_file()} >= {"a", "b"}
    finished.command("remove", "a", "--artifacts")
    assert list(data.rglob("a.*")) == []
    assert finished.states() == {}
    assert (worked.videos / "a.mp4").exists()


def test_an_episode_is_in_both_sets_and_is_listed_as_one(home: Home):
    film(home.videos / "show" / "S1" / "E2" / "episode.mp4")
    film(home.videos / "c.mp4")
    home.command("add", str(home.videos / "show" / ".."), "--kind", "episode")
    assert home.partitions() == {"clips": ["c", "show-s01e02"], "episodes": ["c", "show-s01e02"]}
    assert [row["kind"] for row in home.command("status", "--json").json] == ["episode", "episode"]


@pytest.mark.parametrize("key", ["my clip", "a/b", "../c", "[red]x[/]", "東京", "k" * 250])
@pytest.mark.parametrize("partitions", ["clips", "builds"])
def test_a_partition_added_by_hand_is_shown_with_its_state_and_can_be_removed(home: Home, partitions: str, key: str):
    with home.deployment() as deployment:
        deployment.instance.add_dynamic_partitions(partitions, [key])
    said = home.command("status")
    assert said.code == 1
    assert f"{key} missing: source_video no video is registered under this key" in said.out
    [row] = home.command("status", "--json").json
    assert (row["clip"], row["state"], row["asset"]) == (key, "missing", "source_video")
    assert home.command("show", key).out.startswith(f"{key}: no video is registered under this key")
    assert home.command("remove", key, "--artifacts").code == 0
    assert home.partitions() == {}


def test_a_partition_added_by_hand_harms_no_other_clip(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    with home.deployment() as deployment:
        deployment.instance.add_dynamic_partitions("clips", ["my clip/1"])
    said = home.command("run", "--select", "raw_clip")
    assert said.code == 1
    assert "my clip/1 missing: source_video no video is registered under this key" in said.out
    assert home.store.exists("raw_clip", "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('{"gas_flow": "low",\n "position": }', "line 2, column 14: not JSON", id="not JSON"),
        pytest.param('{"gas_flow": "hgh"}', "gas_flow is 'hgh', not one of low, high. Write one of them", id="a word"),
        pytest.param('{"extraction": {"start": 3}}', "it takes an object of start_frame", id="unknown setting"),
        pytest.param(
            '{"extraction": {"start_frame": -3}}', "start_frame: should be greater than or equal to 0", id="a value"
        ),
        pytest.param("[]", "holds a list, not an object", id="a list"),
    ],
)
def test_add_reports_a_sidecar_that_cannot_be_used_each_time_and_registers_the_video(
    home: Home, text: str, problem: str
):
    path = film(home.videos / "a.mp4").with_suffix(".json")
    path.write_text(text)
    for _ in range(2):
        said = home.command("add", str(home.videos), "--kind", "build")
        assert said.code == 1
        assert said.err.startswith(f"sidecar {path}: ")
        assert problem in said.err
    assert home.partitions() == {"clips": ["a"], "builds": ["a"]}
    path.write_text('{"gas_flow": "low"}')
    assert home.command("add", str(home.videos), "--kind", "build").code == 0


def test_add_says_when_it_changes_a_clips_kind(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    said = home.command("add", str(home.videos), "--kind", "build")
    assert (said.code, said.err) == (0, "kind changed from clip to build: a\n")
    assert home.command("add", str(home.videos), "--json").json["kind_changed"] == {"a": ["build", "clip"]}


def test_of_several_places_none_is_added_if_one_is_not_there(home: Home):
    film(home.videos / "a.mp4")
    assert home.command("add", str(home.videos), str(home.path / "none")).code == 2
    assert home.partitions() == {}


def test_a_store_that_cannot_be_written_ends_with_2_and_registers_nothing(home: Home):
    film(home.videos / "a.mp4")
    said = home.command("add", str(home.videos), VIDASSETS__STORE__ROOT="/dev/null/data")
    assert said.code == 2
    assert "/dev/null/data" in said.err
    assert home.partitions() == {}
