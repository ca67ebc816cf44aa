"""Who sends a request: a token, a counter's secret, or nobody in particular; and its Idempotency-Key."""

from functools import partial

from tallystick.ledger.folding import Admit
from tallystick.model.account import Permission
from tallystick.services.counting.owned.proving import SECRET_BEGINS, Asker, digest_of
from tallystick.services.idempotency import KeyedRequest, meaning
from tallystick.services.services import Services
from tallystick.surfaces.counters.errors import CREATION_OFF, CREATION_OFF_MESSAGE, WEAK_KEY, CounterRefused
from tallystick.surfaces.counters.judging import PublicCall
from tallystick.web.bearer import principal_of, require_permission, secret_of
from tallystick.web.idempotency import key_in
from tallystick.web.refusals import RateLimited, Unauthorized

OWNED_RATE = "owned-counters"
UNKNOWN_LIMIT = "unknown-token"
SHORTEST_KEY = 16
"""Characters of an ``Idempotency-Key`` that nobody else may come to send."""


async def asker_of(services: Services, call: PublicCall, needed: Permission) -> Asker:
    """The sender of a request, whom nothing may tell.

    Args:
        needed: permission of a token.

    Raises:
        Unauthorized: credentials are sent, and are not valid.
        PermissionMissing, RateLimited, StoreUnavailable
    """
    header = call.headers.get(b"authorization")
    if header is None:
        return Asker()
    words = header.decode("latin-1").split()
    secret = secret_of(*words) if len(words) == 2 else None  # noqa: PLR2004  # scheme and credentials
    if secret is None:
        msg = "send Authorization: Bearer, and behind it a token or the secret of the counter"
        raise Unauthorized(msg)
    if secret.startswith(SECRET_BEGINS):
        return Asker(digest=digest_of(secret))
    principal = await principal_of(secret, services.tokens, call.kit.limits, UNKNOWN_LIMIT, call.client)
    if principal is None:
        admission = call.kit.limits.admit_address(UNKNOWN_LIMIT, call.client)
        if not admission.admitted:
            raise RateLimited(admission)
        msg = "the token is not valid: it was deleted, or is not written as it was given"
        raise Unauthorized(msg)
    require_permission(principal, needed)
    return Asker(principal, names_prove=call.kit.join == "invited")


async def known_asker(services: Services, call: PublicCall, needed: Permission) -> Asker:
    """The sender of a request that takes credentials.

    Raises:
        Unauthorized: there are none, or they are not valid.
        PermissionMissing, RateLimited, StoreUnavailable
    """
    asker = await asker_of(services, call, needed)
    if asker == Asker():
        msg = f"send Authorization: Bearer SECRET of the counter, or a token with the permission {needed.label}"
        raise Unauthorized(msg)
    return asker


async def account_asker(services: Services, call: PublicCall, needed: Permission, what: str) -> Asker:
    """The sender of a request about all counters of an account, which takes a token.

    Args:
        what: takes it, in words.

    Raises:
        Unauthorized: there is no token of an account, or it is not valid.
        PermissionMissing, RateLimited, StoreUnavailable
    """
    asker = await asker_of(services, call, needed)
    if asker.account is None:
        msg = (
            f"{what} takes a token of an account: send Authorization: Bearer TOKEN, "
            f"with the permission {needed.label}. A secret stands for one counter only"
        )
        raise Unauthorized(msg)
    return asker


def idempotency_key(call: PublicCall) -> str:
    """The key under which a request is carried out once; empty without one.

    Raises:
        InputRefused: it is malformed.
    """
    header = call.headers.get(b"idempotency-key")
    return "" if header is None else key_in(header.decode("latin-1"))


def require_strong_key(call: PublicCall, why: str) -> None:
    """Refuse an Idempotency-Key that somebody else may send by chance, or guess.

    Args:
        why: this request needs a strong one, in words.

    Raises:
        InputRefused: it is malformed.
        CounterRefused: it is too short.
    """
    key = idempotency_key(call)
    if key and len(key) < SHORTEST_KEY:
        msg = f"this Idempotency-Key takes {SHORTEST_KEY} characters or more, best random ones (a UUID): {why}"
        raise CounterRefused(400, WEAK_KEY, msg)


def keyed_request(call: PublicCall, asker: Asker, weight: int = 1) -> KeyedRequest | None:
    """The identity of a request with a key; None without one.

    Args:
        weight: how many requests with a key it counts as, where its record is large.

    Raises:
        InputRefused: the key is malformed.
        RateLimited
    """
    key = idempotency_key(call)
    if not key:
        return None
    admission = call.kit.keyed.admit(call.scope, weight)
    if not admission.admitted:
        raise RateLimited(admission)
    sender = f"counters/{asker.account or ''}/{'' if asker.digest is None else asker.digest.hex()}"
    path: str = call.scope["path"].removesuffix("/")
    return KeyedRequest.of(sender, call.scope["method"], path, key, rest=meaning(call.query.items(), call.body))


def admits_creation(call: PublicCall, asker: Asker, namespace: str) -> Admit:
    """The limit of new counters, for the moment when one is made.

    Raises:
        CounterRefused: nobody but superusers makes counters on this server.
    """
    if call.kit.public_counters == "existing" and not asker.is_superuser:
        raise CounterRefused(403, CREATION_OFF, CREATION_OFF_MESSAGE)
    return partial(call.kit.creations.admit, call.client, namespace)


async def admit_secret(call: PublicCall) -> None:
    """Count a counter that is made with a secret, and never expires.

    Raises:
        RateLimited
    """
    admission = await call.kit.limits.admit_address_over_all(OWNED_RATE, call.client)
    if not admission.admitted:
        raise RateLimited(admission)
