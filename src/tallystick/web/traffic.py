"""Counts of responses and refusals, by surface."""

from collections import Counter
from collections.abc import Iterable


class Traffic:
    """Counts responses; written on the event loop, read by the metrics page.

    Attributes:
        additions: of lists of additions to public counters, by what became of them.
    """

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.additions: Counter[str] = Counter()

    def answered(self, surface: str, status: int) -> None:
        """Count one response."""
        self.answers[surface, status] += 1

    def expect(self, surface: str, reasons: Iterable[str]) -> None:
        """Register the reasons of a surface, so that each is reported from the start, as 0."""
        for reason in reasons:
            self.refusals[surface, reason] += 0

    def refused(self, surface: str, reason: str) -> None:
        """Count one refusal. Reasons are a fixed set of names, never a key or an address."""
        self.refusals[surface, reason] += 1
