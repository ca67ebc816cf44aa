"""A progress bar on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class ShowProgress(Protocol):
    """Shows how much is done, of how much (0 if unknown), and a note beside the bar."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Update the bar."""


@contextmanager
def progress(title: str) -> Iterator[ShowProgress]:
    """Show a bar while the block runs; nothing if standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield _show_nothing
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import, and only needed for the bar
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def show(done: int, total: int, note: str = "", /) -> None:
            bar.update(task, completed=done, total=total or None, note=note)

        yield show


def _show_nothing(_done: int, _total: int, _note: str = "", /) -> None:
    """Ignore the progress."""
