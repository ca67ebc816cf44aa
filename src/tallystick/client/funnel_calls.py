"""Questions about funnels, which ``POST /api/query/funnel`` of Tallystick answers; other servers do not have it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import httpx

from tallystick.client.arguments import refused_if_empty
from tallystick.client.calls import Call, Repeat, answered, json_as
from tallystick.client.errors import InvalidArgument
from tallystick.client.funnel_answers import FunnelReport, SentFunnel
from tallystick.client.query_calls import Period, period_sent
from tallystick.client.query_filters import Filter

FUNNEL_PATH = "/api/query/funnel"

_sent_in = json_as(SentFunnel)


class FunnelStep(TypedDict, total=False):
    """A step: one of a page, an event and a goal; the goal by its id or its name.

    In ``page``, ``*`` stands for any characters but ``/``, and ``**`` for any. ``name`` is shown for the step. A visit
    may leave out an ``optional`` one.
    """

    page: str
    event: str
    goal: int | str
    name: str
    optional: bool


class FunnelCalls:
    """Questions about funnels."""

    @answered
    def ask_funnel(  # noqa: PLR0913  # each has a default
        self,
        funnel: int | str | Sequence[FunnelStep],
        *,
        strict: bool = False,
        left_to: bool = False,
        site: str | None = None,
        period: Period = "7d",
        filters: Sequence[Filter] = (),
        timezone: str | None = None,
    ) -> Call[FunnelReport]:
        """Get how many visits took each step of a funnel.

        Args:
            funnel: the id or the name of a funnel of the site, or 2 to 8 steps.
            strict: whether each step has to be the very next page or event; only with steps, because of a funnel of
                the site it is known.
            left_to: whether to find where visits went that did not go on.
            site: a domain, a host or a code; without it the host in the client's URL chooses the site.
            filters: which visits take part: those with at least one hit that passes all.
            timezone: that of the site unless given.

        Raises:
            InvalidArgument: ``strict`` with a funnel of the site, a value is empty, or a moment has no zone.
        """
        for name, value in (("funnel", funnel), ("site", site), ("period", period), ("timezone", timezone)):
            refused_if_empty(name, value if isinstance(value, Sequence) else None)
        if strict and isinstance(funnel, int | str):
            msg = "strict applies to steps; whether a funnel of the site is strict is kept with it"
            raise InvalidArgument(msg)
        which = (
            funnel if isinstance(funnel, int | str) else {"steps": [dict(step) for step in funnel], "strict": strict}
        )
        body: dict[str, Any] = {
            "funnel": which,
            "date_range": period_sent(period),
            "filters": [each.parts for each in filters],
            "include": {"left_to": left_to},
        }
        body |= {name: value for name, value in (("site_id", site), ("timezone", timezone)) if value is not None}
        return Call(method="POST", path=FUNNEL_PATH, body=body, read=_report_in, repeat=Repeat.SAFE)


def funnel_call(body: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """Send a body, and get the answer as it is sent."""
    return Call(method="POST", path=FUNNEL_PATH, body=body, read=json_as(dict[str, Any]), repeat=Repeat.SAFE)


def _report_in(response: httpx.Response) -> FunnelReport:
    return _sent_in(response).report()
