"""No address and no User-Agent is ever written to disk: not after a clean stop, and not after kill -9."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from support.analytics import HOST, prepare
from support.server import RunningServer, running_server

HITS = 300
AT_ONCE = 20
OPTIONS = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
BOT = "NeverStoredBot/1.0 (+https://neverstored.example/bot)"


def address(number: int) -> str:
    """Public addresses, every other one IPv6."""
    return (
        str(ip_address(0x2A00_1450_4001_0800 << 64 | number << 40 | 0xDEAD))
        if number % 2
        else f"81.2.69.{number % 256}"
    )


def agent(number: int) -> str:
    if number % 10 == 0:
        return BOT
    return f"Mozilla/5.0 (X11; Linux x86_64; neverstored-{number}) Gecko/20100101 Firefox/140.0"


async def send(server: RunningServer) -> None:
    """Pageviews, refused ones among them."""
    free = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, limits=httpx.Limits(max_connections=AT_ONCE)) as client:

        async def one(number: int) -> None:
            headers = {"user-agent": agent(number), "x-forwarded-for": address(number)}
            query = {"p": f"/page-{number % 50}"} if number % 7 else {}
            event = {"u": query.get("p"), "n": "pageview", "d": HOST}
            async with free:
                answer = await client.get("/count", params=query, headers=headers)
                told_event = await client.post("/api/event", json=event, headers=headers)
            assert answer.status_code == (200 if query else 400)
            assert told_event.status_code == (202 if query else 400)

        await asyncio.gather(*map(one, range(HITS)))


def told(data: Path, output: str) -> list[str]:
    """Which files say something of a visitor, and what; the output counts as one."""
    # What a bot calls itself is told as its browser, but nothing else of what it sends.
    wanted = {b"neverstored", BOT.encode(), b"81.2.69.", b"2a00:1450", ip_address(address(1)).packed}
    contents = {"output": output.encode()} | {
        str(file): file.read_bytes() for file in data.rglob("*") if file.is_file()
    }
    assert sum(map(len, contents.values())) > 10_000
    return [f"{name}: {text!r}" for name, content in contents.items() for text in wanted if text in content]


@pytest.mark.parametrize("clean", [True, False], ids=["after a clean stop", "after kill -9"])
def test_nothing_of_a_visitor_is_on_disk(tmp_path: Path, clean: bool) -> None:  # noqa: FBT001
    data = tmp_path / "data"
    data.mkdir()
    prepare(data)
    with running_server(data, *OPTIONS) as server:
        asyncio.run(send(server))
        if clean:
            assert server.stop() == 0
        else:
            server.kill()
        server.close()
        assert told(data, server.output) == []
    # The grep finds what is there.
    (data / "leak").write_bytes(b"x" * 20_000 + agent(1).encode() + ip_address(address(1)).packed)
    assert len(told(data, "")) == 2
