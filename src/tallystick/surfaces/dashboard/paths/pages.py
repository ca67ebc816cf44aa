"""The paths of a site, ``/sites/{site}/paths``, and what renaming, merging and deleting some of them would change.

Each change has a page of its own, by GET, that says what it will do; its form does it. What is chosen in the list goes
along, to come back to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.text import storable
from tallystick.services.analytics.names import path_called
from tallystick.services.analytics.path_changes import (
    PATHS_AT_ONCE,
    delete_paths,
    gather_paths,
    rename_path,
    require_one_kind,
    valid_name,
)
from tallystick.services.analytics.stored_paths import (
    PathKind,
    PathSearch,
    StoredPath,
    list_stored_paths,
    stored_paths,
)
from tallystick.services.jobs import changes_of_paths
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.paths.data import data_address, json_with, plain_path
from tallystick.surfaces.dashboard.support.data import wants_json
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

ROWS = 100
LIST_FIELDS = ("find", "kind", "sort", "from")
"""What chooses the part of the list that is shown."""
KINDS: Mapping[PathKind, str] = {
    PathKind.ALL: N_("Pages and events"),
    PathKind.PAGES: N_("Pages"),
    PathKind.EVENTS: N_("Events"),
    PathKind.BOTS: N_("Only requested by bots"),
}

_NONE_CHOSEN: Problems = {"": [N_("choose at least one path")]}
_ONE_AT_A_TIME: Problems = {"": [N_("choose one path to rename; merging makes one path of several")]}
_GONE: Problems = {
    "": [N_("the chosen paths are not there any more: they were merged or deleted before; nothing was changed now")]
}
_SOME_GONE: Problems = {
    "": [N_("some chosen paths are not there any more: they were merged or deleted before; nothing was changed now")]
}


class Merging(Struct, frozen=True):
    """What merging would do.

    Attributes:
        name: of the path that there will be.
        into: the path that stays. Where there was none of that name, it is one of those chosen, which is renamed.
        moved: paths that will be gone.
    """

    name: str
    into: StoredPath
    moved: tuple[StoredPath, ...]

    @property
    def renames(self) -> bool:
        """Whether the path that stays gets another name."""
        return self.into.path != self.name


class PathPages:
    """Lists the paths of a site, and renames, merges and deletes them."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger
        self._questions, self._people = services.statistics.questions, Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """The paths of a site with their hits."""
        return await self._show_list(request, await self._people.changer(request))

    async def _show_list(self, request: PageRequest, viewer: Viewer, problems: Problems = NO_PROBLEMS) -> Response:
        site, fields = viewer.site.id, _list_fields(request)
        kind = PathKind(fields["kind"]) if fields.get("kind") in set(PathKind) else PathKind.ALL
        search = PathSearch(kind, fields.get("find", "").strip(), by_name=fields.get("sort") == "name")
        offset = number_in(fields.get("from", ""), 9) or 0
        listed = await list_stored_paths(self._ledger, self._questions, site, search, ROWS, offset)
        changes = await self._ledger.read(changes_of_paths, site)
        if wants_json(request):
            rows = [plain_path(path) for path in listed.rows]
            return json_with({"paths": rows, "total": listed.total, "from": offset, "changes": changes}, problems)
        values = {
            "listed": listed,
            "changes": changes,
            "search": search,
            "kinds": KINDS,
            "offset": offset,
            "step": ROWS,
            "at_row": lambda row: _list_address(viewer, fields | {"from": str(row or "")}),
            "here_again": _list_address(viewer, fields),
        }
        return await self._show(request, viewer, "paths/list.html", values, problems)

    # Renaming.

    async def rename_page(self, request: PageRequest) -> Response:
        """A form for a new name; with one in the address what it would change."""
        viewer = await self._people.changer(request)
        return await self._show_rename(request, viewer, _chosen(request), request.http.query_params.get("name"))

    async def rename(self, request: PageRequest) -> Response:
        """Rename a path."""
        viewer, chosen = await self._people.changer(request), request.form.numbers("path")
        if len(chosen) == 1:
            name = request.form.text("name")
            try:
                await self._services.write(request, rename_path, viewer.site.id, chosen[0], name, request.now)
            except InputRefused as error:
                return await self._show_rename(request, viewer, chosen, name, problems_of(error))
            return see_other(_list_address(viewer, _list_fields(request) | {"done": "renamed"}))
        return await self._show_rename(request, viewer, chosen)

    async def _show_rename(
        self,
        request: PageRequest,
        viewer: Viewer,
        chosen: Sequence[int],
        text: str | None = None,
        problems: Problems = NO_PROBLEMS,
    ) -> Response:
        found = await self._found(viewer, chosen)
        if len(found) != 1:
            lacking = _lacking(chosen, found, problems)
            return await self._show_list(request, viewer, _ONE_AT_A_TIME if len(chosen) > 1 else lacking)
        (path,), name, taken = found, "", None
        if text is not None:
            try:
                name = valid_name(text, event=path.event)
                other = await self._called(viewer, name)
                taken = None if other == path else other
            except InputRefused as error:
                problems = problems or problems_of(error)
        if wants_json(request):
            other_path = None if taken is None else plain_path(taken)
            return json_with({"path": plain_path(path), "name": name or None, "taken_by": other_path}, problems)
        values = {"path": path, "typed": path.path if text is None else text, "name": name, "taken": taken}
        return await self._show(request, viewer, "paths/rename.html", values, problems)

    # Merging.

    async def merge_page(self, request: PageRequest) -> Response:
        """A form for the name of the path that gets the hits; with one in the address what it would change."""
        viewer = await self._people.changer(request)
        return await self._show_merge(request, viewer, _chosen(request), request.http.query_params.get("into"))

    async def merge(self, request: PageRequest) -> Response:
        """Make one path of several."""
        viewer, chosen = await self._people.changer(request), request.form.numbers("path")
        name = request.form.text("into")
        try:
            await self._services.write(request, gather_paths, viewer.site.id, chosen, name, request.now)
        except InputRefused as error:
            return await self._show_merge(request, viewer, chosen, name, problems_of(error, name="into"))
        return see_other(_list_address(viewer, _list_fields(request) | {"done": "merged"}))

    async def _show_merge(
        self,
        request: PageRequest,
        viewer: Viewer,
        chosen: Sequence[int],
        text: str | None = None,
        problems: Problems = NO_PROBLEMS,
    ) -> Response:
        found, merging = await self._found(viewer, chosen), None
        if lacking := _lacking(chosen, found, problems):
            return await self._show_list(request, viewer, lacking)
        try:
            require_one_kind(path.event for path in found)
            if text is not None:
                merging = await self._merging(viewer, found, valid_name(text, event=found[0].event))
        except InputRefused as error:
            problems = problems or problems_of(error, name="into")
        if wants_json(request):
            return json_with(
                {**_plain_sum(found), "merging": None if merging is None else _plain_merging(merging)}, problems
            )
        typed = found[0].path if text is None else text
        values = {"found": found, "typed": typed, "merging": merging}
        return await self._show(request, viewer, "paths/merge.html", values, problems)

    async def _merging(self, viewer: Viewer, found: Sequence[StoredPath], name: str) -> Merging:
        there = await self._called(viewer, name)
        into = found[0] if there is None else there
        return Merging(name if there is None else there.path, into, tuple(path for path in found if path.id != into.id))

    # Deleting.

    async def delete_page(self, request: PageRequest) -> Response:
        """Which paths would be deleted, with how many hits."""
        return await self._show_delete(request, await self._people.changer(request), _chosen(request))

    async def delete(self, request: PageRequest) -> Response:
        """Delete paths with their hits."""
        viewer, chosen = await self._people.changer(request), request.form.numbers("path")
        try:
            await self._services.write(request, delete_paths, viewer.site.id, chosen, request.now)
        except InputRefused as error:
            return await self._show_delete(request, viewer, chosen, problems_of(error))
        return see_other(_list_address(viewer, _list_fields(request) | {"done": "deleted"}))

    async def _show_delete(
        self, request: PageRequest, viewer: Viewer, chosen: Sequence[int], problems: Problems = NO_PROBLEMS
    ) -> Response:
        found = await self._found(viewer, chosen)
        if lacking := _lacking(chosen, found, problems):
            return await self._show_list(request, viewer, lacking)
        if wants_json(request):
            return json_with(_plain_sum(found), problems)
        return await self._show(request, viewer, "paths/delete.html", {"found": found}, problems)

    # What they share.

    async def _found(self, viewer: Viewer, chosen: Sequence[int]) -> tuple[StoredPath, ...]:
        """The chosen paths that the site has, those with most hits first."""
        return await stored_paths(self._ledger, self._questions, viewer.site.id, chosen[:PATHS_AT_ONCE])

    async def _called(self, viewer: Viewer, name: str) -> StoredPath | None:
        """The path of the site with a name."""
        id_ = await self._ledger.read(path_called, viewer.site.id, name)
        found = [] if id_ is None else await self._found(viewer, [id_])
        return found[0] if found else None

    async def _show(
        self, request: PageRequest, viewer: Viewer, template: str, values: Mapping[str, Any], problems: Problems
    ) -> Response:
        fields = _list_fields(request)
        shared = {
            "viewer": viewer,
            "base": viewer.base,
            "own_fields": list(fields.items()),
            "list_address": _list_address(viewer, fields),
            "data_address": data_address(request),
            "problems": problems,
        }
        return await self._services.show(request, template, {**shared, **values})


def _chosen(request: PageRequest) -> list[int]:
    """The ids of the paths in an address."""
    numbers = (number_in(text, 15) for text in request.http.query_params.getlist("path"))
    return list(dict.fromkeys(number for number in numbers if number))


def _lacking(chosen: Sequence[int], found: Sequence[StoredPath], problems: Problems) -> Problems:
    """Why the list is shown in place of the chosen paths; empty where enough of them are there.

    Args:
        problems: of a change that was refused, such as one that was sent twice: it needs all of them.
    """
    if not found:
        return _GONE if chosen else _NONE_CHOSEN
    return _SOME_GONE if problems and len(found) < len(set(chosen[:PATHS_AT_ONCE])) else NO_PROBLEMS


def _list_fields(request: PageRequest) -> dict[str, str]:
    """What chooses the part of the list, from the address or a form."""
    query, form = request.http.query_params, request.form
    found = {name: form.text(name) or storable(query.get(name, "")) for name in LIST_FIELDS}
    return {name: text for name, text in found.items() if text}


def _list_address(viewer: Viewer, fields: Mapping[str, str]) -> str:
    query = urlencode({name: text for name, text in fields.items() if text})
    return f"{viewer.base}/paths{'?' if query else ''}{query}"


def _plain_sum(found: Sequence[StoredPath]) -> dict[str, Any]:
    hits, bots = sum(path.hits for path in found), sum(path.bots for path in found)
    return {"paths": [plain_path(path) for path in found], "hits": hits, "hits_of_bots": bots}


def _plain_merging(merging: Merging) -> dict[str, Any]:
    hits = merging.into.hits + sum(path.hits for path in merging.moved)
    return {
        "name": merging.name,
        "into": plain_path(merging.into),
        "renamed": merging.renames,
        "gone": [path.path for path in merging.moved],
        "hits_afterwards": hits,
    }
