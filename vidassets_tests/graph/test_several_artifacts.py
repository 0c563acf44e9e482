"""Assets that make several artifacts at once, files among them, and assets of a clip below one over all clips."""

from pathlib import Path

import dagster as dg
import dataframely as dy
import polars as pl
import pytest

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.automation.work import Workload
from vidassets.graph.artifact import StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.lineage import latest, latest_complete, latest_whole
from vidassets.graph.partitions import builds, clips
from vidassets.resources.store import Store
from vidassets.schemas.clips import ClipTable
from vidassets_tests.toy_deployment import Toy
from vidassets_tests.toy_graph import SOURCE, number

PARTS = ["digits", "written", "greatest", "share"]


class Digits(ClipTable):
    """One row per digit."""

    clip = dy.String(primary_key=True)
    place = dy.Int64(primary_key=True)
    digit = dy.Int64(min=0, max=9)


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="bin", also={"digits": Digits}, partitions=builds)
def written(clip: str, number: bytes, output: Path) -> AssetResult:
    """The number in a file, and its digits in a table."""
    output.write_bytes(number)
    digits = [int(digit) for digit in number.decode()]
    table = pl.DataFrame({"clip": clip, "place": range(len(digits)), "digit": digits})
    return AssetResult(None, {"length": len(digits)}, also={"digits": table})


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt", partitions=builds)
def greatest(written: AllClips) -> bytes:
    """The greatest number of all."""
    return str(max(int(_content(file)) for _, file in written)).encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt", partitions=builds)
def share(written: StoredFile, greatest: bytes) -> bytes:
    """How much of the greatest number a clip's is."""
    return f"{int(_content(written)) / int(greatest):.2f}".encode()


def _content(file: StoredFile) -> bytes:
    with file.path() as path:
        return path.read_bytes()


@pytest.fixture
def work(toy: Toy) -> Workload:
    """Three builds and a clip that is none, with nothing made."""
    graph = DeclaredGraph([SOURCE], [number, written, share, greatest])
    store = Store(root=str(toy.home / "data"))
    definitions = dg.Definitions(
        assets=[
            dg.AssetSpec(SOURCE.name, partitions_def=clips),
            *graph.definitions(),
        ],
        resources={"store": store},
        executor=isolating_executor,
    )
    toy.add(a="12", b="24", c="48", d="7")
    toy.instance.add_dynamic_partitions("builds", ["a", "b", "c"])
    keys = ["a", "b", "c", "d"]
    return Workload(
        definitions, toy.instance, store.open(), graph.artifacts, [number, written, share], [greatest], keys
    )


def test_assets_of_a_kind_and_those_over_all_its_clips_are_made_in_the_order_that_they_need(work: Workload, toy: Toy):
    work.do(lambda runs: None)
    assert [toy.artifact("share", clip) for clip in "abc"] == ["0.25", "0.50", "1.00"]
    assert not (toy.home / "data" / "written" / "d.bin").exists(), "d is no build"
    assert pl.read_parquet(toy.home / "data" / "digits" / "b.parquet")["digit"].to_list() == [2, 4]
    assert work.plan(set()) == []


def test_a_new_greatest_makes_every_share_again_and_nothing_above_it(work: Workload, toy: Toy):
    work.do(lambda runs: None)
    toy.add(c="96")
    done = work.do(lambda runs: None)
    assert done == {("number", "c"), ("written", "c"), ("greatest", "all"), *(("share", clip) for clip in "abc")}
    assert [toy.artifact("share", clip) for clip in "abc"] == ["0.12", "0.25", "1.00"]


@pytest.mark.parametrize("asset", PARTS)
def test_a_batch_records_what_one_clip_alone_records(work: Workload, toy: Toy, asset: str):
    work.do(lambda runs: None)

    def recorded() -> tuple[str, dict[str, str]]:
        key = dg.AssetKey(asset)
        made = latest_whole(toy.instance, key) if asset == "greatest" else latest(toy.instance, key, ["b"])["b"]
        assert made is not None
        return made.run_id, {name: value for name, value in made.tags.items() if "event_pointer" not in name}

    first_run, first = recorded()
    step = {"digits": written, "written": written, "greatest": greatest, "share": share}[asset]
    launch(work.definitions, toy.instance, step.keys, None if asset == "greatest" else "b")
    second_run, second = recorded()
    assert first_run != second_run
    assert first == second


def test_a_table_that_breaks_its_schema_leaves_none_of_its_call_recorded(work: Workload, toy: Toy):
    toy.add(b="-5")
    work.do(lambda runs: None)
    keys = [dg.AssetKey(name) for name in ("digits", "written")]
    assert [set(latest(toy.instance, key, ["a", "b", "c"])) for key in keys] == [{"a", "c"}, {"a", "c"}]
    assert [toy.artifact("share", clip) for clip in "ac"] == ["0.25", "1.00"]


def test_a_table_taken_from_the_store_by_hand_is_made_again_with_what_it_came_with(work: Workload, toy: Toy):
    work.do(lambda runs: None)
    (toy.home / "data" / "digits" / "a.parquet").unlink()
    done = work.do(lambda runs: None)
    assert ("written", "a") in done
    assert ("written", "b") not in done
    assert (toy.home / "data" / "digits" / "a.parquet").exists()


def test_a_clip_whose_companion_was_not_recorded_is_not_made(work: Workload, toy: Toy):
    work.do(lambda runs: None)
    # What a kill between the two events of a call leaves: the artifact recorded, its companion not.
    event = dg.AssetMaterialization("written", partition="a", tags=dict(toy.made("written")["a"].tags))
    toy.instance.report_runless_asset_event(event)
    assert set(latest_complete(toy.instance, written.keys, ["a", "b", "c"])) == {"b", "c"}
    done = work.do(lambda runs: None)
    assert {cell for cell in done if cell[0] == "written"} == {("written", "a")}
