"""Replays ``exchanges.txt``: requests as they are sent and answers as they arrive, byte by byte, in this order.

Lines of a request begin with ``>``, those of its answer with ``<``. What differs from run to run stands in braces.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from support.asking import exchange
from support.server import RunningServer, running_server
from tallystick.ledger import open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.tokens import OF_COUNTERS, NewToken, create_token

RECORDED = Path(__file__).with_name("exchanges.txt")
COMMON = """access-control-allow-origin: *
access-control-expose-headers: ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, \
WWW-Authenticate, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset
content-security-policy: default-src 'none'; frame-ancestors 'none'
x-content-type-options: nosniff"""
"""What every answer carries."""

LIMIT = re.compile(
    r'ratelimit-policy: "user";q=120;w=60\nratelimit: "user";r=(\d+);t=\d+\n'
    r"x-ratelimit-limit: 120\nx-ratelimit-remaining: (\d+)\nx-ratelimit-reset: \d+"
)
PLACEHOLDERS = (
    (re.compile(re.escape(COMMON)), "{common}"),
    (LIMIT, "{limit: 120 in 60 s}"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"), "{time}"),
    (re.compile(r'"traceId":"[0-9a-f]{16}"'), '"traceId":"{trace}"'),
    (re.compile(r'(etag: (?:W/)?"(?:\d+-)?)[0-9a-f]{8,16}"'), r'\1{digest}"'),
    (re.compile(r'"(prefix|code|token)":"[\w-]+"'), r'"\1":"{\1}"'),
    (re.compile(r"/invites/[\w-]{20,}"), "/invites/{code}"),
    (re.compile(r"http://(?:127\.0\.0\.1:\d+)"), "{url}"),
    (re.compile(r"(content-length): \d+"), r"\1: {length}"),
)
OF_THE_HTTP_SERVER = ("server", "date", "connection")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Exchange(NamedTuple):
    """One request and its answer."""

    title: str
    request: str
    answer: str


class Names:
    """UUIDs and secrets by the order in which they are first met."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self._known: dict[str, str] = {}
        self._values = dict(tokens)

    def name(self, text: str) -> str:
        def named(found: re.Match[str]) -> str:
            placeholder = self._known.setdefault(found[0], f"{{id-{len(self._known) + 1}}}")
            self._values[placeholder] = found[0]
            return placeholder

        return UUID.sub(named, text)

    def note_code(self, answer: str) -> None:
        if found := re.search(r'"code":"([\w-]+)"', answer):
            self._values["{code}"] = found[1]

    def fill(self, text: str) -> str:
        for placeholder, value in self._values.items():
            text = text.replace(placeholder, value)
        return text


def recorded() -> Iterator[Exchange]:
    for block in RECORDED.read_text("utf-8").strip().split("\n\n"):
        title, *lines = block.splitlines()
        sent, received = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in (">", "<"))
        yield Exchange(title.removeprefix("# "), sent, received)


def sent(request: str) -> bytes:
    """The request's bytes; its length is filled in."""
    head, blank, body = request.partition("\n\n")
    lines = [*head.splitlines(), "Connection: close"]
    if blank:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body]).encode()


def shown(received: bytes, names: Names) -> str:
    """The answer as it is recorded: without what the HTTP server adds."""
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.decode().split("\r\n") if line.split(":")[0] not in OF_THE_HTTP_SERVER]
    text = "\n".join([*lines, "", body.decode()]).rstrip("\n")
    names.note_code(text)
    for pattern, placeholder in PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return names.name(text)


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[tuple[RunningServer, Names]]:
    """A server with two people, Ada and Bob."""
    ledger = open_database(None, tmp_path)
    ledger.migrate()
    tokens = {}
    with closing(ledger.session(writes=True)) as session, session.transaction():
        for name in ("ada", "bob"):
            wanted = NewAccount(email=f"{name}@example.com", password="-", name=name.title())
            person = create_account(session, wanted, milliseconds())
            token = NewToken(name="phone", permissions=int(OF_COUNTERS))
            tokens[f"{{{name}}}"] = create_token(session, person, token, milliseconds())[1]
    with running_server(tmp_path) as server:
        yield server, Names(tokens)


def test_every_answer_is_as_it_was_recorded(fresh_server: tuple[RunningServer, Names]) -> None:
    server, names = fresh_server
    exchanges = list(recorded())
    assert len(exchanges) > 25
    for title, request, answer in exchanges:
        received = shown(exchange(server.url, sent(names.fill(request))), names)
        assert received == answer, title
