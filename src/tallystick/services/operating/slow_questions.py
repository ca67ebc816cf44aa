"""The questions about visits and hits that took long, in memory: what was asked, without any value of a visitor."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from tallystick.errors import QuestionTooLong
from tallystick.model.funnel import FunnelQuestion
from tallystick.model.period import DAY_S
from tallystick.model.question import Question, TimeUnit, matches_in

SLOW_S = 1.0
REMEMBERED = 100
SHOWN_FOR_MS = 86_400_000
LONGEST_NAME = 60
"""Names of properties are as long as pages make them."""


class SlowQuestion(Struct, frozen=True, kw_only=True):
    """A question that took long.

    Attributes:
        at: when it ended, Unix ms.
        seconds: how long it ran, without waiting for others.
        given_up: whether it took longer than a question may.
        sites: ids; empty for a search in stored hits.
        about: names of metrics and dimensions.
        filters: names of the dimensions that are filtered by; their values are left out.
        days: the length of the period.
    """

    at: int
    seconds: float
    given_up: bool
    sites: tuple[int, ...] = ()
    about: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    days: int = 0


class SlowQuestions:
    """Remembers the newest slow questions. Used from one event loop.

    Args:
        steady: seconds, monotonic.
        now: Unix ms.
    """

    def __init__(
        self,
        steady: Callable[[], float] = time.perf_counter,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._steady, self._now = steady, now
        self._newest: deque[SlowQuestion] = deque(maxlen=REMEMBERED)

    @contextmanager
    def measured(self, question: Question | FunnelQuestion | None) -> Iterator[None]:
        """Measure the block, which answers a question; None for one of another kind."""
        begun, given_up = self._steady(), False
        try:
            yield
        except QuestionTooLong:
            given_up = True
            raise
        finally:
            seconds = self._steady() - begun
            if given_up or seconds >= SLOW_S:
                self._newest.append(_described(question, self._now(), seconds, given_up=given_up))

    @property
    def of_last_day(self) -> list[SlowQuestion]:
        """Those of the last day, the newest first; at most ``REMEMBERED``."""
        since = self._now() - SHOWN_FOR_MS
        return [question for question in reversed(self._newest) if question.at > since]


def _described(question: Question | FunnelQuestion | None, at: int, seconds: float, *, given_up: bool) -> SlowQuestion:
    match question:
        case Question():
            sites = question.sites
            groupings = (each.value if isinstance(each, TimeUnit) else each.name for each in question.dimensions)
            about = (*(metric.value for metric in question.metrics), *groupings)
        case FunnelQuestion():
            sites, about = (question.site,), ("funnel",)
        case None:
            return SlowQuestion(at=at, seconds=seconds, given_up=given_up)
    filters = dict.fromkeys(match.dimension.name[:LONGEST_NAME] for match in matches_in(question.condition))
    return SlowQuestion(
        at=at,
        seconds=seconds,
        given_up=given_up,
        sites=sites,
        about=tuple(name[:LONGEST_NAME] for name in about),
        filters=tuple(filters),
        days=max(1, round((question.period.after - question.period.start) / DAY_S)),
    )
