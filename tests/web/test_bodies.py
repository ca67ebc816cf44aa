"""A request's body, from the messages in which it comes."""

import asyncio
import resource
from typing import Any

import msgspec
import pytest

from tallystick.web import bodies
from tallystick.web.address import ClientAddresses
from tallystick.web.bodies import (
    Bodies,
    BodyCutShort,
    BodyTooLarge,
    BodyTooSlow,
    TooManyBodies,
    body_of,
    json_problem,
    may_have_body,
)

HUNG_UP = {"type": "http.disconnect"}


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


async def received(*messages: dict[str, Any], announced: bytes = b"") -> bytes | None:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return await body_of({"headers": [(b"content-length", announced)] if announced else []}, receive, 3)


async def test_parts_become_one_body_up_to_the_largest() -> None:
    assert await received(part(b"a"), part(b""), part(b"bc", more=False)) == b"abc"
    assert await received(part(b"ab"), part(b"cd"), HUNG_UP) is None
    assert await received({"type": "http.request"}) == b""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[" * 5_000, "it is nested too deep"),
        (b'"\xff"', "it is not UTF-8"),
        (b'"\\ud83d"', "it has half of a surrogate pair, which is no character"),
        (b'"\\ude00"', "it has half of a surrogate pair, which is no character"),
        (b'"\\ud83d\\u0041"', "it has half of a surrogate pair, which is no character"),
        (b'"\\ud83d\\ude00" x', ""),
        (b'"\\\\ud83d" x', ""),
        (b"{", ""),
    ],
)
def test_why_a_body_is_not_read_as_json(body: bytes, problem: str) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)) as caught:
        msgspec.json.decode(body)
    assert json_problem(caught.value, body) == problem


async def test_a_body_whose_end_never_comes_is_none() -> None:
    with pytest.raises(BodyCutShort):
        await received(part(b"a"), HUNG_UP)


@pytest.mark.parametrize("announced", [b"4", b"9" * 19])
async def test_a_body_that_is_announced_as_too_large_is_not_read(announced: bytes) -> None:
    assert await received(announced=announced) is None


@pytest.mark.parametrize("announced", [b"3", b"-1", b"x", b"9" * 5_000])
async def test_what_a_length_says_is_not_believed_beyond_that(announced: bytes) -> None:
    assert await received(part(b"abc", more=False), announced=announced) == b"abc"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"host", b"x"), (b"content-length", b"0")], False),
        ([(b"content-length", b"1")], True),
        ([(b"content-length", b"x")], True),
        ([(b"host", b"x"), (b"transfer-encoding", b"chunked")], True),
    ],
)
def test_which_requests_have_a_body(headers: list[tuple[bytes, bytes]], expected: bool) -> None:  # noqa: FBT001
    assert may_have_body({"headers": headers}) is expected


class Uploads:
    """Requests whose bodies a test sends part by part."""

    within_s = bodies.WITHIN_S

    def __init__(self, unfinished_at_most: int | None = 1_000) -> None:
        self.answer_now = asyncio.Event()
        self.bodies = Bodies(self._read, ClientAddresses(), unfinished_at_most, within_s=self.within_s)

    async def _read(self, scope: Any, receive: Any, _send: Any) -> None:
        assert await body_of(scope, receive, 2**30) is not None
        await self.answer_now.wait()

    def start(self, *parts: dict[str, Any], client: str = "192.0.2.1", announced: int = 0) -> "asyncio.Task[None]":
        left = list(parts)

        async def receive() -> dict[str, Any]:
            if not left:
                await asyncio.Event().wait()
            return left.pop(0)

        async def run() -> None:
            headers = [(b"content-length", b"%d" % announced)]
            await self.bodies({"headers": headers, "client": (client, 1)}, receive, None)  # type: ignore[arg-type]

        return asyncio.create_task(run())

    def nothing_is_held(self) -> bool:
        return self.bodies.held_bytes == 0 and not self.bodies.unfinished


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uploads, "within_s", 0.4)
    monkeypatch.setattr(bodies, "SMALL_SHARE", 0.125)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("parts", [[], [part(b"a")], [part(b"a"), part(b"")]])
async def test_a_body_that_stalls_is_given_up(parts: list[dict[str, Any]]) -> None:
    uploads = Uploads()
    with pytest.raises(BodyTooSlow):
        await asyncio.wait_for(uploads.start(*parts, announced=3), 5)
    assert uploads.nothing_is_held()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("announced", [0, bodies.SMALL_BODY + 1])
async def test_a_large_body_has_more_time(announced: int) -> None:
    large = b"x" * (bodies.SMALL_BODY + 1)
    uploads = Uploads()
    started = asyncio.get_running_loop().time()
    with pytest.raises(BodyTooSlow):
        await asyncio.wait_for(uploads.start(part(large), announced=announced), 5)
    assert asyncio.get_running_loop().time() - started >= 0.35
    assert uploads.nothing_is_held()


@pytest.mark.usefixtures("hurried")
async def test_a_request_may_take_its_time_once_its_body_is_there() -> None:
    uploads = Uploads()
    request = uploads.start(part(b"abc", more=False))
    await asyncio.sleep(0.1)
    uploads.answer_now.set()
    await asyncio.wait_for(request, 5)
    assert uploads.nothing_is_held()


def streaming(uploads: Uploads, app: Any, largest: int) -> None:
    """All bodies are passed on from now on."""
    uploads.bodies = Bodies(
        app, ClientAddresses(), within_s=uploads.within_s, streamed=lambda _: True, largest_streamed=largest
    )


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_is_passed_on_takes_no_memory_and_each_part_its_time() -> None:
    uploads, held = Uploads(), []

    async def passes_on(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["more_body"]:
            held.append(uploads.bodies.held_bytes)
            await asyncio.sleep(0.3)

    streaming(uploads, passes_on, 2**30)
    large = part(b"x" * 1_000_000)
    announced = bodies.LARGEST_BODY + 1
    await asyncio.wait_for(uploads.start(large, large, part(b"", more=False), announced=announced), 5)
    assert held == [0, 0]
    with pytest.raises(BodyTooSlow):
        await asyncio.wait_for(uploads.start(large, announced=announced), 5)
    assert uploads.nothing_is_held()


async def test_a_body_that_is_passed_on_has_a_limit_of_its_own() -> None:
    uploads = Uploads()
    streaming(uploads, uploads.bodies._app, 5)  # noqa: SLF001
    for parts, announced in (([], 6), ([part(b"abc"), part(b"def")], 0)):
        with pytest.raises(BodyTooLarge, match="larger than 5 bytes"):
            await asyncio.wait_for(uploads.start(*parts, announced=announced), 5)
        assert uploads.nothing_is_held()


async def test_no_body_is_larger_than_the_operator_allows() -> None:
    uploads = Uploads()
    uploads.bodies.largest = 5
    for parts, announced in (([], 6), ([part(b"abc"), part(b"def")], 0)):
        with pytest.raises(BodyTooLarge, match="larger than 5 bytes"):
            await asyncio.wait_for(uploads.start(*parts, announced=announced), 5)
        assert uploads.nothing_is_held()


async def test_the_memory_of_bodies_is_limited_until_their_requests_are_answered() -> None:
    uploads = Uploads()
    eighth = b"x" * (bodies.LARGE_BODIES_BYTES // 8)
    requests = [uploads.start(part(eighth, more=False)) for _ in range(8)]
    await asyncio.sleep(0.01)
    assert uploads.bodies.held_bytes == bodies.LARGE_BODIES_BYTES
    with pytest.raises(TooManyBodies):
        await uploads.start(part(eighth, more=False))
    small = uploads.start(part(b"x" * bodies.SMALL_BODY, more=False))
    await asyncio.sleep(0.01)
    assert not small.done()
    uploads.answer_now.set()
    await asyncio.gather(small, *requests)
    await uploads.start(part(eighth, more=False))
    assert uploads.nothing_is_held()


async def test_one_client_cannot_take_all_places_of_unfinished_bodies() -> None:
    uploads = Uploads(bodies.UNFINISHED_PER_CLIENT + 1)
    requests = [uploads.start() for _ in range(bodies.UNFINISHED_PER_CLIENT)]
    await asyncio.sleep(0.01)
    with pytest.raises(TooManyBodies):
        await uploads.start()
    requests.append(uploads.start(client="192.0.2.2"))
    await asyncio.sleep(0.01)
    with pytest.raises(TooManyBodies):
        await uploads.start(client="192.0.2.3")
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    assert uploads.nothing_is_held()


@pytest.mark.parametrize("descriptors", [1_024, resource.RLIM_INFINITY])
async def test_a_quarter_of_the_file_descriptors_is_for_unfinished_bodies(
    descriptors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    uploads = Uploads(None)
    request = uploads.start(part(b"abc", more=False))
    await asyncio.sleep(0.01)
    assert not request.done()
    uploads.answer_now.set()
    await asyncio.wait_for(request, 5)
