from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.media.plan import WantedTime, Window


@dataclass(frozen=True)
class FakePacket:
    pts: int | None
    is_keyframe: bool = False
    is_discard: bool = False
    size: int = 1


def packets_of(gops: list[list[int]]) -> list[FakePacket]:
    return [FakePacket(pts, is_keyframe=i == 0) for gop in gops for i, pts in enumerate(gop)]


def plan(packets: list[FakePacket], ticks: list[int], reorder_depth: int = 2) -> tuple[dict[int, int], list[int]]:
    """Return the pts that answers each tick, and the pts of all packets to decode."""
    window: Window[FakePacket] = Window(reorder_depth)
    wanted = deque(WantedTime(tick, tick / 10) for tick in sorted(ticks))
    left, answers, decoded = deque(packets), {}, []
    at_end = False
    while wanted:
        run = window.next_run(wanted, at_end=at_end)
        if run is not None:
            decoded += [packet.pts for packet in run.packets]
            answers |= {time.tick: pts for pts, wanted_times in run.wanted_times.items() for time in wanted_times}
        elif at_end:
            break
        elif left:
            window.add(left.popleft(), wanted[0])
        else:
            at_end = True
    return answers, decoded


def with_b_pictures(n_gops: int) -> list[FakePacket]:
    """Return open groups of I P B B, 10 ticks per picture: a B depends on the I of the next group."""
    return packets_of([[40 * g + 20, 40 * g + 10, 40 * g + 40, 40 * g + 30] for g in range(n_gops)])


@pytest.mark.parametrize(
    ("tick", "answer"),
    [
        pytest.param(20, 20, id="at its beginning"),
        pytest.param(29, 20, id="just before the next"),
        pytest.param(35, 30, id="a B picture, decoded after what follows it"),
        pytest.param(0, 10, id="before the first"),
        pytest.param(9999, 200, id="after the last"),
    ],
)
def test_a_wanted_time_is_answered_by_the_last_picture_that_begins_at_or_before_it(tick, answer):
    assert plan(with_b_pictures(5), [tick])[0] == {tick: answer}


def test_groups_without_a_wanted_picture_are_not_decoded():
    _, decoded = plan(with_b_pictures(5), [25, 145])
    assert decoded == [20, 140]


def test_a_picture_before_its_groups_keyframe_is_decoded_from_the_group_before():
    answers, decoded = plan(with_b_pictures(5), [130])
    assert answers == {130: 130}
    assert decoded == [100, 90, 120, 110, 140, 130]


def test_a_packet_removed_by_an_edit_list_is_decoded_and_answers_nothing():
    packets = [FakePacket(0, is_keyframe=True, is_discard=True), FakePacket(10), FakePacket(20), FakePacket(30)]
    assert plan(packets, [5, 15]) == ({5: 10, 15: 10}, [0, 10])


def test_an_endless_group_is_decoded_before_it_fills_the_memory():
    window: Window[FakePacket] = Window(0)
    wanted = deque([WantedTime(10_000, 10.0)])
    for pts in range(100):
        window.add(FakePacket(pts, is_keyframe=pts == 0, size=1 << 20), wanted[0])
        if run := window.next_run(wanted, at_end=False):
            break
    assert [packet.pts for packet in run.packets] == list(range(32))
    assert run.wanted_times == {}


@given(
    depth=st.integers(0, 3),
    order=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    keyframes=st.sets(st.integers(0, 39)),
    ticks=st.lists(st.integers(-20, 450), min_size=1, max_size=20),
)
def test_any_order_within_the_reorder_depth_gives_the_picture_on_screen(depth, order, keyframes, ticks):
    # Any order in which no picture is overtaken by more than `depth` others, which is what a codec may do.
    waiting, decoding_order = list(range(len(order))), []
    for choice in order:
        decoding_order.append(waiting.pop(min(choice, depth - _overtaken(waiting, decoding_order), len(waiting) - 1)))
    packets = [
        FakePacket(10 * i, is_keyframe=n == 0 or (n in keyframes and i > max(decoding_order[:n])))
        for n, i in enumerate(decoding_order)
    ]
    answers, _ = plan(packets, ticks, depth)
    last = 10 * (len(order) - 1)
    assert answers == {tick: max(0, min(tick // 10 * 10, last)) for tick in ticks}


def _overtaken(waiting: list[int], decoding_order: list[int]) -> int:
    return sum(done > waiting[0] for done in decoding_order)
