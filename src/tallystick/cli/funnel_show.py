"""``tallystick funnel show``: how many visits take each step of a funnel."""

from typing import Annotated, Any

from cyclopts import Parameter

from tallystick.cli.support.funnel_forms import print_funnel
from tallystick.cli.support.query_access import reached
from tallystick.cli.support.query_body import filters_in, period_in
from tallystick.cli.support.query_forms import Form
from tallystick.client.funnel_calls import funnel_call
from tallystick.errors import InputRefused
from tallystick.ledger import Ledger
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import Site
from tallystick.services.analytics.funnel_questions import FunnelQuestions
from tallystick.services.analytics.kept.funnels import Funnels
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.keeping import KeptCache, id_or_name
from tallystick.services.analytics.kept.segments import Segments
from tallystick.services.analytics.kept.step_words import GOAL
from tallystick.services.analytics.questions import Questions
from tallystick.services.inquiries.configured import configured
from tallystick.services.inquiries.funnels import FunnelServices, funnel_answered
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import Warehouse


def show(  # noqa: PLR0913  # one an option
    which: Annotated[str, Parameter(show_default=False)] = "",
    /,
    *,
    steps: Annotated[
        tuple[str, ...],
        Parameter(name="--step", n_tokens=1, negative=(), metavar="PAGE|EVENT|GOAL", show_default=False),
    ] = (),
    strict: Annotated[bool, Parameter(negative=())] = False,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    url: Annotated[str | None, Parameter(metavar="URL", show_default=False)] = None,
    period: Annotated[str, Parameter(metavar="NAME|DAY|FROM,TO")] = "28d",
    filters: Annotated[
        tuple[str, ...], Parameter(name="--filter", n_tokens=1, negative=(), metavar="TEXT", show_default=False)
    ] = (),
    left_to: Annotated[bool, Parameter(negative=())] = False,
    timezone: Annotated[str | None, Parameter(metavar="ZONE", show_default=False)] = None,
    form: Annotated[Form, Parameter(name="--format")] = "table",
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Show how many visits take each step of a funnel, and where they leave.

    A funnel of the site, of visits from Google:

        tallystick funnel show Buys --period 28d --filter "source is Google"

    Steps without storing a funnel, and where visits went that did not go on:

        tallystick funnel show --step "/shop/*" --step /cart --step Purchase --left-to

    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    stats. Without a URL the data directory is read, through its server if that is running. What counts as a step:
    docs/questions.md.

    Args:
        which: Id or name of the funnel.
        steps: In place of a stored funnel, 2 to 8 times: a page (/pricing, /blog/**), the name of an event,
            or goal: and the name or id of a goal.
        strict: With --step: each step has to be the very next page or event of the visit.
        site: The URL of a running server at the site's host; with --url the site's domain, host or code there; or, in
            the data directory, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        period: As of tallystick query: 7d, 28d, month, year, all, a day (2026-01-31), or the first and the last one.
        filters: Which visits take part, for example "source is Google". May be repeated; all filters must hold.
        left_to: Also show where visits went that did not go on.
        timezone: The time zone of days, for example Europe/Berlin; by default the site's.
        form: How the steps are printed. json is the answer of the API.
    """
    body: dict[str, Any] = {
        "funnel": _funnel(which, steps, strict=strict),
        "date_range": period_in(period),
        "filters": filters_in(filters),
        "include": {"left_to": left_to},
    }
    if timezone:
        body["timezone"] = timezone

    async def find(place: Site, ledger: Ledger, warehouse: Warehouse) -> dict[str, Any]:
        questions, cache = Questions(ledger, warehouse), KeptCache(ledger)
        asked = FunnelQuestions(ledger, warehouse, questions)
        known = await configured(Goals(cache), Segments(cache), [place.id], person=None)
        services = FunnelServices(questions, asked, Funnels(cache))
        return await funnel_answered(services, place, known, body, milliseconds())

    answer = reached(site, url, settings, lambda api, named: api.carry_out(funnel_call({**named, **body})), find)
    print_funnel(form, answer)


def _funnel(which: str, steps: tuple[str, ...], *, strict: bool) -> int | str | dict[str, Any]:
    if bool(which) == bool(steps):
        msg = "give the id or the name of a funnel, or its steps with --step"
        raise InputRefused(msg)
    if steps:
        return {"steps": [_step(step) for step in steps], "strict": strict}
    if strict:
        msg = "--strict goes with --step: a stored funnel is strict or not"
        raise InputRefused(msg)
    return id_or_name(which)


def _step(text: str) -> dict[str, int | str]:
    if text.startswith(GOAL):
        return {"goal": id_or_name(text.removeprefix(GOAL))}
    return {"page" if text.startswith(("/", "*")) else "event": text}
