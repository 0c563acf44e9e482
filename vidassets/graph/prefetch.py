"""Inputs of the next clip, read and decoded in a thread while this one is worked on, within a bounded memory."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

POLL_S = 0.1  # how soon a waiting thread notices that nobody needs it any more


class _Unwanted(BaseException):
    """Nobody reads any more: the reading thread unwinds."""


class _Room:
    """Bytes that decoded pieces may take up together; one piece larger than all of it passes alone."""

    def __init__(self, max_bytes: int) -> None:
        self._free = max_bytes
        self._max = max_bytes
        self._changed = threading.Condition()

    def take(self, n_bytes: int, unwanted: Callable[[], bool]) -> None:
        with self._changed:
            while self._free < min(n_bytes, self._max):
                if unwanted():
                    raise _Unwanted
                self._changed.wait(POLL_S)
            self._free -= n_bytes

    def give(self, n_bytes: int) -> None:
        with self._changed:
            self._free += n_bytes
            self._changed.notify_all()


class _Stream(Iterator[Any]):
    """The reading end of pieces that the thread decodes: an iterator that raises what the decoder raised."""

    def __init__(self, room: _Room) -> None:
        self._room = room
        self._pieces: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
        self._over = False
        self.closed = threading.Event()

    def fill(self, pieces: Iterable[Any], ended: threading.Event) -> None:
        """Decode all of `pieces` into the stream; called in the thread."""

        def unwanted() -> bool:
            return self.closed.is_set() or ended.is_set()

        try:
            for piece in pieces:
                size = _n_bytes(piece)
                self._room.take(size, unwanted)
                self._pieces.put((size, piece, None))
                if unwanted():
                    return self._drain()
        except _Unwanted:
            return
        except Exception as error:  # noqa: BLE001 - raised again where the stream is read
            self._pieces.put((0, None, error))
        else:
            self._pieces.put((0, None, StopIteration()))
        finally:
            if isinstance(pieces, Generator):
                pieces.close()

    def __next__(self) -> Any:
        if self._over:
            raise StopIteration
        size, piece, end = self._pieces.get()
        if end is not None:
            self._over = True
            raise end
        self._room.give(size)
        return piece

    def close(self) -> None:
        """Give back the room of what was decoded and not read."""
        self._over = True
        self.closed.set()
        self._drain()

    def _drain(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._room.give(self._pieces.get_nowait()[0])


def _n_bytes(piece: Any) -> int:
    parts = piece if isinstance(piece, tuple) else (piece,)
    return sum(getattr(part, "nbytes", 0) for part in parts) or 1


@dataclass(frozen=True)
class Inputs:
    """What was read for one clip, or why it could not be."""

    clip: str
    values: Mapping[str, Any]
    error: Exception | None = None


@contextmanager
def read_ahead(
    clips: Iterable[str],
    load: Callable[[str], dict[str, Any]],
    decode: Mapping[str, Callable[[dict[str, Any]], Iterable[Any]]],
    max_bytes: int,
) -> Iterator[Iterator[Inputs]]:
    """Inputs of each clip in turn, made one clip ahead in a thread.

    Args:
        clips: keys, in the order of work.
        load: reads the small inputs of a clip (tables) at once.
        decode: functions of these that yield pieces (arrays, or tuples of them); they arrive as streams.
        max_bytes: what decoded pieces may take up, over all clips.
    """
    ended, room = threading.Event(), _Room(max_bytes)
    ready: queue.Queue[Inputs | Exception | None] = queue.Queue(maxsize=1)

    def offer(inputs: Inputs | Exception | None) -> None:
        while not ended.is_set():
            with suppress(queue.Full):
                return ready.put(inputs, timeout=POLL_S)
        raise _Unwanted

    def read() -> None:
        with suppress(_Unwanted):
            try:
                read_each()
            except Exception as error:  # noqa: BLE001 - raised again where the inputs are read
                offer(error)

    def read_each() -> None:
        for clip in clips:
            try:
                values = load(clip)
            except Exception as error:  # noqa: BLE001 - handed over; one clip's failure is its own
                offer(Inputs(clip, {}, error))
                continue
            streams = {name: _Stream(room) for name in decode}
            offer(Inputs(clip, values | streams))
            for name, stream in streams.items():
                stream.fill(_deferred(decode[name], values), ended)
        offer(None)

    def each() -> Iterator[Inputs]:
        while (inputs := ready.get()) is not None:
            if isinstance(inputs, Exception):
                raise inputs
            try:
                yield inputs
            finally:
                for value in inputs.values.values():
                    if isinstance(value, _Stream):
                        value.close()

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield each()
    finally:
        ended.set()
        thread.join()


def _deferred(decode: Callable[[dict[str, Any]], Iterable[Any]], values: dict[str, Any]) -> Iterator[Any]:
    yield from decode(values)
