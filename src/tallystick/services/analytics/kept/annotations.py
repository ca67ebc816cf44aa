"""Annotations of sites and of people. Functions of ``(session, ...)``; times in ms.

A person is an account's id; None is who acts for the site only, and sees no annotation of a person.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import NotPermitted, NotThere
from tallystick.ledger import Ledger, Session
from tallystick.model.annotation import MAX_ANNOTATIONS, MAX_OWN_ANNOTATIONS, Annotation, AnnotationKind
from tallystick.model.kept_rules import annotation_problems
from tallystick.services.analytics.kept.keeping import begin, changed_fields, check, check_room
from tallystick.services.annotating import ANNOTATION

FIRST, AFTER_LAST = "0000-00-00", "9999-99-99"
"""Texts before and behind every date."""
BEHIND_A_DAY = "~"
"""Behind a date, it sorts behind all minutes of the day."""
MOST_AT_ONCE = 1_000


class AnnotationChanges(Struct, frozen=True, kw_only=True):
    """Changes of an annotation; unset fields stay as they are.

    Attributes:
        owner: None gives it to the site.
    """

    at: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    link: str | UnsetType = UNSET
    owner: int | UnsetType | None = UNSET


class AnnotationsAsked(Struct, frozen=True, kw_only=True):
    """Which annotations are read.

    Attributes:
        first, last: dates, both included; empty for no bound.
        kind: empty for every kind.
        after: the place of an annotation: those behind it are read.
        limit: at most this many.
    """

    first: str = ""
    last: str = ""
    kind: AnnotationKind | None = None
    after: tuple[str, int] = ("", 0)
    limit: int = MOST_AT_ONCE


EVERY_ONE = AnnotationsAsked()
"""The first of all annotations."""


def annotations_of(session: Session, site: int, person: int | None, asked: AnnotationsAsked) -> tuple[Annotation, ...]:
    """Annotations that a person sees, by time."""
    rows = session.common.annotations_between(
        session.connection,
        site=site,
        account=0 if person is None else person,
        first=asked.first or FIRST,
        after=f"{asked.last}{BEHIND_A_DAY}" if asked.last else AFTER_LAST,
        kind=asked.kind or "",
        after_at=asked.after[0],
        after_id=asked.after[1],
        max_rows=min(asked.limit, MOST_AT_ONCE),
    )
    return tuple(map(_from_row, rows))


def annotation(session: Session, site: int, number: int, person: int | None) -> Annotation:
    """An annotation that a person sees.

    Raises:
        NotThere: there is no such annotation, or it is another person's.
    """
    row = session.common.annotation_by_id(session.connection, id=number, site=site)
    found = None if row is None else _from_row(row)
    if found is None or found.owner not in {None, person}:
        msg = f"the site has no annotation {number}"
        raise NotThere(msg)
    return found


def create_annotation(session: Session, new: Annotation, now: int) -> Annotation:
    """Store a new annotation of a person or of a site.

    Raises:
        InvalidFields: a field is not valid.
        NotThere: there is no such site.
        InputRefused: the site has too many annotations.
    """
    begin(session, new.site)
    new = _normal(replace(new, kind="note"))
    check(annotation_problems(new))
    _check_room(session, new.site, new.owner)
    made = replace(new, id=session.take_numbers(ANNOTATION), created=now, updated=now)
    session.common.add_annotation(session.connection, site=made.site, kind=made.kind, created=now, **_columns(made))
    return made


def change_annotation(  # noqa: PLR0913, PLR0917  # which, of whom, how and when
    session: Session, site: int, number: int, person: int | None, changes: AnnotationChanges, now: int
) -> Annotation:
    """Change an annotation that a person sees. One of the server keeps its kind.

    Raises:
        InvalidFields: a field is not valid.
        NotPermitted: another person would own it, or a person one of the server.
        NotThere: there is no such annotation, or it is another person's.
    """
    begin(session, site)
    before = annotation(session, site, number, person)
    after = _normal(replace(before, **changed_fields(changes), updated=now))
    check(annotation_problems(after))
    if after.owner not in {None, person}:
        msg = "an annotation can be your own or the site's, but not another person's"
        raise NotPermitted(msg)
    if before.owner != after.owner:
        _check_room(session, site, after.owner)
    if after.owner is not None and after.kind != "note":
        msg = "an annotation of the server belongs to the site"
        raise NotPermitted(msg)
    session.common.change_annotation(session.connection, site=site, **_columns(after))
    return after


def delete_annotation(session: Session, site: int, number: int, person: int | None) -> None:
    """Delete an annotation that a person sees.

    Raises:
        NotThere: there is no such annotation, or it is another person's.
    """
    begin(session, site)
    annotation(session, site, number, person)
    session.common.delete_annotation(session.connection, id=number, site=site)


class Annotations:
    """The annotations of sites."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def visible(
        self, site_id: int, account_id: int | None, asked: AnnotationsAsked = EVERY_ONE
    ) -> tuple[Annotation, ...]:
        """Annotations of a site and a person's own there, by time.

        Raises:
            StoreUnavailable
        """
        return await self._ledger.read(annotations_of, site_id, account_id, asked)

    async def get(self, site_id: int, number: int, account_id: int | None) -> Annotation:
        """An annotation that a person sees.

        Raises:
            NotThere: there is none.
            StoreUnavailable
        """
        return await self._ledger.read(annotation, site_id, number, account_id)


def _normal(one: Annotation) -> Annotation:
    at = one.at.strip().replace("T", " ")
    return replace(one, at=at, text=one.text.strip(), link=one.link.strip())


def _check_room(session: Session, site: int, person: int | None) -> None:
    """Refuse one annotation more than a person may have, or than the site may have of its own."""
    of_site, own = session.common.count_notes(session.connection, site=site, owner=0 if person is None else person)
    if person is None:
        check_room(of_site, MAX_ANNOTATIONS, "annotations")
    else:
        check_room(own, MAX_OWN_ANNOTATIONS, "annotations of yours")


def _columns(one: Annotation) -> dict[str, Any]:
    return {"id": one.id, "at": one.at, "text": one.text, "link": one.link, "owner": one.owner, "updated": one.updated}


def _from_row(row: Sequence[Any]) -> Annotation:
    number, site, at, text, link, kind, owner, created, updated = row
    return Annotation(
        id=number,
        site=site,
        at=at,
        text=text,
        link=link,
        kind=kind,
        owner=owner,
        created=created,
        updated=updated,
    )
