"""The funnels of a site: ``/sites/{site}/settings/funnels``. Only people who may change the site see these pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from tallystick.errors import Conflicting, InputRefused, InvalidFields, NotThere
from tallystick.model.funnel import MAX_STEPS, Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.model.kept_rules import MAX_FUNNEL_NAME
from tallystick.model.path import MAX_PATH
from tallystick.services.analytics.kept.as_data import funnel_as_data
from tallystick.services.analytics.kept.funnels import FunnelChanges, change_funnel, create_funnel, delete_funnel
from tallystick.services.analytics.kept.step_words import goal_text, step_of, step_text
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.goals.offered import offered_names
from tallystick.surfaces.dashboard.support.data import as_json, times, wants_json
from tallystick.surfaces.dashboard.support.forms import DIGITS_OF_ID, Form, number_in, one_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

LIMITS = {"name": MAX_FUNNEL_NAME, "step": MAX_PATH}


class StepRow(Struct, frozen=True):
    """A row of the form.

    Attributes:
        text: the step as people write it; empty for no step.
        name: what the step is called, if not like its goal, page or event.
    """

    text: str = ""
    name: str = ""
    optional: bool = False


class FunnelPages:
    """Lists, adds, changes and deletes the funnels of a site."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._funnels = services, services.statistics.funnels
        self._goals, self._viewers = services.statistics.goals, Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """All funnels, and a form for another one; also as JSON."""
        viewer = await self._viewers.changer(request)
        if wants_json(request):
            return as_json({"funnels": [_plain(each) for each in await self._funnels.of_site(viewer.site.id)]})
        return await self._show(request, viewer)

    async def create(self, request: PageRequest) -> Response:
        """Add a funnel."""
        viewer, form = await self._viewers.changer(request), request.form
        rows = _rows(form)
        try:
            steps = _steps(rows, await self._goals_of(viewer))
            new = Funnel(site=viewer.site.id, name=form.text("name"), steps=steps, strict=form.checked("strict"))
            made = await self._services.write(request, create_funnel, new, request.now)
        except InputRefused as error:
            return await self._show(request, viewer, _problems(error, rows))
        return see_other(f"{viewer.base}/settings/funnels?done=added&funnel={made.id}")

    async def funnel_page(self, request: PageRequest) -> Response:
        """The form that changes a funnel; the funnel as JSON."""
        viewer, funnel = await self._funnel(request)
        return as_json(_plain(funnel)) if wants_json(request) else await self._show_funnel(request, viewer, funnel)

    async def change(self, request: PageRequest) -> Response:
        """Change a funnel."""
        viewer, funnel = await self._funnel(request)
        form, rows = request.form, _rows(request.form)
        try:
            steps = _steps(rows, await self._goals_of(viewer), funnel.steps)
            changes = FunnelChanges(name=form.text("name"), steps=steps, strict=form.checked("strict"))
            await self._services.write_or_404(request, change_funnel, viewer.site.id, funnel.id, changes, request.now)
        except InputRefused as error:
            return await self._show_funnel(request, viewer, funnel, _problems(error, rows))
        return see_other(f"{viewer.base}/settings/funnels?done=changed&funnel={funnel.id}")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a funnel."""
        viewer, funnel = await self._funnel(request)
        await self._services.write_or_404(request, delete_funnel, viewer.site.id, funnel.id, request.now)
        return see_other(f"{viewer.base}/settings/funnels?done=deleted")

    async def _goals_of(self, viewer: Viewer) -> Sequence[Goal]:
        return (await self._goals.of_sites([viewer.site.id]))[viewer.site.id]

    async def _funnel(self, request: PageRequest) -> tuple[Viewer, Funnel]:
        """The funnel in the path.

        Raises:
            HTTPException: there is none that the person may change (404).
        """
        viewer = await self._viewers.changer(request)
        return viewer, one_of(await self._funnels.of_site(viewer.site.id), request.http.path_params["funnel"])

    async def _show(self, request: PageRequest, viewer: Viewer, problems: Problems = NO_PROBLEMS) -> Response:
        goals, funnels = await self._goals_of(viewer), await self._funnels.of_site(viewer.site.id)
        listed = [
            (each, [(step.name or step_text(step, goals), step.optional) for step in each.steps]) for each in funnels
        ]
        kept = number_in(request.http.query_params.get("funnel", ""), DIGITS_OF_ID)
        values = {
            "funnels": listed,
            "kept": next((each for each in funnels if each.id == kept), None),
            **await self._form_values(request, viewer, goals, _typed(request.form), problems),
        }
        return await self._services.show(request, "goals/funnels.html", values)

    async def _show_funnel(
        self, request: PageRequest, viewer: Viewer, funnel: Funnel, problems: Problems = NO_PROBLEMS
    ) -> Response:
        goals = await self._goals_of(viewer)
        typed = _typed(request.form) if problems else _stored(funnel, goals)
        values = {"funnel": funnel, **await self._form_values(request, viewer, goals, typed, problems)}
        return await self._services.show(request, "goals/funnel.html", values)

    async def _form_values(
        self, request: PageRequest, viewer: Viewer, goals: Sequence[Goal], typed: Mapping[str, Any], problems: Problems
    ) -> dict[str, Any]:
        statistics = self._services.statistics
        return {
            "viewer": viewer,
            "typed": typed,
            "problems": problems,
            "limits": LIMITS,
            "goals": [(goal_text(goal), goal.name) for goal in goals],
            "pages": await offered_names(statistics, request, viewer, "page"),
            "events": await offered_names(statistics, request, viewer, "event"),
        }


def _rows(form: Form) -> list[StepRow]:
    """The rows of a form, also those without a step."""
    chosen = form.numbers("optional")
    rows = zip(form.all("step"), form.all("called"), strict=False)
    return [
        StepRow(text.strip(), name.strip(), place in chosen)
        for place, (text, name) in enumerate(list(rows)[:MAX_STEPS])
    ]


def _steps(rows: Sequence[StepRow], goals: Sequence[Goal], stored: Sequence[FunnelStep] = ()) -> tuple[FunnelStep, ...]:
    """The steps that rows stand for. What is not changed stays what it was, however it would be read.

    Args:
        goals: of the site.
        stored: the steps before.

    Raises:
        InvalidFields: the site has no such goal; fields are numbered like steps.
    """
    known = {step_text(step, goals): step for step in stored}
    steps: list[FunnelStep] = []
    problems: dict[str, list[str]] = {}
    for number, row in enumerate(row for row in rows if row.text):
        try:
            step = known.get(row.text) or step_of(row.text, goals)
        except NotThere as error:
            problems[f"steps/{number}"] = [str(error)]
        else:
            steps.append(replace(step, name=row.name, optional=row.optional))
    if problems:
        raise InvalidFields(problems)
    return tuple(steps)


def _typed(form: Form) -> Mapping[str, Any]:
    return _with_empty_rows(form.text("name"), form.checked("strict"), _rows(form))


def _stored(funnel: Funnel, goals: Sequence[Goal]) -> Mapping[str, Any]:
    rows = [StepRow(step_text(step, goals), step.name, step.optional) for step in funnel.steps]
    return _with_empty_rows(funnel.name, funnel.strict, rows)


def _with_empty_rows(name: str, strict: bool, rows: Sequence[StepRow]) -> Mapping[str, Any]:  # noqa: FBT001
    return {"name": name, "strict": strict, "rows": [*rows, *[StepRow()] * MAX_STEPS][:MAX_STEPS]}


def _problems(error: InputRefused, rows: Sequence[StepRow]) -> Problems:
    """The messages of a refusal, those about steps by the places of their rows."""
    if isinstance(error, Conflicting):
        return {"name": [str(error)]}
    places = [place for place, row in enumerate(rows) if row.text]
    renamed = {f"steps/{number}": f"step-{place}" for number, place in enumerate(places)}
    return problems_of(error, **renamed)


def _plain(funnel: Funnel) -> dict[str, Any]:
    """A funnel, as the API has it."""
    return {**funnel_as_data(funnel), **times(funnel)}
