"""Tables on terminals of every width."""

import pytest
from rich.text import Text

from vidassets.cli.columns import Column, table
from vidassets.cli.tables import clips_table
from vidassets.definitions import GRAPH

FIGURES = [figure for _, figure in GRAPH.figures]
KEYS = ["a", "pioneers-s01e02", "k" * 100, "東京の溶接工場", "x[red]y[/]", "take\n1"]


def _rows(key: str) -> list[dict[str, object]]:
    """Return a row of a clip in which people speak, and a row of a build."""
    common = {"duration_s": 28.0, "seconds": 24.6, "state": "up to date"}
    spoken = dict.fromkeys((figure.name for figure in FIGURES), None) | {
        "frames": 3,
        "shots": 7,
        "words": 60,
        "speakers": 2,
    }
    build = dict.fromkeys((figure.name for figure in FIGURES), None) | {"frames": 2, "crops": 144, "verdict": "high"}
    return [
        {"clip": key, "kind": "episode", **spoken, **common},
        {"clip": "low-flow", "kind": "build", **build, **common, "state": "failed"},
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 105, 200, None])
@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_the_key_and_the_state_are_whole_in_every_row_at_every_width(key: str, width: int | None):
    head, spoken, build, *note = (line.plain for line in clips_table(_rows(key), FIGURES, width))
    assert (head.split()[0], head.split()[-1]) == ("clip", "state")
    assert spoken.startswith(" ".join(key.split()))
    assert spoken.endswith("  up to date")
    assert build.startswith("low-flow ")
    assert build.endswith("  failed")
    if width is None:
        assert (head.split()[3:-2], note) == (["frames", "shots", "words", "speakers", "crops", "verdict"], [])


@pytest.mark.parametrize("width", [40, 60, 80, 105, 200])
def test_a_table_is_no_wider_than_the_terminal_and_names_what_it_leaves_out(width: int):
    *lines, note = clips_table(_rows("pioneers-s01e02"), FIGURES, width)
    if note.plain.startswith("Too narrow for: "):
        assert "seconds" in note.plain
    else:
        lines.append(note)
        assert "verdict" in lines[0].plain
    assert max(line.cell_len for line in lines) <= width


def test_the_least_important_column_is_left_out_first():
    columns = [Column("key", [Text("a")]), Column("less", [Text("1")], rank=0), Column("more", [Text("2")], rank=1)]
    assert [line.plain for line in table(columns, 9)] == [
        "key  more",
        "a    2",
        "Too narrow for: less. A wider terminal or --json shows them.",
    ]
