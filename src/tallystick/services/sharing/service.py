"""Shared counters, for the event loop: a write is durable, and its publishing triggered, when it returns."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from tallystick.errors import SharingReason, SharingRefused, StoreUnavailable
from tallystick.gathering import Resolvable, raisable
from tallystick.ledger import Ledger, Session
from tallystick.ledger.database import CreationRaced
from tallystick.services.idempotency import KeyedRequest, StoredResponse, find_record, store_record
from tallystick.services.sharing.changes import hold_changes
from tallystick.services.sharing.changing import Changed, ChangeRequest, carry_out

Result = TypeVar("Result")

_encode = msgspec.json.Encoder().encode


class DoneOnce(Struct, Generic[Result], frozen=True):
    """The outcome of a write that is carried out once.

    Attributes:
        result: what the function returned, or its refusal; or the response that an older version stored.
        at: when it was carried out, Unix milliseconds; 0 where an older version did.
        replayed: whether this is the recorded outcome of an earlier request.
    """

    result: Result | SharingRefused | StoredResponse
    at: int
    replayed: bool = False


class Sharing:
    """Reads and writes of shared counters.

    Args:
        wake: called after each commit that may have changed something (``Following.wake``).
        hide_foreign: whether changes by people who are no members are refused as if the counter did not exist.
    """

    def __init__(self, ledger: Ledger, wake: Callable[[], None], *, hide_foreign: bool = False) -> None:
        self._ledger, self._wake, self.hide_foreign = ledger, wake, hide_foreign

    async def change(self, request: ChangeRequest) -> Changed:
        """Change values, in one batch with all pending requests; see ``changing.carry_out``.

        Raises:
            KeyReused, StoreUnavailable
        """
        changed: Changed = await self._ledger.join(carry_out, request)
        self.publish(changed)
        return changed

    def change_into(self, waiting: Resolvable, request: ChangeRequest) -> None:
        """Like ``change``, for a caller that brings what waits for the outcome, and calls ``publish`` with it.

        Raises:
            StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        self._ledger.join_into(waiting, carry_out, request)

    def publish(self, changed: Changed) -> None:
        """Have a change that was carried out published to live connections."""
        if changed.anything:
            self._wake()

    async def write(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)``, for all writes but values.

        Raises:
            SharingRefused, or what the function raises: its changes are undone.
            StoreUnavailable
        """
        result: Result = await self._ledger.join(_each_alone, _Write(function, arguments))
        self._wake()
        return result

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` on one snapshot.

        Raises:
            SharingRefused: raised by the function.
            StoreUnavailable
        """
        return await self._ledger.read(function, *arguments)

    async def once(  # the function, and how its result is recorded
        self,
        keyed: KeyedRequest | None,
        kind: type[Result],
        function: Callable[..., Result],
        *arguments: Any,  # noqa: ANN401
        recorded: Callable[[Result], Result] | None = None,
    ) -> DoneOnce[Result]:
        """Like ``write``; with a key it runs at most once, and its outcome is recorded in the same transaction.

        Args:
            kind: the type of the result, by which a record is decoded.
            recorded: replaces the result in the record, for results that hold a secret.

        Raises:
            KeyReused, StoreUnavailable, or what else the function raises: then nothing is recorded.
        """
        once = _Once(function, arguments, keyed, kind, recorded, self._ledger.clock())
        done: DoneOnce[Result] = await self.write(_done_once, once, self._ledger.passed())
        return done


class _Write(Struct, eq=False):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class _Once(Struct, eq=False):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keyed: KeyedRequest | None
    kind: Any
    recorded: Callable[[Any], Any] | None
    now: int


class _StoredOutcome(Struct, frozen=True):
    """The outcome of a write as a record holds it: a result, or the reason and message of a refusal."""

    at: int
    result: Raw = Raw(b"null")
    reason: SharingReason | None = None
    message: str = ""


_decode_outcome = msgspec.json.Decoder(_StoredOutcome).decode


def _each_alone(session: Session, writes: Sequence[_Write], *_times: int) -> list[object]:
    """Run the writes of a batch, each in a savepoint: its own error refuses only itself."""
    hold_changes(session)
    return [_alone(session, write) for write in writes]


def _alone(session: Session, write: _Write) -> object:
    try:
        with session.savepoint():
            return write.function(session, *write.arguments)
    except (StoreUnavailable, CreationRaced):
        raise
    except BaseException as error:  # noqa: BLE001  # raised to the caller
        return raisable(error)


def _done_once(session: Session, once: _Once, passed: int) -> DoneOnce[Any]:
    """Run the function, or return the recorded outcome.

    Raises:
        KeyReused: its key came with another request.
    """
    keyed = once.keyed
    if keyed is not None and (record := find_record(session, keyed, passed)) is not None:
        return _replayed(record, once.kind)
    outcome: Any
    try:
        with session.savepoint():
            outcome = once.function(session, *once.arguments)
    except SharingRefused as refused:
        outcome = refused
    if keyed is not None:
        store_record(session, keyed, _encode(_stored(outcome, once)), passed)
    return DoneOnce(outcome, once.now)


def _stored(outcome: Any, once: _Once) -> _StoredOutcome:  # noqa: ANN401  # the function's
    if isinstance(outcome, SharingRefused):
        return _StoredOutcome(once.now, reason=outcome.reason, message=str(outcome))
    return _StoredOutcome(once.now, Raw(_encode(outcome if once.recorded is None else once.recorded(outcome))))


def _replayed(record: bytes | StoredResponse, kind: Any) -> DoneOnce[Any]:  # noqa: ANN401  # a type
    if isinstance(record, StoredResponse):
        return DoneOnce(record, 0, replayed=True)
    stored = _decode_outcome(record)
    if stored.reason is not None:
        return DoneOnce(SharingRefused(stored.reason, stored.message), stored.at, replayed=True)
    return DoneOnce(msgspec.json.decode(stored.result, type=kind), stored.at, replayed=True)
