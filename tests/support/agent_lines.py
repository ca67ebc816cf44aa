"""The corpora of User-Agents beside the tests of services."""

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "services"


def agents_of(file: str) -> Iterator[list[str]]:
    """The lines of a corpus, divided at tabs."""
    for line in (FOLDER / file).read_text("utf-8").split("\n"):
        if line and not line.startswith("#"):
            yield line.split("\t")
