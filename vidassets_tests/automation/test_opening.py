"""Several commands that open the same new home at once."""

import subprocess
import sys
from pathlib import Path

OPENS = "import sys; from pathlib import Path; from vidassets.automation.instance import open_instance; " + (
    "open_instance(Path(sys.argv[1])).get_runs_count()"
)


def test_processes_that_open_a_new_home_at_once_all_succeed(tmp_path: Path):
    for home in ("a", "b", "c"):
        command = [sys.executable, "-c", OPENS, str(tmp_path / home)]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        ended = [(process.communicate()[1], process.returncode) for process in processes]
        assert [code for _, code in ended] == [0] * 4, ended
