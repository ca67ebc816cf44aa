"""Sliding windows: exact in any span, first come first served in the queue, bounded in memory."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tallystick.web.rate_limit import Admission
from tallystick.web.sliding_window import SlidingWindows

SPAN = 10.0


class Hands:
    """A clock whose hands are moved by the test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def told(found: Any) -> tuple[bool, int, float]:
    assert isinstance(found, Admission)
    return found.admitted, found.left, round(found.reset, 3)


def test_what_is_left_and_when_there_is_more() -> None:
    clock = Hands()
    windows = SlidingWindows(3, SPAN, queue=0, clock=clock)
    steps = [
        # seconds later, admitted, left, reset
        (0.0, True, 2, 10.0),
        (1.0, True, 1, 9.0),
        (1.0, True, 0, 8.0),
        (7.9, False, 0, 0.1),
        (0.1, True, 0, 1.0),  # the first has just fallen out
        (0.5, False, 0, 0.5),
        (0.5, True, 0, 1.0),
        (30.0, True, 2, 10.0),
    ]
    for later, *expected in steps:
        clock.now += later
        assert list(told(windows.enter("ada"))) == expected


def test_nobody_is_told_to_wait_longer_than_the_span() -> None:
    clock = Hands()
    clock.now = 2_039.697  # 60 later the clock's numbers have a bit less behind the point
    admission = SlidingWindows(1, 60, clock=clock).enter("ada")
    assert isinstance(admission, Admission)
    assert admission.wait == 60


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 5))
def test_no_span_ever_holds_more_and_none_holds_less_without_need(pauses: list[int], amount: int) -> None:
    clock = Hands()
    windows = SlidingWindows(amount, SPAN, queue=0, clock=clock)
    admitted: list[float] = []
    for pause in pauses:
        clock.now += pause / 8  # exact in binary
        within = sum(time > clock.now - SPAN for time in admitted)
        is_admitted, left, _ = told(windows.enter("ada"))
        assert is_admitted == (within < amount)
        assert left == amount - within - is_admitted
        admitted += [clock.now] * is_admitted


def test_everyone_has_a_window_of_their_own_and_is_forgotten_when_idle() -> None:
    clock = Hands()
    windows = SlidingWindows(1, SPAN, clock=clock)
    for number in range(100):
        assert told(windows.enter(number))[0]
        clock.now += 0.01
    assert len(windows) == 100
    clock.now += SPAN - 0.5  # half of them have been idle for a span
    assert told(windows.enter("new"))[0]
    assert 45 <= len(windows) <= 55


async def test_two_wait_in_their_order_and_a_third_is_refused() -> None:
    windows = SlidingWindows(2, 0.1)
    windows.enter("ada")
    await asyncio.sleep(0)
    windows.enter("ada")
    first, second, third = (windows.enter("ada") for _ in range(3))
    assert isinstance(third, Admission)
    assert not third.admitted
    assert isinstance(first, asyncio.Future)
    assert isinstance(second, asyncio.Future)
    order: list[str] = []
    first.add_done_callback(lambda _: order.append("first"))
    second.add_done_callback(lambda _: order.append("second"))
    for admission in await asyncio.gather(first, second):
        assert admission.admitted
    assert order == ["first", "second"]
    assert told(windows.enter("bob"))[0]


async def test_who_gives_up_makes_place_for_the_next() -> None:
    windows = SlidingWindows(1, 0.1)
    windows.enter("ada")
    first, second = windows.enter("ada"), windows.enter("ada")
    assert isinstance(first, asyncio.Future)
    assert isinstance(second, asyncio.Future)
    first.cancel()
    await asyncio.sleep(0)
    third = windows.enter("ada")
    assert isinstance(third, asyncio.Future)
    assert (await second).admitted
    assert not third.done()
    assert (await third).admitted


async def test_a_place_that_is_given_up_in_the_last_moment_is_not_counted() -> None:
    clock = Hands()
    windows = SlidingWindows(1, SPAN, clock=clock)
    windows.enter("ada")
    first = windows.enter("ada")
    assert isinstance(first, asyncio.Future)
    first.cancel()  # and before anybody notices, the time has come
    clock.now += SPAN
    assert told(windows.enter("ada")) == (True, 0, SPAN)


async def test_nobody_overtakes_who_waits() -> None:
    clock = Hands()
    windows = SlidingWindows(1, SPAN, clock=clock)
    windows.enter("ada")
    waiting = windows.enter("ada")
    assert isinstance(waiting, asyncio.Future)
    clock.now += SPAN  # the timer has not rung yet
    late = windows.enter("ada")
    assert waiting.done()
    assert isinstance(late, asyncio.Future)
    late.cancel()


async def test_who_is_refused_is_told_to_come_after_those_who_wait() -> None:
    clock = Hands()
    windows = SlidingWindows(3, SPAN, clock=clock)
    for _ in range(3):
        windows.enter("ada")
        clock.now += 1
    waiting = [windows.enter("ada"), windows.enter("ada")]
    assert told(windows.enter("ada")) == (False, 0, 9.0)  # when the third falls out; the first two are promised
    for future in waiting:
        assert isinstance(future, asyncio.Future)
        future.cancel()
