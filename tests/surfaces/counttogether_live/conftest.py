"""One server, for tests whose people are their own."""

from collections.abc import Iterator

import pytest

from support.live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live-server") / "data") as running:
        yield running
