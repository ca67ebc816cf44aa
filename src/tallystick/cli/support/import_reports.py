"""What imports say while they run: pauses and bad lines."""

import sys
from collections.abc import Callable
from typing import TypeVar

from tallystick.cli.support.listing import printable
from tallystick.cli.support.progress import ShowProgress
from tallystick.cli.support.site_access import Waits
from tallystick.services.imports.running import LOOKED_AT_EVERY_S

BAD_LINES_SHOWN = 20
WOULD_BE = "nothing was changed; it would be: "

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
            print(printable(text_of(bad)), file=sys.stderr)

    return on_bad_line


def nothing(_done: int, _total: int, _note: str = "", /) -> None:
    """Show no progress."""
