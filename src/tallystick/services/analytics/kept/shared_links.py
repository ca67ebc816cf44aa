"""Shared links of sites. Functions of ``(session, ...)``; times in ms.

The secret is in the link's address and shown once; the ledger has its digest only.
"""

import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import InvalidFields
from tallystick.ledger import Session
from tallystick.model.goal import Goal
from tallystick.model.kept_rules import goals_named, shared_link_problems, with_goal_renamed
from tallystick.model.shared_link import MAX_LINKS, SharedLink
from tallystick.model.site import Site
from tallystick.services.accounts import site_rows
from tallystick.services.accounts.audit import EventKind, note_refusal
from tallystick.services.accounts.proofs import is_proof, make_proof
from tallystick.services.analytics.kept.keeping import (
    begin,
    changed_fields,
    check,
    check_name,
    check_room,
    log_change,
    pick,
)

SECRET_BYTES = 20
"""160 random bits, so that a digest without a salt is enough."""
USED_EVERY_MS = 3_600_000

_encode = msgspec.json.Encoder().encode
_decode_filters = msgspec.json.Decoder(list[Any]).decode
_decode_panels = msgspec.json.Decoder(tuple[str, ...]).decode
_secret = re.compile(r"[A-Za-z0-9_-]{27}")


class SharedLinkChanges(Struct, frozen=True, kw_only=True):
    """Changes of a shared link; unset fields stay as they are.

    Attributes:
        password: a digest; None removes the password.
    """

    name: str | UnsetType = UNSET
    expires: int | UnsetType | None = UNSET
    password: str | UnsetType | None = UNSET
    filters: list[Any] | UnsetType = UNSET
    panels: tuple[str, ...] | UnsetType = UNSET


class OpenedLink(NamedTuple):
    """A shared link that is valid, and its site."""

    link: SharedLink
    site: Site


def shared_links_of(session: Session, site: int) -> tuple[SharedLink, ...]:
    """The shared links of a site, oldest first; also those that have expired."""
    return tuple(map(_from_row, session.common.shared_links_of(session.connection, site=site)))


def create_shared_link(session: Session, new: SharedLink, now: int) -> tuple[SharedLink, str]:
    """Store a new shared link.

    Returns:
        The link, and its secret.

    Raises:
        InvalidFields: a field is not valid.
        Conflicting: another link has the name.
        NotThere: there is no such site.
        InputRefused: the site has too many links.
    """
    place, links = begin(session, new.site), shared_links_of(session, new.site)
    new = _normal(new)
    _check(new, links, now)
    check_room(len(links), MAX_LINKS, "shared links")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = replace(
        new, id=session.take_numbers("shared link"), digest=link_digest(secret), created=now, updated=now, used=None
    )
    session.common.add_shared_link(
        session.connection,
        site=link.site,
        digest=link.digest,
        created_by=link.created_by,
        created=now,
        **_columns(link),
    )
    log_change(session, EventKind.LINK_CREATED, now, place, link)
    return link, secret


def change_shared_link(session: Session, site: int, number: int, changes: SharedLinkChanges, now: int) -> SharedLink:
    """Change a shared link; its secret stays.

    Raises:
        InvalidFields, Conflicting: as of ``create_shared_link``.
        NotThere: there is no such link.
    """
    place, links = begin(session, site), shared_links_of(session, site)
    before = pick(links, number, "shared link")
    link = _normal(replace(before, **changed_fields(changes), updated=now))
    _check(link, links, now if link.expires != before.expires else 0)
    session.common.change_shared_link(session.connection, site=site, **_columns(link))
    log_change(session, EventKind.LINK_CHANGED, now, place, link)
    return link


def withdraw_shared_link(session: Session, site: int, number: int, now: int) -> None:
    """Delete a shared link; its address shows nothing from then on.

    Raises:
        NotThere: there is no such link.
    """
    place = begin(session, site)
    link = pick(shared_links_of(session, site), number, "shared link")
    session.common.delete_shared_link(session.connection, id=number, site=site)
    log_change(session, EventKind.LINK_WITHDRAWN, now, place, link)


def open_shared_link(session: Session, secret: str, now: int) -> OpenedLink | None:
    """The link with a secret, and its site; None if there is none, or it has expired, or its site is deleted."""
    if not _secret.fullmatch(secret):
        return None
    digest = link_digest(secret)
    row = session.common.shared_link_by_digest(session.connection, digest=digest)
    link = None if row is None else _from_row(row)
    if link is None or not compare_digest(link.digest, digest) or link.has_expired(now):
        return None
    place = site_rows.site(session, link.site)
    return None if place is None else OpenedLink(link, place)


def note_link_used(session: Session, link: SharedLink, now: int) -> None:
    """Record the use of a link; call it at most every ``USED_EVERY_MS``."""
    session.common.note_shared_link_used(session.connection, id=link.id, used=now - now % USED_EVERY_MS)


def is_use_unknown(link: SharedLink, now: int) -> bool:
    """Whether the use of a link in this hour is not recorded yet."""
    return link.used is None or now - link.used >= USED_EVERY_MS


def note_refused_password(session: Session, opened: OpenedLink, now: int) -> None:
    """Add a wrong password to the audit log."""
    subject = f"link {opened.link.id} of site {opened.site.id}"
    note_refusal(session, EventKind.LINK_REFUSED, now, subject)


def link_digest(secret: str) -> bytes:
    """The digest that is stored of a secret."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def link_proof(link: SharedLink, now: int) -> str:
    """A text that proves that the password of a link was given; a new password invalidates it."""
    return make_proof(link.password or "", _subject(link), now)


def is_proven(link: SharedLink, proof: str, now: int) -> bool:
    """Whether a text proves that the password of a link was given; True for a link without a password."""
    return link.password is None or is_proof(proof, link.password, _subject(link), now)


def links_with(session: Session, goal: Goal) -> list[SharedLink]:
    """The links of a goal's site whose filters name it."""
    folded = goal.name.casefold()
    return [
        link
        for link in shared_links_of(session, goal.site)
        if any(name.casefold() == folded for name in goals_named(link.filters))
    ]


def rename_goal_in_links(session: Session, before: Goal, name: str, now: int) -> None:
    """Give links whose filters name a goal its new name."""
    for link in links_with(session, before):
        renamed = replace(link, filters=with_goal_renamed(link.filters, before.name, name), updated=now)
        session.common.change_shared_link(session.connection, site=link.site, **_columns(renamed))


def _check(link: SharedLink, links: Sequence[SharedLink], now: int) -> None:
    """Refuse a link with a field that is not valid, a past end, or another link's name."""
    check(shared_link_problems(link))
    if link.has_expired(now):
        raise InvalidFields({"expires": ["must be in the future"]})
    check_name(links, link, "shared link")


def _normal(link: SharedLink) -> SharedLink:
    return replace(link, name=link.name.strip(), panels=tuple(dict.fromkeys(link.panels)))


def _subject(link: SharedLink) -> str:
    return f"shared link {link.id}"


def _columns(link: SharedLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "name": link.name,
        "folded": link.name.casefold(),
        "expires": link.expires,
        "password": link.password,
        "filters": _encode(link.filters).decode(),
        "panels": _encode(link.panels).decode(),
        "updated": link.updated,
    }


def _from_row(row: Sequence[Any]) -> SharedLink:
    number, site, name, digest, expires, password, filters, panels, created_by, created, updated, used = row
    return SharedLink(
        id=number,
        site=site,
        name=name,
        digest=bytes(digest),
        expires=expires,
        password=password,
        filters=_decode_filters(filters),
        panels=_decode_panels(panels),
        created_by=created_by,
        created=created,
        updated=updated,
        used=used,
    )
