"""The demo, served by a thread of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from support.in_process import Clock, InProcess
from support.served import logged_in, served
from tallystick.cli.support.demo_content import SITES
from tallystick.cli.support.demo_filling import EMAIL, fill

NOW = int(datetime(2026, 3, 10, 15, 20, 5, tzinfo=UTC).timestamp())
"""When it is in the demo of tests. Its pages are the same each day, and so are pictures of them."""


class Demo(NamedTuple):
    """The served demo.

    Attributes:
        url: where it listens.
        clock: stands still until it is moved.
        login: what the cookie of its person's browser has.
    """

    url: str
    clock: Clock
    login: str


@contextmanager
def demo_server(data: Path, visits: int) -> Iterator[Demo]:
    """Fill an empty directory with the demo, and serve it until the end.

    Args:
        visits: how many to invent; more take longer.
    """

    async def make(running: InProcess) -> str:
        running.clock.now = NOW * 1000
        await fill(running.application.services, visits, NOW, lambda _done, _all: None)
        return await logged_in(running, EMAIL)

    with served(data, make, default_site=SITES[0].domain) as it:
        yield Demo(it.url, it.running.clock, it.made)
