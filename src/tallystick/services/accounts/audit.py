"""The log of administrative events: logins, and changes of accounts, access, tokens, sites and what is kept for sites.

It is kept in the ledger for good, so it is in every backup. It has emails and names, but no client addresses. Times are
Unix milliseconds.
Functions of ``(session, ...)`` that change something add the event; surfaces name the actor with ``done_by``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import ALL_SITES, Account, Principal
from tallystick.model.text import storable

COMMAND_LINE = "command line"
HOUR_MS = 3_600_000
EVENTS_AT_MOST = 1_000_000
TRIMMED_EVERY = 1_000
PAGE = 100

Result = TypeVar("Result")

_acting: ContextVar[str] = ContextVar("acting", default="")


class EventKind(StrEnum):
    """The kinds of events."""

    ACCOUNT_CREATED = "account created"
    ACCOUNT_DELETED = "account deleted"
    ACCESS_CHANGED = "access changed"
    INVITE_MADE = "invite made"
    INVITE_WITHDRAWN = "invite withdrawn"
    INVITE_ACCEPTED = "invite accepted"
    PASSWORD_CHANGED = "password changed"  # noqa: S105  # words
    LOGGED_IN = "logged in"
    LOGIN_REFUSED = "login refused"
    CODE_REFUSED = "second step refused"
    SECOND_STEP_ON = "second step on"
    SECOND_STEP_OFF = "second step off"
    RECOVERY_CODES_RENEWED = "recovery codes renewed"
    LOGINS_ENDED = "logins ended"
    TOKEN_CREATED = "token created"  # noqa: S105
    TOKEN_ROTATED = "token rotated"  # noqa: S105
    TOKEN_REVOKED = "token revoked"  # noqa: S105
    SITE_CREATED = "site created"
    SITE_CHANGED = "site changed"
    SITE_DELETED = "site deleted"
    GOAL_CREATED = "goal created"
    GOAL_CHANGED = "goal changed"
    GOAL_DELETED = "goal deleted"
    FUNNEL_CREATED = "funnel created"
    FUNNEL_CHANGED = "funnel changed"
    FUNNEL_DELETED = "funnel deleted"
    SEGMENT_CREATED = "segment created"
    SEGMENT_CHANGED = "segment changed"
    SEGMENT_DELETED = "segment deleted"
    VIEW_CREATED = "saved view created"
    VIEW_CHANGED = "saved view changed"
    VIEW_DELETED = "saved view deleted"
    LINK_CREATED = "shared link created"
    LINK_CHANGED = "shared link changed"
    LINK_WITHDRAWN = "shared link withdrawn"
    LINK_REFUSED = "password of a shared link refused"
    PATH_RENAMED = "path renamed"
    PATHS_MERGED = "paths merged"
    PATHS_DELETED = "paths deleted"
    HITS_MARKED = "hits marked"
    COUNTER_CREATED = "public counter created"
    COUNTER_CHANGED = "public counter changed"
    COUNTER_RENAMED = "public counter renamed"
    COUNTER_CLAIMED = "public counter claimed"
    NAMESPACE_RESERVED = "namespace of public counters reserved"
    NAMESPACE_RELEASED = "namespace of public counters released"
    COUNTER_SET = "public counter set"
    COUNTER_DELETED = "public counter deleted"
    COUNTERS_IMPORTED = "public counters imported"
    COUNTERS_FROZEN = "public counters frozen"
    COUNTERS_UNFROZEN = "public counters unfrozen"
    COUNTERS_DELETED = "public counters deleted"
    NAMESPACE_CLOSED = "namespace of public counters closed"
    NAMESPACE_OPENED = "namespace of public counters opened"
    IMPORTED = "imported"
    EXPORTED = "exported"
    RESTORED = "restored"


class Event(Struct, frozen=True):
    """One event.

    Attributes:
        actor: an email, with the token if one was used, or ``COMMAND_LINE``; empty without a login.
        subject: the changed object: an email, a site, a token.
        times: how often it happened; refused logins of one hour are one event.
    """

    id: int
    at: int
    kind: str
    actor: str
    subject: str
    detail: str
    times: int


def is_superuser(person: Account) -> bool:
    """Whether a person may see every account and site of the server, and this log."""
    return person.access.get(ALL_SITES) == "*"


def note(session: Session, kind: EventKind, now: int | None, subject: str = "", detail: str = "") -> None:
    """Add an event of the current actor (see ``acting``).

    Args:
        now: the time of the event; None for the present.
    """
    now = milliseconds() if now is None else now
    number = session.take_numbers("audit event")
    session.common.add_event(
        session.connection, id=number, at=now, kind=kind.value, actor=_acting.get(), subject=subject, detail=detail
    )
    if number % TRIMMED_EVERY == 0:
        session.common.trim_events(session.connection, kept_from=number - EVENTS_AT_MOST)


def note_refusal(session: Session, kind: EventKind, now: int, subject: str = "") -> None:
    """Add a refused login, or increment the event of this hour, so that guesses cannot fill the disk.

    Args:
        subject: the email of an account; empty for an unknown email, which may be a mistyped password.
    """
    if session.common.repeat_event(session.connection, kind=kind.value, subject=subject, since=now - HOUR_MS) is None:
        note(session, kind, now, subject)


def events(session: Session, before: int = 2**53, most: int = PAGE) -> list[Event]:
    """The newest events before the one with id ``before``, newest first."""
    return [Event(*row) for row in session.common.events(session.connection, before=before, max_rows=most)]


def events_of(session: Session, kind: str, person: str, before: int = 2**53, most: int = PAGE) -> list[Event]:
    """Like ``events``, only those of a kind, and whose actor or subject contains a text.

    Args:
        kind: empty for every kind.
        person: in any case; empty for all.
    """
    if not kind and not person:
        return events(session, before, most)
    rows = session.common.events_like(
        session.connection,
        before=before,
        kind=_pattern(kind) if kind else "%",
        person=f"%{_pattern(storable(person.lower()))}%",
        max_rows=most,
    )
    return [Event(*row) for row in rows]


def _pattern(text: str) -> str:
    """A pattern of LIKE that only the text itself matches, with ``!`` as the escape character."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


@contextmanager
def acting(actor: str) -> Iterator[None]:
    """Set the actor of events within the block."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def done_by(
    session: Session,
    actor: Account | Principal | str,
    function: Callable[..., Result],
    *arguments: Any,  # noqa: ANN401  # the function's
) -> Result:
    """Call ``function(session, *arguments)`` with an account, a token's principal, or the command line as the actor."""
    if isinstance(actor, Principal):
        name = f"{actor.account.email}, token {actor.token.id}"
    else:
        name = actor.email if isinstance(actor, Account) else actor
    with acting(name):
        return function(session, *arguments)
