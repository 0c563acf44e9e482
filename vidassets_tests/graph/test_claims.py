"""Claims on cells, in a folder and in PostgreSQL, with processes that live and die."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vidassets.graph.claims import Claims, FolderClaims, PostgresClaims
from vidassets_tests.postgres_server import running_server, server_programs

OTHER = """
import sys, time
from pathlib import Path
from vidassets.graph.claims import FolderClaims, PostgresClaims
claims = {opening}
print("taken" if claims.take("frames", "a", "other run") else "refused", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=["folder", "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "folder":
        yield f"FolderClaims(Path({str(tmp_path_factory.mktemp('claims'))!r}))"
        return
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    with running_server(programs, "alice", "secret") as server:
        yield f"PostgresClaims('postgresql+psycopg2://alice:secret@127.0.0.1:{server['port']}/postgres')"


@pytest.fixture
def opened(opening: str) -> Callable[[], Claims]:
    return lambda: eval(opening, {"FolderClaims": FolderClaims, "PostgresClaims": PostgresClaims, "Path": Path})


def other_process(opening: str) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER.format(opening=opening)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_cell_has_one_holder(opening: str, opened: Callable[[], Claims]):
    claims = opened()
    claim = claims.take("frames", "a", "run 1")
    assert claim is not None
    assert claim.killed is None
    assert claims.take("frames", "a", "run 2") is None
    process, said = other_process(opening)
    process.communicate()
    assert said == "refused"
    other_cell = claims.take("shots", "a", "run 1")
    assert other_cell is not None
    claims.release(other_cell)
    claims.release(claim)
    process, said = other_process(opening)
    assert said == "taken"
    assert claims.take("frames", "a", "run 3") is None
    process.kill()
    process.communicate()


def test_the_note_of_a_holder_that_died_stays_until_the_cell_is_made(opening: str, opened: Callable[[], Claims]):
    process, said = other_process(opening)
    assert said == "taken"
    process.kill()
    process.communicate()
    claims = opened()
    for is_finished in (False, True):
        with claims.held("frames", "a", "run 1") as claim:
            assert claim.killed is not None
            claim.is_finished = is_finished
    with claims.held("frames", "a", "run 1") as claim:
        assert claim.killed is None


@pytest.mark.parametrize("key", ["a/b", "..", "ä ö", "x" * 500, "a_b"])
def test_any_partition_name_can_be_claimed(opened: Callable[[], Claims], key: str):
    claims = opened()
    with claims.held("frames", key, "run 1"), claims.held("frames", "a_b.", "run 1"):
        assert claims.take("frames", key, "run 2") is None
