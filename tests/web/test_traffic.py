"""What the metrics are told about each answer."""

from typing import Any

from tallystick.web.asgi import CountedApp, Message, Receive, Scope, Send
from tallystick.web.traffic import Traffic


async def nothing() -> Message:
    return {}


async def teapot(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"short and stout"})


async def test_answers_are_counted_by_surface_and_status_and_passed_on() -> None:
    traffic, sent = Traffic(), list[Any]()

    async def send(message: Message) -> None:
        sent.append(message)

    app = CountedApp(teapot, "kitchen", traffic)
    for _ in range(2):
        await app({}, nothing, send)
    assert traffic.answers == {("kitchen", 418): 2}
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"] * 2


def test_refusals_are_counted_by_reason() -> None:
    traffic = Traffic()
    for reason in ("bad request", "StoreBusy", "bad request"):
        traffic.refused("countapi", reason)
    assert traffic.refusals == {("countapi", "bad request"): 2, ("countapi", "StoreBusy"): 1}
