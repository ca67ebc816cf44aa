"""Shared counters: every call of CountTogether's API. The types of results are in ``counttogether_answers``.

Every change carries an Idempotency-Key, so that a retry never counts twice.
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
    """The calls of CountTogether. ``counter`` is an id; ``timezone`` an IANA name, by default the account's zone."""

    @answered
    def counters(self, *, timezone: str | None = None) -> Call[list[Counter]]:
        """List your counters."""
        return look("/v1/counters", json_as(list[Counter]), timezone=timezone)

    @answered
    def counter(self, counter: str, *, timezone: str | None = None) -> Call[Counter]:
        """Get one of your counters."""
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
        """Create a counter; you become its admin.

        Args:
            name: 5 to 40 characters.
            day: the date that FromDate counts from, or ToDate to; the other arguments are for UpDown.
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
        """Change a counter; settings that are left out stay. For admins.

        Args:
            confirm: allow a value against the counter's mode.
            etag: the ETag of the state you have read; ``ChangedMeanwhile`` if the counter has changed since.
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
        """Delete a counter for all members. For admins."""
        return change("DELETE", of(counter), nothing)

    @answered
    def increment(self, counter: str, amount: int = 1, *, idempotency_key: str | None = None) -> Call[int]:
        """Add an amount. Returns the new value.

        Args:
            idempotency_key: a key of your own, to repeat the call after a restart; generated for each call otherwise.
        """
        return change("POST", step(counter, "increment", amount), number, key=idempotency_key)

    @answered
    def decrement(self, counter: str, amount: int = 1, *, idempotency_key: str | None = None) -> Call[int]:
        """Subtract an amount. Returns the new value."""
        return change("POST", step(counter, "decrement", amount), number, key=idempotency_key)

    @answered
    def set(self, counter: str, value: int, *, confirm: bool = False) -> Call[int]:
        """Set the value. Against the counter's mode this needs ``confirm``. For admins."""
        return change("POST", of(counter, "set"), number, body={"value": value, "confirm": confirm})

    @answered
    def reset(self, counter: str, *, confirm: bool = False) -> Call[int]:
        """Set the value to the counter's ``reset_value``, by default 0. For admins."""
        return change("POST", of(counter, "reset"), number, body={"confirm": confirm})

    @answered
    def undo(self, counter: str, offset: int | None = None) -> Call[int]:
        """Undo your last change of the value. Returns the new value; ``Conflict`` if there is nothing to undo.

        Args:
            offset: undo this change instead (see ``history``); admins may undo changes of any member.
        """
        return change("POST", of(counter, "undo"), number, body={} if offset is None else {"offset": offset})

    @answered
    def batch(self, operations: Sequence[Operation], *, idempotency_key: str | None = None) -> Call[list[Outcome]]:
        """Carry out up to 500 operations in order, in one step. A refused operation does not stop the others."""
        body = {"operations": operations}
        return change("POST", "/v1/batch", outcomes_in, body=body, key=idempotency_key)

    @each
    def history(self, counter: str, *, newest_first: bool = False) -> Call[Page[Entry]]:
        """Yield the changes of a counter: by which member, when and by how much."""
        return history(counter, "newest" if newest_first else None, after=None)

    @answered
    def members(self, counter: str) -> Call[list[Member]]:
        """List the members of a counter."""
        return look(of(counter, "members"), json_as(list[Member]))

    @answered
    def set_role(self, counter: str, user: str, role: Role) -> Call[Member]:
        """Make a member an admin, member or viewer. For admins."""
        return change("PATCH", of(counter, "members", user), json_as(Member), body={"role": role})

    @answered
    def remove(self, counter: str, user: str) -> Call[None]:
        """Remove a member. For admins; removing yourself is leaving."""
        return change("DELETE", of(counter, "members", user), nothing)

    @answered
    def leave(self, counter: str) -> Call[None]:
        """Leave a counter. It is deleted when its last member leaves."""
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
        """Create an invite code, valid for a week unless ``lifetime`` says otherwise. For admins."""
        expires_in = UNSET if lifetime is None else int(lifetime.total_seconds())
        body = said(role=role, expiresIn=expires_in, maxUses=max_uses)
        return change("POST", of(counter, "invites"), json_as(Invite), body=body)

    @answered
    def invites(self, counter: str) -> Call[list[Invite]]:
        """List the invites that are still valid. For admins."""
        return look(of(counter, "invites"), json_as(list[Invite]))

    @answered
    def withdraw_invite(self, counter: str, invite: str) -> Call[None]:
        """Withdraw an invite by its id. For admins."""
        return change("DELETE", of(counter, "invites", invite), nothing)

    @answered
    def accept_invite(self, code: str) -> Call[Counter]:
        """Join a counter by an invite code; ``Gone`` when the code is used up or expired."""
        return change("POST", path_of_names("v1", "invites", code, "accept"), counter_in)

    @answered
    def tokens(self) -> Call[list[Token]]:
        """List your tokens for counters, without their secrets."""
        return look("/v1/tokens", json_as(list[Token]))

    @answered
    def create_token(self, name: str, scopes: Sequence[Scope] = ("read", "write")) -> Call[Token]:
        """Create a token with at most the permissions of the one in use."""
        return change("POST", "/v1/tokens", json_as(Token), body={"name": name, "scopes": scopes})

    @answered
    def rotate_token(self, token: int) -> Call[Token]:
        """Replace a token's secret; open connections stay open."""
        return change("POST", path_of_names("v1", "tokens", token, "rotate"), json_as(Token))

    @answered
    def revoke_token(self, token: int) -> Call[None]:
        """Revoke a token; its open connections are closed."""
        return change("DELETE", path_of_names("v1", "tokens", token), nothing)

    @each
    def events(self, *, timezone: str | None = None) -> Following:
        """Yield live events of your counters, without end; see the module ``events``."""
        return Following({"timezone": timezone})


class CountTogether(Blocking, CountTogetherCalls):
    """Shared counters, blocking: ``with CountTogether("http://127.0.0.1:8080", token) as api: api.counters()``."""


class AsyncCountTogether(Waiting, CountTogetherCalls):
    """Shared counters, awaited."""
