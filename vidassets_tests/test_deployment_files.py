import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import PoolGranularity
from dagster._core.workspace.load import location_origins_from_yaml_paths
from pre_commit.clientlib import load_config

from vidassets_tests.postgres_server import running_server, server_programs

PROJECT = Path(__file__).parent.parent
PASSWORD = "a password with 'quotes', % and @"
POSTGRES_VARIABLES = {
    "DAGSTER_POSTGRES_HOST": "host",
    "DAGSTER_POSTGRES_PORT": "port",
    "DAGSTER_POSTGRES_DB": "dbname",
    "DAGSTER_POSTGRES_USER": "user",
    "DAGSTER_POSTGRES_PASSWORD": "password",
}
clips = dg.DynamicPartitionsDefinition(name="clips")


@dg.asset(partitions_def=clips)
def brief_asset(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dagster home with the project's settings."""
    shutil.copy(PROJECT / "dagster.yaml", tmp_path)
    return tmp_path


def materialise_and_ask_again(home: Path) -> set[str]:
    """Partitions of an asset that another instance on the same settings knows to be materialised."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("clips", ["one", "two"])
        io_manager = dg.FilesystemIOManager(base_dir=str(home / "io"))
        resources = {"io_manager": io_manager}
        assert dg.materialize([brief_asset], instance=instance, partition_key="two", resources=resources).success
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return instance.get_materialized_partitions(brief_asset.key)


# dagster.yaml


@pytest.mark.runs
def test_dagster_accepts_its_settings_and_keeps_what_is_materialised(home):
    assert materialise_and_ask_again(home) == {"two"}


def test_without_more_ado_the_instance_is_kept_in_files_of_its_home(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.event_log_storage).__name__ == "SqliteEventLogStorage"
        assert str(instance.compute_log_manager._base_dir).startswith(str(home))


def test_runs_are_queued_and_pools_hold_one_step(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        limits = instance.get_concurrency_config()
    assert limits.run_queue_config is not None
    assert limits.run_queue_config.max_concurrent_runs == 2
    assert limits.pool_config.default_pool_limit == 1
    assert limits.pool_config.pool_granularity == PoolGranularity.OP


def test_only_runs_that_died_are_retried(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled


def test_nothing_is_reported_to_anybody(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_settings("telemetry") == {"enabled": False}


# PostgreSQL


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server, and the environment that docs/postgres.md asks for."""
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: initdb and postgres, on the path or in /usr/lib/postgresql")
    with running_server(programs, "vidassets", PASSWORD) as settings:
        for variable, setting in POSTGRES_VARIABLES.items():
            monkeypatch.setenv(variable, settings[setting])
        yield


def command_of_the_docs() -> str:
    (command,) = re.findall(r"```sh\n(.+?)\n", re.sub(r"(?m)^ +", "", (PROJECT / "docs/postgres.md").read_text()))
    return command


@pytest.mark.runs
def test_the_documented_command_adds_postgresql_and_changes_nothing_else(home):
    before = yaml.safe_load((home / "dagster.yaml").read_text())
    subprocess.run(["sh", "-c", command_of_the_docs()], check=True, env=os.environ | {"DAGSTER_HOME": str(home)})
    after = yaml.safe_load((home / "dagster.yaml").read_text())
    assert set(after.pop("storage")) == {"postgres"}
    assert after == before


@pytest.mark.parametrize("file", ["docs/postgres.md", "dagster.yaml"])
def test_docs_and_settings_name_the_same_variables(file):
    assert set(re.findall(r"DAGSTER_POSTGRES_[A-Z]+", (PROJECT / file).read_text())) == set(POSTGRES_VARIABLES)


@pytest.mark.runs
def test_the_postgresql_variant_keeps_what_is_materialised(home, postgres):
    subprocess.run(["sh", "-c", command_of_the_docs()], check=True, env=os.environ | {"DAGSTER_HOME": str(home)})
    assert materialise_and_ask_again(home) == {"two"}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        assert [type(storage).__module__.split(".")[0] for storage in storages] == ["dagster_postgres"] * 3
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


# workspace.yaml


def test_the_workspace_names_the_definitions(monkeypatch):
    monkeypatch.chdir(PROJECT)
    origins = location_origins_from_yaml_paths(["workspace.yaml"])
    modules = {origin.location_name: origin.loadable_target_origin.module_name for origin in origins}
    assert modules == {"vidassets": "vidassets.definitions"}


# Dockerfile


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile and their arguments, comments taken out, continued lines joined."""
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def stage(target: str) -> dict[str, str]:
    """The last instruction of each kind in a build stage."""
    found: dict[str, str] = {}
    inside = False
    for name, argument in instructions():
        if name == "FROM":
            inside = argument.endswith(f" AS {target}")
        if inside:
            found[name] = argument
    return found


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_runs_as_a_user_without_rights_and_says_how_it_is(target):
    image = stage(target)
    assert image["USER"] == "vidassets"
    assert "/server_info" in image["HEALTHCHECK"]
    assert image["VOLUME"] == '["/data"]'


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_keeps_its_instance_and_its_artifacts_in_the_volume(target):
    environment = dict(pair.split("=", 1) for pair in stage(target)["ENV"].split())
    assert environment["VIDASSETS_PROFILE"] == target
    assert environment["VIDASSETS_HOME"] == "/data"
    assert environment["DAGSTER_HOME"] == "/data/.dagster_home"


def test_the_images_differ_in_base_and_profile_only():
    cpu, gpu = stage("cpu"), stage("gpu")
    assert {name: argument.replace("gpu", "cpu") for name, argument in gpu.items()} == cpu


def test_every_base_image_is_named_by_a_version():
    bases = [argument for name, argument in instructions() if name == "ARG" and "_BASE=" in argument]
    assert len(bases) == 2
    assert all(re.search(r":[a-z]*\d+\.\d+", base) for base in bases)


def test_every_stage_builds_on_one_that_is_there():
    names = {"${CPU_BASE}", "${GPU_BASE}"}
    for argument in (argument for name, argument in instructions() if name == "FROM"):
        base, _, name = argument.partition(" AS ")
        assert base in names
        names.add(name)


def test_what_the_images_need_is_not_kept_from_their_build():
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {"pyproject.toml", "README.md", "dagster.yaml", "workspace.yaml", "requirements", "resources", "vidassets"}
    assert needed <= allowed


def test_the_commands_of_the_images_come_with_the_project():
    scripts = set(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"])
    scripts |= importlib.metadata.entry_points(group="console_scripts").names
    assert {"dagster-webserver", "dagster-daemon", "vidassets"} <= scripts


# .pre-commit-config.yaml


def test_the_hooks_are_the_tools_of_the_environment():
    load_config(str(PROJECT / ".pre-commit-config.yaml"))
    (repository,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    programs = [hook["entry"].split()[0] for hook in repository["hooks"]]
    assert programs == ["ruff", "ruff", "pyright", "lint-imports"]
    assert all((Path(sys.executable).parent / program).exists() for program in programs)
