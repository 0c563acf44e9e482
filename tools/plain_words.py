"""Report archaic words and variables that say nothing, with file and line; `make lint` runs this.

The list is section "Plain English" of the style that the project keeps: a word here has a plain one beside it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PLACES = ["vidassets", "vidassets_tests", "resources", "docs", "benchmarks", "samples", "tools", "README.md"]
SUFFIXES = {".py", ".md", ".yaml", ".txt"}
PLAIN = {
    "told": "given, said, reported",
    "tells": "says, reports, shows",
    "mend": "fix",
    "mends": "fixes",
    "anew": "again",
    "amid": "among",
    "whoever": "anyone who",
}
NAMELESS = {"one", "there", "here", "apart"}
# Also inside a name such as `is_told`.
ARCHAIC = re.compile(rf"(?<![A-Za-z])({'|'.join(PLAIN)})(?![A-Za-z])", re.IGNORECASE)


def findings(path: Path) -> Iterator[str]:
    """Return a line of text for each word to replace and, outside the tests, each variable to rename."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for match in ARCHAIC.finditer(line):
            yield f"{path}:{number}: '{match[0]}': write {PLAIN[match[0].lower()]}"
    if path.suffix == ".py" and "vidassets_tests" not in path.parts:
        for node in ast.walk(ast.parse(text)):
            name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else None
            if name in NAMELESS and not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
                yield f"{path}:{node.lineno}: variable '{name}': name what it holds"


def main() -> int:
    """Print the findings; 1 if there are any."""
    files = [path for place in map(Path, PLACES) for path in ([place] if place.is_file() else place.rglob("*"))]
    own = Path(__file__).resolve()
    checked = sorted(path for path in files if path.suffix in SUFFIXES and path.resolve() != own)
    found = [line for path in checked for line in findings(path)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
