"""How names that people type are compared: without regard to case, at any length."""

from hashlib import blake2b


def name_digest(name: str) -> bytes:
    """What paths and campaigns are compared by: 16 bytes of the lower-case name."""
    return blake2b(name.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest()
