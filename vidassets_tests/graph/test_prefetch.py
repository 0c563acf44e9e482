import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vidassets.graph.prefetch import read_ahead

MB = 2**20


def _pieces(n: int, size_bytes: int = MB) -> Iterator[np.ndarray]:
    for i in range(n):
        yield np.full(size_bytes, i % 251, np.uint8)


def test_clips_come_in_order_with_their_inputs_and_streams():
    with read_ahead(
        ["a", "b"], lambda clip: {"table": clip * 2}, {"pieces": lambda values: _pieces(3, 8)}, MB
    ) as ahead:
        seen = [(one.clip, one.values["table"], [int(p[0]) for p in one.values["pieces"]]) for one in ahead]
    assert seen == [("a", "aa", [0, 1, 2]), ("b", "bb", [0, 1, 2])]


def test_the_next_clip_is_decoded_while_this_one_is_worked_on():
    decoded = {clip: threading.Event() for clip in "ab"}

    def decode(values: dict[str, Any]) -> Iterator[np.ndarray]:
        yield from _pieces(2, 8)
        decoded[values["clip"]].set()

    with read_ahead(["a", "b"], lambda clip: {"clip": clip}, {"pieces": decode}, MB) as ahead:
        for one in ahead:
            list(one.values["pieces"])
            if one.clip == "a":
                assert decoded["b"].wait(timeout=600), "b is decoded though a is still in hand"


def test_what_is_decoded_and_not_yet_read_stays_within_its_bound():
    in_memory, most = 0, 0
    lock = threading.Lock()

    def decode(values: dict[str, Any]) -> Iterator[np.ndarray]:
        nonlocal in_memory, most
        for piece in _pieces(40):
            with lock:
                in_memory += 1
                most = max(most, in_memory)
            yield piece

    with read_ahead(["a", "b", "c"], lambda clip: {}, {"pieces": decode}, 4 * MB) as ahead:
        for one in ahead:
            time.sleep(0.05)
            for _ in one.values["pieces"]:
                with lock:
                    in_memory -= 1
    assert most <= 6, "four in the stream, one being decoded, one being read"


def test_a_piece_larger_than_the_bound_still_passes():
    with read_ahead(["a"], lambda clip: {}, {"pieces": lambda values: _pieces(3, 3 * MB)}, MB) as ahead:
        assert [sum(len(piece) for piece in one.values["pieces"]) for one in ahead] == [9 * MB]


def test_a_clip_whose_inputs_cannot_be_read_is_reported_and_the_next_comes():
    def load(clip: str) -> dict[str, Any]:
        if clip == "b":
            raise OSError("gone")
        return {}

    with read_ahead(["a", "b", "c"], load, {}, MB) as ahead:
        assert [(one.clip, str(one.error or "")) for one in ahead] == [("a", ""), ("b", "gone"), ("c", "")]


def test_an_error_while_decoding_is_raised_where_the_stream_is_read_and_the_next_clip_comes():
    def decode(values: dict[str, Any]) -> Iterator[np.ndarray]:
        yield from _pieces(2, 8)
        if values["clip"] == "a":
            raise ValueError("corrupt middle")

    with read_ahead(["a", "b"], lambda clip: {"clip": clip}, {"pieces": decode}, MB) as ahead:
        first = next(ahead)
        with pytest.raises(ValueError, match="corrupt middle"):
            list(first.values["pieces"])
        assert len(list(next(ahead).values["pieces"])) == 2


def test_a_stream_left_in_the_middle_gives_its_room_back():
    with read_ahead(
        [f"c{i}" for i in range(20)], lambda clip: {}, {"pieces": lambda values: _pieces(9)}, 2 * MB
    ) as ahead:
        assert [int(next(one.values["pieces"])[0]) for one in ahead] == [0] * 20


def test_the_thread_ends_when_the_work_is_left():
    def endless(values: dict[str, Any]) -> Iterator[np.ndarray]:
        while True:
            yield np.zeros(MB, np.uint8)

    def leave_early() -> None:
        with read_ahead(["a", "b"], lambda clip: {}, {"pieces": endless}, 2 * MB) as ahead:
            next(ahead)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave_early()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_an_error_while_the_clips_are_chosen_is_raised_where_the_inputs_are_read():
    def clips() -> Iterator[str]:
        yield "a"
        raise OSError("database is locked")

    with (
        pytest.raises(OSError, match="database is locked"),
        read_ahead(clips(), lambda clip: {"clip": clip}, {}, MB) as ahead,
    ):
        list(ahead)
