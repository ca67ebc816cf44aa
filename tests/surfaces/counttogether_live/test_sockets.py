"""What is told over WebSockets to the websockets client."""

import asyncio
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from jsonschema_rs import validator_for
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from support.live_server import LiveServer, Person, frame
from tallystick.surfaces import counttogether
from tallystick.web.openapi import parsed

DESCRIBED = parsed((files(counttogether) / "asyncapi.yaml").read_text("utf-8"))


def validate(told: dict[str, Any], message: str) -> None:
    """Judge a frame by the description."""
    payload = DESCRIBED["components"]["messages"][message]["payload"]
    schemas = {"components": DESCRIBED["components"]}
    validator_for({**schemas, **payload}, validate_formats=True).validate(told)


async def shared(server: LiveServer) -> tuple[Person, Person, str]:
    """Two people and the counter that they share."""

    def made() -> tuple[Person, Person, str]:
        ada, bob = server.person("Ada"), server.person("Bob")
        counter = ada.new_counter("Cups of tea", mode="UpAndDown")
        ada.share(counter, bob)
        return ada, bob, counter

    return await asyncio.to_thread(made)


async def asked(person: Person, *request: Any) -> Any:
    """Ask without stopping the loop; the body of the answer."""
    answer = await asyncio.to_thread(person.ask, *request)
    return answer.json() if answer.content else None


async def frames(socket: ClientConnection, amount: int) -> list[dict[str, Any]]:
    return [await frame(socket) for _ in range(amount)]


async def test_each_change_of_the_largest_batch_is_told_to_who_reads(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob) as socket:
        await asked(ada, "POST", f"/v1/counters/{counter}/batch", {"operations": [{"operation": "increment"}] * 500})
        told = [each["params"]["data"]["value"] for each in await frames(socket, 500)]
    assert told == list(range(1, 501))


async def test_a_change_in_the_words_of_v1(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob) as socket:
        assert await asked(ada, "POST", f"/v1/counters/{counter}/increment") == 1
        text = await socket.recv(decode=True)
    told = msgspec.json.decode(text)
    validate(told, "counterUpdatedV1")
    extras = {name: told["params"][name] for name in ("at", "offset", "epoch")}
    expected = {
        "jsonrpc": "2.0",
        "method": "counterUpdated",
        "params": {
            "counterId": counter,
            "displayName": "Cups of tea",
            "data": {"value": 1, "mode": "UpAndDown"},
            "version": 2,
            "delta": 1,
            "actor": ada.uid,
            **extras,
        },
    }
    # Byte for byte: old clients have met nothing but this order and no spaces.
    assert text == msgspec.json.encode(expected).decode()


async def test_a_change_in_the_words_of_v2(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob, "/v2/ws") as socket:
        await asked(ada, "POST", f"/v2/counters/{counter}/decrement/5")
        text = await socket.recv(decode=True)
    told = msgspec.json.decode(text)
    validate(told, "counterUpdatedV2")
    extras = {name: told["params"][name] for name in ("at", "offset", "epoch")}
    params = {"counterId": counter, "name": "Cups of tea", "type": "UpDown", "value": -5}
    expected = {
        "jsonrpc": "2.0",
        "method": "counterUpdated",
        "params": {**params, "version": 2, "delta": -5, "actor": ada.uid, **extras},
    }
    assert text == msgspec.json.encode(expected).decode()


async def test_everything_that_happens_to_a_counter(server: LiveServer) -> None:
    ada, bob, other = await shared(server)
    async with server.socket(ada) as socket:
        begun = await asked(
            ada, "POST", "/v1/counters", {"displayName": "Without", "type": "FromDate", "data": {"date": "2026-01-01"}}
        )
        await asked(ada, "PATCH", f"/v2/counters/{begun['id']}?timezone=UTC", {"name": "Without it"})
        await asked(bob, "DELETE", f"/v1/counters/{other}/members/{bob.uid}")
        await asked(ada, "DELETE", f"/v1/counters/{begun['id']}")
        made, renamed, left, deleted = await frames(socket, 4)
    validate(made, "counterUpdatedV1")
    validate(renamed, "counterUpdatedV1")
    assert renamed["params"]["displayName"] == "Without it"
    assert renamed["params"]["data"]["pastDays"] > 300
    validate(left, "counterMemberlistChanged")
    assert left["params"]["counterId"] == other
    validate(deleted, "counterDeleted")
    assert deleted["params"]["counterId"] == begun["id"]
    offsets = [each["params"]["offset"] for each in (made, renamed, left, deleted)]
    assert offsets == list(range(offsets[0], offsets[0] + 4))


async def test_who_leaves_is_told_that_the_counter_is_gone(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob) as socket:
        await asked(ada, "DELETE", f"/v1/counters/{counter}/members/{bob.uid}")
        told = await frame(socket)
    assert (told["method"], told["params"]["counterId"]) == ("counterDeleted", counter)


async def test_what_follows_the_101_at_once_is_told(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    for value in range(1, 11):
        async with server.socket(bob, "/v2/ws") as socket:
            # Nothing is awaited between the 101 and the request.
            ada.increment(counter)
            assert (await frame(socket))["params"]["value"] == value


async def test_all_hear_everything_in_order_the_senders_included(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    people = [ada, bob, ada, bob]

    async def heard(person: Person, ready: asyncio.Barrier) -> list[int]:
        async with server.socket(person, "/v2/ws") as socket:
            await ready.wait()
            return [told["params"]["version"] for told in await frames(socket, 40)]

    ready = asyncio.Barrier(len(people) + 1)
    async with asyncio.TaskGroup() as group:
        hearing = [group.create_task(heard(each, ready)) for each in people]
        await ready.wait()
        for _ in range(20):
            group.create_task(asked(ada, "POST", f"/v1/counters/{counter}/increment"))
            group.create_task(asked(bob, "POST", f"/v1/counters/{counter}/decrement"))
    assert [task.result() for task in hearing] == [list(range(2, 42))] * len(people)


async def test_what_is_refused_is_told_to_nobody(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    await asked(ada, "PATCH", f"/v2/counters/{counter}", {"goal": 1, "allowExceed": False})
    async with server.socket(bob, "/v2/ws") as socket:
        refused = await asked(ada, "POST", f"/v2/counters/{counter}/increment/2")
        assert refused["name"] == "GoalExceedingNotAllowed"
        await asked(server.person(), "POST", f"/v1/counters/{counter}/increment")
        await asked(ada, "POST", f"/v1/counters/{counter}/increment")
        assert (await frame(socket))["params"]["value"] == 1


async def test_strangers_are_told_nothing(server: LiveServer) -> None:
    ada, _, counter = await shared(server)
    eve = await asyncio.to_thread(server.person, "Eve")
    async with server.socket(eve, "/v2/ws") as socket:
        await asked(ada, "POST", f"/v1/counters/{counter}/increment")
        own = await asyncio.to_thread(eve.new_counter, "Only mine")
        assert (await frame(socket))["params"]["counterId"] == own


async def test_resuming_tells_what_was_missed_and_then_what_happens(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob, "/v2/ws") as socket:
        await asked(ada, "POST", f"/v2/counters/{counter}/increment")
        last = (await frame(socket))["params"]
    for _ in range(3):
        await asked(ada, "POST", f"/v2/counters/{counter}/increment")
    async with server.socket(bob, f"/v2/ws?epoch={last['epoch']}&offset={last['offset']}") as socket:
        await asked(ada, "POST", f"/v2/counters/{counter}/increment")
        connected, *told = await frames(socket, 5)
    validate(connected, "connected")
    assert connected["params"] == {"epoch": last["epoch"], "offset": last["offset"], "recovered": True}
    assert [each["params"]["value"] for each in told] == [2, 3, 4, 5]


@pytest.mark.parametrize("where", ["epoch=another&offset=1", "offset=1", "epoch=EPOCH&offset=900000000", "epoch=EPOCH"])
async def test_where_nothing_can_be_recovered_that_is_said(server: LiveServer, where: str) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob, "/v2/ws?offset=0") as socket:
        epoch = (await frame(socket))["params"]["epoch"]
    async with server.socket(bob, f"/v2/ws?{where.replace('EPOCH', epoch)}") as socket:
        connected = await frame(socket)
        assert not connected["params"]["recovered"]
        await asked(ada, "POST", f"/v2/counters/{counter}/increment")
        assert (await frame(socket))["params"]["offset"] > connected["params"]["offset"]


async def test_many_missed_changes_are_told_as_the_newest_state(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    async with server.socket(bob, "/v2/ws?offset=0") as socket:
        place = (await frame(socket))["params"]
    for _ in range(3):
        await asked(ada, "POST", f"/v1/counters/{counter}/batch", {"operations": [{"operation": "increment"}] * 500})
    async with server.socket(bob, f"/v2/ws?epoch={place['epoch']}&offset={place['offset']}") as socket:
        connected, told = await frames(socket, 2)
    assert connected["params"]["recovered"]
    assert told["params"]["value"] == 1_500


async def test_pings_in_words(server: LiveServer) -> None:
    ada = await asyncio.to_thread(server.person)
    async with server.socket(ada) as socket:
        await (await socket.ping())
        await socket.send("ping")
        assert await socket.recv() == "pong"
        await socket.send('{"method":"ping","id":1}')
        assert await frame(socket) == {"jsonrpc": "2.0", "id": 1, "result": "pong"}
        await socket.send('{"jsonrpc":"2.0","method":"notification"}')
        await socket.send('{"jsonrpc":"2.0","method":"counters","id":"a"}')
        refused = await frame(socket)
        assert (refused["id"], refused["error"]["code"]) == ("a", -32601)
        validate(refused, "answer")


@pytest.mark.parametrize("messages", [[b"ping"], ["no json"], ["[]"], ["1"], ['{"method":"x' + "x" * 4_096 + '"}']])
async def test_what_makes_no_sense_closes(server: LiveServer, messages: list[str | bytes]) -> None:
    ada = await asyncio.to_thread(server.person)
    async with server.socket(ada) as socket:
        for message in messages:
            await socket.send(message)
        await socket.wait_closed()
    assert socket.close_code == 4400


async def test_too_many_messages_close(server: LiveServer) -> None:
    ada = await asyncio.to_thread(server.person)
    async with server.socket(ada) as socket:
        for _ in range(30):
            await socket.send("ping")
        await socket.wait_closed()
    assert socket.close_code == 4400


async def test_revoking_and_rotating_close(server: LiveServer) -> None:
    ada, bob, counter = await shared(server)
    kept = (await asked(bob, "POST", "/v1/tokens", {"name": "kept", "scopes": ["read"]}))["token"]
    gone = await asked(bob, "POST", "/v1/tokens", {"name": "gone", "scopes": ["read"]})
    rotated = await asked(bob, "POST", "/v1/tokens", {"name": "rotated", "scopes": ["read"]})
    closed, open_, old = ({"authorization": f"Bearer {token}"} for token in (gone["token"], kept, rotated["token"]))
    async with (
        server.socket(headers=closed) as one,
        server.socket(headers=closed) as two,
        server.socket(headers=open_, path="/v2/ws") as three,
        server.socket(headers=old) as four,
        server.socket(headers=old) as five,
    ):
        with_old = await asyncio.to_thread(bob.ask, "POST", "/v1/ws/tickets", None, headers=old)
        ticket = with_old.json()["ticket"]
        await asked(bob, "POST", f"/v1/tokens/{rotated['id']}/rotate")
        with pytest.raises(InvalidStatus):
            await server.socket(path=f"/v1/ws?ticket={ticket}").__aenter__()
        await asked(bob, "DELETE", f"/v1/tokens/{gone['id']}")
        async with asyncio.timeout(5):
            await one.wait_closed()
            await two.wait_closed()
            await four.wait_closed()
            await five.wait_closed()
        assert [each.close_code for each in (one, two, four, five)] == [4401] * 4
        await asked(ada, "POST", f"/v1/counters/{counter}/increment")
        assert (await frame(three))["params"]["value"] == 1
