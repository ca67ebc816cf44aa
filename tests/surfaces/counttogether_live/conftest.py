"""One server with both listeners, for tests whose people are their own."""

from collections.abc import Iterator

import pytest

from support.live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live-server") / "data") as running:
        yield running


@pytest.fixture(params=["main", "live"])
def listener(request: pytest.FixtureRequest) -> str:
    """Judges both listeners."""
    return str(request.param)
