import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

# One thread per process, so that two workers share two cores. The libraries read this when they are imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pytest
from hypothesis import HealthCheck, settings

from vidassets_tests.s3_server import crowded_bucket, place, s3_bucket, s3_client, s3_credentials, s3_server
from vidassets_tests.toy_deployment import toy

__all__ = ["crowded_bucket", "place", "s3_bucket", "s3_client", "s3_credentials", "s3_server", "toy"]

# The same examples in every run, and no time asserted: a failure is the change's, not the machine's or chance's.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# Tests that one worker runs, longest first: folders whose session fixtures are expensive, and slow modules. Every other
# module is a group of its own. A long group that starts last would leave the other worker idle.
GROUPS = (
    "vidassets_tests/test_daemon.py",
    "vidassets_tests/cli/test_changes.py",
    "vidassets_tests/cli/",
    "vidassets_tests/assets/spatter/test_days.py",
    "vidassets_tests/assets/spatter/",
    "vidassets_tests/assets/speech/",
    "vidassets_tests/automation/test_launch.py",
    "vidassets_tests/automation/test_work.py",
    "vidassets_tests/test_bad_input.py",
    "vidassets_tests/test_readme.py",
    "vidassets_tests/test_wheel.py",
)
# What gets the mark `runs`, besides the tests that have it themselves.
FOLDERS_WITH_RUNS = (*GROUPS, "vidassets_tests/speech_production/")
FIXTURES_WITH_RUNS = {"toy", "s3_server"}


def group_of(nodeid: str) -> str:
    """Return the first of `GROUPS` that a test is in, or its module."""
    return next((group for group in GROUPS if nodeid.startswith(group)), nodeid.partition("::")[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest groups first, and mark the tests that `make check` leaves out."""
    ranks = {group: rank for rank, group in enumerate(GROUPS)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))
    for item in items:
        if item.nodeid.startswith(FOLDERS_WITH_RUNS) or FIXTURES_WITH_RUNS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.runs)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each group to one worker. pytest-xdist 3.8 ignores its own groups under pytest 9.2 (its issue 1386)."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return GroupScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _made_files_are_complete() -> Iterator[None]:
    """Register files without waiting whether somebody still writes to them: the tests have just made them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidassets.sources.settled.QUIET_S", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_engine_per_database() -> Iterator[None]:
    """Keep the SQLAlchemy engine of a database file, and do not wait for the disk.

    Dagster creates an engine for each statement it sends to SQLite, and each engine compiles its statements again: 40 %
    of the CPU time of a run over a small clip. Without `synchronous`, a commit survives the death of a process, which
    is what tests try, but not a power cut.
    """
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
    from dagster._core.storage.sql import create_engine
    from sqlalchemy import event

    @lru_cache(maxsize=64)
    def engine_of(url: str, options: tuple[tuple[str, Any], ...], connection: tuple[tuple[str, Any], ...]) -> Any:
        engine = create_engine(url, **dict(options), connect_args=dict(connection))
        event.listen(engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous=OFF").close())
        return engine

    def kept_engine(url: str, connect_args: dict[str, Any] | None = None, **options: Any) -> Any:
        return engine_of(url, tuple(options.items()), tuple((connect_args or {}).items()))

    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
            patch.setattr(module, "create_engine", kept_engine)
        yield
