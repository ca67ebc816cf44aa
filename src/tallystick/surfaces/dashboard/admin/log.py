"""The log of administrative events, for superusers: ``/admin/log``, also as JSON and CSV."""

import asyncio
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode

from msgspec.structs import asdict
from starlette.responses import Response

from tallystick.services.accounts.audit import PAGE, Event, EventKind, events_of
from tallystick.services.exports.spreadsheet import safe
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, moment_text
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS
from tallystick.surfaces.dashboard.support.services import PageServices

ROWS_OF_DATA = 10_000
LONGEST_PERSON = 200
_number = re.compile(r"[1-9][0-9]{0,14}")

KINDS: Mapping[str, str] = MappingProxyType(
    {
        EventKind.ACCOUNT_CREATED: N_("Account created"),
        EventKind.ACCOUNT_DELETED: N_("Account deleted"),
        EventKind.ACCESS_CHANGED: N_("Access changed"),
        EventKind.INVITE_MADE: N_("Invite made"),
        EventKind.INVITE_WITHDRAWN: N_("Invite withdrawn"),
        EventKind.INVITE_ACCEPTED: N_("Invite accepted"),
        EventKind.PASSWORD_CHANGED: N_("Password changed"),
        EventKind.LOGGED_IN: N_("Logged in"),
        EventKind.LOGIN_REFUSED: N_("Login refused"),
        EventKind.CODE_REFUSED: N_("Second step refused"),
        EventKind.SECOND_STEP_ON: N_("Second step on"),
        EventKind.SECOND_STEP_OFF: N_("Second step off"),
        EventKind.RECOVERY_CODES_RENEWED: N_("Recovery codes renewed"),
        EventKind.LOGINS_ENDED: N_("Logins ended"),
        EventKind.TOKEN_CREATED: N_("Token created"),
        EventKind.TOKEN_ROTATED: N_("Token rotated"),
        EventKind.TOKEN_REVOKED: N_("Token revoked"),
        EventKind.SITE_CREATED: N_("Site created"),
        EventKind.SITE_CHANGED: N_("Site changed"),
        EventKind.SITE_DELETED: N_("Site deleted"),
        EventKind.GOAL_CREATED: N_("Goal created"),
        EventKind.GOAL_CHANGED: N_("Goal changed"),
        EventKind.GOAL_DELETED: N_("Goal deleted"),
        EventKind.FUNNEL_CREATED: N_("Funnel created"),
        EventKind.FUNNEL_CHANGED: N_("Funnel changed"),
        EventKind.FUNNEL_DELETED: N_("Funnel deleted"),
        EventKind.SEGMENT_CREATED: N_("Segment created"),
        EventKind.SEGMENT_CHANGED: N_("Segment changed"),
        EventKind.SEGMENT_DELETED: N_("Segment deleted"),
        EventKind.VIEW_CREATED: N_("Saved view created"),
        EventKind.VIEW_CHANGED: N_("Saved view changed"),
        EventKind.VIEW_DELETED: N_("Saved view deleted"),
        EventKind.LINK_CREATED: N_("Shared link created"),
        EventKind.LINK_CHANGED: N_("Shared link changed"),
        EventKind.LINK_WITHDRAWN: N_("Shared link withdrawn"),
        EventKind.LINK_REFUSED: N_("Password of a shared link refused"),
        EventKind.PATH_RENAMED: N_("Path renamed"),
        EventKind.PATHS_MERGED: N_("Paths merged"),
        EventKind.PATHS_DELETED: N_("Paths deleted"),
        EventKind.HITS_MARKED: N_("Hits counted or left out"),
        EventKind.COUNTER_CREATED: N_("Public counter created"),
        EventKind.COUNTER_CHANGED: N_("Public counter changed"),
        EventKind.COUNTER_RENAMED: N_("Public counter renamed"),
        EventKind.COUNTER_CLAIMED: N_("Public counter claimed"),
        EventKind.NAMESPACE_RESERVED: N_("Namespace of public counters reserved"),
        EventKind.NAMESPACE_RELEASED: N_("Namespace of public counters released"),
        EventKind.COUNTER_SET: N_("Public counter set"),
        EventKind.COUNTER_DELETED: N_("Public counter deleted"),
        EventKind.COUNTERS_IMPORTED: N_("Public counters imported"),
        EventKind.COUNTERS_FROZEN: N_("Public counters frozen"),
        EventKind.COUNTERS_UNFROZEN: N_("Public counters unfrozen"),
        EventKind.COUNTERS_DELETED: N_("Public counters deleted"),
        EventKind.NAMESPACE_CLOSED: N_("Namespace of public counters closed"),
        EventKind.NAMESPACE_OPENED: N_("Namespace of public counters opened again"),
        EventKind.IMPORTED: N_("Imported"),
        EventKind.EXPORTED: N_("Exported"),
        EventKind.RESTORED: N_("Restored"),
    }
)
"""What the log shows for each kind of event; actors and details stay as they were recorded."""


class Chosen(NamedTuple):
    """Which events the address asks for.

    Attributes:
        kind: one of ``EventKind``; empty for all.
        person: a part of who did it, or of what was changed; empty for all.
        before: only events with lower ids.
    """

    kind: str
    person: str
    before: int

    def address(self, name: str, before: int | None = None) -> str:
        """The address of the same events under another name, or of those before one."""
        chosen = {"kind": self.kind, "person": self.person, "before": before}
        query = urlencode({key: value for key, value in chosen.items() if value})
        return f"{name}?{query}" if query else name


class LogPages:
    """The handlers. They answer 404 to anyone but superusers."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """One page of events: the newest, or those before ``?before=ID``."""
        chosen, events = await self._events(request, PAGE)
        values = {
            "events": events,
            "chosen": chosen,
            "kinds": KINDS,
            "older": chosen.address("/admin/log", events[-1].id) if len(events) == PAGE else None,
            "problems": NO_PROBLEMS,
        }
        return await self._services.show(request, "admin/log.html", values)

    async def as_json(self, request: PageRequest) -> Response:
        """The same, with more events at once; ``older`` is where the next ones are."""
        chosen, events = await self._events(request, ROWS_OF_DATA)
        older = chosen.address("/admin/log.json", events[-1].id) if len(events) == ROWS_OF_DATA else None
        return await asyncio.to_thread(lambda: as_json({"events": [_plain(event) for event in events], "older": older}))

    async def as_csv(self, request: PageRequest) -> Response:
        """The same as a table that is safe in spreadsheets."""
        _, events = await self._events(request, ROWS_OF_DATA)
        return await asyncio.to_thread(lambda: as_csv([_HEAD, *map(_row, events)], "events"))

    async def _events(self, request: PageRequest, most: int) -> tuple[Chosen, list[Event]]:
        require_superuser(request)
        query = request.http.query_params
        before, kind = query.get("before", ""), query.get("kind", "")
        chosen = Chosen(
            kind if kind in KINDS else "",
            query.get("person", "").strip()[:LONGEST_PERSON],
            int(before) if _number.fullmatch(before) else 2**53,
        )
        return chosen, await self._ledger.read(events_of, chosen.kind, chosen.person, chosen.before, most)


_HEAD = ("id", "at", "kind", "actor", "subject", "detail", "times")


def _plain(event: Event) -> dict[str, object]:
    return asdict(event) | {"at": moment_text(event.at)}


def _row(event: Event) -> tuple[object, ...]:
    actor, subject, detail = map(safe, (event.actor, event.subject, event.detail))
    return event.id, moment_text(event.at), event.kind, actor, subject, detail, event.times
