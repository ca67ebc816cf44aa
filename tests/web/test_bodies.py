"""A request's body, from the messages in which it comes."""

from typing import Any

import pytest

from tallystick.web.asgi import BodyCutShort, body_of

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


async def test_a_body_whose_end_never_comes_is_none() -> None:
    with pytest.raises(BodyCutShort):
        await received(part(b"a"), HUNG_UP)


@pytest.mark.parametrize("announced", [b"4", b"9" * 19])
async def test_a_body_that_is_announced_as_too_large_is_not_read(announced: bytes) -> None:
    assert await received(announced=announced) is None


@pytest.mark.parametrize("announced", [b"3", b"-1", b"x", b"9" * 5_000])
async def test_what_a_length_says_is_not_believed_beyond_that(announced: bytes) -> None:
    assert await received(part(b"abc", more=False), announced=announced) == b"abc"
