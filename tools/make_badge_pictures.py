"""Draws the badges of ``docs/badges.md``: the picture of each of its rows, from the parameters in the row.

A test compares them with what this version draws.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from tallystick.model.badge import badge_request
from tallystick.surfaces.counters.badges.forms import badge_as
from tallystick.surfaces.counters.badges.wording import message_of

DOCS = Path(__file__).resolve().parent.parent / "docs"
LABEL, VALUE = "visits", 12_345
LINE = (3, 5, 4, 8, 6, 2, 1, 4, 7, 9, 8, 10, 5, 3, 6, 9, 12, 11, 13, 9, 6, 8, 12, 15, 14, 17, 11, 9, 13, 18)
_row = re.compile(r"^\| `\?([^`]*)` \| !\[[^\]]*\]\((pictures/badges/[a-z0-9-]+\.svg)\) \|", re.MULTILINE)


def pictures() -> Mapping[Path, bytes]:
    """Every picture by its file."""
    rows = _row.findall((DOCS / "badges.md").read_text("utf-8"))
    return {DOCS / file: drawn(query) for query, file in rows}


def drawn(query: str) -> bytes:
    """The badge that parameters ask for."""
    asked = badge_request(dict(parse_qsl(query, keep_blank_values=True)))
    label = LABEL if asked.label is None else asked.label
    line = LINE if asked.draws_line else ()
    return badge_as("svg", label, message_of(asked, VALUE), asked.look, line=line).body


def main() -> None:
    """Write them."""
    for file, picture in pictures().items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(picture)


if __name__ == "__main__":
    main()
