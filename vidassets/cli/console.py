"""Where commands print: results to `out`, everything else to `err`. A line is never folded, so paths stay whole."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def terminal_width() -> int | None:
    """Return the columns of the terminal that results are printed to; None for a file or a pipe, which has no width."""
    return out.width if sys.stdout.isatty() else None


def labelled(console: Console, label: str, style: str, *parts: str | tuple[str, str]) -> None:
    """Print a coloured label and what it is about; parts are plain text, or text with a style."""
    console.print(Text.assemble((label, style), " ", *parts))


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines to `out`."""
    for line in lines:
        out.print(line)


def printable(text: str) -> str:
    r"""Return text without line breaks, and with control characters as escapes, so that it cannot steer a terminal.

    >>> printable("take\n1"), printable("\x1b[31m")
    ('take 1', '\\x1b[31m')
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(text.split()))
