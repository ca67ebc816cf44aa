"""What readers of files tell: hits, as ingest takes them, and what became of the rest."""

from typing import NamedTuple

from tallystick.services.ingest.ingest import Arrival


class BadLine(NamedTuple):
    """A line that is not understood, and why.

    Attributes:
        torn: whether it may be several lines that an open quotation mark has put together.
    """

    number: int
    reason: str
    torn: bool = False


class Excluded(NamedTuple):
    """A line that a rule leaves out."""

    number: int
    rule: str


class Told(NamedTuple):
    """A hit that a line tells of."""

    number: int
    arrival: Arrival


Item = Told | BadLine | Excluded
