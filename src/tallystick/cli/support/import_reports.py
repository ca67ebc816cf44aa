"""What imports say: pauses, bad lines and the summary."""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from tallystick.cli.support.progress import ShowProgress
from tallystick.cli.support.site_access import Waits
from tallystick.services.imports.running import BOTS, LOOKED_AT_EVERY_S, Report

BAD_LINES_SHOWN = 20
REASONS_SHOWN = 5
WOULD_BE = "nothing was changed; it would be: "
CUT = "with a title or referrer that was too long and was cut"

Bad = TypeVar("Bad")


def waits_shown(show_progress: ShowProgress) -> Waits:
    """A function that shows each pause."""

    def waits(pause: float, reason: str, /) -> None:
        show_progress(0, 0, f"waiting {pause:.0f} s: {reason}")
        if pause > LOOKED_AT_EVERY_S:
            print(f"waiting {pause:.0f} s: {reason}", file=sys.stderr)

    return waits


def bad_lines_shown(text_of: Callable[[Bad], str]) -> Callable[[Bad], None]:
    """A function that prints the first bad lines.

    Args:
        text_of: where a line is, and what is wrong with it.
    """
    shown = iter(range(BAD_LINES_SHOWN + 1))

    def on_bad_line(bad: Bad) -> None:
        number = next(shown, None)
        if number == BAD_LINES_SHOWN:
            print("further bad lines are not shown, only counted", file=sys.stderr)
        elif number is not None:
            print(text_of(bad), file=sys.stderr)

    return on_bad_line


def nothing(_done: int, _total: int, _note: str = "", /) -> None:
    """Show no progress."""


def summary_parts(report: Report, left_out: Counter[str], unit: str) -> list[str]:
    """What an import did, in parts of a sentence.

    Args:
        left_out: numbers of lines that were left out on purpose, by reason.
        unit: of positions in the file.
    """
    parts = [f"{report.stored:,} hits"]
    if report.stored and report.first is not None and report.last is not None:
        parts[0] += f" from {_day(report.first)} to {_day(report.last)}"
    if kinds := _listed(Counter({BOTS: report.notes[BOTS], CUT: report.cut})):
        parts.append(f"of which {kinds}")
    if report.refused:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in report.reasons.most_common(REASONS_SHOWN))
        parts.append(f"not accepted {report.refused:,} ({reasons})")
    if report.dropped:
        parts.append(f"dropped {_listed(Counter({**report.notes, BOTS: 0}))}")
    if listed := _listed(left_out):
        parts.append(f"left out {listed}")
    if report.bad:
        parts.append(f"could not read {report.bad:,} lines")
    if report.before:
        parts.append(f"imported before {report.before:,} {unit}")
    return parts


def annotation_of(report: Report, kind: str) -> str:
    """What the site's annotation says of an import; empty where nothing was stored.

    Args:
        kind: of the file, without its name: that may tell of the machine.
    """
    return f"Imported {summary_parts(report, Counter(), 'lines')[0]}: {kind}." if report.stored else ""


def _listed(counts: Counter[str]) -> str:
    return " and ".join(f"{count:,} {name}" for name, count in counts.most_common() if count)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
