"""The goals of a site: ``/sites/{site}/settings/goals``. Only people who may change the site see these pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tallystick.errors import Conflicting, InputRefused
from tallystick.model.goal import MAX_GOAL_NAME, MAX_GOAL_PROPS, Goal
from tallystick.model.path import MAX_PATH
from tallystick.model.props import MAX_PROP_NAME, MAX_PROP_VALUE
from tallystick.services.analytics.kept.as_data import goal_as_data
from tallystick.services.analytics.kept.goals import GoalChanges, change_goal, create_goal, delete_goal
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.goals.offered import offered_names
from tallystick.surfaces.dashboard.support.data import as_json, times, wants_json
from tallystick.surfaces.dashboard.support.forms import Form, one_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

LIMITS = {"name": MAX_GOAL_NAME, "path": MAX_PATH, "prop": MAX_PROP_NAME, "value": MAX_PROP_VALUE}
_EMPTY = ("", "")


class GoalPages:
    """Lists, adds, changes and deletes the goals of a site."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._goals = services, services.statistics.goals
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """All goals, and a form for another one; also as JSON."""
        viewer = await self._viewers.changer(request)
        if wants_json(request):
            return as_json({"goals": [_plain(goal) for goal in await self._of(viewer)]})
        return await self._show(request, viewer)

    async def create(self, request: PageRequest) -> Response:
        """Add a goal."""
        viewer = await self._viewers.changer(request)
        new = Goal(site=viewer.site.id, **_fields(request.form))
        try:
            await self._services.write(request, create_goal, new, request.now)
        except InputRefused as error:
            return await self._show(request, viewer, _problems(error))
        return see_other(f"{viewer.base}/settings/goals?done=added")

    async def goal_page(self, request: PageRequest) -> Response:
        """The form that changes a goal; the goal as JSON."""
        viewer, goal = await self._goal(request)
        return as_json(_plain(goal)) if wants_json(request) else await self._show_goal(request, viewer, goal)

    async def change(self, request: PageRequest) -> Response:
        """Change a goal."""
        viewer, goal = await self._goal(request)
        changes = GoalChanges(**_fields(request.form))
        try:
            await self._services.write_or_404(request, change_goal, viewer.site.id, goal.id, changes, request.now)
        except InputRefused as error:
            return await self._show_goal(request, viewer, goal, _problems(error))
        return see_other(f"{viewer.base}/settings/goals?done=changed")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a goal."""
        viewer, goal = await self._goal(request)
        try:
            await self._services.write_or_404(
                request, delete_goal, viewer.site.id, goal.id, request.now, request.account.id
            )
        except InputRefused as error:
            return await self._show_goal(request, viewer, goal, problems_of(error), typed=_stored(goal))
        return see_other(f"{viewer.base}/settings/goals?done=deleted")

    async def _of(self, viewer: Viewer) -> Sequence[Goal]:
        return (await self._goals.of_sites([viewer.site.id]))[viewer.site.id]

    async def _goal(self, request: PageRequest) -> tuple[Viewer, Goal]:
        """The goal in the path.

        Raises:
            HTTPException: there is none that the person may change (404).
        """
        viewer = await self._viewers.changer(request)
        return viewer, one_of(await self._of(viewer), request.http.path_params["goal"])

    async def _show(self, request: PageRequest, viewer: Viewer, problems: Problems = NO_PROBLEMS) -> Response:
        listed = [(goal, View().filtered("goal", goal.name).at(viewer.base)) for goal in await self._of(viewer)]
        values = {"goals": listed, **await self._form_values(request, viewer, _typed(request.form), problems)}
        return await self._services.show(request, "goals/goals.html", values)

    async def _show_goal(
        self,
        request: PageRequest,
        viewer: Viewer,
        goal: Goal,
        problems: Problems = NO_PROBLEMS,
        typed: Mapping[str, Any] | None = None,
    ) -> Response:
        typed = typed or (_typed(request.form) if problems else _stored(goal))
        values = {"goal": goal, **await self._form_values(request, viewer, typed, problems)}
        return await self._services.show(request, "goals/goal.html", values)

    async def _form_values(
        self, request: PageRequest, viewer: Viewer, typed: Mapping[str, Any], problems: Problems
    ) -> dict[str, Any]:
        statistics = self._services.statistics
        return {
            "viewer": viewer,
            "typed": typed,
            "problems": problems,
            "limits": LIMITS,
            "pages": await offered_names(statistics, request, viewer, "page"),
            "events": await offered_names(statistics, request, viewer, "event"),
        }


def _pairs(form: Form) -> list[tuple[str, str]]:
    """The properties in a form; rows that are left empty are none."""
    rows = zip(form.all("prop"), form.all("value"), strict=False)
    return [(name.strip(), value) for name, value in rows if name.strip() or value]


def _fields(form: Form) -> dict[str, Any]:
    return {**{name: form.text(name) for name in ("name", "page", "event")}, "props": tuple(_pairs(form))}


def _typed(form: Form) -> Mapping[str, Any]:
    return _with_empty_rows(_fields(form))


def _stored(goal: Goal) -> Mapping[str, Any]:
    return _with_empty_rows({"name": goal.name, "page": goal.page, "event": goal.event, "props": goal.props})


def _with_empty_rows(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**fields, "props": [*fields["props"], *[_EMPTY] * MAX_GOAL_PROPS][:MAX_GOAL_PROPS]}


def _problems(error: InputRefused) -> Problems:
    """The messages of a refusal; one about a name that is taken stands at the name."""
    return {"name": [str(error)]} if isinstance(error, Conflicting) else problems_of(error)


def _plain(goal: Goal) -> dict[str, Any]:
    """A goal, as the API has it."""
    return {**goal_as_data(goal), **times(goal)}
