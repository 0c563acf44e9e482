"""`vidassets run` and the automation sensor ask for the same cells, wave after wave, whatever has changed."""

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from vidassets.automation.executor import isolating_executor
from vidassets.automation.launch import launch
from vidassets.automation.requests import VERSIONS_TAG
from vidassets.automation.sensors import automation_sensor
from vidassets.automation.work import Workload
from vidassets.errors import InputsAwaited
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.dagster_internals import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.edited_file import content_of
from vidassets.graph.partitions import episodes
from vidassets.resources.store import Store
from vidassets.storage.store import UNPARTITIONED_KEY
from vidassets_tests.toy_graph import SOURCE, Model, Scale, register

ALL = UNPARTITIONED_KEY
Cells = set[tuple[str, str]]


class PromptedModel(Model):
    """A model with a prompt, both of which change its results."""

    model: str = "toy"
    prompt: str = "Double it."

    def identity(self) -> dict[str, str]:
        return {"model": self.model, "prompt": self.prompt}


class Words(dg.Config):
    """Settings of `words`: a file in `TOY_HOME`."""

    file: str = "words.txt"


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def number(clip: str, source: bytes) -> AssetResult:
    """Return the number in a source; its data version is its content, as that of `raw_clip` is."""
    value = str(int(source.decode()))
    return AssetResult(value.encode(), data_version=value)


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def doubled(number: bytes, describer: PromptedModel, config: Scale) -> AssetResult:
    """Return the number times a factor; incomplete while there is a file `TOY_HOME/no_money`."""
    value = str(describer.times(int(number), config.factor)).encode()
    return AssetResult(value, incomplete=int((Path(os.environ["TOY_HOME"]) / "no_money").exists()))


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt", partitions=episodes)
def chapter(doubled: bytes) -> bytes:
    """Return what an episode alone has."""
    return doubled


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def total(doubled: AllClips) -> bytes:
    """Return the sum over all clips; fails if one of them is 666."""
    values = [int(value) for _, value in doubled]
    if 666 in values:
        raise ValueError("666")
    return str(sum(values)).encode()


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def share(number: bytes, total: bytes) -> bytes:
    """Return the part of a clip in the sum over all clips."""
    return f"{int(number) / int(total):.3f}".encode()


def _edited(config: Words) -> str:
    return content_of(_path(config))


def _path(config: Words) -> str:
    return str(Path(os.environ["TOY_HOME"]) / config.file)


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt", watches=_edited)
def words(config: Words) -> AssetResult:
    """Return what a person wrote, which is its data version too; waits while there is no file."""
    if not Path(_path(config)).exists():
        raise InputsAwaited("Nobody has written anything yet.")
    text = Path(_path(config)).read_text()
    return AssetResult(text.encode(), data_version=text)


@clip_asset(group="toy", kinds={"txt"}, version="1", extension="txt")
def titled(number: bytes, words: bytes) -> bytes:
    """Return the number with what a person wrote."""
    return words + number


@dataset_asset(group="toy", kinds={"txt"}, version="1", extension="txt", on_demand=True)
def squared(total: bytes) -> bytes:
    """Return the square of the sum."""
    return str(int(total) ** 2).encode()


OTHERS = (doubled, chapter, words, titled, total, share, squared)  # than `number`


@dataclass
class World:
    """A deployment of the graph above, with both planners over it."""

    home: Path
    instance: dg.DagsterInstance
    settings: dict[str, dict[str, object]] = field(default_factory=dict)
    model: str = "toy"
    prompt: str = "Double it."
    version: str = "1"
    _built: tuple[object, dg.Definitions] | None = None

    @property
    def words_file(self) -> Path:
        return self.home / "words.txt"

    @property
    def definitions(self) -> dg.Definitions:
        """The graph as a code server loads it: the same until something of it changes, its sensor too."""
        state = (repr(self.settings), self.model, self.prompt, self.version)
        if self._built is None or self._built[0] != state:
            self._built = state, self._definitions()
        return self._built[1]

    def _definitions(self) -> dg.Definitions:
        model = PromptedModel(home=str(self.home), model=self.model, prompt=self.prompt)
        made = self.graph.definitions({"describer": model.identity()}, self.settings)
        return dg.Definitions(
            assets=[dg.AssetSpec(SOURCE.name, partitions_def=number.partitions), *made],
            resources={"store": Store(root=str(self.home / "data")), "describer": model},
            executor=isolating_executor,
            sensors=[automation_sensor(self.graph, self.settings)],
        )

    @property
    def graph(self) -> DeclaredGraph:
        return DeclaredGraph([SOURCE], [replace(number, version=self.version), *OTHERS])

    @property
    def clips(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("clips"))

    def add(self, kind: str = "clip", **contents: str) -> None:
        register(self.home, self.instance, contents)
        if kind == "episode":
            self.instance.add_dynamic_partitions(str(episodes.name), list(contents))

    def artifact(self, asset: str, clip: str) -> Path:
        return self.home / "data" / asset / f"{clip}.txt"

    def work(self) -> Workload:
        store = Store(root=str(self.home / "data")).open()
        graph = self.graph
        return Workload(
            self.definitions,
            self.instance,
            store,
            graph.artifacts,
            graph.clip_assets,
            [asset for asset in graph.dataset_assets if not asset.on_demand],
            self.clips,
            profile_settings=self.settings,
        )

    def requests(self) -> list[dg.RunRequest]:
        """What a tick of the sensor requests."""
        [sensor] = self.definitions.sensors or []
        assert isinstance(sensor, dg.SensorDefinition)
        resources = {"store": Store(root=str(self.home / "data"))}
        with dg.build_sensor_context(
            instance=self.instance, definitions=self.definitions, resources=resources
        ) as context:
            return list(sensor.evaluate_tick(context).run_requests or [])

    def automated(self) -> Cells:
        """The cells that a tick of the sensor requests."""
        return {cell for request in self.requests() for cell in self._cells(request)}

    def _cells(self, request: dg.RunRequest) -> Cells:
        names = {key.to_user_string() for key in request.asset_selection or []}
        if PARTITION_NAME_TAG in request.tags:
            return {(name, request.tags[PARTITION_NAME_TAG]) for name in names}
        if ASSET_PARTITION_RANGE_START_TAG not in request.tags:
            return {(name, ALL) for name in names}
        keys = self.instance.get_dynamic_partitions("episodes" if names & {"chapter"} else "clips")
        first, last = (request.tags[tag] for tag in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG))
        return {(name, clip) for name in names for clip in keys[keys.index(first) : keys.index(last) + 1]}

    def planned(self) -> Cells:
        """The cells that a command would make now."""
        return {cell for run in self.work().plan(set()) for cell in run.cells}

    def make(self) -> list[Cells]:
        """Do what both planners ask for, and return it by wave; they must agree in each."""
        waves: list[Cells] = []
        while requests := self.requests():
            assert len(waves) < 6, waves
            asked = {cell for request in requests for cell in self._cells(request)}
            assert asked == self.planned()
            for request in requests:
                self.run(request)
            waves.append(asked)
        assert self.planned() == set()
        return waves

    def make_by_automation(self) -> None:
        """Do what the sensor requests, until it requests nothing."""
        while requests := self.requests():
            for request in requests:
                self.run(request)

    def queue(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Create the run that the sensor requested, and leave it in the queue."""
        keys = set(request.asset_selection or [])
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("toy"), "__repository__")
        return self.instance.create_run_for_job(
            job,
            status=dg.DagsterRunStatus.QUEUED,
            asset_selection=frozenset(keys),
            tags=request.tags,
            remote_job_origin=RemoteJobOrigin(repository, job.name),
        )

    def run(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Launch what the sensor requested, as the daemon does."""
        tags = request.tags
        bounds = tags.get(PARTITION_NAME_TAG) or (
            (tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG])
            if ASSET_PARTITION_RANGE_START_TAG in tags
            else None
        )
        keys = list(request.asset_selection or [])
        return launch(self.definitions, self.instance, keys, bounds, tags={VERSIONS_TAG: tags[VERSIONS_TAG]})


def cells(assets: Collection[str], clips: Collection[str]) -> Cells:
    return {(asset, clip) for asset in assets for clip in clips}


@contextmanager
def opened(home: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        patch.setenv("TOY_HOME", str(home))
        yield World(home, instance)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three clips, one of them an episode, of which all is up to date."""
    home = tmp_path_factory.mktemp("made")
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (home / "words.txt").write_text("a word ")
    with opened(home) as world:
        world.add(a="1", b="2")
        world.add("episode", c="3")
        assert world.make() == [
            {("words", ALL)},
            cells(["number", "doubled", "titled"], "abc"),
            {("chapter", "c"), ("total", ALL)},
            cells(["share"], "abc"),
        ]
    return home


@pytest.fixture
def world(made_once: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of that folder."""
    shutil.copytree(made_once, tmp_path / "world")
    with opened(tmp_path / "world") as world:
        yield world


def touch(world: World) -> None:
    """Register a file again that has another time and the same content: what reads it gives the same."""
    world.add(a="1 ")


def set_factor(world: World) -> None:
    world.settings = {"doubled": {"factor": 3}}


def set_model(world: World) -> None:
    world.model = "a larger one"


def set_prompt(world: World) -> None:
    world.prompt = "Please double it."


def set_version(world: World) -> None:
    world.version = "2"


NEW = ["number", "doubled", "titled", "share"]
CHANGES: Mapping[str, tuple[Callable[[World], object], Cells]] = {
    "nothing": (lambda world: None, set()),
    "a new clip": (lambda world: world.add(d="4"), cells(NEW, "d")),
    "a model": (set_model, cells(["doubled"], "abc")),
    "a prompt": (set_prompt, cells(["doubled"], "abc")),
    "the version of the code": (set_version, cells(["number"], "abc")),
    "an artifact deleted from the store": (lambda world: world.artifact("doubled", "b").unlink(), {("doubled", "b")}),
    "an artifact over all clips deleted from the store": (
        lambda world: world.artifact("total", ALL).unlink(),
        {("total", ALL)},
    ),
    "a clip that was taken out": (
        lambda world: world.instance.delete_dynamic_partition("clips", "b"),
        {("total", ALL)},
    ),
}
# Those of which each wave is made, with the waves.
ALL_WAVES: Mapping[str, tuple[Callable[[World], object], list[Cells]]] = {
    "a new episode": (
        lambda world: world.add("episode", d="4"),
        [cells(NEW, "d"), {("chapter", "d"), ("total", ALL)}, cells(["share"], "abcd")],
    ),
    "a replaced clip": (
        lambda world: world.add(a="5"),
        [{("number", "a")}, cells(["doubled", "titled", "share"], "a"), {("total", ALL)}, cells(["share"], "abc")],
    ),
    "a file that was only touched": (touch, [{("number", "a")}]),
    "a setting": (
        set_factor,
        [cells(["doubled"], "abc"), {("chapter", "c"), ("total", ALL)}, cells(["share"], "abc")],
    ),
    "a file that people edit": (
        lambda world: world.words_file.write_text("another word "),
        [{("words", ALL)}, cells(["titled"], "abc")],
    ),
}


@pytest.mark.parametrize(("change", "asked"), CHANGES.values(), ids=CHANGES)
def test_both_ask_for_exactly_what_a_change_made_stale(world: World, change: Callable[[World], object], asked: Cells):
    change(world)
    assert world.automated() == world.planned() == asked


@pytest.mark.parametrize(("change", "waves"), ALL_WAVES.values(), ids=ALL_WAVES)
def test_both_ask_for_the_same_until_all_is_up_to_date(
    world: World, change: Callable[[World], object], waves: list[Cells]
):
    change(world)
    assert world.make() == waves


def test_what_failed_is_requested_once_and_tried_again_by_a_command(world: World):
    world.add(d="corrupt", e="5")
    for request in world.requests():
        world.run(request)
    assert world.automated() == {("total", ALL)}  # without d
    assert world.planned() == cells(["number", "doubled", "titled"], "d")


@pytest.mark.parametrize(
    "change", [lambda world: world.add(d="6"), set_version], ids=["another input", "another version of the code"]
)
def test_what_failed_is_requested_again_when_what_it_was_made_from_has_changed(
    world: World, change: Callable[[World], None]
):
    world.add(d="corrupt")
    for request in world.requests():
        world.run(request)
    assert world.automated() == set()
    change(world)
    assert ("number", "d") in world.automated()
    assert world.automated() == world.planned()


def test_an_asset_over_all_clips_that_failed_is_requested_again_when_an_input_has_changed(world: World):
    world.add(d="333")
    world.make_by_automation()
    assert (world.automated(), world.planned()) == (set(), {("total", ALL)})
    world.add(d="4")
    world.make_by_automation()
    assert world.planned() == set()
    assert world.artifact("total", ALL).read_text() == "20"


def test_what_money_was_lacking_for_is_left_to_a_command(world: World):
    (world.home / "no_money").touch()
    world.add(a="7")
    world.make_by_automation()
    assert (world.automated(), world.planned()) == (set(), {("doubled", "a")})


def test_what_waits_is_requested_once_it_can_be_made(world: World):
    text = world.words_file.read_text()
    world.words_file.unlink()
    assert world.make() == [{("words", ALL)}]
    world.words_file.write_text(text)
    assert world.make() == []
    world.words_file.write_text("another word ")
    assert world.make() == [{("words", ALL)}, cells(["titled"], "abc")]


def test_what_is_on_demand_is_asked_for_by_neither(world: World):
    assert world.automated() == world.planned() == set()
    assert world.instance.get_latest_materialization_event(dg.AssetKey("squared")) is None


def test_what_a_run_in_the_queue_will_make_is_not_requested_again(world: World):
    world.add(d="4")
    [request] = world.requests()
    run = world.queue(request)
    assert world.automated() == set()
    world.add(e="5")
    assert world.automated() == cells(["number", "doubled", "titled", "share"], "e")
    world.instance.report_run_canceled(run)
    # A person ended that run. It is not for the sensor to begin it again.
    assert world.automated() == cells(["number", "doubled", "titled", "share"], "e")
    assert world.planned() == cells(["number", "doubled", "titled", "share"], "de")


@pytest.mark.parametrize(
    "change", [lambda world: world.add(d="6"), set_version], ids=["another input", "another version of the code"]
)
def test_what_a_killed_run_left_is_requested_again_when_something_has_changed(
    world: World, change: Callable[[World], None]
):
    world.add(d="4")
    [request] = world.requests()
    world.instance.report_run_failed(world.queue(request))
    assert world.automated() == set()
    change(world)
    assert ("number", "d") in world.automated()
    assert world.automated() == world.planned()


def test_a_run_that_dagster_will_retry_is_left_to_it(world: World):
    world.add(d="4")
    [request] = world.requests()
    run = world.queue(request)
    world.instance.report_run_failed(run)
    world.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    set_version(world)
    assert ("number", "d") not in world.automated()


def test_a_tick_submits_at_most_so_many_runs_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vidassets.automation.requests.RUNS_PER_TICK", 1)
    monkeypatch.setattr("vidassets.automation.plan.CLIPS_PER_RUN", 1)
    world.add(d="4", e="5")
    [first] = world.requests()
    world.queue(first)
    [second] = world.requests()
    assert [request.tags[PARTITION_NAME_TAG] for request in (first, second)] == ["d", "e"]


def test_a_tick_reads_each_event_once(world: World, monkeypatch: pytest.MonkeyPatch):
    assert world.requests() == []
    read: list[object] = []
    fetch = dg.DagsterInstance.fetch_materializations
    monkeypatch.setattr(
        dg.DagsterInstance,
        "fetch_materializations",
        lambda self, records_filter, *, limit: read.append(records_filter) or fetch(self, records_filter, limit=limit),
    )
    assert world.requests() == []
    assert [found for found in read if isinstance(found, dg.AssetRecordsFilter)] == []


def test_a_tick_that_cannot_read_everything_in_its_time_goes_on_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    world.add(d="4")
    monkeypatch.setattr("vidassets.automation.sensors.READ_AT_MOST_S", -1.0)
    assert world.requests() == []
    monkeypatch.setattr("vidassets.automation.sensors.READ_AT_MOST_S", 30.0)
    assert world.automated() == world.planned() != set()
