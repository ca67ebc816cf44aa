"""Whoever asks for much does not keep the others waiting."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from pathlib import Path

import pytest

from support.analytics import analytics_in_process
from tallystick.errors import StoreBusy
from tallystick.surfaces.dashboard.support.streaming import PARTS_HERE, streamed
from tallystick.turns import ASKERS_KNOWN, Turn, Turns, WaitingPlaces, asking, who_asks
from tallystick.web.asgi import Message


class Room:
    """Turns under a clock that only moves within them."""

    def __init__(self, at_once: int = 1, waiting: int = 100) -> None:
        self.now = 0.0
        self.turns = Turns(at_once, waiting, "full", lambda: self.now)
        self.order: list[Hashable] = []

    async def ask(self, asker: Hashable, seconds: float) -> None:
        with asking(asker):
            turn = await self.turns.take()
        self.order.append(asker)
        await asyncio.sleep(0)
        self.now += seconds
        turn.end()

    async def hold(self, asker: Hashable) -> Turn:
        with asking(asker):
            return await self.turns.take()

    def begin(self, asker: Hashable, seconds: float, times: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.ask(asker, seconds)) for _ in range(times)]


async def waited() -> None:
    """Let everybody who was begun wait for a turn."""
    await asyncio.sleep(0)


async def test_who_has_taken_least_is_next() -> None:
    room = Room()
    await asyncio.gather(*room.begin("dear", 10, 4), *room.begin("cheap", 1, 8), *room.begin(None, 3, 2))
    assert room.order[0] == "dear"
    assert room.order[1:4] == ["cheap", None, "cheap"]
    assert sorted(map(str, room.order[1:11])) == [*["None"] * 2, *["cheap"] * 8]
    assert room.order[11:] == ["dear"] * 3


async def test_who_comes_later_does_not_make_up_for_the_time_before() -> None:
    room = Room()
    early = [*room.begin("one", 10, 9), *room.begin("other", 10, 9)]
    await early[5]
    await asyncio.gather(*early, *room.begin("new", 10, 3))
    first, *_, last = (place for place, asker in enumerate(room.order) if asker == "new")
    assert set(room.order[first:last]) == {"one", "other", "new"}


async def test_no_asker_has_all_turns_while_others_wait() -> None:
    room = Room(at_once=2)
    await asyncio.gather(*room.begin("many", 1, 6), *room.begin("few", 5, 2))
    assert room.order[:3] == ["many", "many", "few"]


async def test_places_are_taken_from_who_waits_for_most() -> None:
    room = Room(waiting=4)
    held = await room.hold("somebody")
    many, few = room.begin("many", 1, 5), room.begin("few", 1, 3)
    await waited()
    held.end()
    results = await asyncio.gather(*many, *few, return_exceptions=True)
    assert [isinstance(each, StoreBusy) for each in results] == [*[False] * 2, *[True] * 3, *[False] * 2, True]


async def test_turns_that_nobody_waits_for_any_more_go_on_to_others() -> None:
    room = Room()
    held = await room.hold("a")
    left, told, last = (room.begin(asker, 1)[0] for asker in "bcd")
    await waited()
    left.cancel()
    held.end()
    told.cancel()  # its turn has begun, and it does not know yet
    await last
    assert (left.cancelled(), told.cancelled(), room.order) == (True, True, ["d"])


async def test_a_place_is_taken_from_who_has_just_stopped_waiting() -> None:
    room = Room(waiting=3)
    held = await room.hold("somebody")
    *many, left = room.begin("many", 1, 3)
    await waited()
    left.cancel()  # it does not know yet
    asyncio.get_running_loop().call_soon(held.end)
    await room.ask("few", 1)
    await asyncio.gather(*many)
    assert left.cancelled()
    # Nobody waits any more, so a turn begins at once.
    (await asyncio.wait_for(room.hold("later"), 1)).end()
    assert sorted(map(str, room.order)) == ["few", "many", "many"]


async def test_askers_are_forgotten() -> None:
    room = Room(at_once=2)
    held = await room.hold("longest")
    for number in range(2 * ASKERS_KNOWN):
        await room.ask(number, 1)
    assert len(room.turns._askers) <= ASKERS_KNOWN + 1  # noqa: SLF001
    held.end()
    assert not room.turns._askers  # noqa: SLF001


async def test_surfaces_tell_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[Hashable] = set()
    take = Turns.take

    async def noted(self: Turns) -> Turn:
        asked.add(who_asks())
        return await take(self)

    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        monkeypatch.setattr(Turns, "take", noted)
        assert (await running.api("GET", "/stats/total")).status == 200
        assert asked == {"token 1"}
        asked.clear()
        headers = {"authorization": f"Bearer {running.token}"}
        site = running.site.cname
        answer = await running.ask(f"/api/v1/stats/aggregate?site_id={site}&metrics=visitors", headers=headers)
        assert (answer.status, asked) == (200, {"token 1"})
        asked.clear()
        assert (await running.ask("/sites/1.json")).status == 200
        assert asked == {None}


async def test_parts_of_a_page_that_follow_it_are_asked_for_by_its_person() -> None:
    asked: list[Hashable] = []
    sent: list[Message] = []

    async def parts() -> AsyncIterator[str]:
        asked.append(who_asks())
        yield "part"

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": []}
    with asking("account 7"):
        page = streamed(scope, f"before {PARTS_HERE} after", parts(), {})
    await page(scope, receive, send)
    assert (asked, who_asks()) == (["account 7"], None)
    assert b"".join(message.get("body", b"") for message in sent) == b"before part after"


async def test_of_those_who_wait_for_one_event_the_one_who_waits_most_often_is_refused() -> None:
    places, event = WaitingPlaces(4, "full"), asyncio.get_running_loop().create_future()

    async def wait(asker: Hashable) -> None:
        with asking(asker):
            await places.until(event)

    waiting = [asyncio.create_task(wait("a")) for _ in range(4)]
    await waited()
    with pytest.raises(StoreBusy, match="full"):
        await wait("a")
    other = asyncio.create_task(wait("b"))
    await waited()
    with pytest.raises(StoreBusy, match="full"):
        await waiting[3]
    waiting[0].cancel()  # leaves room
    await asyncio.wait({waiting[0]})
    more = asyncio.create_task(wait("b"))
    await waited()
    event.set_result(None)
    await asyncio.gather(other, more, *waiting[1:3])
    assert vars(places)["_waiting"] == 0
    assert not vars(places)["_places"]
