"""A request of the hot lane is resolved once, like the future in whose place it stands."""

import asyncio
from typing import Any

import pytest

from tallystick.gathering import resolve_futures
from tallystick.server.hot_lane import Answer, HotRequest


class Lane:
    def take(self, request: HotRequest) -> str | None:
        raise NotImplementedError

    def answer(self, _: HotRequest, result: Any) -> Answer:
        if result == "not encodable":
            raise ValueError(result)
        return 200, b"", str(result).encode()

    def refuse(self, _: HotRequest, error: Exception) -> Answer:
        return 500, b"", str(error).encode()


class Recorder:
    client: tuple[str, int] | None = ("192.0.2.1", 1)
    server: tuple[str, int | None] | None = ("192.0.2.2", 80)

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def respond(self, answer: Answer) -> None:
        self.answers.append(answer)


def request(connection: Recorder) -> HotRequest:
    lane = Lane()
    return HotRequest(connection, lane, b"GET", b"/", [])


async def test_a_batch_that_is_given_up_after_some_were_answered_answers_none_twice() -> None:
    connections = [Recorder(), Recorder()]
    requests = [request(connection) for connection in connections]
    loop = asyncio.get_running_loop()
    resolve_futures(loop, requests[:1], [7])
    resolve_futures(loop, requests, [ValueError("given up")] * 2)
    await asyncio.sleep(0)
    assert [connection.answers for connection in connections] == [[(200, b"", b"7")], [(500, b"", b"given up")]]
    assert all(each.done() for each in requests)


def test_an_answer_that_cannot_be_encoded_is_an_error() -> None:
    connection = Recorder()
    asked = request(connection)
    assert not asked.done()
    asked.set_result("not encodable")
    assert connection.answers == [(500, b"", b"not encodable")]


def test_resolving_twice_is_a_mistake() -> None:
    asked = request(Recorder())
    asked.respond((200, b"", b""))
    with pytest.raises(AssertionError, match="resolved once"):
        asked.set_exception(ValueError("x"))
