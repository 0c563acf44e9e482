"""Which runs are planned, in which order, and that one command's runs share what they may spend."""

import json
import sqlite3

import dagster as dg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from vidassets.automation.plan import PlannedRun
from vidassets.automation.status import State
from vidassets.automation.work import Workload
from vidassets.storage.store import ArtifactStore
from vidassets_tests.builders import Home, film, reasons
from vidassets_tests.descriptions.wire_server import WireServer
from vidassets_tests.toy_deployment import CHAIN, Toy
from vidassets_tests.toy_graph import SOURCE, doubled, number, report, total, toy_definitions


def workload(toy: Toy, clips: list[str], force: bool = False) -> Workload:
    store = ArtifactStore(toy.home / "data")
    assets, whole = [number, doubled, report], [total]
    catalog = {SOURCE.name: SOURCE} | {asset.name: asset.artifact for asset in (*assets, *whole)}
    return Workload(toy_definitions(toy.home), toy.instance, store, catalog, assets, whole, clips, force=force)


def done(toy: Toy, *clips: str, force: bool = False) -> list[list[PlannedRun]]:
    """The waves of runs that it took."""
    waves: list[list[PlannedRun]] = []
    workload(toy, list(clips), force).do(lambda runs: waves.append(list(runs)))
    return waves


def test_at_most_25_clips_make_a_run(toy: Toy):
    clips = [f"c{i:02d}" for i in range(30)]
    toy.add(**dict.fromkeys(clips, "1"))
    assert workload(toy, clips).plan(set()) == [
        PlannedRun(tuple(CHAIN), tuple(clips[:25])),
        PlannedRun(tuple(CHAIN), tuple(clips[25:])),
    ]


def test_clips_that_want_other_assets_are_runs_of_their_own_in_the_order_of_registration(toy: Toy):
    toy.add(a="1", b="2", c="3", d="4")
    toy.run("number", clips="b")
    assert workload(toy, ["a", "b", "c", "d"]).plan(set()) == [
        PlannedRun(tuple(CHAIN), ("a",)),
        PlannedRun(("doubled", "report"), ("b",)),
        PlannedRun(tuple(CHAIN), ("c", "d")),
    ]


def test_nothing_is_planned_where_all_is_up_to_date(toy: Toy):
    toy.add(a="1", b="2")
    assert len(done(toy, "a", "b")) == 1
    assert done(toy, "a", "b") == []


def test_what_failed_is_tried_once_a_command_and_again_by_the_next(toy: Toy):
    toy.add(a="1", b="corrupt")
    done(toy, "a", "b")
    assert toy.reported().count("number b") == 1
    assert done(toy, "a", "b") == [[PlannedRun(tuple(CHAIN), ("b",))]]
    toy.add(b="2")
    done(toy, "a", "b")
    assert set(toy.made("report")) == {"a", "b"}


def test_what_is_below_one_that_may_turn_stale_waits_for_it(toy: Toy):
    toy.add(a="1")
    done(toy, "a")
    toy.instance.wipe_assets([dg.AssetKey("report")])
    store = ArtifactStore(toy.home / "data")
    store.delete("number", "a", "txt")
    toy.add(a="5")
    # doubled is up to date until number has been made; report must not be made from the old one.
    assert [[run.assets for run in wave] for wave in done(toy, "a")] == [[("number",)], [("doubled", "report")]]
    assert toy.artifact("report", "a") == "5 10"


def test_force_makes_everything_again_once(toy: Toy):
    toy.add(a="1")
    done(toy, "a")
    assert done(toy, "a", force=True) == [[PlannedRun(tuple(CHAIN), ("a",))]]


def test_the_asset_over_all_clips_is_made_when_a_clip_changed_and_only_then(toy: Toy):
    def times_made() -> int:
        return len(toy.instance.fetch_materializations(dg.AssetKey("total"), limit=9).records)

    toy.add(a="1", b="2")
    done(toy, "a", "b")
    done(toy, "a", "b")
    assert (times_made(), toy.artifact("total", "all")) == (1, "6")
    toy.add(c="4")
    done(toy, "c")
    assert (times_made(), toy.artifact("total", "all")) == (2, "14")


def test_an_asset_over_all_clips_is_made_after_the_clips_it_reads_and_its_failure_is_kept(toy: Toy):
    toy.add(a="1", b="2")
    work = workload(toy, ["a", "b"])
    work.do(lambda runs: None)
    assert (work.failures, reasons(work)) == ({}, {})
    (toy.home / "data" / "doubled" / "a.txt").write_text("no number")
    forced = workload(toy, ["a", "b"], force=True)
    forced.clip_assets = []
    forced.do(lambda runs: None)
    assert list(forced.failures) == ["total"]
    assert "invalid literal for int()" in forced.failures["total"]


PRICED = """
describer:
  class: vidassets.resources.describers.OpenAICompatibleDescriber
  base_url: {base_url}
  prompt: "?"
  concurrency: 1
  requests_per_second: 1000
  budget_usd_per_run: 0.0000006
  prices:
    - model: gpt-4o-mini
      input_usd_per_million: 0.001
      output_usd_per_million: 0.001
      as_of: "2026-11-05"
      source: a page
      image_base_tokens: 100
"""


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory):
    """Six clips of a frame each, by one command with money for three answers; then with enough."""
    home = Home(tmp_path_factory.mktemp("spent"))
    for place, name in enumerate("abcdef"):
        film(home.videos / f"{name}.mp4", place=place, sidecar={"worker_id": name})
    home.command("add", str(home.videos))
    with WireServer() as server:
        home.profile(PRICED.format(base_url=server.base_url))
        home.command("run", "--select", "raw_clip", "--clips", "c")
        before, first, after = home.look(), home.command("run"), home.look()
        seen = {
            "runs": after.n_runs - before.n_runs,
            "code": first.code,
            "said": first.out,
            "asked": len(server.requests),
            "states": after.states,
            "costs": home.table("description_costs", "all")["cost_usd"].to_list(),
        }
        second = home.command("run", VIDASSETS__DESCRIBER__BUDGET_USD_PER_RUN="1")
        yield home, server, seen, second


# A call may cost 315 nano-USD and costs 120: of 600, three calls fit (240 + 315 is below, 360 + 315 above).
def test_one_budget_holds_over_all_runs_of_a_command(spent):
    _, _, seen, _ = spent
    assert (seen["runs"], seen["asked"], seen["costs"]) == (
        3 + 3,
        3,
        [120e-9] * 3,
    )  # and a voice bank, decisions, costs


def test_what_a_budget_left_is_incomplete_and_reported(spent):
    _, _, seen, _ = spent
    assert seen["code"] == 1
    assert seen["states"] == dict.fromkeys([("frame_descriptions", clip) for clip in "def"], "incomplete")
    assert "d incomplete: frame_descriptions 1 still to be done" in seen["said"]


def test_what_a_budget_left_is_done_by_a_later_run_that_may_and_nothing_is_asked_twice(spent):
    home, server, _, second = spent
    assert (second.code, home.states()) == (0, {})
    assert sorted(server.count(request.picture) for request in server.requests) == [1] * 6


def test_documents_and_costs_follow_when_what_was_left_is_done(spent):
    home, _, _, _ = spent
    documents = [json.loads(home.store.read_bytes("description_document", clip, "json")) for clip in "abcdef"]
    assert [document["totals"]["incomplete"] for document in documents] == [0] * 6
    assert [document["metadata"]["worker_id"] for document in documents] == list("abcdef")
    costs = home.table("description_costs", "all")
    assert costs["cost_usd"].to_list() == [120e-9] * 6
    assert (costs["calls"].sum(), costs["input_tokens"].sum(), costs["output_tokens"].sum()) == (6, 600, 120)


def test_more_clips_than_sqlite_allows_variables_can_be_planned(toy: Toy):
    """The limit is 32,766 by default and 999 in old builds; it is lowered here instead of adding so many clips."""
    clips = [f"c{i:03d}" for i in range(560)]
    toy.add(**dict.fromkeys(clips, "1"))

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 550)

    event.listen(Engine, "connect", limit)
    try:
        planned = workload(toy, clips).plan(set())
        assert toy.run("number", clips=(clips[0], clips[24])).is_success
        made = workload(toy, clips).board().cells
    finally:
        event.remove(Engine, "connect", limit)
    assert sum(len(run.clips) for run in planned) == len(clips)
    assert [made["number", clip].state for clip in clips] == 25 * [State.FRESH] + 535 * [State.MISSING]
