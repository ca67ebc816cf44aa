"""Annotations by the server: what it has done to a site, and when. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger import Session
from tallystick.model.annotation import MAX_ANNOTATION_TEXT, AnnotationKind
from tallystick.services.zones import zone_named

KEPT = "change of goals and notes"
"""The sequence that numbers changes of goals, funnels, segments and annotations, and the topic of their caches."""
SERVER_ANNOTATIONS_KEPT = 200
"""Of a site; older ones are deleted."""
ANNOTATION = "annotation"
"""The sequence that numbers annotations."""

log = structlog.get_logger()


class AnnotatedSite(NamedTuple):
    """A site to annotate, and the name of its zone in the form of people's settings."""

    id: int
    zone: str


def hold_kept(session: Session) -> None:
    """Lock what is kept for sites until the transaction ends; caches are invalidated after it.

    Every function that changes one of them calls this first, after ``hold_accounts`` where it calls that too.
    """
    session.take_numbers(KEPT)
    session.changed.add(KEPT)


def annotate(session: Session, sites: Iterable[AnnotatedSite], kind: AnnotationKind, text: str, now: int) -> None:
    """Add an annotation of the server to sites. What cannot be stored is logged, and nothing else fails by it."""
    try:
        with session.savepoint():
            hold_kept(session)
            moments: dict[str, str] = {}
            for site in sites:
                if site.zone not in moments:
                    moments[site.zone] = moment_of(now, site.zone)
                _add(session, site.id, moments[site.zone], kind, text[:MAX_ANNOTATION_TEXT], now)
    except StoreUnavailable:
        raise  # the transaction is lost in any case
    except Exception:
        log.exception("an annotation could not be stored", kind=kind)


def moment_of(now: int, zone: str) -> str:
    """A minute by the clocks of a zone; of UTC where there is no such zone. Reads from disk at first."""
    moment = datetime.fromtimestamp(now / 1000, UTC)
    try:
        moment = moment.astimezone(zone_named(zone))
    except InputRefused:
        log.warning("an annotation has the time of UTC: the zone is not known", zone=zone[:100])
    return moment.strftime("%Y-%m-%d %H:%M")


def _add(  # noqa: PLR0913, PLR0917  # the fields of an annotation
    session: Session, site: int, at: str, kind: AnnotationKind, text: str, now: int
) -> None:
    session.common.add_annotation(
        session.connection,
        id=session.take_numbers(ANNOTATION),
        site=site,
        at=at,
        text=text,
        link="",
        kind=kind,
        owner=None,
        created=now,
        updated=now,
    )
    session.common.trim_server_annotations(session.connection, site=site, kept=SERVER_ANNOTATIONS_KEPT)
