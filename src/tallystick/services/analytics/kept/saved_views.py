"""Saved views of sites and of people. Functions of ``(session, ...)``; times in ms."""

from msgspec.structs import replace

from tallystick.errors import NotPermitted
from tallystick.ledger import Session
from tallystick.model.kept_rules import saved_view_problems
from tallystick.model.saved_view import MAX_OWN_SAVED_VIEWS, MAX_SAVED_VIEWS, SavedView
from tallystick.services.accounts.audit import EventKind
from tallystick.services.analytics.kept.keeping import (
    KeptCache,
    begin,
    check,
    check_name,
    check_room,
    log_change,
    pick,
)


def saved_views_of(session: Session, site: int) -> tuple[SavedView, ...]:
    """The views of a site, those of all people, oldest first."""
    return tuple(
        SavedView(id=number, site=of, name=name, owner=owner, query=query, created=created, updated=updated)
        for number, of, name, owner, query, created, updated in session.common.saved_views_of(
            session.connection, site=site
        )
    )


def create_saved_view(session: Session, new: SavedView, now: int) -> SavedView:
    """Store a new view.

    Raises:
        InvalidFields: a field is not valid.
        Conflicting: the site, or the person there, has a view of that name.
        NotThere: there is no such site.
        InputRefused: the site, or the person there, has too many views.
    """
    place = begin(session, new.site)
    new = replace(new, name=new.name.strip())
    check(saved_view_problems(new))
    _check_room(session, new.site, new.owner)
    _check_name(session, new)
    view = replace(new, id=session.take_numbers("saved view"), created=now, updated=now)
    session.common.add_saved_view(
        session.connection,
        id=view.id,
        site=view.site,
        name=view.name,
        owner=view.owner,
        query=view.query,
        created=now,
        updated=now,
    )
    if view.owner is None:
        log_change(session, EventKind.VIEW_CREATED, now, place, view)
    return view


def change_saved_view(  # noqa: PLR0913, PLR0917  # which, of whom, how and when
    session: Session, site: int, number: int, person: int, name: str, owner: int | None, now: int
) -> SavedView:
    """Rename a view that a person sees, and say whose it is.

    Raises:
        InvalidFields: the name is not valid.
        Conflicting: the site, or the person there, has a view of that name.
        NotPermitted: another person would own it.
        NotThere: there is no such view, or it is another person's.
        InputRefused: the site, or the person there, has too many views.
    """
    place = begin(session, site)
    before = _visible(session, site, number, person)
    view = replace(before, name=name.strip(), owner=owner, updated=now)
    check(saved_view_problems(view))
    if owner not in {None, person}:
        msg = "a view can be your own or the site's, but not another person's"
        raise NotPermitted(msg)
    if before.owner != owner:
        _check_room(session, site, owner)
    if (before.name, before.owner) != (view.name, owner):
        _check_name(session, view)
    session.common.change_saved_view(session.connection, id=number, site=site, name=view.name, owner=owner, updated=now)
    if before.owner is None or owner is None:
        log_change(session, EventKind.VIEW_CHANGED, now, place, view)
    return view


def delete_saved_view(session: Session, site: int, number: int, person: int, now: int) -> None:
    """Delete a view that a person sees.

    Raises:
        NotThere: there is no such view, or it is another person's.
    """
    place = begin(session, site)
    view = _visible(session, site, number, person)
    session.common.delete_saved_view(session.connection, id=number, site=site)
    if view.owner is None:
        log_change(session, EventKind.VIEW_DELETED, now, place, view)


class SavedViews:
    """The saved views of sites, behind a cache."""

    def __init__(self, cache: KeptCache) -> None:
        self._cache = cache

    async def visible(self, site: int, person: int) -> tuple[SavedView, ...]:
        """The views of a site and a person's own there, oldest first.

        Raises:
            StoreUnavailable
        """
        found: tuple[SavedView, ...] = (await self._cache.of_sites(saved_views_of, [site]))[site]
        return tuple(each for each in found if each.owner in {None, person})


def _visible(session: Session, site: int, number: int, person: int) -> SavedView:
    found = (each for each in saved_views_of(session, site) if each.owner in {None, person})
    return pick(found, number, "saved view")


def _check_room(session: Session, site: int, owner: int | None) -> None:
    number = sum(each.owner == owner for each in saved_views_of(session, site))
    if owner is None:
        check_room(number, MAX_SAVED_VIEWS, "saved views")
    else:
        check_room(number, MAX_OWN_SAVED_VIEWS, "saved views of yours")


def _check_name(session: Session, view: SavedView) -> None:
    """Refuse a name that another view of the same owner has."""
    alike = (each for each in saved_views_of(session, view.site) if each.owner == view.owner)
    check_name(alike, view, "saved view" if view.owner is None else "saved view of yours")
