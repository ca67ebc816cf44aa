"""Reads GoatCounter's CSV, version 2 (contract, 5.1 and 5.3)."""

import re
from collections.abc import Callable

from tallystick.errors import InputRefused
from tallystick.model.moments import unix_seconds
from tallystick.model.product import named_version
from tallystick.model.screen import width_of
from tallystick.model.text import ESCAPES
from tallystick.services.imports.cells import cells_of
from tallystick.services.imports.parsed import BadLine, ParsedHit, ParsedLine
from tallystick.services.imports.texts import with_blanks, without_padding
from tallystick.services.ingest.ingest import Arrival

COLUMNS = (
    "2Path",
    "Title",
    "Event",
    "UserAgent",
    "Browser",
    "System",
    "Session",
    "Bot",
    "Referrer",
    "Referrer scheme",
    "Screen size",
    "Location",
    "FirstVisit",
    "Date",
)
VERSION = "2"
NO_SESSION = frozenset({"", "0-0"})


_TRUTH = dict.fromkeys(("1", "y", "yes", "t", "true", "on"), True) | dict.fromkeys(
    ("0", "n", "no", "f", "false", "off", ""), False
)


def csv_reader(now: Callable[[], int]) -> Callable[[int, bytes], ParsedLine | None]:
    """A function that reads one row, given its number and bytes. The first row must be the header.

    Args:
        now: Unix seconds.
    """

    def item(number: int, raw: bytes) -> ParsedLine | None:
        text = without_padding(raw).decode("utf-8", ESCAPES)
        try:
            cells = cells_of(text)
        except ValueError as error:
            return BadLine(number, str(error), torn=True)
        if number == 1:
            check_header(cells)
            return None
        if not cells:
            return None
        if len(cells) != len(COLUMNS):
            return BadLine(number, f"wrong number of fields: {len(cells)} (want: {len(COLUMNS)})", torn=True)
        try:
            return ParsedHit(number, _arrival(cells, now()))
        except ValueError as error:
            return BadLine(number, str(error))

    return item


def check_header(cells: list[str]) -> None:
    """Check that the first row is this version's header.

    Raises:
        InputRefused: it is not.
    """
    first = (cells or [""])[0]
    if match := re.fullmatch(r"(\d+)Path", first):
        if match[1] == VERSION:
            return
        msg = f"wrong version of CSV database: {match[1]} (expected: {VERSION})"
        raise InputRefused(msg)
    msg = (
        f"the first line is not the header of GoatCounter's CSV: it starts with {first[:50]!r}, not {COLUMNS[0]!r};"
        " if the file is something else, choose that in the form, or see tallystick import --help: Parquet, JSON in a"
        " ZIP, an access log, or an export of Plausible, Umami or Google Analytics"
    )
    raise InputRefused(msg)


def _arrival(cells: list[str], now: int) -> Arrival:
    path, title, event, agent, browser, system, session, bot, ref, scheme, size, location, first, date = cells
    return Arrival(
        path=path,
        title=title,
        event=_truth("Event", event),
        agent=with_blanks(agent),
        browser=named_version(browser) if browser or not agent else None,
        system=named_version(system) if system or not agent else None,
        session="" if session in NO_SESSION else session,
        no_session=session in NO_SESSION,
        sessionless=True,
        bot=_whole("Bot", bot.strip() or "0", 255),
        ref=ref,
        ref_scheme=_scheme(scheme),
        width=width_of(size),
        location=location,
        first=_truth("FirstVisit", first),
        created=_moment(date),
        filtered=False,
        received=now,
    )


def _truth(column: str, text: str) -> bool:
    value = _TRUTH.get(text.strip().lower())
    if value is None:
        msg = f"{column} must be 0 or 1, not {text[:50]!r}"
        raise ValueError(msg)
    return value


def _whole(column: str, text: str, most: int) -> int:
    text = text.strip()
    number = int(text.partition(".")[0]) if re.fullmatch(r"\d{1,10}(?:\.\d*)?", text, re.ASCII) else most + 1
    if number > most:
        msg = f"{column} must be a number from 0 to {most}, not {text[:50]!r}"
        raise ValueError(msg)
    return number


def _scheme(text: str) -> str | None:
    if text not in ("h", "g", "c", "o", ""):
        msg = f"Referrer scheme must be h, g, c or o, not {text[:50]!r}"
        raise ValueError(msg)
    return text or None


def _moment(text: str) -> int:
    try:
        seconds = unix_seconds(text.strip())
    except (ValueError, OverflowError) as error:
        msg = f"Date must be an RFC 3339 time, not {text[:50]!r}"
        raise ValueError(msg) from error
    if seconds < 0:
        msg = f"Date must not be before 1970, but is {text[:50]!r}"
        raise ValueError(msg)
    return seconds
