"""Imports through the API of a running server, with the protocol of ``goatcounter import`` (contract, 5.6)."""

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
from tallystick.services.imports.running import BOTS, BatchResult
from tallystick.services.ingest.agents import parse_agent
from tallystick.services.ingest.ingest import Arrival, DropReason

TIMEOUT_S = 60.0
RETRIES_AFTER_S = (1, 4, 9, 16, 25, 36)
LONGEST_WAIT_S = 3_600
SHOWN = 200
"""Characters of an unexpected response that are shown."""

_encode = msgspec.json.Encoder().encode


class _Token(Struct):
    name: str = ""
    permissions: int = 0


class _Me(Struct):
    token: _Token


class _ImportRefused(Struct):
    errors: dict[int, str]


class ApiSink:
    """Sends hits to a server. Batches can be repeated safely, because each has an idempotency key.

    Args:
        url: of the server, at the site's host.
        waits: called before each pause with its seconds and the reason.
        host: of the site, if it is not that of ``url``.
        transport: replaces the network, for tests.
    """

    most = 500

    def __init__(
        self,
        url: str,
        token: str,
        *,
        waits: Callable[[float, str], None],
        host: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": f"tallystick/{__version__}",
            "X-Goatcounter-Import": "yes",
            **({"Host": host} if host else {}),
        }
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/api/v0/", headers=headers, timeout=TIMEOUT_S, transport=transport
        )
        self._waits = waits

    async def __aenter__(self) -> Self:
        """Connect, and check that the token is valid.

        Raises:
            InputRefused: the server cannot be reached, or the token lacks the permission.
        """
        await self._client.__aenter__()
        try:
            await self._check()
        except BaseException:
            await self._client.aclose()
            raise
        return self

    async def _check(self) -> None:
        response = await self._request("GET", "me")
        if response.status_code != httpx.codes.OK:
            raise _unexpected(response)
        try:
            token = msgspec.json.decode(response.content, type=_Me).token
        except msgspec.DecodeError as error:
            msg = f"{response.url} is not the API of a GoatCounter or Tallystick server: {error}"
            raise InputRefused(msg) from error
        if not token.permissions & Permission.COUNT:
            msg = f"API token {token.name!r} is missing the required permissions: count"
            raise InputRefused(msg)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        """Store a batch of hits; a batch with a key that was used before is not stored again.

        Raises:
            InputRefused: the server cannot be reached, or refuses the request.
        """
        filtered = any(arrival.filtered for arrival in arrivals)
        body = {"no_sessions": True, "hits": [_hit(arrival) for arrival in arrivals]} | (
            {} if filtered else {"filter": []}
        )
        response = await self._request("POST", "count", content=_encode(body), headers={"Idempotency-Key": key})
        if response.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED):
            return BatchResult({}, _notes(response, arrivals))
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            msg = "these lines were sent before with other options or from another file; give --anew to send them again"
            raise InputRefused(msg)
        try:
            refused = msgspec.json.decode(response.content, type=_ImportRefused).errors
        except msgspec.DecodeError:
            raise _unexpected(response) from None
        return BatchResult({index: reason.strip() for index, reason in refused.items()}, _notes(response, arrivals))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's
        """Send a request; repeat it after network errors, server errors and rate limits."""
        pauses = iter(RETRIES_AFTER_S)
        while True:
            try:
                response = await self._client.request(method, path, **options)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    await self._pause(_reset(response), "the server's rate limit")
                    continue
                # The batch was sent before the connection broke, and is still being stored.
                in_flight = response.status_code == httpx.codes.CONFLICT
                if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not in_flight:
                    return response
                problem = str(_unexpected(response))
            pause = next(pauses, None)
            if pause is None:
                msg = f"gave up after {len(RETRIES_AFTER_S) + 1} attempts: {problem}"
                raise InputRefused(msg)
            await self._pause(pause, problem)

    async def _pause(self, seconds: float, reason: str) -> None:
        self._waits(seconds, reason)
        await asyncio.sleep(seconds)


def _notes(response: httpx.Response, arrivals: Sequence[Arrival]) -> dict[str, int]:
    """The numbers of dropped hits and bots' hits, from the server's header or, without it, as far as known here."""
    with suppress(KeyError, msgspec.DecodeError):
        return msgspec.json.decode(response.headers["X-Tallystick-Notes"], type=dict[str, int])
    filtered = {int(index) for index in response.headers.get("X-Goatcounter-Filter", "").split(", ") if index.isdigit()}
    bots = sum(
        is_bot(parse_agent(arrival.agent).bot)
        for index, arrival in enumerate(arrivals)
        if arrival.agent and index not in filtered
    )
    return {name: count for name, count in ((str(DropReason.IGNORED_ADDRESS), len(filtered)), (BOTS, bots)) if count}


def _reset(response: httpx.Response) -> float:
    text = response.headers.get("X-Rate-Limit-Reset") or response.headers.get("Retry-After") or "1"
    return min(max(int(text), 1), LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 1


def _unexpected(response: httpx.Response) -> InputRefused:
    return InputRefused(f"{response.url} answered {response.status_code}: {' '.join(response.text.split())[:SHOWN]}")


def _hit(arrival: Arrival) -> dict[str, Any]:
    """A hit in the API's format, without empty fields."""
    fields = {
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
        "host": arrival.host,
        "page": arrival.page,
        "props": dict(arrival.props),
        "device": arrival.device,
        **({name: getattr(arrival, name) for name in _SOURCED} if arrival.sourced else {}),
    }
    hit = {name: value for name, value in fields.items() if value}
    if arrival.sourced:
        hit["channel"] = arrival.channel  # also an empty one: it says that the sources are known
    if not arrival.interactive:
        hit["interactive"] = False
    return hit if arrival.first is None else {**hit, "first_visit": arrival.first}


_SOURCED = ("utm_source", "utm_medium", "utm_content", "utm_term", "source")


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
