"""A database that another process holds: a command waits, then says so in one sentence."""

import sqlite3
from contextlib import closing
from pathlib import Path

from vidassets_tests.builders import Home, film, flat


def test_a_database_that_stays_locked_is_named_with_what_to_do(tmp_path: Path):
    home = Home(tmp_path)
    film(home.videos / "a.mp4")
    assert home.command("add", str(home.videos)).code == 0
    [path] = (tmp_path / "dagster").rglob("runs.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        said = home.command("run", "--select", "raw_clip")
        holder.execute("ROLLBACK")
    assert said.code == 2
    assert "database is locked. Another process held it for too long" in flat(said.err)
    assert "Traceback" not in said.out + said.err
    assert home.command("run", "--select", "raw_clip").code == 0
