"""Sealed texts in cookies, which prove that a browser was given a secret. Nothing is stored for them on the server.

They are keyed with the secret, or its digest: a changed secret invalidates all of them.
"""

import re
from hashlib import blake2b, sha256
from hmac import compare_digest

PROOF_MS = 7 * 86_400_000
"""How long a proof is valid."""

_proof = re.compile(r"([0-9]{1,15})\.([0-9a-f]{64})")


def make_proof(secret: str, subject: str, now: int) -> str:
    """A proof that a browser was given a secret, valid for ``PROOF_MS``.

    Args:
        subject: what the secret opens; a proof for one thing proves nothing about another with the same secret.
        now: Unix milliseconds.
    """
    expires = now + PROOF_MS
    return f"{expires}.{_seal(secret, subject, expires)}"


def is_proof(text: str, secret: str, subject: str, now: int) -> bool:
    """Whether a text proves that a browser was given the secret of a subject."""
    parts = _proof.fullmatch(text)
    if parts is None or now >= (expires := int(parts[1])):
        return False
    return compare_digest(_seal(secret, subject, expires), parts[2])


def _seal(secret: str, subject: str, expires: int) -> str:
    key = sha256(secret.encode()).digest()
    return blake2b(f"{expires} {subject}".encode(), key=key, digest_size=32, person=b"given secret").hexdigest()
