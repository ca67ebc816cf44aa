"""Public counters with owners, asked for on the event loop."""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Literal, ParamSpec

import msgspec
from msgspec.structs import replace

from tallystick.ledger import Ledger, Session
from tallystick.model.key import Key
from tallystick.services.accounts.audit import done_by
from tallystick.services.counting.counter_files import Line
from tallystick.services.counting.owned.changing import OwnedResult
from tallystick.services.counting.owned.files import StoredLines, store_lines
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.counting.owned.rows import OwnedCounter, counters_of, read_counter
from tallystick.services.idempotency import (
    InFlight,
    KeyedRequest,
    StoredResponse,
    find_record,
    hold_request,
    store_record,
)

Arguments = ParamSpec("Arguments")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(OwnedResult).decode


class OwnedCounters:
    """Reads and changes public counters for their owners.

    Args:
        in_flight: keyed requests in flight, shared by all services.
    """

    def __init__(self, ledger: Ledger, in_flight: InFlight) -> None:
        self._ledger, self._in_flight = ledger, in_flight

    async def read(self, key: Key) -> OwnedCounter | None:
        """A counter and its owner; None if there is no such counter."""
        return await self._ledger.read(read_counter, key, self._ledger.clock())

    async def of_account(self, account: int, after: Key | None, most: int) -> list[OwnedCounter]:
        """The next counters that an account owns, by name."""
        return await self._ledger.read(counters_of, account, after, most)

    async def change(
        self,
        asker: Asker,
        request: KeyedRequest | None,
        function: Callable[Concatenate[Session, Asker, Arguments], OwnedResult],
        *arguments: Arguments.args,
        **_none: Arguments.kwargs,
    ) -> OwnedResult:
        """Carry out ``function(session, asker, *arguments)`` of ``changing`` durably; once, if the request has a key.

        Raises:
            OwningRefused, InvalidFields, KeyReused, KeyInFlight, StoreUnavailable
        """
        if request is None:
            return await self._ledger.write(_done, asker, function, *arguments)
        with self._in_flight.alone(request):
            return await self._ledger.write(_once, self._ledger.passed(), request, asker, function, *arguments)

    async def act(self, asker: Asker, function: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        """Carry out ``function(session, asker, *arguments)`` durably."""
        await self._ledger.write(_done, asker, function, *arguments)

    async def store(
        self, asker: Asker, lines: Sequence[Line], existing: Literal["keep", "replace"], now: int
    ) -> StoredLines:
        """Store counters of a file durably; new ones belong to the sender's account."""
        return await self._ledger.write(_done, asker, store_lines, lines, existing, now)

    async def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Read ``function(session, *arguments)``."""
        return await self._ledger.read(function, *arguments)


def _done(session: Session, asker: Asker, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
    if asker.principal is None:
        return function(session, asker, *arguments)
    return done_by(session, asker.principal, function, asker, *arguments)


def _once(
    session: Session,
    passed: int,
    request: KeyedRequest,
    asker: Asker,
    function: Callable[..., OwnedResult],
    *arguments: Any,  # noqa: ANN401  # the function's
) -> OwnedResult:
    hold_request(session, request)
    recorded = find_record(session, request, passed)
    if recorded is not None:
        assert not isinstance(recorded, StoredResponse), "there were no such requests in versions that stored responses"
        return replace(_decode(recorded), replayed=True)
    done: OwnedResult = _done(session, asker, function, *arguments)
    # The digest of a secret is kept with its counter alone.
    owner = done.found.owner
    hidden = done if owner is None else replace(done, found=replace(done.found, owner=replace(owner, digest=None)))
    store_record(session, request, _encode(hidden), passed)
    return done
