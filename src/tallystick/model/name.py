"""The digest by which names of paths and campaigns are compared: case-insensitive, for names of any length."""

from hashlib import blake2b


def name_digest(name: str) -> bytes:
    """A digest of 16 bytes of the lower-case name."""
    return blake2b(name.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest()
