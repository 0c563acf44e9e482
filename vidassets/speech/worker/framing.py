"""Messages between a process and its worker: a JSON header, then the raw bytes of arrays, without pickle."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class Message:
    """Values that JSON can represent, and arrays by name."""

    values: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def write_message(stream: BinaryIO, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Write one message and flush the stream."""
    solid = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [[name, array.dtype.str, list(array.shape)] for name, array in solid.items()]
    header = json.dumps({"values": values, "arrays": described}).encode()
    stream.write(_LENGTH.pack(len(header)) + header)
    for array in solid.values():
        stream.write(array.tobytes())
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """Return the next message; None if the stream ends, also within a message."""
    length = _exactly(stream, _LENGTH.size)
    header = None if length is None else _exactly(stream, _LENGTH.unpack(length)[0])
    if header is None:
        return None
    content = json.loads(header)
    arrays: dict[str, np.ndarray] = {}
    for name, dtype, shape in content["arrays"]:
        empty = np.empty(shape, np.dtype(dtype))
        raw = _exactly(stream, empty.nbytes)
        if raw is None:
            return None
        arrays[name] = np.frombuffer(raw, empty.dtype).reshape(shape)
    return Message(content["values"], arrays)


def _exactly(stream: BinaryIO, n_bytes: int) -> bytearray | None:
    raw = bytearray(n_bytes)
    view, at = memoryview(raw), 0
    while at < n_bytes:
        n_read = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not n_read:
            return None
        at += n_read
    return raw
