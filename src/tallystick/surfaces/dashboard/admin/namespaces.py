"""Namespaces of public counters, for superusers: ``/admin/counters/namespaces``, also as JSON.

What ``tallystick counter find``, ``freeze``, ``unfreeze``, ``close``, ``reopen`` and ``delete`` do.
"""

from types import MappingProxyType
from typing import Any

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.model.counter import FROZEN
from tallystick.model.key import Key, legal_name
from tallystick.services.counting.abuse import (
    DELETE,
    FREEZE,
    UNFREEZE,
    AbuseNumbers,
    ListedNamespace,
    ManyChange,
    Step,
    abuse_numbers,
    busiest_namespaces,
    change_some,
    close_namespace,
    closed_namespaces,
    frozen_counters,
    largest_namespaces,
    note_change,
    open_namespace,
)
from tallystick.services.counting.finding import FoundCounters, key_named, public_counters
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems
from tallystick.surfaces.dashboard.support.services import PageServices

ADDRESS = "/admin/counters/namespaces"
LONGEST_SEARCH = 130
LISTED = 20
COUNTERS_OF_PAGE = 50
MOST_OF_REQUEST = 10_000
"""Counters that one form changes: about a second of the writer's time, in steps between which others count."""

NOT_A_NAME: Problems = MappingProxyType({"namespace": [N_("must have 3 to 64 of the characters A-Z a-z 0-9 . _ -")]})


class ShownAbuse(Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        text: with which the names of the found counters begin; empty without a search.
        busiest: None where it was not asked for: it takes reading all counters.
    """

    text: str
    found: FoundCounters
    largest: list[ListedNamespace]
    busiest: list[ListedNamespace] | None
    closed: list[str]
    frozen: list[Key]
    numbers: AbuseNumbers


class CounterAbusePages:
    """The handlers. They answer 404 to anyone but superusers."""

    def __init__(self, services: PageServices) -> None:
        self._services = services

    async def page(self, request: PageRequest) -> Response:
        """The largest and the closed namespaces, and the counters that are searched for."""
        require_superuser(request)
        return await self._show(request, _searched(request))

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        require_superuser(request)
        return as_json(_plain(await self._found(request, _searched(request))))

    async def close(self, request: PageRequest) -> Response:
        """Let only people with an account create counters in a namespace."""
        require_superuser(request)
        name = request.form.text("namespace").strip()
        if not legal_name(name):
            return await self._show(request, _searched(request), NOT_A_NAME)
        await self._services.write(request, close_namespace, name, request.now)
        return see_other(f"{ADDRESS}?done=closed")

    async def reopen(self, request: PageRequest) -> Response:
        """Let everybody create counters in a namespace again."""
        require_superuser(request)
        await self._services.write(request, open_namespace, request.form.text("namespace"), request.now)
        return see_other(f"{ADDRESS}?done=opened")

    async def freeze(self, request: PageRequest) -> Response:
        """Stop all changes of counters."""
        return await self._change(request, FREEZE, "frozen")

    async def unfreeze(self, request: PageRequest) -> Response:
        """Allow changes of counters again."""
        return await self._change(request, UNFREEZE, "unfrozen")

    async def delete(self, request: PageRequest) -> Response:
        """Delete counters."""
        require_superuser(request)
        text = request.form.text("id")
        if not confirmed(request, text):
            return await self._show(request, text, NOT_CONFIRMED)
        return await self._change(request, DELETE, "deleted")

    async def _change(self, request: PageRequest, change: ManyChange, done: str) -> Response:
        require_superuser(request)
        text = request.form.text("id")
        if not text:
            raise HTTPException(400)
        step = Step()
        while not step.done and step.changed < MOST_OF_REQUEST:
            step = await self._services.write(request, change_some, text, change, step, request.now)
        if not step.done:
            await self._services.write(request, note_change, text, change, step.changed, request.now)
        return see_other(f"{ADDRESS}?done={done if step.done else 'some'}")

    async def _found(self, request: PageRequest, text: str) -> ShownAbuse:
        query, read = request.http.query_params, self._services.ledger.read
        after = key_named(query.get("after", ""))
        found = FoundCounters((), None)
        if text:
            found = await read(public_counters, text, after, COUNTERS_OF_PAGE, request.now)
        return ShownAbuse(
            text=text,
            found=found,
            largest=await read(largest_namespaces, LISTED),
            busiest=await read(busiest_namespaces, request.now, LISTED) if "busiest" in query else None,
            closed=await read(closed_namespaces, "", COUNTERS_OF_PAGE),
            frozen=await read(frozen_counters, COUNTERS_OF_PAGE),
            numbers=await read(abuse_numbers),
        )

    async def _show(self, request: PageRequest, text: str, problems: Problems = NO_PROBLEMS) -> Response:
        values = {
            "shown": await self._found(request, text),
            "frozen_flag": FROZEN,
            "all_closed": "tallystick counter find --closed",
            "all_frozen": "tallystick counter find --frozen",
            "typed": request.form.text("namespace"),
            "problems": problems,
            "delete_problems": problems if problems is NOT_CONFIRMED else NO_PROBLEMS,
        }
        return await self._services.show(request, "admin/namespaces.html", values)


def _searched(request: PageRequest) -> str:
    return request.http.query_params.get("find", "").strip()[:LONGEST_SEARCH]


def _plain(shown: ShownAbuse) -> dict[str, Any]:
    return {
        "largest": [_listed(each, "counters") for each in shown.largest],
        "busiest": None if shown.busiest is None else [_listed(each, "changed_by") for each in shown.busiest],
        "closed": shown.closed,
        "closed_namespaces": shown.numbers.closed,
        "frozen": [str(key) for key in shown.frozen],
        "frozen_counters": shown.numbers.frozen,
        "find": shown.text,
        "counters": [
            {
                "namespace": key.namespace,
                "key": key.key,
                "value": counter.value,
                "frozen": bool(counter.flags & FROZEN),
            }
            for key, counter in shown.found.counters
        ],
        "after": None if shown.found.after is None else str(shown.found.after),
    }


def _listed(namespace: ListedNamespace, amount: str) -> dict[str, Any]:
    return {
        "namespace": namespace.name,
        amount: namespace.amount,
        "reserved": namespace.reserved,
        "closed": namespace.closed,
    }
