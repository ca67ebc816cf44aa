"""Rules that count pages under one path, ``/sites/{site}/paths/rules``, and applying one to stored paths."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts.path_rules import put_path_rule, remove_path_rule, valid_path_rule
from tallystick.services.analytics.gathered_paths import Gathering, gather_counted, gatherings
from tallystick.services.jobs import changes_of_paths
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.paths.data import data_address, json_with, plain_gathering
from tallystick.surfaces.dashboard.support.data import wants_json
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

EXAMPLES_SHOWN = 10
EXAMPLES_TO_CONFIRM = 100
_DIGITS_OF_PLACE = 3
_NO_RULE: Problems = {"": [N_("the site does not have this rule any more, so nothing was merged")]}


class PathRulePages:
    """Shows, adds, moves and removes the rules of a site, and applies them to stored paths."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger
        self._questions, self._people = services.statistics.questions, Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """The rules, and with one in the address what it would gather if it were the last one."""
        viewer = await self._people.changer(request)
        text = request.http.query_params.get("rule")
        try:
            rule = "" if text is None else valid_path_rule(text)
        except InputRefused as error:
            return await self._show(request, viewer, text or "", problems=problems_of(error))
        return await self._show(request, viewer, text or "", rule)

    async def put(self, request: PageRequest) -> Response:
        """Add a rule, or move it to the place in the form."""
        viewer, text = await self._people.changer(request), request.form.text("rule")
        place = number_in(request.form.text("place"), _DIGITS_OF_PLACE)
        try:
            await self._services.write(request, put_path_rule, viewer.site.id, text, request.now, place)
        except InputRefused as error:
            return await self._show(request, viewer, text, problems=problems_of(error))
        return see_other(f"{viewer.base}/paths/rules?done={'added' if place is None else 'moved'}")

    async def remove(self, request: PageRequest) -> Response:
        """Remove a rule."""
        viewer = await self._people.changer(request)
        rule = request.form.text("rule")
        await self._services.write(request, remove_path_rule, viewer.site.id, rule, request.now)
        return see_other(f"{viewer.base}/paths/rules?done=removed")

    async def _show(
        self, request: PageRequest, viewer: Viewer, text: str, rule: str = "", *, problems: Problems = NO_PROBLEMS
    ) -> Response:
        site = viewer.site
        known = rule in site.settings.path_rules
        asked = [*site.settings.path_rules, *([rule] if rule and not known else [])]
        found = await gatherings(self._ledger, self._questions, site.id, asked, EXAMPLES_SHOWN)
        preview = found[-1] if rule and not known else None
        rules = found[: len(site.settings.path_rules)]
        changes = await self._ledger.read(changes_of_paths, site.id)
        if wants_json(request):
            plain_preview = None if preview is None else plain_gathering(preview)
            listed = [plain_gathering(each) for each in rules]
            return json_with({"rules": listed, "preview": plain_preview, "changes": changes}, problems)
        values = {
            "viewer": viewer,
            "base": viewer.base,
            "rules": rules,
            "preview": preview,
            "known": known,
            "typed": text,
            "changes": changes,
            "data_address": data_address(request),
            "problems": problems,
        }
        return await self._services.show(request, "paths/rules.html", values)

    # What was counted already.

    async def apply_page(self, request: PageRequest) -> Response:
        """Which stored paths a rule of the site would gather."""
        viewer = await self._people.changer(request)
        return await self._show_apply(request, viewer, request.http.query_params.get("rule", ""))

    async def apply(self, request: PageRequest) -> Response:
        """Merge them."""
        viewer, rule = await self._people.changer(request), request.form.text("rule")
        rules = viewer.site.settings.path_rules
        if rule not in rules:
            return await self._show(request, viewer, "", problems=_NO_RULE)
        try:
            await gather_counted(self._ledger, viewer.site.id, rules, rule, request.now, request.account)
        except InputRefused as error:
            return await self._show(request, viewer, "", problems=problems_of(error))
        return see_other(f"{viewer.base}/paths/rules?done=applied")

    async def _show_apply(self, request: PageRequest, viewer: Viewer, rule: str) -> Response:
        gathering = await self._gathering(viewer, rule)
        if wants_json(request):
            return json_with(plain_gathering(gathering), NO_PROBLEMS)
        values = {
            "viewer": viewer,
            "base": viewer.base,
            "gathering": gathering,
            "data_address": data_address(request),
            "problems": NO_PROBLEMS,
        }
        return await self._services.show(request, "paths/apply.html", values)

    async def _gathering(self, viewer: Viewer, rule: str) -> Gathering:
        """What a rule gathers.

        Raises:
            HTTPException: the site has no such rule (404).
        """
        rules = viewer.site.settings.path_rules
        if rule not in rules:
            raise HTTPException(404)
        found = await gatherings(self._ledger, self._questions, viewer.site.id, rules, EXAMPLES_TO_CONFIRM)
        return next(each for each in found if each.rule == rule)
