"""Opens the Dagster instance of a folder. What is wrong with its dagster.yaml is said in one sentence of ours."""

import errno
import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from sqlalchemy.exc import DBAPIError

from vidassets.errors import InstanceUnusable, ProfileError, VidassetsError
from vidassets.graph.dagster_internals import CheckError, InstanceRef
from vidassets.names import did_you_mean
from vidassets.not_yaml import place_and_problem
from vidassets.shipped import DAGSTER_YAML

# A command draws its own progress: the run's captured output would go through it. The event log keeps all events.
NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FULL = "Free space on this disk, or set DAGSTER_HOME to a folder on another one. What is finished is kept."
# How to fix what SQLite reports, by words of its message.
SQLITE_FIXES = {
    "disk is full": DISK_FULL,
    "disk I/O error": f"The disk failed, or is full. {DISK_FULL}",
    "readonly database": "Give this user permission to write it, or set DAGSTER_HOME to another folder.",
    "unable to open database": "Give this user permission to write it, or set DAGSTER_HOME to another folder.",
    "database is locked": "Another process held it for too long: wait for it, or use PostgreSQL (docs/postgres.md).",
    "malformed": "The file is damaged: restore it from a backup, or set DAGSTER_HOME to a new folder.",
    "not a database": "The file is damaged: restore it from a backup, or set DAGSTER_HOME to a new folder.",
}


def open_instance(home: Path) -> dg.DagsterInstance:
    """Return the instance of a folder; the folder and its dagster.yaml are made if they do not exist.

    Raises:
        ProfileError: the folder cannot be written, or dagster.yaml is broken.
    """
    home = prepared_home(home)
    path, fix = home / "dagster.yaml", "Correct it, or delete the file: the next command writes the default one."
    try:
        with _alone(home):
            return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=NO_CAPTURE))
    except yaml.YAMLError as error:
        raise ProfileError(f"{path}: {place_and_problem(error)}. {fix}") from error
    except (CheckError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: expected `name: value` lines. {fix}") from error
    except dg.DagsterInvalidConfigError as error:
        raise ProfileError(f"{path}: {config_problem(error)} {fix}") from error
    except dg.DagsterError as error:
        cause = str(error).partition("\n")[0]
        raise ProfileError(f"{home}: {cause} An instance of an older Dagster: `dagster instance migrate`.") from error
    except DBAPIError as error:
        raise ProfileError(
            f"{home}: the database of runs and events cannot be used: {error.orig}. If this is not the folder of a "
            "Dagster instance, set DAGSTER_HOME to another one; else restore the file, or check the database server."
        ) from error
    except ImportError as error:
        raise ProfileError(f"{path}: needs {error.name}, which is not installed. Install it, or see docs/.") from error
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise ProfileError(f"{path}: {error.filename}: {error.strerror}. {fix}") from error


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one process at a time open an instance: Dagster creates the tables of a new one without a lock of its own."""
    with (home / ".opening.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def database_errors(home: Path) -> Iterator[None]:
    """Raise what the database of the instance cannot do as `InstanceUnusable`, with how to fix it."""
    try:
        yield
    except VidassetsError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, sqlite3.DatabaseError):
                found = next((fix for words, fix in SQLITE_FIXES.items() if words in str(cause)), None)
                if found is not None:
                    raise InstanceUnusable(f"{home}: the database of runs and events: {cause}. {found}") from error
            if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
                raise InstanceUnusable(f"{cause.filename or home}: {cause.strerror}. {DISK_FULL}") from error
            cause = cause.__cause__ or cause.__context__
        raise


def prepared_home(home: Path) -> Path:
    """Return the absolute path of a Dagster home, made with the default settings if it does not exist.

    Raises:
        ProfileError: it cannot be made or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            partial = home / f".dagster.yaml.{os.getpid()}"
            shutil.copy(DAGSTER_YAML, partial)
            partial.rename(home / "dagster.yaml")
    except OSError as error:
        problem = "is a file, not a folder" if home.is_file() else error.strerror
        raise ProfileError(
            f"{home}: {problem}; runs and events are kept there. Set DAGSTER_HOME, or VIDASSETS_HOME, to a "
            "folder that can be written, or give this user permission."
        ) from error
    return home.resolve()


def config_problem(error: dg.DagsterInvalidConfigError) -> str:
    """Return one sentence on the first field that Dagster refused: its path, what is wrong, the nearest valid name."""
    problem: Any = error.errors[0]
    entries = (entry.field_name for entry in problem.stack.entries if hasattr(entry, "field_name"))
    names = [name for name in entries if name not in ("resources", "config")]  # Dagster's own levels
    message = str(problem.message)
    if variable := re.search(r'environment variable "(\w+)"', message):
        return f"{': '.join(names)}: the environment variable {variable[1]} is not set. Export it."
    data = problem.error_data
    unknown = getattr(data, "field_name", None) or next(iter(getattr(data, "field_names", ())), None)
    if unknown:
        nearest = did_you_mean(unknown, _names_at_top(message.partition("Expected:")[2]))
        return f"{': '.join([*names, unknown])}: there is no such setting.{nearest}"
    if wanted := re.search(r'expected type "(\w+)"', message):
        return f"{': '.join(names)}: expected a value of type {wanted[1]}, got {getattr(data, 'value_rep', 'another')}."
    return f"{': '.join(names) or 'the file'}: cannot be used as it is."


def _names_at_top(shape: str) -> Iterator[str]:
    r"""Yield the field names of the outermost braces of a printed config type.

    >>> list(_names_at_top('"{ a?: { b?: Bool } c: Int }"'))
    ['a', 'c']
    """
    depth = 0
    for token in re.findall(r"[{}]|\w+\??:", shape):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth == 1 and token.endswith(":"):
            yield token.rstrip("?:")
