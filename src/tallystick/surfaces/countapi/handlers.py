"""One handler an endpoint: decode, one call, encode.

A request that must not count (HEAD, prefetch) gets the stored value from the same handler.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

from msgspec import Struct

from tallystick import __version__
from tallystick.errors import InputRefused, KeyInFlight, KeyReused
from tallystick.ledger.folding import Admit
from tallystick.model.counter import Add, Counter, Create, Outcome, RefusalReason
from tallystick.model.key import DEFAULT_NAMESPACE, Key
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.owned.rules import AddingSender
from tallystick.services.idempotency import KeyedRequest, StoredResponse
from tallystick.surfaces.countapi import wire
from tallystick.surfaces.countapi.errors import MALFORMED_NAME, key_refusal, refused, too_many_keyed
from tallystick.surfaces.countapi.wire import Payload
from tallystick.web.idempotency import key_in
from tallystick.web.rate_limit import UNLIMITED, Admission

SENDER = "countapi"
WINDOWS = ("hour", "day", "visit")
"""In which ``unique`` counts a visitor once."""
"""The sender in the identity of keyed requests. There are no accounts here, so it is the same for all of them."""


class Request(Struct):
    """One request, as handlers see it.

    Attributes:
        key: of the counter; the default key for ``create`` and ``stats``.
        path: the value of ``X-Path``.
        counts: False if the request must not change anything.
        admits: the limit of new counters, called with the key before the request creates one.
        headers: of the request, as in the ASGI scope.
        sender: finds out what the rules of the counter's owner need to know.
        idempotency_key: value of that header; None without one.
        admit_keyed: the limit of keyed requests, called before the key is looked up; None for no limit.
    """

    key: Key
    path: bytes
    parameters: dict[str, str]
    counts: bool
    admits: Callable[[Key], bool]
    headers: list[tuple[bytes, bytes]]
    sender: Callable[[], Awaitable[AddingSender]]
    idempotency_key: bytes | None
    admit_keyed: Callable[[], Admission] | None = None

    def admit(self, key: Key) -> Admit:
        """The limit of new counters, for one of them."""
        return partial(self.admits, key)

    @property
    def page(self) -> wire.CallingPage:
        """The calling page, for the reserved words."""
        return wire.CallingPage(self.headers, self.parameters.get("page"))


async def get(counting: Counting, request: Request) -> Payload:
    """The value."""
    return read(await counting.get(request.key), request.path)


def read(counter: Counter | None, path: bytes) -> Payload:
    """The response with a counter's value."""
    if counter is None:
        return refused(RefusalReason.MISSING, wire.value_body(None), path)
    return Payload(200, wire.value_body(counter.value), path)


async def info(counting: Counting, request: Request) -> Payload:
    """The counter's value, bounds and times."""
    counter, now = await counting.get_at(request.key)
    body = wire.info_body(request.key, counter, now)
    if counter is None:
        return refused(RefusalReason.MISSING, body, request.path)
    return Payload(200, body, request.path)


async def hit(counting: Counting, request: Request) -> Payload:
    """Add 1; creates a missing counter."""
    return await _add(counting, request, counting.hit)


async def update(counting: Counting, request: Request) -> Payload:
    """Add an amount within the counter's bounds; never creates a counter."""
    amount = wire.integer(request.parameters, "amount")
    if amount is None:
        msg = "amount is missing"
        raise InputRefused(msg)
    return await _add(counting, request, Add(amount, lifetime=counting.lifetime))


async def _add(counting: Counting, request: Request, operation: Add) -> Payload:
    if not request.counts:
        return await get(counting, request)
    if request.idempotency_key is not None:
        return await _add_once(counting, request, operation, request.idempotency_key)
    outcome = await counting.add(request.key, operation, request.admit(request.key))
    if outcome.refused is RefusalReason.RESTRICTED:
        outcome = await counting.add_checked(request.key, operation, await request.sender())
    return added(outcome, request.path)


def added(outcome: Outcome, path: bytes) -> Payload:
    """The response to an addition."""
    if outcome.refused is None:
        return Payload(200, wire.value_body(outcome.value), path)
    return refused(outcome.refused, wire.value_body(outcome.value), path)


async def _add_once(counting: Counting, request: Request, operation: Add, key: bytes) -> Payload:
    verb, amount = "hit" if operation.creates else "update", b"%d" % operation.amount
    keyed = KeyedRequest.of(SENDER, verb, str(request.key), key_in(key.decode("latin-1")), rest=amount)
    admission = request.admit_keyed() if request.admit_keyed else UNLIMITED
    if not admission.admitted:
        return too_many_keyed(admission.wait, request.path)
    try:
        result = await counting.add_once(keyed, request.key, operation, request.admit(request.key))
        if isinstance(result, Outcome) and result.refused is RefusalReason.RESTRICTED:
            result = await counting.add_once(
                keyed, request.key, operation, request.admit(request.key), await request.sender()
            )
    except (KeyReused, KeyInFlight) as error:
        return key_refusal(error, request.path)
    if isinstance(result, Outcome):
        return added(result, request.path)
    return _replayed(result.outcome, request.path)


def _replayed(outcome: Outcome | StoredResponse, path: bytes) -> Payload:
    if isinstance(outcome, StoredResponse):
        return Payload(outcome.status, outcome.body, path, wire.REPLAYED)
    payload = added(outcome, path)
    return Payload(payload.status, payload.body, path, wire.REPLAYED)


async def set_(counting: Counting, request: Request) -> Payload:
    """Replace the value, where ``enable_reset`` allows it."""
    value = wire.integer_64(request.parameters, "value")
    if value is None:
        msg = "value is missing"
        raise InputRefused(msg)
    if not request.counts:
        counter = await counting.get(request.key)
        if counter is None:
            return refused(RefusalReason.MISSING, wire.set_body(None, None), request.path)
        return Payload(200, wire.set_body(counter.value, counter.value), request.path)
    outcome = await counting.set(request.key, value)
    body = wire.set_body(outcome.old_value, outcome.value)
    if outcome.refused is None:
        return Payload(200, body, request.path)
    return refused(outcome.refused, body, request.path)


async def create(counting: Counting, request: Request) -> Payload:
    """Create a counter with its own bounds; without ``key``, its key is a new UUID."""
    parameters = request.parameters
    name = parameters.get("key") or str(uuid4())
    key = wire.key_of(parameters.get("namespace") or DEFAULT_NAMESPACE, name, request.page)
    if key is None:
        raise InputRefused(MALFORMED_NAME)
    operation = _creation(parameters, counting.lifetime)
    one_each = wire.choice(parameters, "unique", WINDOWS)
    path = str(key).encode()
    if not request.counts:
        reason = RefusalReason.MISSING if await counting.get(key) is None else RefusalReason.EXISTS
        return refused(reason, wire.create_body(None, None), path)
    if one_each is None:
        outcome = await counting.create(key, operation, request.admit(key))
    else:
        outcome = await counting.create_unique(key, operation, one_each, request.admit(key))
    if outcome.refused is None:
        return Payload(200, wire.create_body(key, outcome.value), path)
    return refused(outcome.refused, wire.create_body(None, None), path)


def _creation(parameters: dict[str, str], lifetime: int) -> Create:
    default = Create()
    value = wire.integer_64(parameters, "value")
    lower = wire.integer_64(parameters, "update_lowerbound")
    upper = wire.integer_64(parameters, "update_upperbound")
    if lower is not None and lower > 0:
        msg = "update_lowerbound must be negative"
        raise InputRefused(msg)
    if upper is not None and upper < 0:
        msg = "update_upperbound must be positive"
        raise InputRefused(msg)
    return Create(
        value=default.value if value is None else value,
        lower=default.lower if lower is None else lower,
        upper=default.upper if upper is None else upper,
        resettable=wire.flag(parameters, "enable_reset"),
        lifetime=lifetime,
    )


async def stats(counting: Counting, request: Request) -> Payload:  # noqa: ARG001  # every handler is called alike
    """Totals of this surface since the database was created."""
    totals = await counting.totals()
    return Payload(200, wire.stats_body(totals.keys_created, totals.keys_updated, totals.requests, __version__))
