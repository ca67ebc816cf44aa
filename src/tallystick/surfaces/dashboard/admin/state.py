"""The state of the server, for superusers: ``/admin``, also as JSON. Shown while the ledger is unavailable, too."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import to_builtins
from starlette.responses import Response

from tallystick.server.limits import ConnectionCounts
from tallystick.services.operating.findings import Finding, Level, findings_of
from tallystick.services.operating.state import Operating, ServerState
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.admin.wording import TASKS, said
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.web.traffic import Traffic

HTTP = "http"
"""The surface of requests that are refused before their surface is known."""


class Refused(NamedTuple):
    """How often requests were refused since the start."""

    surface: str
    reason: str
    times: int


class StatePages:
    """The handlers. They answer 404 to anyone but superusers, and read nothing from the ledger."""

    def __init__(
        self, renderer: Renderer, operating: Operating, traffic: Traffic, connections: ConnectionCounts
    ) -> None:
        self._renderer, self._operating = renderer, operating
        self._traffic, self._connections = traffic, connections

    async def page(self, request: PageRequest) -> Response:
        """Whether all is well, or what to do; then every figure, with what is normal."""
        require_superuser(request)
        state = await self._operating.state()
        findings = findings_of(state)
        values = {
            "state": state,
            "findings": [(finding, *said(request.language, finding)) for finding in findings],
            "urgent": any(finding.level is Level.NOW for finding in findings),
            "refused": self._refused(),
            "purposes": TASKS,
        }
        return await self._renderer.private_page(request, "admin/state.html", values)

    async def as_json(self, request: PageRequest) -> Response:
        """The same as data."""
        require_superuser(request)
        state = await self._operating.state()
        return await asyncio.to_thread(lambda: as_json(_plain(state, self._refused(), request)))

    def _refused(self) -> list[Refused]:
        """What was refused, the most frequent first."""
        by_surface = [Refused(*names, times) for names, times in self._traffic.refusals.items()]
        by_server = [Refused(HTTP, reason, times) for reason, times in self._connections.refused.items()]
        rows = [row for row in (*by_surface, *by_server) if row.times]
        return sorted(rows, key=lambda row: (-row.times, row.surface, row.reason))


def _plain(state: ServerState, refused: Sequence[Refused], request: PageRequest) -> dict[str, Any]:
    findings = findings_of(state)
    return {
        "well": not findings,
        "findings": [_plain_finding(finding, request) for finding in findings],
        **to_builtins(state),
        "refused": [row._asdict() for row in refused],
    }


def _plain_finding(finding: Finding, request: PageRequest) -> dict[str, Any]:
    what, do = said(request.language, finding)
    return {**to_builtins(finding), "what": what, "do": do}
