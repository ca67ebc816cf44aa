"""The HTTP server of this process, on the event loop that the product uses."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Transports differ between event loops: the tests run on uvloop."""
    return {"uvloop": uvloop.new_event_loop}
