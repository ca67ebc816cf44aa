"""Progress of long work, on standard error, for a person who watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Tell(Protocol):
    """Takes how much is done, of how much, and what to show beside the bar."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Show it."""


@contextmanager
def progress(doing: str) -> Iterator[Tell]:
    """A bar while the block runs; nothing when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield _nobody_watches
        return
    from rich.console import Console  # noqa: PLC0415  # only who watches waits for it
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None, note="")

        def tell(done: int, total: int, note: str = "", /) -> None:
            # What nobody knows the length of has no total.
            bar.update(task, completed=done, total=total or None, note=note)

        yield tell


def _nobody_watches(_done: int, _total: int, _note: str = "", /) -> None:
    """Progress that goes nowhere."""
