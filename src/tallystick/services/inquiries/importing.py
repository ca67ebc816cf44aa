"""Imports in the answers of a request (contract 2.5): who answers, and what is said about it."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from msgspec import Struct

from tallystick.model.dimensions import Dimension
from tallystick.model.named_period import Today
from tallystick.model.period import midnight
from tallystick.model.site import Site
from tallystick.services.analytics.imported import (
    WARNINGS,
    Answers,
    ImportedDays,
    QuestionsWithImports,
    Skipped,
    imported_days,
    skipped,
)
from tallystick.services.analytics.questions import Questions
from tallystick.services.inquiries.inquiry import Inquiry, parts_of


class Joining(Struct, frozen=True):
    """How an inquiry is answered.

    Attributes:
        reason: why imports are no part of the answer; None where they are, or were not wanted.
    """

    answers: Answers
    reason: Skipped | None = None
    wanted: bool = False

    @property
    def meta(self) -> dict[str, Any]:
        """What ``meta`` says about imports."""
        if not self.wanted:
            return {}
        if self.reason is None:
            return {"imports_included": True}
        said = {"imports_included": False, "imports_skip_reason": self.reason.value}
        return said | ({"imports_warning": self.warning} if self.warning else {})

    @property
    def warning(self) -> str | None:
        """Why imports are left out, where that may be unexpected."""
        return None if self.reason is None else WARNINGS.get(self.reason)


async def days_with_imports(questions: Questions, sites: Sequence[Site], *, wanted: bool) -> Sequence[ImportedDays]:
    """The imported days that count.

    Raises:
        QuestionTooLong, StoreUnavailable
    """
    return await imported_days(questions, sites) if wanted else ()


def since_imports(today: Today, days: Sequence[ImportedDays]) -> Today:
    """With the first imported day as the beginning of all time, where it is earlier."""
    begun = [*(midnight(each.first, _zone(each)) for each in days), *([] if today.begun is None else [today.begun])]
    return Today(today.now, today.zone, min(begun, default=None))


def joining(questions: Questions, days: Sequence[ImportedDays], inquiry: Inquiry, *, wanted: bool) -> Joining:
    """How an inquiry is answered.

    Args:
        days: the imported days that count.
        wanted: whether imports are to be part of the answer.
    """
    if not wanted:
        return Joining(questions)
    reasons = [skipped(part, days) for part in parts_of(inquiry)]
    reason = next((each for each in reasons if each is not None), None)
    if reason is None and any(
        isinstance(each.grouping, Dimension) and not each.grouping.columns for each in inquiry.dimensions
    ):
        reason = Skipped.UNSUPPORTED_QUERY  # cities: hits have none
    return Joining(QuestionsWithImports(questions, days) if reason is None else questions, reason, wanted)


def _zone(days: ImportedDays) -> tzinfo:
    zone: tzinfo = days.zone
    return zone
