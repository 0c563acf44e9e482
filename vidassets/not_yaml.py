"""What is wrong with a text that is not YAML, as one sentence with its line."""

import yaml


def place_and_problem(error: yaml.YAMLError) -> str:
    """Return where YAML is broken and how, without a full stop.

    >>> try: _ = yaml.safe_load("a: [1\\nb: 2")
    ... except yaml.YAMLError as error: place_and_problem(error)
    "line 2, column 2: not YAML: expected ',' or ']', but got ':'"
    """
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not YAML: {problem or 'it holds characters that no YAML file may hold'}"
