"""Reading counters without counting."""

from tallystick.model.account import Permission
from tallystick.model.key import Key, legal_name
from tallystick.services.counting.owned.changing import is_reserved
from tallystick.services.services import Services
from tallystick.surfaces.counters.asking import account_asker
from tallystick.surfaces.counters.errors import INVALID_FIELD, NO_SUCH_COUNTER, CounterRefused
from tallystick.surfaces.counters.judging import PublicCall, namespace_named
from tallystick.surfaces.counters.wire import as_json, counter_members
from tallystick.web.answers import ApiResponse

USUAL, MOST = 100, 500
"""Counters of one page."""


async def one(services: Services, call: PublicCall) -> ApiResponse:
    """One counter."""
    found = await services.owned_counters.read(call.key)
    if found is None:
        raise CounterRefused(404, NO_SUCH_COUNTER, f"there is no counter {call.key}")
    return as_json(counter_members(found))


async def mine(services: Services, call: PublicCall) -> ApiResponse:
    """The counters of the token's account, by name, in pages."""
    asker = await account_asker(services, call, Permission.COUNTERS_READ, "a list")
    assert asker.account is not None  # it has a token
    limit, after = _limit(call.query.get("limit")), _after(call.query.get("after"))
    found = await services.owned_counters.of_account(asker.account, after, limit + 1)
    page = found[:limit]
    more = str(page[-1].key) if len(found) > limit else None
    return as_json({"counters": [counter_members(each) for each in page], "after": more})


async def reservation(services: Services, call: PublicCall) -> ApiResponse:
    """Whether a namespace is reserved."""
    namespace = namespace_named(call.place["namespace"])
    reserved = await services.owned_counters.ask(is_reserved, namespace)
    return as_json({"namespace": namespace, "reserved": reserved})


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise CounterRefused(400, INVALID_FIELD, f"limit has to be a whole number from 1 to {MOST}", field="limit")


def _after(text: str | None) -> Key | None:
    if text is None:
        return None
    namespace, _, key = text.partition("/")
    if not (legal_name(namespace) and legal_name(key)):
        raise CounterRefused(400, INVALID_FIELD, "after has to be a counter, as NAMESPACE/KEY", field="after")
    return Key(namespace, key)
