"""API tokens: creation, revocation, and the principal of a secret. Times are Unix milliseconds."""

import asyncio
import secrets
import time
from asyncio import Task
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from hashlib import sha256
from string import ascii_lowercase, digits
from typing import Any

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused, InvalidFields, NotPermitted, StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.model.account import ACCESS_ORDER, EVERY_SITE, NEEDED_ACCESS, Account, Permission, Principal, Token
from tallystick.model.line import line_problems
from tallystick.services.accounts.accounts import CHANGES, account, existing, hold_accounts
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_rows import family

SECRET_LENGTH = 48
PREFIX_LENGTH = 8
SECRET_AT_MOST = 256
"""The greatest length of a secret that is looked up; real ones are shorter."""

NAME_AT_MOST = 200
TOKENS_AT_MOST = 500
"""Tokens of one account."""

USED_AGAIN_AFTER_MS = 24 * 3_600_000
FRESH_S = 0.125
READ_AGAIN_S = FRESH_S / 2
GATHERING_S = 0.02
PRINCIPALS_REMEMBERED = 1_000
GOOD_REMEMBERED = 10_000
"""Digests of secrets that were valid at their last look-up."""

DIGESTS_FRESH_S = 1.0
ALL_PERMISSIONS = 2 * max(Permission) - 1
OF_COUNTERS = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE
"""Permissions that every person may give to a token: shared counters have their own roles and belong to no site."""

_encode = msgspec.json.Encoder().encode
_decode_sites = msgspec.json.Decoder(tuple[int, ...]).decode


class NewToken(Struct, frozen=True, kw_only=True):
    """A token to create.

    Attributes:
        permissions: ``Permission`` bits.
        sites: ids of the covered sites; ``(-1,)`` for all of the account. Ignored for a token of shared counters only.
    """

    name: str
    permissions: int
    sites: tuple[int, ...] = (EVERY_SITE,)


def create_token(
    session: Session, owner: Account, new: NewToken, now: int, made_by: int | None = None
) -> tuple[Token, str]:
    """Create a token that acts for a person.

    Args:
        made_by: the token with which it is created; when that is revoked, so is this one.

    Returns:
        The token, and its secret, of which only the digest is stored.

    Raises:
        InvalidFields: the name, the permissions or the sites are invalid.
        NotPermitted: the token would be able to do more than the person.
        InputRefused: the person has too many tokens.
    """
    hold_accounts(session)
    owner = existing(session, owner.id)
    about_sites = bool(new.permissions & ~OF_COUNTERS)
    if about_sites and (message := _beyond_access(owner, new)):
        raise NotPermitted(message)
    if errors := _problems(session, owner, new, about_sites=about_sites):
        raise InvalidFields(errors)
    if session.common.count_tokens(session.connection, account=owner.id) >= TOKENS_AT_MOST:
        msg = f"{owner.email} has {TOKENS_AT_MOST} tokens already, the most that one person can have"
        raise InputRefused(msg)
    secret = new_secret()
    token = Token(
        id=session.take_numbers("token"),
        account=owner.id,
        name=new.name.strip(),
        prefix=secret[:PREFIX_LENGTH],
        permissions=int(new.permissions),
        sites=tuple(dict.fromkeys(new.sites)) if about_sites else (),
        created=now,
        used=None,
    )
    store_token(session, token, secret_digest(secret), made_by)
    note(session, EventKind.TOKEN_CREATED, now, _subject(session, token), _permissions_text(token))
    return token, secret


def rotate_token(session: Session, number: int) -> str:
    """Replace a token's secret and return the new one. The old one stops working.

    Raises:
        InputRefused: there is no such token.
    """
    hold_accounts(session)
    rotated = token(session, number)
    if rotated is None:
        msg = f"there is no token {number}"
        raise InputRefused(msg)
    secret = new_secret()
    session.common.set_token_secret(
        session.connection, id=number, prefix=secret[:PREFIX_LENGTH], digest=secret_digest(secret)
    )
    note(session, EventKind.TOKEN_ROTATED, None, _subject(session, rotated))
    return secret


def secret_digest(secret: str) -> bytes:
    """The digest that is stored of a token's secret, and by which it is looked up."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def permissions_of(person: Account, sites: Sequence[int] = (EVERY_SITE,)) -> Permission:
    """The permissions that a token of this person can use on at least one of these sites.

    Args:
        sites: ids; ``EVERY_SITE`` stands for all of the account.
    """
    if EVERY_SITE in sites:
        held = set(person.access.values())
    else:
        held = {letter for site in sites if (letter := person.access_to(site)) is not None}
    best = max(map(ACCESS_ORDER.index, held), default=-1)
    usable = Permission(0)
    for permission, needed in NEEDED_ACCESS.items():
        if best >= ACCESS_ORDER.index(needed):
            usable |= permission
    return usable


def token(session: Session, number: int) -> Token | None:
    """The token with this id, or None."""
    row = session.common.token_by_id(session.connection, id=number)
    return None if row is None else _from_row(row)


def tokens_of(session: Session, owner: int) -> list[Token]:
    """The tokens of one account, oldest first."""
    return [_from_row(row) for row in session.common.tokens_of(session.connection, account=owner)]


def all_tokens(session: Session) -> list[Token]:
    """The tokens of all accounts."""
    return [_from_row(row) for row in session.common.all_tokens(session.connection)]


def delete_token(session: Session, number: int, owner: int | None = None) -> bool:
    """Revoke a token and those created with it. Returns whether there was such a token.

    Args:
        owner: the account that it must belong to; None for any.
    """
    hold_accounts(session)
    revoked = token(session, number)
    if revoked is None or owner not in (None, revoked.account):
        return False
    for each in (revoked, *made_with(session, number)):
        session.common.delete_token(session.connection, id=each.id)
        note(session, EventKind.TOKEN_REVOKED, None, _subject(session, each))
    return True


def made_with(session: Session, number: int) -> list[Token]:
    """The tokens created with a token, directly or indirectly, which are revoked with it."""
    rows = session.common.tokens_made_with(session.connection, id=number)
    return [child for (each,) in list(rows) if (child := token(session, each)) is not None]


def revoked_along(session: Session, owner: int) -> dict[int, list[Token]]:
    """For each token of an account with which others were created: the tokens that are revoked with it."""
    makers = dict(session.common.makers_of_tokens(session.connection, account=owner))
    along: dict[int, list[Token]] = {}
    for each in tokens_of(session, owner):
        maker = makers.get(each.id)
        while maker is not None:  # a token is always younger than its maker, so this ends
            along.setdefault(maker, []).append(each)
            maker = makers.get(maker)
    return along


def stored_principal(session: Session, digest: bytes) -> Principal | None:
    """The principal of the token whose secret has this digest, or None."""
    row = session.common.token_by_digest(session.connection, digest=digest)
    return None if row is None else _principal(session, _from_row(row))


def principal_by_token(session: Session, number: int) -> Principal | None:
    """The principal of the token with this id, or None."""
    stored = token(session, number)
    return None if stored is None else _principal(session, stored)


def _principal(session: Session, token: Token) -> Principal | None:
    owner = account(session, token.account)
    return None if owner is None else Principal(token, owner)


def token_used(session: Session, number: int, now: int) -> None:
    """Record the use of a token; written at most once in 24 hours."""
    session.common.note_use(session.connection, id=number, now=now, before=now - USED_AGAIN_AFTER_MS)


_UNKNOWN = (0.0, None)


class Tokens:
    """A cache of valid secrets with their tokens and accounts.

    A change by this server is visible at once: ``hold_accounts`` invalidates the cache. Changes by other servers and
    the command line are visible after at most an eighth of a second. Unknown secrets are not cached, so new tokens work
    at once. New secrets are looked up one at a time, so that unknown ones never occupy all readers of the ledger.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._changes = 0  # counted by invalidate
        self._good: OrderedDict[bytes, None] = OrderedDict()  # the most recently used last
        self._first_look = asyncio.Lock()
        self._digests: tuple[float, frozenset[bytes]] | None = None
        self._due: set[bytes] = set()
        self._reading: Task[None] | None = None
        self._reads: dict[bytes, Task[Principal | None]] = {}
        ledger.subscribe(CHANGES, self.invalidate)

    async def principal(self, secret: str, refusal: Callable[[], Exception | None] | None = None) -> Principal | None:
        """The principal of a secret; None for an unknown one.

        Args:
            refusal: called before a new secret is looked up. An exception that it returns is raised instead of looking
                it up, unless the secret belongs to a token as of at most a second ago.

        Raises:
            StoreUnavailable: the ledger cannot be read.
        """
        if not secret or len(secret) > SECRET_AT_MOST:
            return None
        digest = secret_digest(secret)
        read_at, principal = self._known.get(digest, _UNKNOWN)
        if principal is not None and self._clock() - read_at < FRESH_S:
            return principal
        if digest in self._good:
            return await self._read_together(digest)
        async with self._first_look:
            if refusal and (error := refusal()) and digest not in await self._all_digests():
                raise error
            return await self._read(digest)

    def known(self, secret: str) -> Principal | None:
        """The principal of a secret that was looked up lately; None where it has to be looked up.

        Secrets for which this is called again and again are read again together, before they are out of date.
        """
        digest = secret_digest(secret)
        read_at, principal = self._known.get(digest, _UNKNOWN)
        age = self._clock() - read_at
        if age >= FRESH_S:
            return None
        if age >= READ_AGAIN_S:
            self._read_again(digest)
        return principal

    def invalidate(self) -> None:
        """Read the ledger again before the next answer; a read that has begun already does not count."""
        self._changes += 1
        self._known.clear()
        self._digests = None

    def _read_again(self, digest: bytes) -> None:
        """Read a principal again with others; at once, unless such a read has just begun."""
        self._due.add(digest)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_due())

    async def _read_due(self) -> None:
        while self._due:
            # The ones of all requests that have come by now are read at once.
            await asyncio.sleep(GATHERING_S)
            digests, self._due = self._due, set()
            begun, changes = self._clock(), self._changes
            try:
                principals = await self._ledger.read(_stored_principals, digests)
            except StoreUnavailable:
                return  # the requests are told when they are looked up
            for digest, principal in principals.items():
                if changes == self._changes:  # else it may be older than the change
                    await self._remember(digest, begun, principal)

    async def _all_digests(self) -> frozenset[bytes]:
        begun, changes = self._clock(), self._changes
        if self._digests is not None and begun - self._digests[0] < DIGESTS_FRESH_S:
            return self._digests[1]
        digests = await self._ledger.read(_every_digest)
        if changes == self._changes:
            self._digests = begun, digests
        return digests

    async def _read_together(self, digest: bytes) -> Principal | None:
        """Read a principal; calls made during a read share it."""
        reading = self._reads.get(digest)
        if reading is None:
            reading = self._reads[digest] = asyncio.create_task(self._read(digest))
            reading.add_done_callback(lambda _: self._reads.pop(digest))
        return await asyncio.shield(reading)

    async def _read(self, digest: bytes) -> Principal | None:
        begun, changes = self._clock(), self._changes
        principal = await self._ledger.read(stored_principal, digest)
        while changes != self._changes:  # the result may be older than the change
            begun, changes = self._clock(), self._changes
            principal = await self._ledger.read(stored_principal, digest)
        await self._remember(digest, begun, principal)
        return principal

    async def _remember(self, digest: bytes, begun: float, principal: Principal | None) -> None:
        """Cache what was read, and store the use of the token."""
        self._known.pop(digest, None)
        self._good.pop(digest, None)
        if principal is None:
            return
        if len(self._known) >= PRINCIPALS_REMEMBERED:
            self._known.clear()
        self._known[digest] = (begun, principal)
        if len(self._good) >= GOOD_REMEMBERED:
            self._good.popitem(last=False)
        self._good[digest] = None
        await self._note_use(principal.token)

    async def _note_use(self, token: Token) -> None:
        now = self._ledger.clock()
        if token.used is None or token.used <= now - USED_AGAIN_AFTER_MS:
            # Tokens stay usable while the ledger cannot be written.
            with suppress(StoreUnavailable):
                await self._ledger.write(token_used, token.id, now)


def _stored_principals(session: Session, digests: Collection[bytes]) -> dict[bytes, Principal | None]:
    return {digest: stored_principal(session, digest) for digest in digests}


def _every_digest(session: Session) -> frozenset[bytes]:
    return frozenset(bytes(digest) for (digest,) in session.common.token_digests(session.connection))


def _subject(session: Session, token: Token) -> str:
    """The text for a token in the audit log."""
    return f"token {token.id} “{token.name}” of {existing(session, token.account).email}"


def _permissions_text(token: Token) -> str:
    labels = ", ".join(permission.label for permission in Permission if permission & token.permissions)
    sites = "" if EVERY_SITE in token.sites or not token.sites else f" for sites {', '.join(map(str, token.sites))}"
    return labels + sites


def new_secret() -> str:
    """A secret for a token."""
    return "".join(secrets.choice(ascii_lowercase + digits) for _ in range(SECRET_LENGTH))


def _problems(session: Session, owner: Account, new: NewToken, *, about_sites: bool) -> dict[str, list[str]]:
    name = new.name.strip()
    errors = {
        "name": line_problems(name, NAME_AT_MOST) if name else ["must be set"],
        "permissions": [] if 0 < new.permissions <= ALL_PERMISSIONS else ["must be set"],
        "sites": _site_problems(session, owner, new.sites) if about_sites else _needless(new.sites),
    }
    return {field: problems for field, problems in errors.items() if problems}


def _beyond_access(owner: Account, new: NewToken) -> str:
    """A message about a token that could do more than its owner; empty for other tokens."""
    usable = permissions_of(owner, new.sites or (EVERY_SITE,))
    beyond = Permission(new.permissions & ~(usable | OF_COUNTERS | Permission.NOTHING) & ALL_PERMISSIONS)
    if not beyond:
        return ""
    msg = f"{owner.email} is not an admin; only admins can create and use API tokens for sites"
    if usable:
        labels = (permission.label for permission in NEEDED_ACCESS if permission & usable)
        msg += f" that do more than {', '.join(labels)}"
    return msg


def _site_problems(session: Session, owner: Account, sites: Sequence[int]) -> list[str]:
    if not sites:
        return ["must be set"]
    if owner.site is None:
        return [f"{owner.email} has no site yet"]
    account_sites = {site.id for site in family(session, owner.site)}
    unknown = [number for number in sites if number != EVERY_SITE and number not in account_sites]
    return [f"the account of {owner.email} has no site {number}" for number in unknown[:1]]


def _needless(sites: Sequence[int]) -> list[str]:
    """Messages about sites of a token that cannot reach any, which its owner would expect to work."""
    return [] if set(sites) <= {EVERY_SITE} else ["must be left out: shared counters belong to no site"]


def store_token(session: Session, token: Token, digest: bytes, made_by: int | None = None) -> None:
    """Store a token.

    Args:
        digest: of its secret.
    """
    session.common.add_token(
        session.connection,
        id=token.id,
        account=token.account,
        name=token.name,
        prefix=token.prefix,
        digest=digest,
        permissions=token.permissions,
        sites=_encode(token.sites).decode(),
        created=token.created,
        made_by=made_by,
    )


def _from_row(row: Sequence[Any]) -> Token:
    number, owner, name, prefix, permissions, sites, created, used = row
    return Token(
        id=number,
        account=owner,
        name=name,
        prefix=prefix,
        permissions=permissions,
        sites=_decode_sites(sites),
        created=created,
        used=used,
    )
