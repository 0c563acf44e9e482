"""Reading of sidecars: files NAME.json beside a video, whose content is not trusted."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from vidassets.errors import SidecarError, SourceError
from vidassets.fingerprints import current_fingerprint, located
from vidassets.sources.remote import open_source, remote_errors

MAX_SIDECAR_BYTES = 1_000_000
MAX_SIDECAR_DEPTH = 20
# An escape can spell any character. PostgreSQL stores no NUL, and no person writes the others but tabs and line ends.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_sidecar(
    uri: str | None, storage_options: dict[str, Any] | None = None, fingerprint: str | None = None
) -> dict[str, Any] | None:
    """Return the JSON object of a sidecar; None for a video without one (uri None).

    Args:
        uri: of the sidecar.
        storage_options: of a URL, see `remote_files`.
        fingerprint: of the sidecar when it was found. In a tar that was not replaced since, it is found without
            reading the headers.

    Raises:
        SidecarError: it is missing, not a file, over 1 MB, nested deeper than 20 levels, not UTF-8, not a JSON object,
            or contains a number that is not finite or a control character.
    """
    if uri is None:
        return None
    try:
        document = json.loads(
            _text(uri, storage_options or {}, fingerprint), parse_constant=_refuse, parse_float=_finite
        )
        # Escapes can spell half of a surrogate pair, which cannot be encoded as UTF-8.
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise _error(uri, f"nested over {MAX_SIDECAR_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise _error(uri, f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise _error(uri, str(error)) from error
    if not isinstance(document, dict):
        raise _error(uri, f"holds a {type(document).__name__}, not an object")
    if _deeper_than(document, MAX_SIDECAR_DEPTH):
        raise _error(uri, f"nested over {MAX_SIDECAR_DEPTH} deep")
    if text := next((text for text in _texts(document) if CONTROL.search(text)), None):
        raise _error(uri, f"{text[:40]!r} has a control character")
    return document


def _text(uri: str, options: dict[str, Any], fingerprint: str | None) -> str:
    # Opening a pipe would block until something writes to it.
    if "://" not in uri and not Path(uri).is_file():
        raise _error(uri, "is gone, or no file")
    try:
        with remote_errors(uri):
            placed = located(uri, current_fingerprint(uri, options, fingerprint)) if uri.startswith("tar://") else uri
        with open_source(placed, options) as file:
            data = file.read(MAX_SIDECAR_BYTES + 1)
    except SourceError as error:
        raise _error(uri, f"cannot be read ({error})") from error
    if len(data) > MAX_SIDECAR_BYTES:
        raise _error(uri, f"over {MAX_SIDECAR_BYTES} bytes")
    return data.decode("utf-8-sig")


def _deeper_than(document: Any, depth: int) -> bool:
    level = [document]
    for _ in range(depth):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, dict | list) for value in level)


def _texts(value: Any) -> Iterator[str]:
    """Yield every name and every text of a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(child)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits} is too large a number")
    return number


def _error(uri: str, what: str) -> SidecarError:
    return SidecarError(f"{uri}: {what}. Make it a small JSON object, or take it away, and add the video again.")
