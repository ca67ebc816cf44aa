"""The results of reading lines of a file: hits for the ingest, bad lines and excluded ones."""

from typing import NamedTuple

from tallystick.services.ingest.ingest import Arrival


class BadLine(NamedTuple):
    """A line that cannot be read, and why.

    Attributes:
        torn: whether it may be several lines that an open quotation mark joined.
    """

    number: int
    reason: str
    torn: bool = False


class ExcludedLine(NamedTuple):
    """A line that an exclude rule leaves out."""

    number: int
    rule: str


class ParsedHit(NamedTuple):
    """The hit of a line."""

    number: int
    arrival: Arrival


ParsedLine = ParsedHit | BadLine | ExcludedLine
