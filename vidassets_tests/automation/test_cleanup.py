import os
from pathlib import Path

import dagster as dg

from vidassets.automation.cleanup import clean_store, daily_cleanup
from vidassets.resources.store import Store


def test_the_job_removes_staged_files_older_than_a_day_and_nothing_else(tmp_path: Path):
    names = ["a.flac", f".{'0' * 32}.tmp.a.flac", f".{'1' * 32}.tmp.b.flac"]
    (tmp_path / "audio").mkdir()
    for name in names:
        (tmp_path / "audio" / name).touch()
    for name in names[:2]:
        os.utime(tmp_path / "audio" / name, (0, 0))
    result = clean_store.execute_in_process(resources={"store": Store(root=str(tmp_path))})
    assert result.output_for_node("remove_leftovers") == 1
    assert sorted(path.name for path in (tmp_path / "audio").iterdir()) == sorted([names[0], names[2]])


def test_the_schedule_is_daily_and_on_by_default():
    schedule = daily_cleanup()
    assert (schedule.cron_schedule, schedule.default_status) == ("17 4 * * *", dg.DefaultScheduleStatus.RUNNING)
