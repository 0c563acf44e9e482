"""A person's words on crops: asked for, handed in, kept, replayed, and taken away by nothing but a person."""

from pathlib import Path

import polars as pl
import pytest

from vidassets_tests.assets.spatter.conftest import Learned
from vidassets_tests.assets.spatter.deployed_builds import Builds

ROUND = "spatter_label_decisions,spatter_types"
PLACE = ["clip", "event_index"]


@pytest.fixture(scope="module")
def rounds(learned: Learned) -> list[dict[str, pl.DataFrame]]:
    """The list filled in for two crops, then for two more, then with only its last row left, then taken out."""
    builds, found = learned.builds, list[dict[str, pl.DataFrame]]()
    asked = pl.read_csv(builds.blob("spatter_label_requests_csv", "csv"), infer_schema=False)
    path = builds.path / "labels.csv"

    def hand_in(table: pl.DataFrame, profile: Path | None = path) -> None:
        table.write_csv(path)
        builds.set(spatter_label_decisions={"table": str(profile)} if profile else {})
        worked = builds.run(ROUND)
        tables = {name: builds.table(name) for name in ("spatter_label_decisions", "spatter_types")}
        found.append(tables | {"failures": pl.DataFrame(list(worked.failures))})

    words = pl.Series(["round", "long", None, None, None, None])
    hand_in(asked.with_columns(label=words))
    hand_in(asked.with_columns(label=words.to_frame("a").with_columns(a=pl.coalesce("a", pl.lit("round")))["a"]))
    hand_in(asked.with_columns(label=words)[-1:])
    hand_in(asked, profile=None)
    return found


def by_people(types: pl.DataFrame) -> int:
    return types.filter(pl.col("label_source") == "person").height


def test_what_a_person_fills_in_becomes_decisions_and_their_words_stand(rounds: list[dict[str, pl.DataFrame]]):
    first = rounds[0]
    assert first["spatter_label_decisions"]["label"].to_list() == ["round", "long"]
    assert by_people(first["spatter_types"]) == 2


def test_a_list_handed_in_with_more_filled_in_adds_what_is_new_behind_the_rest(rounds: list[dict[str, pl.DataFrame]]):
    decisions = rounds[1]["spatter_label_decisions"]
    assert decisions["decision"].to_list() == [0, 1, 2, 3, 4, 5]
    assert decisions[:2].equals(rounds[0]["spatter_label_decisions"])
    assert by_people(rounds[1]["spatter_types"]) == 6


@pytest.mark.parametrize("later", [pytest.param(2, id="rows deleted"), pytest.param(3, id="no table any more")])
def test_nothing_is_taken_away_with_the_list(rounds: list[dict[str, pl.DataFrame]], later: int):
    assert rounds[later]["spatter_label_decisions"].equals(rounds[1]["spatter_label_decisions"])
    assert by_people(rounds[later]["spatter_types"]) == 6


def test_words_of_people_are_spread_to_what_is_like_them(rounds: list[dict[str, pl.DataFrame]]):
    types = rounds[1]["spatter_types"]
    assert set(types.filter(pl.col("label_source") == "pseudo")["label"]) <= {"round", "long"}
    assert all(round_["failures"].is_empty() for round_ in rounds)


def test_a_list_that_is_gone_is_reported_with_the_fix(tmp_path: Path):
    with Builds.at(tmp_path) as builds:
        builds.instance.add_dynamic_partitions("builds", ["a"])
        builds.set(spatter_label_decisions={"table": str(tmp_path / "none.csv")})
        [cause] = builds.run("spatter_label_decisions").failures.values()
        assert cause.startswith(f"LabelError: {tmp_path / 'none.csv'}: cannot be read") or "cannot be read" in cause
        assert "Correct the path in the profile." in cause
