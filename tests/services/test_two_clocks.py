"""Two servers on one PostgreSQL, and the clock of one is five minutes ahead: nothing that they store depends on it."""

import subprocess
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from support.analytics import FIREFOX, HOST, prepare
from support.postgres import Postgres
from support.programs import program
from support.server import running_server
from tallystick.ledger import Ledger, open_database
from tallystick.ledger.shared_clock import SharedClock

AHEAD_S = 300


@pytest.fixture(scope="module")
def servers(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str, str]]:
    """The URLs of a server with the right time, of one that is ahead, and of their database; a token."""
    asked = (program("faketime"), "-f", "+0", "printenv", "LD_PRELOAD")
    preloaded = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    first, second = (tmp_path_factory.mktemp(name) for name in ("right", "ahead"))
    with postgres.fresh_database(migrated=True) as database:
        token = prepare(first, database=database).token
        off: dict[str, Any] = {"LD_PRELOAD": preloaded, "FAKETIME": f"+{AHEAD_S}s"}
        with (
            running_server(first, database=database) as right,
            running_server(second, database=database, **off) as ahead,
        ):
            assert _difference_s(ahead.url) > AHEAD_S - 30, "the server's clock is not off"
            yield right.url, ahead.url, database, token


def _difference_s(url: str) -> float:
    """By how much the clock of a server's machine is ahead, as its responses say."""
    return parsedate_to_datetime(httpx.get(f"{url}/health/live").headers["date"]).timestamp() - time.time()


def said(url: str, method: str, path: str, **options: Any) -> Any:
    """What a server answers, as JSON."""
    answer = httpx.request(method, url + path, **options)
    assert answer.is_success, (path, answer.text)
    return answer.json()


def use(url: str, name: str, token: str) -> str:
    """Have a server store things of all kinds. Returns the id of a shared counter."""
    bearer = {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        said(url, "GET", f"/hit/{name}/visits")
    said(url, "GET", f"/create?namespace={name}&key=made&value=3")
    said(url, "GET", f"/hit/{name}/keyed", headers={"Idempotency-Key": name})
    made = said(url, "POST", "/v1/counters", json={"displayName": name, "type": "UpDown", "data": {}}, headers=bearer)
    said(url, "POST", f"/v1/counters/{made['id']}/increment", headers=bearer)
    said(url, "POST", f"/v1/counters/{made['id']}/invites", json={"role": "member"}, headers=bearer)
    httpx.get(f"{url}/count?p=/{name}", headers={"Host": HOST, "User-Agent": FIREFOX})  # by the one that counts them
    return str(made["id"])


def times_ahead(database: str, now: float) -> list[tuple[str, str, int]]:
    """Stored numbers that are times of the clock that is ahead: table, column and value."""
    found = []
    with psycopg.connect(database, autocommit=True) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'bigint' ORDER BY 1, 2"
        ).fetchall()
        for table, column in columns:
            for (value,) in connection.execute(f'SELECT "{column}" FROM "{table}"').fetchall():
                seconds = [value, value / 1000] if value is not None else []
                if any(now + AHEAD_S - 30 < second < now + AHEAD_S + 30 for second in seconds):
                    found.append((table, column, value))
    return found


def test_nothing_that_is_stored_bears_the_time_of_the_clock_that_is_ahead(servers: tuple[str, str, str, str]) -> None:
    right, ahead, database, token = servers
    ids = [use(url, name, token) for url, name in ((ahead, "ahead"), (right, "right"))]
    assert times_ahead(database, time.time()) == []
    for url in (right, ahead):
        for counter, name in zip(ids, ("ahead", "right"), strict=True):
            assert said(url, "GET", f"/get/{name}/visits") == {"value": 2}
            shared = said(url, "GET", f"/v2/counters/{counter}", headers={"Authorization": f"Bearer {token}"})
            assert shared["value"] == 1


def test_a_key_is_answered_once_by_both(servers: tuple[str, str, str, str]) -> None:
    right, ahead, _, _ = servers
    for first, second, key in ((right, ahead, "one"), (ahead, right, "two")):
        asked = {"headers": {"Idempotency-Key": key}}
        assert said(first, "GET", "/hit/both/keyed", **asked) == said(second, "GET", "/hit/both/keyed", **asked)


def test_neither_says_that_its_clock_is_wrong(servers: tuple[str, str, str, str]) -> None:
    for url in servers[:2]:
        assert "clock" not in said(url, "GET", "/health/ready")
        assert "\ntallystick_clock_ahead_seconds 0.0\n" in httpx.get(f"{url}/metrics").text


async def test_the_clock_of_a_machine_may_be_set_meanwhile(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.fresh_database(migrated=True) as url:
        ledger = await Ledger.open(open_database(url, tmp_path))
        try:
            assert isinstance(ledger.clock, SharedClock)
            now, real = ledger.clock(), time.time_ns
            assert abs(now - real() // 1_000_000) < 1_000
            monkeypatch.setattr("time.time_ns", lambda: real() + AHEAD_S * 10**9)
            assert 0 <= ledger.clock() - now < 1_000
            await ledger.look_at_clock()
            assert 0 <= ledger.clock() - now < 1_000
        finally:
            await ledger.close()
