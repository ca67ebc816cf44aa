"""Servers and stores that tests share. Nothing here is skipped: what is missing fails."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import nullcontext
from functools import cache
from inspect import iscoroutinefunction
from pathlib import Path

import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import settings
from starlette import routing

from support.analytics import Analytics, AnalyticsServer, analytics_in_process, analytics_server
from support.blocking import blocking_calls_refused
from support.generated import build_when_they_run, built
from support.postgres import Postgres
from support.prepared import copy_migrated_ledger
from support.rewritten import rewrite_a_share
from support.server import RunningServer, running_server
from support.templates import keep_compiled_templates
from support.whole import Whole, name_of_its_own
from tallystick.ledger import Database, Ledger, open_database
from tallystick.services.accounts import passwords

# A busy machine is no failure.
EXAMPLES = int(os.environ.get("TALLYSTICK_TEST_EXAMPLES", "25"))
# CI says of a commit what it said the last time; new examples are looked for by everyone else's `make test`.
settings.register_profile("without-deadline", deadline=None, max_examples=EXAMPLES, derandomize="CI" in os.environ)
settings.load_profile("without-deadline")

# As the server prints them. With every local variable, as by default, a traceback takes longer than most tests.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback


def pytest_configure(config: pytest.Config) -> None:
    # A shell without job control lets what runs in its background ignore Ctrl-C, and so do all that it starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # the process that shares out knows what all have run
        config.pluginmanager.register(Whole())
    build_when_they_run()


def pytest_itemcollected(item: pytest.Item) -> None:
    name_of_its_own(item)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays to the end: looking for garbage in it, again and again, takes as long as many tests."""
    gc.disable()
    try:
        rewrite_a_share(session.config)
        return (yield)
    finally:
        gc.freeze()
        # Each application is thousands of new objects, all in use: looking through them is a third of making them.
        gc.set_threshold(50_000, 20, 100)
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    built(item)


@pytest.fixture(autouse=True)
def _blocking_calls_refused(request: pytest.FixtureRequest) -> Iterator[None]:
    """In tests that run on an event loop, a blocking call of our code is a failure."""
    with blocking_calls_refused() if iscoroutinefunction(request.function) else nullcontext():
        yield


@pytest.fixture(scope="session", autouse=True)
def _authorities_read_once() -> Iterator[None]:
    """Each new client of httpx reads all certificate authorities, which takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each application compiles its templates when it first shows them, which takes longer than most tests."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "templates"
    folder.mkdir(exist_ok=True)
    keep_compiled_templates(folder)


@pytest.fixture(scope="session", autouse=True)
def _paths_compiled_once() -> Iterator[None]:
    """Each application makes regular expressions of its hundreds of routes, the same ones each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "compile_path", cache(routing.compile_path))
        yield


@pytest.fixture(autouse=True)
def _umask_restored() -> Iterator[None]:
    """The command line, when a test runs it in this process, hides what it writes from others."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose: for tests in this process that are not about it."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "DUMMY_DIGEST", quick.hash("nobody has this password"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of our own, on a Unix socket and a loopback port."""
    with Postgres.started() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Judges both databases: None for SQLite, the URL of a fresh PostgreSQL database."""
    if request.param == "sqlite":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Like ``database_url``, but the PostgreSQL database has a ledger's tables."""
    if request.param == "sqlite":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database(migrated=True) as url:
        yield url


@pytest.fixture
def database(ledger_url: str | None, tmp_path: Path) -> Database:
    """A database of either kind with an empty ledger."""
    if ledger_url is None:
        copy_migrated_ledger(tmp_path)
    return open_database(ledger_url, tmp_path)


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """An open ledger on either database."""
    opened = await Ledger.open(database)
    yield opened
    await opened.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """The product: ``tallystick serve`` on SQLite, in a process of its own."""
    with running_server(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for tests that count under names of their own and touch nothing else."""
    with running_server(tmp_path_factory.mktemp("shared-server") / "data") as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def either_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Like ``shared_server``, on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("shared_server")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    data = tmp_path_factory.mktemp("either-server") / "data"
    with postgres.fresh_database() as url, running_server(data, database=url) as running:
        yield running


@pytest.fixture
def any_server(tmp_path: Path, database_url: str | None) -> Iterator[RunningServer]:
    """The product on either database."""
    with running_server(tmp_path / "data", database=database_url) as running:
        yield running


@pytest.fixture(scope="session", name="analytics_server")
def shared_analytics_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """One server with a site, for tests that count under paths of their own."""
    with analytics_server(tmp_path_factory.mktemp("analytics-server") / "data") as running:
        yield running


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    """The whole application in this process, with a site of its own."""
    async with analytics_in_process(tmp_path) as opened:
        yield opened
