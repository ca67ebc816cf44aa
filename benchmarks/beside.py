"""How long pageviews take while ten people ask about a year, against the same without them. See README.md.

Pageviews come at a fixed rate, whether earlier ones were answered or not, and a time counts from when one was due: a
stall delays all that were due meanwhile, as it would for visitors.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Annotated, Any, NamedTuple

import hits
import httpx
import msgspec
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine
from rich.console import Console
from rich.table import Table

YEAR = ["2025-01-01", "2025-12-31"]
METRICS = ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration"]
PAGE: tuple[dict[str, Any], ...] = (
    {"metrics": METRICS},
    {"metrics": ["visitors", "pageviews"], "dimensions": ["time:month"]},
    *(
        {"metrics": ["visitors"], "dimensions": [dimension], "pagination": {"limit": 10}}
        for dimension in (
            "event:page",
            "visit:source",
            "visit:country",
            "visit:device",
            "visit:browser",
            "visit:entry_page",
        )
    ),
)
"""The questions of a usual first page."""
CONNECTIONS = 32
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="beside.py", help=__doc__)
console = Console()


class Measured(NamedTuple):
    """One round.

    Attributes:
        times: of pageviews, in milliseconds.
        answers: questions that were answered.
    """

    times: list[float]
    answers: int


@app.default
def main(  # noqa: PLR0913  # one an option
    *,
    data: Path | None = None,
    rounds: AtLeastOne = 3,
    seconds: AtLeastOne = 20,
    rate: AtLeastOne = 200,
    people: AtLeastOne = 10,
    made_hits: AtLeastOne = hits.HITS,
) -> None:
    """Measure: two and a half minutes, after half a minute to make ten million hits.

    Args:
        data: a folder that ``hits.py`` has made; the pageviews are added to it.
        rounds: each with and without people who ask.
        seconds: of each half of a round.
        rate: pageviews a second.
        people: who ask one question after the other.
        made_hits: how many hits there are, where ``data`` is not given.
    """
    options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
    with hits.made(data, made_hits) as folder, servers.tallystick(folder, *options) as server:
        token = (folder / hits.TOKEN_FILE).read_text("ascii")
        alone: list[Measured] = []
        beside: list[Measured] = []
        for number in range(2 * rounds):
            asking = bool(number % 2)
            found = asyncio.run(_round(server.url, token, seconds, rate, people if asking else 0))
            (beside if asking else alone).append(found)
    table = Table("pageviews", "p50, ms", "p99, ms", "greatest, ms", title=machine())
    for name, found in (("alone", alone), (f"beside {people} people who ask about a year", beside)):
        table.add_row(name, *(f"{median(figures):.1f}" for figures in zip(*map(_figures, found), strict=True)))
    console.print(table)
    ratios = [_figures(each)[1] / _figures(other)[1] for each, other in zip(beside, alone, strict=True)]
    answers = sum(each.answers for each in beside) / (rounds * seconds)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    console.print(f"p99 {median(ratios):.2f} times as long ({spread}); {answers:.1f} answers a second")


def _figures(measured: Measured) -> tuple[float, float, float]:
    parts = quantiles(measured.times, n=100)
    return parts[49], parts[98], max(measured.times)


async def _round(url: str, token: str, seconds: int, rate: int, people: int) -> Measured:
    limits = httpx.Limits(max_connections=people or 1)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        answered = count()
        asking = [asyncio.create_task(_ask(client, token, number, answered)) for number in range(people)]
        try:
            times = await _count(url, seconds, rate)
        finally:
            for task in asking:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*asking)
    return Measured(times, next(answered))


async def _ask(client: httpx.AsyncClient, token: str, number: int, answered: Iterator[int]) -> None:
    """Ask the questions of a page, again and again; each person asks about another country."""
    country = sorted({each for each in hits.COUNTRIES if each})[number]
    for part in cycle(PAGE):
        filters = [["is_not", "visit:country", [country]]]
        body = {"site_id": hits.HOST, "date_range": YEAR, "filters": filters, **part}
        headers = {"authorization": f"Bearer {token}"}
        answer = await client.post("/api/query", content=msgspec.json.encode(body), headers=headers)
        answer.raise_for_status()
        next(answered)


async def _count(url: str, seconds: int, rate: int) -> list[float]:
    host, port = url.removeprefix("http://").split(":")
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(host, int(port)))
    draw, times = Random(1), list[float]()

    async def one(due: float, number: int) -> None:
        reader, writer = await free.get()
        writer.write(
            f"GET /count?p=%2Fpage-{draw.randrange(1, 900)}&rnd={number} HTTP/1.1\r\nHost: {hits.HOST}\r\n"
            f"User-Agent: {AGENT}\r\nX-Forwarded-For: 11.0.{number // 250 % 250}.{number % 250}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        times.append((time.perf_counter() - due) * 1000)
        free.put_nowait((reader, writer))

    begin = time.perf_counter()
    tasks = []
    for number in range(seconds * rate):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, number)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return times


if __name__ == "__main__":
    app()
