"""The notes of a site: ``/sites/{site}/notes``. A person's own are for that person only."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, NotThere
from tallystick.model.annotation import MAX_ANNOTATION_LINK, MAX_ANNOTATION_TEXT, Annotation
from tallystick.services.analytics.kept.annotations import (
    AnnotationChanges,
    change_annotation,
    create_annotation,
    delete_annotation,
)
from tallystick.services.analytics.kept.as_data import annotation_as_data
from tallystick.services.inquiries.asking import today_of
from tallystick.surfaces.dashboard.analytics.chart import note_when
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.support.data import as_json, times, wants_json
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

NOTE_LIMITS: Mapping[str, int] = {"text": MAX_ANNOTATION_TEXT, "link": MAX_ANNOTATION_LINK}
"""Characters of the fields of a note."""

_id = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_page_of_a_site = re.compile(r"/sites/[!-~]*", re.ASCII)


class NotesPages:
    """Lists, adds, changes and deletes the notes of a site.

    Who sees a site's statistics may have notes of their own; those of the site are for people who may change it.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._annotations = services, services.statistics.annotations
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """All notes of a site that the person sees, and a form for another one; also as JSON."""
        viewer = await self._viewers.keeper(request)
        if wants_json(request):
            return as_json({"notes": [_plain(viewer, note) for note in await self._newest_first(request, viewer)]})
        return await self._show(request, viewer)

    async def create(self, request: PageRequest) -> Response:
        """Add a note, and show the page that had the form."""
        viewer = await self._viewers.keeper(request)
        form = request.form
        new = Annotation(
            site=viewer.site.id,
            at=_moment(form),
            text=form.text("text"),
            link=form.text("link"),
            owner=viewer.owner(form.text("whose")),
        )
        try:
            await self._services.write(request, create_annotation, new, request.now)
        except InputRefused as error:
            return await self._show(request, viewer, problems_of(error, at="date"))
        back = form.text("back")
        return see_other(back if _page_of_a_site.fullmatch(back) else f"{viewer.base}/notes?done=added")

    async def note_page(self, request: PageRequest) -> Response:
        """The form that changes a note; the note as JSON."""
        viewer, note = await self._note(request)
        return as_json(_plain(viewer, note)) if wants_json(request) else await self._show_note(request, viewer, note)

    async def change(self, request: PageRequest) -> Response:
        """Change a note."""
        viewer, note = await self._note(request)
        form = request.form
        changes = AnnotationChanges(
            at=_moment(form),
            text=form.text("text"),
            link=form.text("link"),
            owner=viewer.owner(form.text("whose")) if note.kind == "note" else None,
        )
        try:
            await self._services.write_or_404(
                request, change_annotation, viewer.site.id, note.id, request.account.id, changes, request.now
            )
        except InputRefused as error:
            return await self._show_note(request, viewer, note, problems_of(error, at="date"))
        return see_other(f"{viewer.base}/notes?done=changed")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a note."""
        viewer, note = await self._note(request)
        await self._services.write_or_404(request, delete_annotation, viewer.site.id, note.id, request.account.id)
        return see_other(f"{viewer.base}/notes?done=deleted")

    async def _note(self, request: PageRequest) -> tuple[Viewer, Annotation]:
        """The note in the path.

        Raises:
            HTTPException: there is none that the person may change (404).
        """
        viewer = await self._viewers.keeper(request)
        number = request.http.path_params["note"]
        if _id.fullmatch(number):
            try:
                note = await self._annotations.get(viewer.site.id, int(number), request.account.id)
            except NotThere as error:
                raise HTTPException(404) from error
            if viewer.may_edit(note.owner):
                return viewer, note
        raise HTTPException(404)

    async def _newest_first(self, request: PageRequest, viewer: Viewer) -> list[Annotation]:
        return list(reversed(await self._annotations.visible(viewer.site.id, request.account.id)))

    async def _show(self, request: PageRequest, viewer: Viewer, problems: Problems = NO_PROBLEMS) -> Response:
        notes = await self._newest_first(request, viewer)
        today = await asyncio.to_thread(today_of, viewer.sites, request.now)
        typed = _typed(request.form) if problems else {**_typed(Form()), "date": today.date.isoformat()}
        listed = [(note, note_when(request.language, note.at), viewer.may_edit(note.owner)) for note in notes]
        values = {"viewer": viewer, "notes": listed, "typed": typed, "problems": problems, "limits": NOTE_LIMITS}
        return await self._services.show(request, "analytics/notes.html", values)

    async def _show_note(
        self, request: PageRequest, viewer: Viewer, note: Annotation, problems: Problems = NO_PROBLEMS
    ) -> Response:
        typed = _typed(request.form) if problems else _filled(note)
        values = {"viewer": viewer, "note": note, "typed": typed, "problems": problems, "limits": NOTE_LIMITS}
        return await self._services.show(request, "analytics/note.html", values)


def _plain(viewer: Viewer, note: Annotation) -> dict[str, Any]:
    """A note as data."""
    return {**annotation_as_data(note), "may_edit": viewer.may_edit(note.owner), **times(note)}


def _filled(note: Annotation) -> Mapping[str, str]:
    """The form's values for a stored note."""
    day, _, minute = note.at.partition(" ")
    whose = "site" if note.owner is None else "own"
    return {"date": day, "time": minute, "text": note.text, "link": note.link, "whose": whose, "back": ""}


def _typed(form: Form) -> Mapping[str, str]:
    """The form's values as submitted."""
    return {name: form.text(name) for name in ("date", "time", "text", "link", "whose", "back")}


def _moment(form: Form) -> str:
    return f"{form.text('date')} {form.text('time')}".strip()
