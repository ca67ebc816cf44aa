"""Who asked, from where and with what is written nowhere: not to the disk, not to the log."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from support.asking import ask
from support.server import RunningServer, clean_environment, running_server

TESTS = Path(__file__).parents[2]

HEADERS = {
    "User-Agent": "DistinctiveAgent/7.31",
    "X-Forwarded-For": "203.0.113.77",
    "Referer": "https://referring-site.example/private-page-4711?session=refsecret",
    "Origin": "https://origin-site.example",
    "Cookie": "visitor=cookie-5523",
    "Authorization": "Bearer token-9917",
    "Accept-Language": "language-4242",
}
QUERY = "note=query-8812&callback=callback8812"
SECRETS = [
    *("DistinctiveAgent", "203.0.113.77", "referring-site", "private-page-4711", "refsecret", "origin-site"),
    *("cookie-5523", "token-9917", "language-4242", "query-8812", "callback8812"),
    "127.0.0.1:",  # the peer, with its port
]
EVERY_OUTCOME = [
    *("/create?key=visits&", "/hit/visits?", "/update/visits?amount=1&", "/get/visits?", "/info/visits?", "/stats?"),
    *("/set/visits?value=1&", "/create?key=visits&", "/get/missing?", "/hit/ab?", "/hit/visits?img&", "/nowhere?"),
    *("/hit/one-too-many?", "/hit/two-too-many?", "/update/visits?amount=NaN&"),
]


def ask_for_everything(server: RunningServer) -> set[int]:
    targets = [f"{target}{query}" for target in EVERY_OUTCOME for query in (QUERY, "note=query-8812")]
    return {
        ask(server.url, target, method=method, headers=HEADERS).status
        for target in targets
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS")
    }


def break_the_ledger(data: Path) -> None:
    connection = apsw.Connection(str(data / "ledger.sqlite3"))
    connection.set_busy_timeout(10_000)
    connection.execute("DROP TABLE counter")
    connection.close()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_about_a_visitor_is_kept_or_logged(tmp_path: Path, log_format: str) -> None:
    data = tmp_path / "data"
    options = ("--trusted-proxy", "127.0.0.1", "--log-format", log_format)
    with running_server(data, *options, creation_limit=1) as server:
        assert {200, 204, 400, 403, 404, 405, 409, 429} <= ask_for_everything(server)
        assert_clean(kept(data), where="the data directory of a running server")
        break_the_ledger(data)
        assert 500 in ask_for_everything(server)
        assert_clean(kept(data), where="the data directory of a broken server")
        server.stop()
        server.close()
        assert_clean(kept(data), where="the data directory of a stopped server")
        assert "a commit failed" in server.output
        own = server.url.removeprefix("http://")
        log = server.output.replace(server.url, "").replace(own, "")  # the greeting tells the server's own address
        assert log != server.output
        assert_clean(log.encode(), where="the log")


def kept(data: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in data.rglob("*") if path.is_file())


def assert_clean(found: bytes, *, where: str) -> None:
    assert [secret for secret in SECRETS if secret.encode() in found] == [], where


UNEXPECTED = """
import asyncio, sys
from pathlib import Path
from support.in_process import in_process
from tallystick.logs import configure_logs

def broken(*arguments):
    raise RuntimeError("something nobody thought of")

async def main(log_format, data, *headers):
    configure_logs(log_format)
    pairs = list(zip(headers[::2], headers[1::2]))
    async with in_process(Path(data)) as site:
        site.application.ledger.count = broken
        answer = await site.ask("/hit/visits?note=query-8812", headers=pairs, client="203.0.113.77")
        assert answer.json() == {"error": "Internal error."}

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_traceback_of_an_unexpected_error_tells_nothing_about_a_visitor(tmp_path: Path, log_format: str) -> None:
    headers = [part for header in HEADERS.items() for part in header]
    done = subprocess.run(
        [sys.executable, "-c", UNEXPECTED, log_format, str(tmp_path), *headers],
        env=clean_environment(PYTHONPATH=str(TESTS)),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"something nobody thought of" in done.stderr
    assert b"Traceback" in done.stderr
    assert_clean(done.stdout + done.stderr, where="the log")
