"""Sentences for values that a declared class refuses, in place of pydantic's own text."""

from collections.abc import Collection
from typing import Any

from vidassets.names import did_you_mean

# Values of such fields are never shown.
SECRET_WORDS = ("key", "token", "password", "secret", "url", "uri")


def first_problem(error: ValueError, known: Collection[str]) -> str:
    """Return one sentence on the first value that pydantic refused: its name, what is wrong, the nearest valid name.

    Args:
        error: a pydantic `ValidationError`, or a ValueError of another kind.
        known: names of the fields that exist.
    """
    problems: list[dict[str, Any]] = list(getattr(error, "errors", list)())
    if not problems:
        return str(error)
    # A misspelt name comes first: what else is wrong, such as a field that is missing, may follow from it.
    problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
    names = [str(part) for part in problem["loc"]]
    where = ".".join(names)
    if problem["type"] == "extra_forbidden":
        nearest = did_you_mean(names[-1], known) if len(names) == 1 else ""
        takes = f" It takes: {', '.join(known)}." if len(names) == 1 else ""
        return f"{where}: there is no such setting.{nearest}{takes}"
    if problem["type"] == "value_error":  # raised by a validator of ours, whose sentence is complete
        return f"{where or 'the values'}: {str(problem['msg']).removeprefix('Value error, ')}"
    message = str(problem["msg"]).partition(", ")[0]
    got = f", got {shown}" if (shown := _shown(where, problem.get("input"))) else ""
    text = message.replace("Input should", "should", 1).rstrip(".")
    return f"{where or 'the values'}: {text}{got}."


def _shown(where: str, value: Any) -> str:
    """Return a short value as text; nothing for one that may be secret or is long."""
    is_short = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 40)
    return repr(value) if is_short and not any(word in where.lower() for word in SECRET_WORDS) else ""
