"""Counters that people share: every call of CountTogether's API. What it answers is in ``counttogether_answers``.

Every change carries an Idempotency-Key, so that none is counted twice however often it has to be sent.
"""

import datetime as dt
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from tallystick.client.batches import Operation, Outcome, outcomes_in
from tallystick.client.blocking import Blocking
from tallystick.client.calls import Call, Page, answered, each, json_as, nothing
from tallystick.client.counttogether_answers import (
    Counter,
    CounterType,
    Entry,
    Invite,
    Member,
    Mode,
    Role,
    Scope,
    Token,
)
from tallystick.client.counttogether_calls import change, counter_in, history, look, number, of, said, step
from tallystick.client.events import Following
from tallystick.client.paths import path_of_names
from tallystick.client.waiting import Waiting

Unset = UnsetType


class CountTogetherCalls:
    """A counter is named by its id. Days are counted in ``timezone``, an IANA name; else in that of your account."""

    @answered
    def counters(self, *, timezone: str | None = None) -> Call[list[Counter]]:
        """Every counter that you share."""
        return look("/v1/counters", json_as(list[Counter]), timezone=timezone)

    @answered
    def counter(self, counter: str, *, timezone: str | None = None) -> Call[Counter]:
        """One of them."""
        return look(of(counter), counter_in, timezone=timezone)

    @answered
    def create(  # noqa: PLR0913  # what is left out is as usual
        self,
        name: str,
        type: CounterType = "UpDown",  # noqa: A002  # the API's word
        *,
        value: int | Unset = UNSET,
        mode: Mode | Unset = UNSET,
        day: dt.date | Unset = UNSET,
        goal: int | Unset = UNSET,
        allow_exceed: bool | Unset = UNSET,
        min_value: int | Unset = UNSET,
        reset_value: int | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> Call[Counter]:
        """Make a counter; you are its admin.

        Args:
            name: 5 to 40 characters.
            day: that FromDate counts from, or ToDate to; the other arguments are for UpDown.
        """
        data = said(
            value=value,
            mode=mode,
            dateOnly=day,
            goal=goal,
            allowExceed=allow_exceed,
            minValue=min_value,
            resetValue=reset_value,
        )
        body = {"displayName": name, "type": type, "data": data}
        return change("POST", "/v1/counters", counter_in, body=body, key=idempotency_key)

    @answered
    def edit(  # noqa: PLR0913  # what is left out stays
        self,
        counter: str,
        *,
        name: str | Unset = UNSET,
        value: int | Unset = UNSET,
        mode: Mode | Unset = UNSET,
        day: dt.date | Unset = UNSET,
        goal: int | Unset | None = UNSET,
        allow_exceed: bool | Unset = UNSET,
        min_value: int | Unset | None = UNSET,
        reset_value: int | Unset = UNSET,
        confirm: bool = False,
        etag: str | None = None,
    ) -> Call[Counter]:
        """Change a counter; what is left out stays. For admins.

        Args:
            confirm: the value may go against the mode.
            etag: of the counter that you have seen; ``ChangedMeanwhile`` if it is another one by now.
        """
        data = said(
            value=value,
            mode=mode,
            dateOnly=day,
            goal=goal,
            allowExceed=allow_exceed,
            minValue=min_value,
            resetValue=reset_value,
        )
        body = said(displayName=name, data=data or UNSET, confirm=confirm)
        return change("PUT", of(counter), counter_in, body=body, etag=etag)

    @answered
    def delete(self, counter: str) -> Call[None]:
        """Remove a counter for everyone. For admins."""
        return change("DELETE", of(counter), nothing)

    @answered
    def increment(self, counter: str, amount: int = 1, *, idempotency_key: str | None = None) -> Call[int]:
        """Count up; gives the new value.

        Args:
            idempotency_key: one of your own, to repeat it after a restart; made for each call if left out.
        """
        return change("POST", step(counter, "increment", amount), number, key=idempotency_key)

    @answered
    def decrement(self, counter: str, amount: int = 1, *, idempotency_key: str | None = None) -> Call[int]:
        """Count down; gives the new value."""
        return change("POST", step(counter, "decrement", amount), number, key=idempotency_key)

    @answered
    def set(self, counter: str, value: int, *, confirm: bool = False) -> Call[int]:
        """Set the value; against the counter's mode only with ``confirm``. For admins."""
        return change("POST", of(counter, "set"), number, body={"value": value, "confirm": confirm})

    @answered
    def reset(self, counter: str, *, confirm: bool = False) -> Call[int]:
        """Set its ``reset_value``, 0 unless it was given. For admins."""
        return change("POST", of(counter, "reset"), number, body={"confirm": confirm})

    @answered
    def undo(self, counter: str, offset: int | None = None) -> Call[int]:
        """Take your last change of the value back; others' stay. Gives the new value. ``Conflict`` if there is none.

        Args:
            offset: of one certain change, as ``history`` tells it; an admin may take back anyone's.
        """
        return change("POST", of(counter, "undo"), number, body={} if offset is None else {"offset": offset})

    @answered
    def batch(self, operations: Sequence[Operation], *, idempotency_key: str | None = None) -> Call[list[Outcome]]:
        """Carry out up to 500 operations in order, in one step; one that is refused keeps no other from being done."""
        body = {"operations": operations}
        return change("POST", "/v1/batch", outcomes_in, body=body, key=idempotency_key)

    @each
    def history(self, counter: str, *, newest_first: bool = False) -> Call[Page[Entry]]:
        """Who changed a counter, when and by how much."""
        return history(counter, "newest" if newest_first else None, after=None)

    @answered
    def members(self, counter: str) -> Call[list[Member]]:
        """Who shares a counter."""
        return look(of(counter, "members"), json_as(list[Member]))

    @answered
    def set_role(self, counter: str, user: str, role: Role) -> Call[Member]:
        """Let a member be admin, member or viewer. For admins."""
        return change("PATCH", of(counter, "members", user), json_as(Member), body={"role": role})

    @answered
    def remove(self, counter: str, user: str) -> Call[None]:
        """Take a member out; for admins. Whoever removes themselves leaves."""
        return change("DELETE", of(counter, "members", user), nothing)

    @answered
    def leave(self, counter: str) -> Call[None]:
        """Share a counter no longer; when the last one leaves, it goes too."""
        return change("DELETE", of(counter, "members", "me"), nothing)

    @answered
    def invite(
        self,
        counter: str,
        *,
        role: Role = "member",
        lifetime: dt.timedelta | None = None,
        max_uses: int | None = None,
    ) -> Call[Invite]:
        """Make a code by which others may share the counter, for a week unless it is said. For admins."""
        expires_in = UNSET if lifetime is None else int(lifetime.total_seconds())
        body = said(role=role, expiresIn=expires_in, maxUses=max_uses)
        return change("POST", of(counter, "invites"), json_as(Invite), body=body)

    @answered
    def invites(self, counter: str) -> Call[list[Invite]]:
        """The invites that still let people in. For admins."""
        return look(of(counter, "invites"), json_as(list[Invite]))

    @answered
    def withdraw_invite(self, counter: str, invite: str) -> Call[None]:
        """Let nobody else in by an invite, by its id. For admins."""
        return change("DELETE", of(counter, "invites", invite), nothing)

    @answered
    def accept_invite(self, code: str) -> Call[Counter]:
        """Share a counter; ``Gone`` when the code is spent or expired."""
        return change("POST", path_of_names("v1", "invites", code, "accept"), counter_in)

    @answered
    def tokens(self) -> Call[list[Token]]:
        """Your tokens for counters, without their secrets."""
        return look("/v1/tokens", json_as(list[Token]))

    @answered
    def create_token(self, name: str, scopes: Sequence[Scope] = ("read", "write")) -> Call[Token]:
        """Make a token that may do no more than the one that you use."""
        return change("POST", "/v1/tokens", json_as(Token), body={"name": name, "scopes": scopes})

    @answered
    def rotate_token(self, token: int) -> Call[Token]:
        """Give a token another secret; connections that are open stay so."""
        return change("POST", path_of_names("v1", "tokens", token, "rotate"), json_as(Token))

    @answered
    def revoke_token(self, token: int) -> Call[None]:
        """Make a token worth nothing; its connections are closed."""
        return change("DELETE", path_of_names("v1", "tokens", token), nothing)

    @each
    def events(self, *, timezone: str | None = None) -> Following:
        """What happens to your counters, for as long as you listen; see ``events``."""
        return Following({"timezone": timezone})


class CountTogether(Blocking, CountTogetherCalls):
    """Shared counters, blocking: ``with CountTogether("http://127.0.0.1:8080", token) as api: api.counters()``."""


class AsyncCountTogether(Waiting, CountTogetherCalls):
    """Shared counters, awaited."""
