"""Lakes in directories of their own."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.browsing import CHROMIUM, SHELL
from support.lakes import MEMORY_MB, QuickLakeStore, fresh_lake

# They run where the extensions are: ``make test`` has an environment for that.
collect_ignore_glob = [] if find_spec("duckdb_extension_ducklake") else ["test_*.py"]

Opener = Callable[..., QuickLakeStore]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    found = SHELL or CHROMIUM
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    assert found
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def url(folder: Path) -> str:
    """A lake's catalogue, for all tests of a module."""
    return fresh_lake(folder / "files")


@pytest.fixture
def opened(folder: Path, url: str) -> Iterator[Opener]:
    """Opens the lake, for writing where it gets an epoch."""
    with ExitStack() as stack:

        def open_(epoch: int | None = None) -> QuickLakeStore:
            store = QuickLakeStore(url, str(folder / "files"), MEMORY_MB, work=folder / "work", epoch=epoch)
            stack.callback(store.close)
            store.open()
            return store

        yield open_
