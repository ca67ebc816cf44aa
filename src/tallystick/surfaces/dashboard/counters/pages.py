"""Shared counters: ``/counters``, and a counter, ``/counters/{counter}``."""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, SharingReason, SharingRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.counter import INT64_MAX
from tallystick.model.shared_counter import Member, Milestone, Role, SharedCounter, days_beyond, days_of, milestones
from tallystick.model.sharing import goal_met_since, may, meets_goal
from tallystick.services.counting.owned.rows import OwnedCounter
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.exports.spreadsheet import safe
from tallystick.services.idempotency import LONGEST_KEY, StoredResponse
from tallystick.services.sharing.access import counters_of, members_of, readable_with_role
from tallystick.services.sharing.changing import ChangeRequest, Done, ValueChange, Verb
from tallystick.services.sharing.counters import create
from tallystick.services.sharing.history import HistoryEntry, Passed, history_in, passed_milestones, recent_deltas
from tallystick.services.sharing.own_milestones import OwnMilestone, own_milestones
from tallystick.services.sharing.service import Sharing
from tallystick.services.zones import today_in, zone_of_days
from tallystick.surfaces.dashboard.charts.small import Sparkline, sparkline
from tallystick.surfaces.dashboard.counters.chart import CHANGES_AT_MOST, changes_chart
from tallystick.surfaces.dashboard.counters.form import KINDS, MODES, NEW_FIELDS, new_counter
from tallystick.surfaces.dashboard.counters.refusals import problems_of_refusal
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, moment_text, twin
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.service_messages import translated
from tallystick.surfaces.dashboard.support.services import PageServices, refuse_over_limit
from tallystick.web.surface import PublicCounters

CARDS_OF_PAGE, PUBLIC_SHOWN = 24, 5
CHANGES_OF_CARD = 40
"""From which the small line of a card is drawn."""
CHANGES_SHOWN, CHANGES_OF_LOG = 10, 100
STEPS: Sequence[int] = (1, 5, 10)
"""Steps that are offered."""
_DIGITS_OF_STEP = 15

Result = TypeVar("Result")

PRESSES: Mapping[str, Verb] = {"up": Verb.INCREMENT, "down": Verb.DECREMENT, "undo": Verb.UNDO}


class CounterCard(Struct, frozen=True, kw_only=True):
    """A counter at a glance.

    Attributes:
        value: its value, or days.
        spark: its last values; None where there are too few.
    """

    counter: SharedCounter
    value: int
    role: Role
    spark: Sparkline | None


class ShownCounter(Struct, frozen=True, kw_only=True):
    """All that the page of a counter shows.

    Attributes:
        value: its value, or days.
        beyond: days since the end, or until the start, of a counter of days.
        milestones: of a counter of days since a date.
        passed: powers of ten that a value has risen to.
        own: milestones that its admins chose.
        log: the newest changes first.
        deltas: see ``changes_chart``.
    """

    counter: SharedCounter
    role: Role
    value: int
    beyond: int
    milestones: Sequence[Milestone]
    passed: Sequence[Passed]
    own: Sequence[OwnMilestone]
    members: Sequence[Member]
    log: Sequence[HistoryEntry]
    deltas: Sequence[tuple[int, int]]


class CounterPages:
    """Lists, adds and shows shared counters, and changes their values.

    Args:
        owned: public counters, of which the list has the first ones of the account.
        switch: whether there are public counters.
    """

    def __init__(self, services: PageServices, owned: OwnedCounters, switch: PublicCounters) -> None:
        self._owned, self._switch = owned, switch
        self._services, self._sharing, self._ledger = services, services.sharing, services.ledger

    async def list_page(self, request: PageRequest) -> Response:
        """The counters that a person shares, and a form for another one."""
        return await self._show_list(request)

    async def list_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        today = today_in(await zone_of(request), request.now)
        shared = await self._ledger.read(counters_of, request.account.id)
        public = [{"name": str(each.key), "value": each.counter.value} for each in await self._public(request)]
        return as_json(
            {"counters": [_plain(counter, value_of(counter, today)) for counter in shared], "public": public}
        )

    async def create(self, request: PageRequest) -> Response:
        """Add a counter, and show it."""
        try:
            new = new_counter(request.form)
            counter = await self._sharing.write(create, request.account.id, new, request.now)
        except InputRefused as error:
            return await self._show_list(request, problems_of(error))
        except SharingRefused as refused:
            return await self._show_list(request, problems_of_refusal(refused))
        return see_other(f"/counters/{counter.uid}?done=created")

    async def page(self, request: PageRequest) -> Response:
        """A counter; with ``.json`` behind its id as JSON."""
        uid, form = twin(request.http.path_params["counter"])
        if form == "csv":
            raise HTTPException(404)
        if form is None:
            return await self._show(request, uid)
        shown = await self._found(request, uid, await zone_of(request))
        return as_json({**_plain(shown.counter, shown.value), "role": shown.role, **_further(shown)})

    async def press(self, request: PageRequest) -> Response:
        """Count up or down, or undo a change; programs and scripts get JSON."""
        uid = request.http.path_params["counter"]
        refuse_over_limit(self._services.rates.admit("counttogether", request.account.id))
        wants_json = "text/html" not in request.http.headers.get("accept", "")
        step = _step(request, uid)
        if step is None:
            raise HTTPException(400)
        result = await carried_out(self._sharing, request, step)
        if isinstance(result, SharingRefused):
            if result.reason is SharingReason.NOT_FOUND:
                raise HTTPException(404)
            problems = problems_of_refusal(result)
            if wants_json:
                return as_json({"error": translated(request.language, problems[""][0])}, 409)
            return await self._show(request, uid, problems)
        if wants_json:
            return as_json({"value": str(result.value), "version": result.version})
        amount = "" if step.amount == 1 else f"&step={step.amount}"
        back = "/counters?" if request.form.text("back") == "list" else f"/counters/{uid}?"
        done = "undone" if step.verb is Verb.UNDO else "pressed"
        return see_other(f"{back}done={done}{amount}")

    async def log(self, request: PageRequest) -> Response:
        """The changes of a counter, newest first, in pages; with ``.json`` or ``.csv`` as data."""
        uid, (_, form) = request.http.path_params["counter"], twin(request.http.url.path)
        before = number_in(request.http.query_params.get("before", ""), 18) or 0
        counter, role, entries = await found_or_404(self._ledger, _counter_and_log, request.account.id, uid, before)
        older = entries[-1].number if len(entries) == CHANGES_OF_LOG else 0
        if form == "json":
            return as_json({"changes": [_change(entry) for entry in entries], "older": older or None})
        if form == "csv":
            rows = [("number", "at", "who", "kind", "change", "value"), *map(_row, entries)]
            return await asyncio.to_thread(as_csv, rows, "changes")
        values = {
            "counter": counter,
            "role": role,
            "log": entries,
            "older": older,
            "zone": await zone_of(request),
            "problems": NO_PROBLEMS,
            "may_undo": lambda entry: may_undo(request, role, counter, entry),
        }
        return await self._services.show(request, "counters/log.html", values)

    async def _found(self, request: PageRequest, uid: str, zone: ZoneInfo) -> ShownCounter:
        """Everything about a counter.

        Raises:
            HTTPException: there is none that the person shares (404).
        """
        return await found_or_404(self._ledger, _shown, request.account.id, uid, today_in(zone, request.now))

    async def _show(self, request: PageRequest, uid: str, problems: Problems = NO_PROBLEMS) -> Response:
        zone = await zone_of(request)
        shown = await self._found(request, uid, zone)
        chart = await asyncio.to_thread(changes_chart, request.language, shown.deltas, zone, request.now)
        counter, role = shown.counter, shown.role
        values = {
            "shown": shown,
            "counter": counter,
            "role": role,
            "counts": counter.type == "UpDown",
            "may_count": counter.type == "UpDown" and may(role, "member"),
            "is_admin": may(role, "admin"),
            "goal_is_met": meets_goal(counter, counter.value),
            "goal_met_since": goal_met_since(counter, shown.deltas),
            "listed_milestones": milestones_with_next(shown),
            "chart": chart,
            "chart_is_cut": len(shown.deltas) >= CHANGES_AT_MOST,
            "step": number_in(request.http.query_params.get("step", ""), _DIGITS_OF_STEP) or 1,
            "steps": STEPS,
            "zone": zone,
            "problems": problems,
            "may_undo": lambda entry: may_undo(request, role, counter, entry),
        }
        return await self._services.show(request, "counters/counter.html", values)

    async def _public(self, request: PageRequest) -> Sequence[OwnedCounter]:
        """The first public counters of the account, by name."""
        if self._switch == "off":
            return ()
        return await self._owned.of_account(request.account.id, None, PUBLIC_SHOWN)

    async def _show_list(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        query = request.http.query_params
        find, offset = query.get("find", "").strip(), number_in(query.get("from", ""), 4) or 0
        today = today_in(await zone_of(request), request.now)
        cards, total, found = await self._ledger.read(_cards, request.account.id, find, offset, today)
        values = {
            "cards": cards,
            "public": await self._public(request),
            "total": total,
            "found": found,
            "find": find,
            "offset": offset,
            "step": CARDS_OF_PAGE,
            "kinds": KINDS,
            "modes": MODES,
            "typed": {name: request.form.text(name) for name in NEW_FIELDS},
            "problems": problems,
        }
        return await self._services.show(request, "counters/counters.html", values)


async def carried_out(sharing: Sharing, request: PageRequest, step: ValueChange) -> Done | SharingRefused:
    """Carry out one change of a value for the person who sent a form."""
    changed = await sharing.change(ChangeRequest(account=request.account.id, steps=(step,), hide_foreign=True))
    assert not isinstance(changed.results, StoredResponse)  # those are of requests with keys
    return changed.results[0]


async def found_or_404(ledger: Ledger, function: Callable[..., Result], *arguments: object) -> Result:
    """Read with ``function(session, *arguments)``.

    Raises:
        HTTPException: there is no such counter for the person (404).
    """
    try:
        return await ledger.read(function, *arguments)
    except SharingRefused as refused:
        raise HTTPException(404) from refused


async def zone_of(request: PageRequest) -> ZoneInfo:
    """The time zone of the person's settings; UTC where it does not exist any more."""
    return await asyncio.to_thread(zone_of_days, request.account.settings.timezone)


def may_undo(request: PageRequest, role: Role, counter: SharedCounter, entry: HistoryEntry) -> bool:
    """Whether a person may undo a change: their own; an admin everyone's. Those that undo something are left out."""
    if counter.type != "UpDown" or not entry.delta or entry.undoes is not None or not may(role, "member"):
        return False
    return may(role, "admin") or (entry.actor is not None and entry.actor.uid == request.account.uid)


def value_of(counter: SharedCounter, today: dt.date) -> int:
    """The value, or the days, of a counter."""
    return counter.value if counter.type == "UpDown" else days_of(counter, today)


def listed_milestones(shown: ShownCounter) -> list[OwnMilestone]:
    """The milestones of a value, the lowest first: powers of ten that were reached, and all that its admins chose."""
    times = {each.value: each.at for each in shown.own} | {each.value: each.at for each in shown.passed}
    return [OwnMilestone(value, at) for value, at in sorted(times.items())]


def milestones_with_next(shown: ShownCounter) -> list[OwnMilestone]:
    """The same with the next power of ten; nothing where there are no others."""
    listed = listed_milestones(shown)
    following = next_milestone(shown.value, shown.passed)
    if not listed or following is None or any(each.value == following for each in listed):
        return listed
    return sorted([*listed, OwnMilestone(following, None)], key=lambda each: each.value)


def next_milestone(value: int, passed: Sequence[Passed]) -> int | None:
    """The next power of ten, beyond the value and all that it has risen to; None beyond 64 bits."""
    beyond = max(value, passed[-1].value if passed else 1)
    digits = len(str(beyond))
    return 10**digits if 10**digits <= INT64_MAX else None


def _step(request: PageRequest, uid: str) -> ValueChange | None:
    """The change of a form; None for none that our pages have."""
    form = request.form
    verb = PRESSES.get(form.text("press"))
    amount = number_in(form.text("amount") or "1", _DIGITS_OF_STEP)
    number = number_in(form.text("change"), 18)
    key = form.text("id")
    if verb is None or not amount or len(key) > LONGEST_KEY:
        return None
    return ValueChange(counter=uid, verb=verb, amount=amount, offset=number, id=key or None)


def _shown(session: Session, account: int, uid: str, today: dt.date) -> ShownCounter:
    counter, role = readable_with_role(session, account, uid)
    dated = counter.type != "UpDown"
    return ShownCounter(
        counter=counter,
        role=role,
        value=value_of(counter, today),
        beyond=days_beyond(counter, today) if dated else 0,
        milestones=milestones(counter, today) if counter.type == "FromDate" else (),
        passed=() if dated else passed_milestones(session, counter),
        own=() if dated else own_milestones(session, counter),
        members=members_of(session, [counter.id])[counter.id],
        log=history_in(session, counter, 0, CHANGES_SHOWN, newest_first=True),
        deltas=() if dated else recent_deltas(session, counter, CHANGES_AT_MOST),
    )


def _counter_and_log(
    session: Session, account: int, uid: str, before: int
) -> tuple[SharedCounter, Role, list[HistoryEntry]]:
    counter, role = readable_with_role(session, account, uid)
    return counter, role, history_in(session, counter, before, CHANGES_OF_LOG, newest_first=True)


def _cards(
    session: Session, account: int, find: str, offset: int, today: dt.date
) -> tuple[list[CounterCard], int, int]:
    """Cards of a page, how many counters the person shares, and how many of them were found."""
    mine = counters_of(session, account)
    found = [counter for counter in mine if find.casefold() in counter.name.casefold()]
    cards = []
    for counter in reversed(found[max(0, len(found) - offset - CARDS_OF_PAGE) : len(found) - offset or None]):
        _, role = readable_with_role(session, account, counter.uid)
        spark = _spark(session, counter)
        cards.append(CounterCard(counter=counter, value=value_of(counter, today), role=role, spark=spark))
    return cards, len(mine), len(found)


def _spark(session: Session, counter: SharedCounter) -> Sparkline | None:
    if counter.type != "UpDown":
        return None
    entries = history_in(session, counter, 0, CHANGES_OF_CARD, newest_first=True)
    values = [entry.value for entry in reversed(entries)]
    return sparkline(values) if len(values) > 1 else None


def _plain(counter: SharedCounter, value: int) -> dict[str, Any]:
    return {
        "id": counter.uid,
        "name": counter.name,
        "type": counter.type,
        "value": value,
        "version": counter.version,
        "mode": counter.mode,
        "goal": counter.goal,
        "least": counter.least,
        "date": None if counter.day is None else counter.day.isoformat(),
    }


def _further(shown: ShownCounter) -> dict[str, Any]:
    since = goal_met_since(shown.counter, shown.deltas)
    days = [
        {"days": each.days, "reached": each.reached, "date": None if each.day is None else each.day.isoformat()}
        for each in shown.milestones
    ]
    return {
        "goal_reached": meets_goal(shown.counter, shown.value),
        "goal_reached_at": moment_text(since),
        "milestones": days
        or [{"value": each.value, "reached_at": moment_text(each.at)} for each in listed_milestones(shown)],
        "members": [{"id": each.uid, "name": each.name, "role": each.role} for each in shown.members],
        "changes": [_change(entry) for entry in shown.log],
    }


def _change(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": moment_text(entry.at),
        "who": None if entry.actor is None else entry.actor.name,
        "kind": entry.kind,
        "change": entry.delta,
        "value": entry.value,
        "undoes": entry.undoes,
    }


def _row(entry: HistoryEntry) -> tuple[object, ...]:
    who = "" if entry.actor is None else safe(entry.actor.name)
    change = "" if entry.delta is None else entry.delta
    return entry.number, moment_text(entry.at), who, entry.kind, change, entry.value
