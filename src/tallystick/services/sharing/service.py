"""Sharing, as the event loop asks for it: what is written is durable, and then told, when it returns."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from tallystick.errors import SharingRefused, StoreUnavailable
from tallystick.gathering import raisable
from tallystick.ledger import Ledger, Session
from tallystick.ledger.database import CreationRaced
from tallystick.services.kept_answers import KeptAnswer, KeyedRequest, answered, keep
from tallystick.services.sharing.changes import hold_changes
from tallystick.services.sharing.changing import Carried, ChangeRequest, carry_out

Result = TypeVar("Result")


class Sharing:
    """What people do with shared counters.

    Args:
        wake: called after each commit that may have changed something (``Following.wake``).
        hide_foreign: whether changes of counters that a person is no member of are refused as if there were none.
    """

    def __init__(self, ledger: Ledger, wake: Callable[[], None], *, hide_foreign: bool = False) -> None:
        self._ledger, self._wake, self.hide_foreign = ledger, wake, hide_foreign

    async def change(self, wanted: ChangeRequest) -> Carried:
        """Change values, together with everyone who wants to meanwhile; see ``changing.carry_out``.

        Raises:
            KeyReused, StoreUnavailable
        """
        carried: Carried = await self._ledger.join(carry_out, wanted)
        if carried.changed:
            self._wake()
        return carried

    async def write(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """``function(session, *arguments)``, for everything but values.

        Raises:
            SharingRefused, or whatever the function raises: then nothing of it has happened.
            StoreUnavailable
        """
        result: Result = await self._ledger.join(_each_alone, _Write(function, arguments))
        self._wake()
        return result

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """``function(session, *arguments)`` on one snapshot.

        Raises:
            SharingRefused: of the function.
            StoreUnavailable
        """
        return await self._ledger.read(function, *arguments)

    async def once(  # what is done, and what it is answered with
        self,
        keyed: KeyedRequest | None,
        function: Callable[..., Result],
        *arguments: Any,  # noqa: ANN401
        answer: Callable[[Result], KeptAnswer],
        refuse: Callable[[SharingRefused], KeptAnswer],
        kept: Callable[[Result], KeptAnswer] | None = None,
    ) -> Carried:
        """Like ``write``; with a key it is carried out once, and answered alike when it is asked for again.

        Args:
            answer, refuse: what a result or a refusal is answered with. Called on the writer's thread; pure.
            kept: what is kept in the place of ``answer``, for results that hold a secret.

        Raises:
            KeyReused, StoreUnavailable, or what else the function raises: then nothing is kept either.
        """
        once = _Once(function, arguments, keyed, answer, refuse, kept or answer)
        return await self.write(_carried_once, once, self._ledger.passed())


class _Write(Struct, eq=False):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class _Once(Struct, eq=False):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keyed: KeyedRequest | None
    answer: Callable[[Any], KeptAnswer]
    refuse: Callable[[SharingRefused], KeptAnswer]
    kept: Callable[[Any], KeptAnswer]


def _each_alone(session: Session, writes: Sequence[_Write], *_times: int) -> list[object]:
    """Writes of a batch, each in a savepoint: its own error refuses only itself."""
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


def _carried_once(session: Session, once: _Once, passed: int) -> Carried:
    """What the function does, or what it was answered with before.

    Raises:
        KeyReused: its key came with another request.
    """
    if once.keyed is not None and (before := answered(session, once.keyed, passed)):
        return Carried(before, replayed=True, changed=False)
    try:
        with session.savepoint():
            result = once.function(session, *once.arguments)
    except SharingRefused as refused:
        told = later = once.refuse(refused)
    else:
        told, later = once.answer(result), once.kept(result)
    if once.keyed is not None:
        keep(session, once.keyed, later, passed)
    return Carried(told, replayed=False, changed=True)
