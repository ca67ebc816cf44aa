"""Public counters: ``/counters/public``, and a counter, ``/counters/public/{namespace}/{key}``.

Everybody with an account sees the counters that it owns, makes more of them, and looks a counter up by its whole name,
as the API lets anyone do. Owners change their counters; superusers see all of them and do what ``tallystick counter``
does.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, OwningRefused
from tallystick.ledger.folding import Admit, CounterWrite
from tallystick.model.counter import FOREVER, FROZEN, OWNED, Add, Outcome, RefusalReason, alive
from tallystick.model.key import Key, legal_name
from tallystick.services.accounts.audit import is_superuser
from tallystick.services.counting.finding import key_named, public_counters
from tallystick.services.counting.history import CounterHistory, HistoryQuestion, counter_history
from tallystick.services.counting.managing import (
    delete_public_counter,
    freeze_public_counter,
    set_public_counter,
)
from tallystick.services.counting.many import AddMany, ManyCounters
from tallystick.services.counting.owned.changing import (
    OwnedResult,
    amend_owned,
    create_owned,
    delete_owned,
    release_namespace,
    rename_owned,
    reserve_namespace,
    set_owned,
)
from tallystick.services.counting.owned.proving import Asker, reserved_for
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.surfaces.dashboard.badges.pasting import badge_page
from tallystick.surfaces.dashboard.counters.pages import zone_of
from tallystick.surfaces.dashboard.public_counters.form import (
    NAME_FIELDS,
    NEW_FIELDS,
    NOT_A_NAME,
    RULE_FIELDS,
    UNIQUE,
    amendment,
    changed_rules,
    creation,
    first_rules,
    new_key,
    new_value,
    other_name,
    present,
)
from tallystick.surfaces.dashboard.public_counters.history import (
    DEFAULT_PERIOD,
    PERIODS,
    history_members,
    hour_begin,
    shown_history,
)
from tallystick.surfaces.dashboard.public_counters.refusals import REFUSED, problems_of_owning
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json, moment_text
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.surface import Kit

COUNTERS_OF_PAGE = 50
LONGEST_SEARCH = 130
NOTHING_TYPED: Mapping[str, str] = MappingProxyType({})


class ShownPublicCounter(OwnedCounter, frozen=True):
    """A counter as pages show it."""

    @property
    def created(self) -> int | None:
        """Unix milliseconds; None for an imported time beyond the calendar."""
        return self.counter.created if self.counter.created < FOREVER else None

    @property
    def expires(self) -> int | None:
        """Unix milliseconds; None for never."""
        return self.counter.expires if self.counter.expires < FOREVER else None

    @property
    def changed(self) -> int | None:
        """The begin of the hour of the last change, Unix milliseconds; None where that is not known."""
        return hour_begin(self.counter.hour)


class PublicCounterPages:
    """Finds, adds and shows public counters; lets their owners and superusers change them.

    Args:
        kit: with the switch of public counters, and the limits of new ones that requests of the API have, too.
    """

    def __init__(self, services: PageServices, many: ManyCounters, owned: OwnedCounters, kit: Kit) -> None:
        self._services, self._many, self._owned = services, many, owned
        self._switch, self._creations, self._join = kit.public_counters, kit.creations, kit.join

    async def list_page(self, request: PageRequest) -> Response:
        """Counters by name, and a form for another one."""
        return await self._show_list(request)

    async def list_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        shown, after = await self._found(request)
        own, own_after = await self._own(request)
        return as_json(
            {
                "counters": list(map(_plain, shown)),
                "after": None if after is None else str(after),
                "own": [{**_plain(each), **_ruled(each)} for each in own],
                "own_after": None if own_after is None else str(own_after),
                "reserved": await self._reserved(request),
            }
        )

    async def create(self, request: PageRequest) -> Response:
        """Add a counter that belongs to the account, and show it."""
        if not self._may_create(request):
            raise HTTPException(404)
        try:
            key = new_key(request.form)
            admit = self._admit(request, key)
            arguments = key, creation(request.form), first_rules(request.form), "", admit, request.now
            await self._owned.change(self._asker(request), None, create_owned, *arguments)
        except InputRefused as error:
            return await self._show_list(request, problems_of(error))
        except OwningRefused as refused:
            return await self._show_list(request, problems_of_owning(refused))
        return see_other(f"{_place(key)}?done=created")

    async def reserve(self, request: PageRequest) -> Response:
        """Let only the admins of a site create counters in the namespace that has its name."""
        return await self._act(request, reserve_namespace, "reserved")

    async def release(self, request: PageRequest) -> Response:
        """Let everybody create counters in a namespace again."""
        return await self._act(request, release_namespace, "released")

    async def _act(self, request: PageRequest, function: Callable[..., None], done: str) -> Response:
        if not self._may_reserve(request):
            raise HTTPException(404)
        namespace = request.form.text("reserved")
        if not legal_name(namespace):
            return await self._show_list(request, {"reserved": [NOT_A_NAME]})
        try:
            await self._owned.act(self._asker(request), function, namespace, request.now)
        except OwningRefused as refused:
            return await self._show_list(request, problems_of_owning(refused))
        return see_other(f"/counters/public?done={done}")

    async def page(self, request: PageRequest) -> Response:
        """A counter."""
        return await self._show(request, await self._counter(request))

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON. Keys may end with ``.json``, so this has a name of its own."""
        shown = await self._counter(request)
        history = await self._history(request, shown.key)
        members = {"owned": bool(shown.counter.flags & OWNED), "mine": self._is_own(request, shown)}
        return as_json({**_plain(shown), **members, **_ruled(shown), **history_members(history)})

    async def press(self, request: PageRequest) -> Response:
        """Count up or down by one."""
        shown = await self._managed(request)
        amount = {"up": 1, "down": -1}.get(request.form.text("press"))
        if amount is None:
            raise HTTPException(400)
        addition = CounterWrite(shown.key, Add(amount, lifetime=self._many.lifetime))
        added = await self._many.add(AddMany(asker=self._asker(request), additions=[addition]))
        return await self._done(request, shown, added.outcomes[0], "pressed")

    async def set_value(self, request: PageRequest) -> Response:
        """Set the value, also of a counter that nobody else may set."""
        shown = await self._managed(request)
        try:
            value = new_value(request.form)
        except InputRefused as error:
            return await self._show(request, shown, problems_of(error))
        if not is_superuser(request.account):
            return await self._change(request, shown, "set", set_owned, value)
        arguments = shown.key, value, self._many.lifetime, request.now
        outcome = await self._services.write(request, set_public_counter, *arguments)
        return await self._done(request, shown, outcome, "set")

    async def freeze(self, request: PageRequest) -> Response:
        """Stop all changes of the counter, or allow them again. Only superusers do."""
        if not is_superuser(request.account):
            raise HTTPException(404)
        shown = await self._counter(request)
        frozen = request.form.text("frozen") == "yes"
        function = partial(freeze_public_counter, frozen=frozen)
        outcome = await self._services.write(request, function, shown.key, request.now)
        return await self._done(request, shown, outcome, "frozen" if frozen else "unfrozen")

    async def delete(self, request: PageRequest) -> Response:
        """Delete the counter."""
        shown = await self._managed(request)
        if not confirmed(request, str(shown.key)):
            return await self._show(request, shown, NOT_CONFIRMED)
        if not is_superuser(request.account):
            return await self._change(request, shown, "deleted", delete_owned)
        await self._services.write(request, delete_public_counter, shown.key, request.now)
        return see_other("/counters/public?done=deleted")

    async def change_rules(self, request: PageRequest) -> Response:
        """Change what the counter allows, its label and its rules."""
        shown, typed = await self._managed(request), _typed(request, RULE_FIELDS)
        try:
            arguments = amendment(request.form, shown.counter), changed_rules(request.form)
        except InputRefused as error:
            return await self._show(request, shown, problems_of(error), typed)
        return await self._change(request, shown, "changed", amend_owned, *arguments, typed=typed)

    async def rename(self, request: PageRequest) -> Response:
        """Give the counter another name."""
        shown, typed = await self._managed(request), _typed(request, NAME_FIELDS)
        if not self._may_create(request):
            raise HTTPException(404)
        try:
            new = other_name(request.form)
        except InputRefused as error:
            return await self._show(request, shown, problems_of(error), typed)
        admit = self._admit(request, new)
        return await self._change(request, shown, "renamed", rename_owned, new, admit, typed=typed)

    async def _change(
        self,
        request: PageRequest,
        shown: ShownPublicCounter,
        done: str,
        function: Callable[..., OwnedResult],
        *arguments: object,
        typed: Mapping[str, str] = NOTHING_TYPED,
    ) -> Response:
        """Call a function of ``owned.changing`` about the counter."""
        try:
            result = await self._owned.change(self._asker(request), None, function, shown.key, *arguments, request.now)
        except InputRefused as error:
            return await self._show(request, shown, problems_of(error), typed)
        except OwningRefused as refused:
            return await self._show(request, shown, problems_of_owning(refused), typed)
        place = "/counters/public" if done == "deleted" else _place(result.found.key)
        return see_other(f"{place}?done={done}")

    async def _done(self, request: PageRequest, shown: ShownPublicCounter, outcome: Outcome, done: str) -> Response:
        if outcome.refused is RefusalReason.MISSING:
            raise HTTPException(404)
        if outcome.refused is not None:
            return await self._show(request, shown, {"": [REFUSED[outcome.refused]]})
        return see_other(f"{_place(shown.key)}?done={done}")

    async def _counter(self, request: PageRequest) -> ShownPublicCounter:
        """The counter in the path.

        Raises:
            HTTPException: there is none, or public counters are switched off and the person is no superuser (404).
        """
        path = request.http.path_params
        key = key_named(f"{path['namespace']}/{path['key']}")
        if key is None or (self._switch == "off" and not is_superuser(request.account)):
            raise HTTPException(404)
        found = await self._owned.read(key)
        if found is None:
            raise HTTPException(404)
        return ShownPublicCounter(found.key, found.counter, found.owner)

    async def _history(self, request: PageRequest, key: Key) -> CounterHistory:
        """The history of a counter in the period of the address.

        Raises:
            HTTPException: there is no such period (400), or no such counter any more (404).
        """
        period = _period(request)
        if period not in PERIODS:
            raise HTTPException(400)
        question = HistoryQuestion(period=period, timezone=(await zone_of(request)).key)
        history = await self._services.ledger.read(counter_history, key, question, request.now)
        if history is None:
            raise HTTPException(404)
        return history

    async def _managed(self, request: PageRequest) -> ShownPublicCounter:
        """The counter in the path, for its owner and for superusers.

        Raises:
            HTTPException: there is none, or the person is neither (404).
        """
        shown = await self._counter(request)
        if not self._asker(request).owns(shown.owner or CounterOwner()):
            raise HTTPException(404)
        return shown

    async def _looked_up(self, request: PageRequest, name: str) -> ShownPublicCounter | None:
        """The counter of a name; for who is no superuser none where public counters are switched off."""
        key = key_named(name)
        if key is None or (self._switch == "off" and not is_superuser(request.account)):
            return None
        counter = alive(await self._services.ledger.find(key), request.now)
        return None if counter is None else ShownPublicCounter(key, counter)

    async def _found(self, request: PageRequest) -> tuple[Sequence[ShownPublicCounter], Key | None]:
        """Superusers get every counter that begins with what is searched for, others the one of that name.

        Returns:
            A page of counters, and the name after which the next one begins; None on the last one.
        """
        text, after = _search(request), key_named(request.http.query_params.get("after", ""))
        if not is_superuser(request.account):
            shown = await self._looked_up(request, text)
            return [] if shown is None else [shown], None
        found = await self._services.ledger.read(public_counters, text, after, COUNTERS_OF_PAGE, request.now)
        return [ShownPublicCounter(*each) for each in found.counters], found.after

    async def _own(self, request: PageRequest) -> tuple[Sequence[ShownPublicCounter], Key | None]:
        """The counters that the account owns; none where the page shows what a search has found, or none at all.

        Returns:
            A page of counters, and the name after which the next one begins; None on the last one.
        """
        if _search(request) or (self._switch == "off" and not is_superuser(request.account)):
            return [], None
        start = key_named(request.http.query_params.get("own", ""))
        found = await self._owned.of_account(request.account.id, start, COUNTERS_OF_PAGE + 1)
        page = [ShownPublicCounter(each.key, each.counter, each.owner) for each in found[:COUNTERS_OF_PAGE]]
        return page, page[-1].key if len(found) > COUNTERS_OF_PAGE else None

    async def _reserved(self, request: PageRequest) -> Sequence[str]:
        """The reserved namespaces that the person may release."""
        if not self._may_reserve(request):
            return ()
        reserved: Sequence[str] = await self._owned.ask(reserved_for, self._asker(request))
        return reserved

    def _may_reserve(self, request: PageRequest) -> bool:
        """Whether the person is an admin of a site, and its name proves something here."""
        asker = self._asker(request)
        is_admin = self._switch != "off" and asker.names_prove and "a" in request.account.access.values()
        return is_admin or asker.is_superuser

    def _asker(self, request: PageRequest) -> Asker:
        return Asker(request.account, names_prove=self._join == "invited")

    def _is_own(self, request: PageRequest, shown: ShownPublicCounter) -> bool:
        return shown.owner is not None and shown.owner.account == request.account.id

    def _may_create(self, request: PageRequest) -> bool:
        return self._switch == "open" or is_superuser(request.account)

    def _admit(self, request: PageRequest, key: Key) -> Admit | None:
        """The limit of new counters, for the moment when one gets this name; None for superusers."""
        if is_superuser(request.account):
            return None
        return partial(self._creations.admit, self._services.addresses.of(request.http.scope), key.namespace)

    async def _show_list(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        shown, after = await self._found(request)
        own, own_after = await self._own(request)
        values = {
            "own": own,
            "own_after": None if own_after is None else str(own_after),
            "unique": UNIQUE,
            "counters": shown,
            "after": None if after is None else str(after),
            "find": _search(request),
            "switch": self._switch,
            "may_create": self._may_create(request),
            "may_reserve": self._may_reserve(request),
            "reserved": await self._reserved(request),
            "typed": _typed(request, (*NEW_FIELDS, "reserved")),
            "zone": await zone_of(request),
            "problems": problems,
        }
        return await self._services.show(request, "public_counters/counters.html", values)

    async def _show(
        self,
        request: PageRequest,
        shown: ShownPublicCounter,
        problems: Problems = NO_PROBLEMS,
        typed: Mapping[str, str] = NOTHING_TYPED,
    ) -> Response:
        """Show a counter.

        Args:
            typed: what a form that was sent shows in the place of what is.
        """
        history = await self._history(request, shown.key)
        frozen, superuser = bool(shown.counter.flags & FROZEN), is_superuser(request.account)
        manages = self._asker(request).owns(shown.owner or CounterOwner())
        values = {
            "owner": shown.owner or CounterOwner(),
            "owned": bool(shown.counter.flags & OWNED),
            "is_own": self._is_own(request, shown),
            "manages": manages and (superuser or not frozen),
            "may_create": self._may_create(request),
            "typed": {**present(shown), **typed},
            "unique": UNIQUE,
            "shown": shown,
            "counter": shown.counter,
            "history": await asyncio.to_thread(shown_history, request.language, history, _period(request)),
            "periods": PERIODS,
            "frozen": frozen,
            "address": _place(shown.key),
            "badge_page": badge_page(str(shown.key)),
            "switch": self._switch,
            "zone": await zone_of(request),
            "problems": problems,
            "delete_problems": problems if problems is NOT_CONFIRMED else NO_PROBLEMS,
        }
        return await self._services.show(request, "public_counters/counter.html", values)


def _search(request: PageRequest) -> str:
    return request.http.query_params.get("find", "").strip()[:LONGEST_SEARCH]


def _typed(request: PageRequest, names: Sequence[str]) -> Mapping[str, str]:
    return {name: request.form.text(name) for name in names}


def _period(request: PageRequest) -> str:
    return request.http.query_params.get("period", DEFAULT_PERIOD)


def _place(key: Key) -> str:
    return f"/counters/public/{key}"


def _ruled(shown: ShownPublicCounter) -> dict[str, Any]:
    """What the owner of a counter decides, with the names of the API."""
    owner = shown.owner or CounterOwner()
    return {
        "locked": shown.locked,
        "label": owner.label,
        "origins": owner.origins,
        "unique": owner.one_each or None,
    }


def _plain(shown: ShownPublicCounter) -> dict[str, Any]:
    counter = shown.counter
    return {
        "namespace": shown.key.namespace,
        "key": shown.key.key,
        "value": counter.value,
        "version": counter.version,
        "lower": counter.lower,
        "upper": counter.upper,
        "resettable": counter.resettable,
        "frozen": bool(counter.flags & FROZEN),
        "created": moment_text(shown.created),
        "expires": moment_text(shown.expires),
        "changed": moment_text(shown.changed),
    }
