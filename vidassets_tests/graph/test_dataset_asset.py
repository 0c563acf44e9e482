"""Assets over all clips: what goes in, what makes them stale, how they wait; over the toy graph, with real runs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from vidassets.automation.executor import isolating_executor
from vidassets.automation.status import Cell, State
from vidassets.automation.work import Workload
from vidassets.errors import InputsAwaited, LabelError
from vidassets.graph.artifact import Blob
from vidassets.graph.dataset_asset import AllClips, DatasetAsset, dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.lineage import Made, latest_whole
from vidassets.resources.store import Store
from vidassets_tests.builders import reasons
from vidassets_tests.toy_deployment import Toy
from vidassets_tests.toy_graph import SOURCE, number


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    """On an instance in memory: nothing here is about what a disk keeps."""
    monkeypatch.setenv("TOY_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Toy(tmp_path, instance)


class Sum(dg.Config):
    """Settings of `total`."""

    least: int = 1
    note: str = ""


ALSO = {"digits": Blob("txt", "How many digits the sum has.")}


def _note(config: Sum) -> str:
    return Path(config.note).read_text() if config.note else "no note, and none is needed: " + 80 * "."


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt", also=ALSO, watches=_note)
def total(number: AllClips, config: Sum) -> AssetResult:
    """The sum, once there are enough to sum up; an error where a clip is 13."""
    values = [int(value) for _, value in number]
    if 13 in values:
        raise LabelError("13: not here. Take it out.")
    if len(values) < config.least:
        raise InputsAwaited(f"{len(values)} numbers of {config.least} are there.")
    text = str(sum(values))
    version = f"sum {text}" if config.note else None
    return AssetResult(text.encode(), {"numbers": len(values)}, version, also={"digits": str(len(text)).encode()})


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def halved(total: bytes) -> bytes:
    """Half of the sum."""
    return str(int(total) // 2).encode()


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt", on_demand=True)
def squared(total: bytes) -> bytes:
    """The square of the sum, for anyone who wants it."""
    return str(int(total) ** 2).encode()


WHOLE: tuple[DatasetAsset, ...] = (total, halved, squared)


def workload(toy: Toy, **settings: object) -> Workload:
    """All but what is on demand, with settings of `total` for this launch."""
    graph = DeclaredGraph([SOURCE], [number, *WHOLE])
    store = Store(root=str(toy.home / "data"))
    definitions = dg.Definitions(
        assets=[
            dg.AssetSpec(SOURCE.name, partitions_def=number.partitions),
            *graph.definitions(),
        ],
        resources={"store": store},
        executor=isolating_executor,
    )
    clips, chosen = toy.instance.get_dynamic_partitions("clips"), {"total": settings} if settings else {}
    return Workload(definitions, toy.instance, store.open(), graph.artifacts, [number], [total, halved], clips, chosen)


def done(toy: Toy, **settings: object) -> Workload:
    work = workload(toy, **settings)
    work.do(lambda runs: None)
    return work


def cell(toy: Toy, asset: DatasetAsset = total, **settings: object) -> Cell:
    return workload(toy, **settings).dataset_cells()[asset.name]


def made(toy: Toy, asset: str = "total") -> Made:
    found = latest_whole(toy.instance, dg.AssetKey(asset))
    assert found is not None
    return found


def test_one_call_makes_its_artifacts_and_what_is_below_follows(toy: Toy):
    toy.add(a="5", b="6")
    assert done(toy).failures == {}
    assert [toy.artifact(asset, "all") for asset in ("total", "digits", "halved")] == ["11", "2", "5"]
    assert made(toy, "digits").input_version(total.key) == made(toy).data_version
    assert made(toy).metadata["numbers"].value == 2


def test_a_clip_without_the_input_is_left_out_and_counted(toy: Toy):
    toy.add(a="5", b="corrupt")
    done(toy)
    figures = {name: made(toy).metadata[name].value for name in ("clips", "clips_without_input")}
    assert (toy.artifact("total", "all"), figures) == ("5", {"clips": 1, "clips_without_input": 1})


def test_what_is_up_to_date_is_not_made_again(toy: Toy):
    toy.add(a="5")
    done(toy)
    first = made(toy).run_id
    assert (cell(toy).state, cell(toy, halved).state) == (State.FRESH, State.FRESH)
    done(toy)
    assert made(toy).run_id == first


@pytest.mark.parametrize(
    ("artifact", "reason"),
    [("total", "its artifact is gone from the store"), ("digits", "its artifact digits is gone from the store")],
)
def test_an_artifact_that_is_gone_from_the_store_is_missing(toy: Toy, artifact: str, reason: str):
    toy.add(a="5")
    done(toy)
    (toy.home / "data" / artifact / "all.txt").unlink()
    assert (cell(toy).state, cell(toy).reason) == (State.MISSING, reason)


def test_settings_given_at_launch_make_it_stale_and_what_is_below_follows(toy: Toy):
    toy.add(a="5", b="6")
    done(toy)
    version = made(toy).data_version
    assert cell(toy, least=2).reason == "made with other settings"
    done(toy, least=2)
    assert made(toy).data_version != version
    assert (cell(toy, least=2).state, cell(toy).reason) == (State.FRESH, "made with other settings")


def test_a_file_that_it_reads_makes_it_stale_when_it_changes(toy: Toy):
    note = toy.home / "note.txt"
    note.write_text("one: with signs that no tag can hold/")
    toy.add(a="5")
    assert done(toy, note=str(note)).failures == {}
    assert cell(toy, note=str(note)).state is State.FRESH
    note.write_text("two")
    assert cell(toy, note=str(note)).reason == "a file that it reads changed"


def test_with_a_data_version_of_its_own_what_is_below_stays_where_the_result_did(toy: Toy):
    note = toy.home / "note.txt"
    note.write_text("one")
    toy.add(a="5", b="6")
    done(toy, note=str(note))
    below = made(toy, "halved").run_id
    toy.add(a="6", b="5")
    done(toy, note=str(note))
    assert (toy.artifact("total", "all"), made(toy, "halved").run_id) == ("11", below)


def test_what_it_needs_and_is_not_there_makes_it_wait_and_is_reported(toy: Toy):
    toy.add(a="5", b="6")
    work = done(toy, least=3)
    assert work.failures == {}
    assert reasons(work) == {
        "total": "2 numbers of 3 are there.",
        "halved": "total has not been made yet.",
    }
    assert (cell(toy, least=3).state, latest_whole(toy.instance, dg.AssetKey("total"))) == (State.WAITING, None)


def test_what_waits_is_not_tried_again_by_a_second_command(toy: Toy):
    toy.add(a="5", b="6")
    done(toy, least=3)
    n_runs = toy.instance.get_runs_count()
    done(toy, least=3)
    assert toy.instance.get_runs_count() == n_runs


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda toy: {"least": 2}, id="other settings"),
        pytest.param(lambda toy: toy.add(c="1") or {"least": 3}, id="another clip"),
    ],
)
def test_what_waits_is_made_once_it_can_be(toy: Toy, change):
    toy.add(a="5", b="6")
    done(toy, least=3)
    settings = change(toy)
    done(toy, **settings)
    assert cell(toy, **settings).state is State.FRESH
    assert cell(toy, halved, **settings).state is State.FRESH


def test_what_was_made_and_has_to_wait_now_is_kept(toy: Toy):
    toy.add(a="5", b="6")
    done(toy)
    done(toy, least=3)
    waits = cell(toy, least=3)
    assert (waits.state, waits.made is not None, toy.artifact("total", "all")) == (State.WAITING, True, "11")


def test_with_no_clip_that_has_the_input_it_waits(toy: Toy):
    toy.add(a="corrupt")
    assert reasons(done(toy))["total"] == "No clip has number yet."


def test_a_mistake_is_a_failure_and_the_one_below_waits(toy: Toy):
    toy.add(a="13")
    work = done(toy)
    assert list(work.failures) == ["total"]
    assert "13: not here. Take it out." in work.failures["total"]
    assert cell(toy).state is State.FAILED
    assert "13: not here. Take it out." in cell(toy).reason


def test_where_nothing_is_registered_it_waits_and_no_command_says_so(toy: Toy):
    work = done(toy)
    assert work.dataset_cells()["total"] == Cell(State.WAITING, "nothing is registered in clips")
    assert (reasons(work), toy.instance.get_runs_count()) == ({}, 0)


def test_one_on_demand_is_made_where_it_is_asked_for(toy: Toy):
    toy.add(a="5", b="6")
    work = done(toy)
    assert latest_whole(toy.instance, dg.AssetKey("squared")) is None
    asked = replace(work, dataset_assets=[squared])
    asked.do(lambda runs: None)
    assert toy.artifact("squared", "all") == "121"
    assert asked.dataset_cells()["squared"].state is State.FRESH
