"""A video as it was found, and a file that was refused."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from vidassets.errors import SourceError
from vidassets.keys import check_key

Kind = Literal["clip", "episode", "build"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Source:
    """A video by its key: where it is stored, its size, and a fingerprint that changes when it is replaced."""

    key: str
    uri: str  # an absolute path, a URL, or `tar://member::url-of-the-tar`, see `remote_files.open_url`
    kind: Kind
    size_bytes: int
    fingerprint: str  # size and mtime of a file, size and etag of an object; cheaper than a hash of the content
    sidecar_uri: str | None = None  # NAME.json beside the video
    sidecar_fingerprint: str | None = None

    def to_json(self) -> str:
        """Return the source as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the source that `to_json` wrote.

        Raises:
            SourceError: the text is not JSON, or a field is missing, unknown or of another type.
        """
        try:
            found = json.loads(text)
        except ValueError as error:
            raise SourceError(f"{text[:80]!r}: not the JSON of a source ({error}). Add the video again.") from error
        if problem := _problem(found):
            raise SourceError(f"{text[:80]!r}: not a source: {problem}. Add the video again with `vidassets add`.")
        check_key(found["key"])
        return cls(**found)


@dataclass(frozen=True)
class Refused:
    """A file that was refused, with the error that says why."""

    uri: str
    error: SourceError

    @property
    def reason(self) -> str:
        """What is wrong and how to fix it."""
        return str(self.error)


def _problem(found: Any) -> str | None:
    if not isinstance(found, dict):
        return "no JSON object"
    names = {field.name for field in fields(Source)}
    if odd := sorted(names.symmetric_difference(found)):
        return f"fields {odd} are missing or unknown"
    texts = ["key", "uri", "kind", "fingerprint"]
    texts += [name for name in ("sidecar_uri", "sidecar_fingerprint") if found[name] is not None]
    if wrong := [name for name in texts if not isinstance(found[name], str)]:
        return f"fields {wrong} are not text"
    if type(found["size_bytes"]) is not int or found["size_bytes"] < 0:
        return "size_bytes is no whole number"
    return None if found["kind"] in KINDS else f"kind is {found['kind']!r}, not one of {', '.join(KINDS)}"
