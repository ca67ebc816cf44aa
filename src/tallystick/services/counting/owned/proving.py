"""Who asks, and what proves that they own a counter or a namespace."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

from msgspec import Struct

from tallystick.errors import CounterReason, OwningRefused
from tallystick.ledger import Session
from tallystick.ledger.folding import is_full
from tallystick.model.account import Account, Principal
from tallystick.model.counter import FROZEN, OWNED, Counter, alive
from tallystick.model.key import Key
from tallystick.model.site import Site
from tallystick.services.accounts.audit import is_superuser
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter, owner_of

SECRET_BEGINS = "counter_"  # noqa: S105  # how secrets of counters begin, so that no token is taken for one
NONCE_BYTES = 32


class Asker(Struct, frozen=True):
    """The sender of a request.

    Attributes:
        principal: of a token, or the account of a login session; None without either.
        digest: of a counter's secret; None without one.
        names_prove: whether a site's name proves something. It is what somebody entered, so it does not where anyone
            may join the server: there only superusers claim counters and reserve namespaces.
        is_operator: whether the command line asks: it may do what superusers may.
    """

    principal: Principal | Account | None = None
    digest: bytes | None = None
    names_prove: bool = True
    is_operator: bool = False

    @property
    def person(self) -> Account | None:
        """Whose account asks."""
        return self.principal.account if isinstance(self.principal, Principal) else self.principal

    @property
    def account(self) -> int | None:
        """The account that asks."""
        return None if self.person is None else self.person.id

    @property
    def is_superuser(self) -> bool:
        """Whether a superuser of this server asks: they may do what owners may."""
        return self.is_operator or (self.person is not None and is_superuser(self.person))

    def owns(self, owner: CounterOwner) -> bool:
        """Whether the sender has proved to be the owner of a counter."""
        if self.is_superuser:
            return True
        if self.digest is not None and owner.digest is not None:
            return hmac.compare_digest(self.digest, owner.digest)
        return owner.account is not None and owner.account == self.account


def new_nonce() -> bytes:
    """What a new secret is made of."""
    return secrets.token_bytes(NONCE_BYTES)


def secret_of(nonce: bytes, idempotency_key: str) -> str:
    """The secret of a counter that is created.

    It can be made again for a request that is repeated under its key, although neither the secret nor the key is
    stored: the record of the request has the nonce alone.
    """
    made = hmac.new(nonce, idempotency_key.encode(), sha256).digest()
    return SECRET_BEGINS + urlsafe_b64encode(made).decode().rstrip("=")


def digest_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def owned_by_asker(session: Session, asker: Asker, key: Key, now: int) -> tuple[Counter, CounterOwner]:
    """A counter that the sender owns, locked until the transaction ends.

    Raises:
        OwningRefused: there is no such counter, or the sender does not own it.
    """
    found = loaded_counter(session, key, now)
    refuse_frozen(asker, found)
    owner = found.owner
    ever_owned = found.counter.flags & OWNED
    if owner is None or not ever_owned or (owner.is_nobody and not asker.is_superuser):
        msg = f"nobody owns {key}; the owner of the site {key.namespace} may claim it (POST /api/counters/{key}/claim)"
        raise OwningRefused(CounterReason.NOT_OWNED, msg)
    if not asker.owns(owner):
        msg = f"only the owner of {key} may do that: send its secret, or a token of the account that owns it"
        raise OwningRefused(CounterReason.NOT_OWNER, msg)
    return found.counter, owner


def refuse_frozen(asker: Asker, found: OwnedCounter) -> None:
    """Refuse to change a counter that the operator has frozen, except for superusers.

    Raises:
        OwningRefused
    """
    if found.counter.flags & FROZEN and not asker.is_superuser:
        msg = f"the operator of this server stopped all changes of {found.key}; it can be read"
        raise OwningRefused(CounterReason.FROZEN, msg)


def loaded_counter(session: Session, key: Key, now: int) -> OwnedCounter:
    """A living counter, locked until the transaction ends, and its owner.

    Raises:
        OwningRefused: there is none.
    """
    counter = alive(session.load([key]).get(key), now)
    if counter is None:
        raise no_such_counter(key)
    return OwnedCounter(key, counter, owner_of(session, key) if counter.flags else None)


def no_such_counter(key: Key) -> OwningRefused:
    """The refusal where there is no counter."""
    return OwningRefused(CounterReason.NOT_FOUND, f"there is no counter {key}")


def site_named(session: Session, asker: Asker, namespace: str) -> int | None:
    """The id of the site that has a namespace's name, if the sender's person is an admin there.

    A token of other sites proves nothing. Superusers need no tie to the site.
    """
    for site in active_sites(session):
        if namespace in (site.cname, site.domain):
            return site.id if asker.is_superuser or _administrates(asker, site) else None
    return None


def proving_site(session: Session, asker: Asker, namespace: str) -> int | None:
    """The id of the site that proves a namespace to be the sender's; None without a proof.

    Raises:
        OwningRefused: on this server, names of sites prove nothing.
    """
    if not (asker.names_prove or asker.is_superuser):
        msg = (
            "anyone may join this server and enter any site, so that a site's name proves nothing here: ask the"
            f" server's operator (tallystick counter owner {namespace}/KEY --account EMAIL)"
        )
        raise OwningRefused(CounterReason.NO_PROOF, msg)
    return site_named(session, asker, namespace)


def reserved_for(session: Session, asker: Asker) -> list[str]:
    """The namespaces that are reserved for sites of which the sender's person is an admin; for superusers all."""
    sites = {site.id: site for site in active_sites(session)}
    return [
        namespace
        for namespace, number in session.common.reservations(session.connection)
        if asker.is_superuser or (number in sites and _administrates(asker, sites[number]))
    ]


def require_namespace(session: Session, asker: Asker, namespace: str, *, gains: bool = True) -> None:
    """Refuse to create a counter in a namespace that is reserved for others, or for people with an account.

    Args:
        gains: whether the namespace has one more counter afterwards.

    Raises:
        OwningRefused
    """
    site = session.common.reservation_of(session.connection, namespace=namespace)
    if site is not None and not asker.is_superuser and site_named(session, asker, namespace) != site:
        msg = f"the namespace {namespace} is reserved: only the owner of its site creates counters in it"
        raise OwningRefused(CounterReason.RESERVED, msg)
    if asker.principal is not None or asker.is_operator:
        return
    about = session.namespaces([namespace])[namespace]
    if about.closed:
        msg = f"the namespace {namespace} is closed: only people with an account create counters in it"
        raise OwningRefused(CounterReason.CLOSED, msg)
    if gains and is_full(session, namespace, about.keys):
        msg = f"the namespace {namespace} is full: only people with an account create more counters in it"
        raise OwningRefused(CounterReason.FULL, msg)


def _administrates(asker: Asker, site: Site) -> bool:
    account = asker.person
    # A token of counters alone names no sites: it is its person's.
    token = asker.principal.token if isinstance(asker.principal, Principal) else None
    covered = token is None or not token.sites or token.covers(site.id)
    return account is not None and account.site == site.root and covered and account.may("a", site.id)
