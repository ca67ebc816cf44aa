"""Live connections: memory when idle, and latency and rate of published changes. See README.md."""

import asyncio
import resource
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import servers
import shared
import uvloop
from cyclopts import App, Parameter
from cyclopts.validators import Number
from listeners import STREAM, UPGRADE, Counting, Crowd, percentile
from msgspec import Struct
from rich.console import Console
from rich.table import Table

SETTLES_IN_S = 1.0
ASKED = 200
AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="live.py", help=__doc__)


class Kind(Struct, frozen=True):
    """One way to listen."""

    name: str
    request: str


class Idle(Struct, frozen=True):
    """Cost of many idle connections. Bytes, seconds, milliseconds."""

    kind: str
    memory: float
    opened_in: float
    again_in: float
    asked_p50: float
    asked_p99: float


class Told(Struct, frozen=True):
    """Delivery of changes of one counter to many connections.

    Milliseconds, frames a second, and processor time of the server for a frame in microseconds.
    """

    kind: str
    amount: int
    answer: float
    p50: float
    p99: float
    frames: float
    cost: float


@app.default
def main(*, idle: AtLeastOne = 5_000, listeners: AtLeastOne = 1_000, changes: AtLeastOne = 100) -> None:
    """Measure: about two minutes.

    Args:
        idle: number of idle connections.
        listeners: number of connections that receive all changes.
        changes: how many are timed.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idles: list[Idle] = []
    tolds: list[Told] = []
    with servers.working_folder() as folder:
        made = shared.prepare(folder / "data")
        counter, token = next(iter(made.hot))
        for name in ("sockets", "events"):
            idles.append(_served(folder, name, token, lambda *given: _idle(*given, idle)))
            for amount in (1, listeners):
                measure = _telling(counter, token, amount, changes)
                tolds.append(_served(folder, name, token, measure))
    _print(idles, tolds, idle)


def _served(
    folder: Path, name: str, token: str, measure: Callable[[servers.Process, Kind], Coroutine[Any, Any, Any]]
) -> Any:  # noqa: ANN401  # whatever is measured
    """Measure one kind on a server that has just been started: memory that was used once is seldom given back."""
    data = folder / "data"
    with servers.tallystick(data, "--rate-limit", "off") as server:
        request = (STREAM if name == "events" else UPGRADE).format(token=token)
        return uvloop.run(measure(server, Kind(name, request)))


async def _idle(server: servers.Process, kind: Kind, amount: int) -> Idle:
    crowd = Crowd()
    await crowd.join(server.url, kind.request, 10)
    await asyncio.sleep(SETTLES_IN_S)
    before = server.memory
    opened_in = await _seconds(crowd.join(server.url, kind.request, amount))
    await asyncio.sleep(SETTLES_IN_S)
    memory = (server.memory - before) / amount
    asked = await _asked(server)
    crowd.leave()
    again_in = await _seconds(crowd.join(server.url, kind.request, amount))
    crowd.leave()
    return Idle(
        kind=kind.name,
        memory=memory,
        opened_in=opened_in,
        again_in=again_in,
        asked_p50=percentile(asked, 0.5),
        asked_p99=percentile(asked, 0.99),
    )


async def _asked(server: servers.Process) -> list[float]:
    """Measure the latency of ordinary requests meanwhile."""
    times: list[float] = []
    async with httpx.AsyncClient(base_url=server.url) as client:
        for _ in range(ASKED):
            begun = time.perf_counter()
            (await client.get("/hit/example.com/meanwhile")).raise_for_status()
            times.append((time.perf_counter() - begun) * 1000)
    return times


def _telling(
    counter: str, token: str, amount: int, changes: int
) -> Callable[[servers.Process, Kind], Coroutine[Any, Any, Told]]:
    async def measure(server: servers.Process, kind: Kind) -> Told:
        crowd, counting = Crowd(), Counting(server.url, token, counter)
        await crowd.join(server.url, kind.request, amount)
        answers, times = await _one_by_one(crowd, counting, changes)
        used = server.cpu_seconds
        seconds = await _seconds(_as_fast_as_answered(crowd, counting, changes))
        used = server.cpu_seconds - used
        crowd.leave()
        counting.close()
        return Told(
            kind=kind.name,
            amount=amount,
            answer=median(answers),
            p50=percentile(times, 0.5),
            p99=percentile(times, 0.99),
            frames=changes * amount / seconds,
            cost=used / (changes * amount) * 1e6,
        )

    return measure


async def _one_by_one(crowd: Crowd, counting: Counting, changes: int) -> tuple[list[float], list[float]]:
    """Time from sending an increment to its response, and to each connection's frame. Milliseconds."""
    answers: list[float] = []
    times: list[float] = []
    for _ in range(changes):
        crowd.expect(1)
        begun = time.perf_counter()
        await counting.increment()
        answers.append((time.perf_counter() - begun) * 1000)
        await crowd.told()
        times += [(heard - begun) * 1000 for heard in crowd.times]
    return answers, times


async def _as_fast_as_answered(crowd: Crowd, counting: Counting, changes: int) -> None:
    crowd.expect(changes)
    for _ in range(changes):
        await counting.increment()
    await crowd.told()


async def _seconds(work: Coroutine[Any, Any, None]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


def _print(idles: list[Idle], tolds: list[Told], amount: int) -> None:
    console = Console()
    table = Table(title=f"{amount:,} idle connections", title_justify="left")
    for column in ("where", "KB each", "of sockets", "opened in s", "again in s", "hit p50 ms", "hit p99 ms"):
        table.add_column(column, justify="right")
    for each in idles:
        row = (each.memory / 1000, each.memory / idles[0].memory, each.opened_in, each.again_in)
        table.add_row(each.kind, *(f"{value:.2f}" for value in (*row, each.asked_p50, each.asked_p99)))
    console.print(table)
    table = Table(title="From increment to frame", title_justify="left")
    for column in (
        "where",
        "connections",
        "answer ms",
        "frame p50 ms",
        "p99 ms",
        "frames/s",
        "of sockets",
        "server µs/frame",
    ):
        table.add_column(column, justify="right")
    rates = {each.amount: each.frames for each in tolds if each.kind == "sockets"}
    for told in tolds:
        numbers = (told.answer, told.p50, told.p99)
        ratio = f"{told.frames / rates[told.amount]:.2f}"
        table.add_row(
            told.kind,
            f"{told.amount:,}",
            *(f"{value:.2f}" for value in numbers),
            f"{told.frames:,.0f}",
            ratio,
            f"{told.cost:.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    app()
