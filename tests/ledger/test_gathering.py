"""The thread behind each writer: which items make a batch, and that each of them is in one."""

import asyncio
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import pytest

from support.ledgers import until
from tallystick.errors import StoreBusy, StoreClosed
from tallystick.gathering import ENOUGH, GatheringThread, resolve_futures


class Recorder:
    """Keeps the batches that its thread is given; the first one may be held up."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        self.batches: list[list[int]] = []
        self.given_up: list[int] = []
        self.idle = 0
        self.go_on = Event()
        self.go_on.set()
        limits = {"queue_limit": 50_000, "batch_limit": 1_000} | options
        self.thread: GatheringThread[int] = GatheringThread(
            "recorder", work=self.work, give_up=self.give_up, stop=lambda: None, loop=loop, **limits
        )

    def work(self, batch: list[int]) -> None:
        self.batches.append(batch)
        self.go_on.wait()

    def give_up(self, batch: Sequence[int], _: Exception) -> None:
        self.given_up += batch

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


async def test_what_arrives_in_consecutive_rounds_of_the_loop_is_one_batch() -> None:
    recorder = Recorder(asyncio.get_running_loop())
    for number in range(5):
        recorder.thread.submit(number)
        await asyncio.sleep(0)
    await recorder.thread.close()
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_what_gathered_during_a_batch_waits_for_what_arrives_after_it() -> None:
    recorder = Recorder(asyncio.get_running_loop())
    recorder.go_on.clear()
    recorder.thread.submit(0)
    await until(lambda: recorder.batches)
    recorder.thread.submit(1)
    recorder.go_on.set()
    await until(lambda: recorder.items == [0, 1])
    await recorder.thread.close()
    assert recorder.batches == [[0], [1]]


async def test_a_batch_begins_although_more_and_more_arrives() -> None:
    recorder = Recorder(asyncio.get_running_loop())
    submitted = 0
    while not recorder.batches:
        recorder.thread.submit(submitted)
        submitted += 1
        await asyncio.sleep(0)
    at_once = 3 * ENOUGH
    for number in range(submitted, submitted + at_once):
        recorder.thread.submit(number)
    await recorder.thread.close()
    assert recorder.items == list(range(submitted + at_once))


async def test_everything_accepted_is_in_one_batch_whichever_thread_submits_it() -> None:
    recorder, numbers = Recorder(batch_limit=7), range(10_000)
    halves = [
        Thread(target=lambda part=part: list(map(recorder.thread.submit, part)))
        for part in (numbers[::2], numbers[1::2])
    ]
    for half in halves:
        half.start()
    for half in halves:
        await asyncio.to_thread(half.join)
    await recorder.thread.close()
    assert sorted(recorder.items) == list(numbers)
    assert max(map(len, recorder.batches)) <= 7


async def test_a_full_queue_refuses_and_what_it_holds_is_worked_through_at_the_end() -> None:
    recorder = Recorder(asyncio.get_running_loop(), queue_limit=3, batch_limit=2)
    recorder.go_on.clear()
    recorder.thread.submit(0)
    await until(lambda: recorder.batches)
    for number in (1, 2, 3):
        recorder.thread.submit(number)
    with pytest.raises(StoreBusy):
        recorder.thread.submit(4)
    assert len(recorder.thread) == 3
    closing = asyncio.create_task(recorder.thread.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        recorder.thread.submit(5)
    recorder.go_on.set()
    await closing
    assert recorder.batches == [[0], [1, 2], [3]]


async def test_a_loop_that_is_closed_leaves_nothing_waiting() -> None:
    loop = asyncio.new_event_loop()
    recorder = Recorder(loop, idle=lambda: None, idle_after=0.05)
    recorder.thread.submit(0)
    loop.close()
    await until(lambda: recorder.items == [0])
    await recorder.thread.close()


async def test_a_result_that_cannot_be_handed_over_fails_alone() -> None:
    class Faulty(asyncio.Future[int]):
        def set_result(self, _: int) -> None:
            msg = "the connection is gone"
            raise RuntimeError(msg)

    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[int]] = [loop.create_future(), Faulty(), loop.create_future()]
    resolve_futures(loop, futures, [1, 2, 3])
    assert [await futures[0], await futures[2]] == [1, 3]
