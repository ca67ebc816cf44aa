"""Browser tests drive Debian's Chromium: its headless shell, which does the same in half the time, where there is one.

A machine without it may leave them out, and says so; where CI is set they fail instead.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from support.browsing import CHROMIUM, SHELL, opened_browser

_left_out = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if CHROMIUM or os.environ.get("CI"):
        return
    left_out = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash[_left_out] = len(left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if count := terminalreporter.config.stash.get(_left_out, 0):
        terminalreporter.write_line(
            f"{count} browser tests were left out: there is no Chromium here (Debian: apt-get install chromium)",
            yellow=True,
        )


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    return SHELL or _whole()


@pytest.fixture(scope="session")
def whole_chromium() -> str:
    """Where the browser is that people have: the shell keeps no page that is left, for example."""
    return _whole()


def _whole() -> str:
    assert CHROMIUM, "there is no Chromium, and CI is set (Debian: apt-get install chromium)"
    return CHROMIUM


# Scoped to the module: while Playwright is open, its event loop counts as running, and async tests cannot start theirs.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium."""
    with opened_browser(chromium) as opened:
        yield opened
