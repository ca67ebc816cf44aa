"""Segments of sites and of people. Functions of ``(session, ...)``; times in ms.

A person is an account's id; None is who acts for the site only, and sees no segment of a person.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import NotPermitted
from tallystick.ledger import Session
from tallystick.model.kept_rules import segment_problems
from tallystick.model.segment import MAX_OWN_SEGMENTS, MAX_SEGMENTS, Segment
from tallystick.services.accounts.audit import EventKind
from tallystick.services.analytics.kept.keeping import (
    KeptCache,
    begin,
    changed_fields,
    check,
    check_room,
    log_change,
    pick,
    pick_named,
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Any]).decode


class SegmentChanges(Struct, frozen=True, kw_only=True):
    """Changes of a segment; unset fields stay as they are.

    Attributes:
        owner: None gives it to the site.
    """

    name: str | UnsetType = UNSET
    filters: list[Any] | UnsetType = UNSET
    owner: int | UnsetType | None = UNSET


def segments_of(session: Session, site: int) -> tuple[Segment, ...]:
    """The segments of a site, those of all people, oldest first."""
    return tuple(
        Segment(id=number, site=of, name=name, owner=owner, filters=_decode(filters), created=created, updated=updated)
        for number, of, name, owner, filters, created, updated in session.common.segments_of(
            session.connection, site=site
        )
    )


def is_visible(segment: Segment, person: int | None) -> bool:
    """Whether a segment is one of the site, or the person's own."""
    return segment.owner is None or segment.owner == person


def create_segment(session: Session, new: Segment, now: int) -> Segment:
    """Store a new segment.

    Raises:
        InvalidFields: a field is not valid.
        NotThere: there is no such site.
        InputRefused: the site has too many segments.
    """
    place, segments = begin(session, new.site), segments_of(session, new.site)
    new = replace(new, name=new.name.strip())
    check(segment_problems(new))
    check_segment_room(segments, new.owner)
    segment = replace(new, id=session.take_numbers("segment"), created=now, updated=now)
    session.common.add_segment(session.connection, site=segment.site, created=now, **_columns(segment))
    if segment.owner is None:
        log_change(session, EventKind.SEGMENT_CREATED, now, place, segment)
    return segment


def change_segment(  # noqa: PLR0913, PLR0917  # which, of whom, how and when
    session: Session, site: int, number: int, person: int | None, changes: SegmentChanges, now: int
) -> Segment:
    """Change a segment that a person sees.

    Raises:
        InvalidFields: a field is not valid.
        NotPermitted: another person would own it.
        NotThere: there is no such segment, or it is another person's.
    """
    place = begin(session, site)
    before = visible_segment(session, site, number, person)
    segment = replace(before, **changed_fields(changes), updated=now)
    segment = replace(segment, name=segment.name.strip())
    check(segment_problems(segment))
    if segment.owner not in {None, person}:
        msg = "a segment can be your own or the site's, but not another person's"
        raise NotPermitted(msg)
    if before.owner != segment.owner:
        check_segment_room(segments_of(session, site), segment.owner)
    store_segment(session, segment)
    if before.owner is None or segment.owner is None:
        log_change(session, EventKind.SEGMENT_CHANGED, now, place, segment)
    return segment


def check_segment_room(segments: Iterable[Segment], owner: int | None) -> None:
    """Refuse one segment more than its owner may have: a person on a site, or the site itself.

    Raises:
        InputRefused
    """
    number = sum(each.owner == owner for each in segments)
    if owner is None:
        check_room(number, MAX_SEGMENTS, "segments")
    else:
        check_room(number, MAX_OWN_SEGMENTS, "segments of yours")


def store_segment(session: Session, segment: Segment) -> None:
    """Store a changed segment, without any checks."""
    session.common.change_segment(session.connection, site=segment.site, **_columns(segment))


def delete_segment(session: Session, site: int, number: int, person: int | None, now: int) -> None:
    """Delete a segment that a person sees.

    Raises:
        NotThere: there is no such segment, or it is another person's.
    """
    place = begin(session, site)
    segment = visible_segment(session, site, number, person)
    session.common.delete_segment(session.connection, id=number, site=site)
    if segment.owner is None:
        log_change(session, EventKind.SEGMENT_DELETED, now, place, segment)


def visible_segment(session: Session, site: int, number: int, person: int | None) -> Segment:
    """A segment that a person sees.

    Raises:
        NotThere: there is no such segment, or it is another person's.
    """
    return pick((each for each in segments_of(session, site) if is_visible(each, person)), number, "segment")


class Segments:
    """The segments of sites, behind a cache."""

    def __init__(self, cache: KeptCache) -> None:
        self._cache = cache

    async def visible(self, site_id: int, account_id: int | None) -> tuple[Segment, ...]:
        """The segments of a site and a person's own there, oldest first.

        Raises:
            StoreUnavailable
        """
        all_of_them: tuple[Segment, ...] = (await self._cache.of_sites(segments_of, [site_id]))[site_id]
        return tuple(each for each in all_of_them if is_visible(each, account_id))

    async def get(self, site_id: int, which: int | str, account_id: int | None) -> Segment:
        """The segment with an id, or the oldest with a name, that a person sees; a person's own before the site's.

        Raises:
            NotThere: there is none.
            StoreUnavailable
        """
        segments = sorted(await self.visible(site_id, account_id), key=lambda each: each.owner is None)
        return pick_named(segments, which, "segment")


def _columns(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "name": segment.name,
        "owner": segment.owner,
        "filters": _encode(segment.filters).decode(),
        "updated": segment.updated,
    }
