"""Many counters with one request: read without counting, and added to."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from tallystick.ledger.folding import CounterWrite
from tallystick.model.account import Permission
from tallystick.model.counter import Add, Outcome, RefusalReason
from tallystick.model.key import Key, legal_name
from tallystick.services.counting.many import AddMany
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.services import Services
from tallystick.surfaces.counters.asking import asker_of, keyed_request, require_strong_key
from tallystick.surfaces.counters.bodies import AdditionBody, AdditionsBody, NamesBody, decoded
from tallystick.surfaces.counters.errors import (
    ADDED,
    BY_REFUSAL,
    CREATION_OFF,
    CREATION_OFF_MESSAGE,
    MALFORMED_NAME,
    CounterRefused,
)
from tallystick.surfaces.counters.judging import NAME_RULE, PublicCall, key_named
from tallystick.surfaces.counters.wire import REPLAYED, as_json, counter_members
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import RateLimited

ADDS_RATE = "counter-adds"

LARGEST_BATCH = 256 * 1024
"""Bytes of a body with 500 of the longest names, and room for spaces."""

RECORDS = 50
"""Additions whose outcomes are as large as the record of one: so many count as one request with a key."""


async def read(services: Services, call: PublicCall) -> ApiResponse:
    """Counters in the order in which they are asked for; null for those that do not exist."""
    names = decoded(call.body, NamesBody).counters
    keys = [_key_at(place, each.namespace, each.key) for place, each in enumerate(names)]
    found = await services.many_counters.read(keys)
    return as_json({"counters": [None if each is None else counter_members(each) for each in found]})


async def add(services: Services, call: PublicCall) -> ApiResponse:
    """Add to counters; each addition is counted or refused by itself."""
    asker = await asker_of(services, call, Permission.COUNTERS_WRITE)
    additions = decoded(call.body, AdditionsBody).counters
    if asker == Asker():
        require_strong_key(call, "without credentials all senders share them")
    _admit(call, additions)
    request = keyed_request(call, asker, weight=1 + len(additions) // RECORDS)
    writes = _writes(call, asker, additions, services.many_counters.lifetime)
    asked = [each for each in writes if each is not None]
    done = await services.many_counters.add(AddMany(asker=asker, additions=asked, request=request))
    outcomes = iter(done.outcomes)
    results = [
        _result(call, sent, None if write is None else next(outcomes))
        for sent, write in zip(additions, writes, strict=True)
    ]
    if not done.replayed:
        codes = (each["error"]["code"] if "error" in each else ADDED for each in results)
        call.kit.traffic.additions.update(codes)
    return as_json({"results": results}, headers=REPLAYED if done.replayed else ())


def _key_at(place: int, namespace: str, key: str) -> Key:
    """The key of one of many names.

    Raises:
        CounterRefused: one of them is no name.
    """
    try:
        return key_named(namespace, key)
    except CounterRefused as error:
        field = f"counters[{place}].{error.field}"
        raise CounterRefused(error.status, error.code, str(error), field=field) from error


def _admit(call: PublicCall, additions: Sequence[AdditionBody]) -> None:
    """Count additions by their sender's address and their namespaces.

    Raises:
        RateLimited
    """
    for namespace, weight in Counter(each.namespace for each in additions).items():
        if legal_name(namespace):
            admission = call.kit.limits.admit_address(ADDS_RATE, call.client, namespace, weight)
            if not admission.admitted:
                raise RateLimited(admission)


def _admits(call: PublicCall, asker: Asker, namespace: str) -> bool:
    """Whether one more counter may be created. Called on any thread."""
    if call.kit.public_counters == "existing" and not asker.is_superuser:
        return False
    return call.kit.creations.admit(call.client, namespace)


def _writes(
    call: PublicCall, asker: Asker, additions: Sequence[AdditionBody], lifetime: int
) -> list[CounterWrite | None]:
    """The additions; None for one whose name is malformed. An amount of 1 is CountAPI's hit, others its update."""
    # One object an amount: the same one several times in a row is folded at once.
    operations = {each.amount: Add(each.amount, creates=each.amount == 1, lifetime=lifetime) for each in additions}
    return [
        CounterWrite(
            Key(each.namespace, each.key), operations[each.amount], partial(_admits, call, asker, each.namespace)
        )
        if legal_name(each.namespace) and legal_name(each.key)
        else None
        for each in additions
    ]


def _result(call: PublicCall, sent: AdditionBody, outcome: Outcome | None) -> dict[str, Any]:
    """What one addition did.

    Args:
        outcome: None where the name is malformed.
    """
    value = None if outcome is None else outcome.value
    result = {"namespace": sent.namespace, "key": sent.key, "value": value}
    if outcome is None:
        code, message = MALFORMED_NAME, f"a namespace and a key have {NAME_RULE}"
    elif outcome.refused is None:
        return result | {"created": outcome.created}
    elif outcome.refused is RefusalReason.CREATION_LIMITED and call.kit.public_counters == "existing":
        code, message = CREATION_OFF, CREATION_OFF_MESSAGE
    else:
        code, message = BY_REFUSAL[outcome.refused]
    return result | {"error": {"code": code, "message": message}}
