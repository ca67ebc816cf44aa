"""Imports through the API of a running server, in the protocol of ``goatcounter import`` (contract, 5.6)."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from msgspec import Struct

from tallystick import __version__
from tallystick.errors import InputRefused
from tallystick.model.account import Permission
from tallystick.model.hit import is_bot
from tallystick.model.product import with_version
from tallystick.services.imports.running import BOTS, Taken
from tallystick.services.ingest.agents import parse_agent
from tallystick.services.ingest.ingest import Arrival, DropReason

TIMEOUT_S = 60.0
RETRIES_AFTER_S = (1, 4, 9, 16, 25, 36)
LONGEST_WAIT_S = 3_600
SHOWN = 200
"""Characters of an answer that nobody expected."""

_encode = msgspec.json.Encoder().encode


class _Token(Struct):
    name: str = ""
    permissions: int = 0


class _Me(Struct):
    token: _Token


class _ImportRefused(Struct):
    errors: dict[int, str]


class ApiSink:
    """Sends hits to a server; safe to repeat, since every batch carries a key.

    Args:
        url: of the server, at the site's host.
        waits: hears how many seconds are waited for, and why.
        transport: in place of the network, for tests.
    """

    most = 500

    def __init__(
        self,
        url: str,
        token: str,
        *,
        waits: Callable[[float, str], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": f"tallystick/{__version__}",
            "X-Goatcounter-Import": "yes",
        }
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/api/v0/", headers=headers, timeout=TIMEOUT_S, transport=transport
        )
        self._waits = waits

    async def __aenter__(self) -> Self:
        """Check that the server is there and the token good.

        Raises:
            InputRefused
        """
        await self._client.__aenter__()
        try:
            await self._check()
        except BaseException:
            await self._client.aclose()
            raise
        return self

    async def _check(self) -> None:
        answer = await self._ask("GET", "me")
        if answer.status_code != httpx.codes.OK:
            raise _unexpected(answer)
        try:
            token = msgspec.json.decode(answer.content, type=_Me).token
        except msgspec.DecodeError as error:
            msg = f"{answer.url} is no API of this kind: {error}"
            raise InputRefused(msg) from error
        if not token.permissions & Permission.COUNT:
            msg = f"API token {token.name!r} is missing the required permissions: count"
            raise InputRefused(msg)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store hits; a key that was sent before stores nothing.

        Raises:
            InputRefused: the server cannot be reached, or refuses.
        """
        filtered = any(arrival.filtered for arrival in arrivals)
        body = {"no_sessions": True, "hits": [_hit(arrival) for arrival in arrivals]} | (
            {} if filtered else {"filter": []}
        )
        answer = await self._ask("POST", "count", content=_encode(body), headers={"Idempotency-Key": key})
        if answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED):
            return Taken({}, _notes(answer, arrivals))
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            msg = "these lines were sent before, with other options or from another file; --anew sends them once more"
            raise InputRefused(msg)
        try:
            refused = msgspec.json.decode(answer.content, type=_ImportRefused).errors
        except msgspec.DecodeError:
            raise _unexpected(answer) from None
        return Taken({index: reason.strip() for index, reason in refused.items()}, _notes(answer, arrivals))

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's
        """Send a request until there is a response that waiting does not change."""
        pauses = iter(RETRIES_AFTER_S)
        while True:
            try:
                answer = await self._client.request(method, path, **options)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    await self._pause(_reset(answer), "the server's rate limit")
                    continue
                # Of a batch that was sent before its connection broke, and is still being stored.
                in_flight = answer.status_code == httpx.codes.CONFLICT
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not in_flight:
                    return answer
                problem = str(_unexpected(answer))
            pause = next(pauses, None)
            if pause is None:
                msg = f"gave up after {len(RETRIES_AFTER_S) + 1} tries: {problem}"
                raise InputRefused(msg)
            await self._pause(pause, problem)

    async def _pause(self, seconds: float, reason: str) -> None:
        self._waits(seconds, reason)
        await asyncio.sleep(seconds)


def _notes(answer: httpx.Response, arrivals: Sequence[Arrival]) -> dict[str, int]:
    """How many hits the server dropped or keeps as bots'; what a server does not say is judged here."""
    with suppress(KeyError, msgspec.DecodeError):
        return msgspec.json.decode(answer.headers["X-Tallystick-Notes"], type=dict[str, int])
    filtered = {int(index) for index in answer.headers.get("X-Goatcounter-Filter", "").split(", ") if index.isdigit()}
    bots = sum(
        is_bot(parse_agent(arrival.agent).bot)
        for index, arrival in enumerate(arrivals)
        if arrival.agent and index not in filtered
    )
    return {name: count for name, count in ((str(DropReason.IGNORED_ADDRESS), len(filtered)), (BOTS, bots)) if count}


def _reset(answer: httpx.Response) -> float:
    text = answer.headers.get("X-Rate-Limit-Reset") or answer.headers.get("Retry-After") or "1"
    return min(max(int(text), 1), LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 1


def _unexpected(answer: httpx.Response) -> InputRefused:
    return InputRefused(f"{answer.url} answered {answer.status_code}: {' '.join(answer.text.split())[:SHOWN]}")


def _hit(arrival: Arrival) -> dict[str, Any]:
    """A hit as the API takes it; what is not known is left out."""
    told = {
        "path": arrival.path,
        "title": arrival.title,
        "event": arrival.event,
        "ref": arrival.ref,
        "ref_scheme": arrival.ref_scheme,
        "query": arrival.query,
        "size": str(arrival.width) if arrival.width else "",
        "bot": arrival.bot,
        "user_agent": arrival.agent,
        "location": arrival.location,
        "language": arrival.language,
        "ip": None if arrival.address is None else str(arrival.address),
        "created_at": None if arrival.created is None else _rfc3339(arrival.created),
        "session": arrival.session,
        "no_session": arrival.no_session,
        "browser": with_version(*arrival.browser) if arrival.browser else None,
        "system": with_version(*arrival.system) if arrival.system else None,
        "campaign": arrival.campaign,
    }
    hit = {name: value for name, value in told.items() if value}
    return hit if arrival.first is None else {**hit, "first_visit": arrival.first}


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
