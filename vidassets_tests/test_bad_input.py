"""Bad input from end to end: each is refused or fails alone, with a clear error, and its good neighbour is made."""

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from vidassets_tests.builders import CLIP_ASSETS, Home, changed, film
from vidassets_tests.media.videos import moving_picture, write_sound, write_video

REFUSED = {
    "link": "a link to what is not there. Mend or remove the link",
    "pipe": "neither a file nor a folder",
    "dir.mp4/in side": "",
}
FAILED = {
    "empty": "EmptyVideo",
    "text": "UnreadableVideo",
    "cut": "TruncatedVideo",
}


def _sizes(path: Path) -> None:
    """A stream that changes its size in the middle: two streams of MPEG-TS, one after the other."""
    parts = [write_video(path.with_name(f"{n}.ts"), n_frames=10, size=size) for n, size in enumerate([(96, 64), (64, 96)])]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def _cut(path: Path) -> None:
    film(path, (1.0,))
    path.write_bytes(path.read_bytes()[:2000])


BAD: dict[str, Callable[[Path], object]] = {
    "empty.mp4": Path.touch,
    "text.mp4": lambda path: path.write_text("This is a note.\n" * 100),
    "cut.mp4": _cut,
    "sound.mp4": write_sound,
    "one.mp4": lambda path: write_video(path, n_frames=1),
    "sizes.ts": _sizes,
    "a b'c\"d ünïcode 中.mp4": film,
    "dir.mp4/inside.mp4": film,
    "link.mp4": lambda path: path.symlink_to("nowhere.mp4"),
    "pipe.mp4": os.mkfifo,
    "..twodots.mp4": film,
    "x..y.mp4": film,
    "neighbour.mp4": film,
}
SIDECARS: dict[str, tuple[Callable[[Path], object], str]] = {
    "large": (lambda path: path.write_text(json.dumps({"x": "y" * 2_000_000})), "over 1000000 bytes"),
    "deep": (lambda path: path.write_text("[" * 1000 + "]" * 1000), "nested over 20 deep"),
    "list": (lambda path: path.write_text("[1, 2]"), "holds a list, not an object"),
    "nan": (lambda path: path.write_text('{"x": NaN}'), "NaN is not JSON"),
    "binary": (lambda path: path.write_bytes(b"\xff\xfe{}"), "codec can't decode"),
    "folder": (Path.mkdir, ""),
    "types": (lambda path: path.write_text('{"factory_id": [1], "duration": {"a": null}, "kind": 3}'), ""),
}
