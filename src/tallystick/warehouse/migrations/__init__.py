"""Numbered steps of the warehouse's schema: one SQL file each, each taken in one transaction with its record."""

from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple


class Step(NamedTuple):
    """One step of the schema. Its text is never edited once it was taken: the checksum is recorded and compared."""

    number: int
    sql: str
    checksum: str


def known_steps() -> list[Step]:
    """The steps this program knows, in order."""
    entries = sorted(files(__package__).iterdir(), key=lambda entry: entry.name)
    texts = [entry.read_text("utf-8") for entry in entries if entry.name.endswith(".sql")]
    return [Step(number, text, sha256(text.encode()).hexdigest()) for number, text in enumerate(texts, 1)]
