"""Translates what services say of refused input.

Services write English, which the APIs answer as it is. On pages it is translated by the patterns below, each the text
of a service with placeholders for its values. A test holds them against the sources of the services.
"""

import re
from collections.abc import Sequence
from functools import cache

from tallystick.surfaces.dashboard.support.language import N_, Language

PATTERNS = (
    # Fields of any form.
    N_("must be set"),
    N_("must be shorter than %(most)s characters"),
    N_("must be longer than %(least)s characters"),
    N_("must be one of %(values)s"),
    N_("must be one of ‘%(values)s’"),  # noqa: RUF001  # the contract's text
    N_("already exists"),
    N_("must be text"),
    N_("cannot contain control characters"),
    N_("cannot contain invisible characters, or marks that change the direction of text"),
    N_("must have a visible character"),
    N_("must be a valid email address"),
    # Passwords and codes.
    N_("%(least)s to %(most)s characters. The %(number)s most common passwords, words and names are not accepted."),
    N_("must have %(least)s to %(most)s characters"),
    N_("must be shorter than %(most)s bytes"),
    N_("must be more than one character repeated"),
    N_("is one of the %(number)s most common ones; choose another"),
    N_("is not right, or was used already; wait for the next one"),
    # Sites.
    N_("cannot contain '%(sign)s'"),
    N_("cannot be ‘%(code)s’"),  # noqa: RUF001  # the contract's text
    N_("must be a fully qualified domain name, such as stats.example.com"),
    N_("must be a time zone such as DE.Europe/Berlin, or .UTC"),
    N_("must be a valid hostname: each label has 1 to %(most)s characters"),
    N_("must be a valid hostname: invalid character: %(sign)s"),
    N_("must be a valid hostname: cannot start or end with '-'"),
    N_("must be a valid url"),
    N_("must be 8 to 40 letters and digits"),
    N_("must be %(least)s to %(most)s"),
    N_("must be smaller than %(most)s bytes"),
    N_("must be 0, or %(least)s to %(most)s"),
    N_("must be a sum of the bits 1 to %(most)s"),
    N_("cannot have more than %(most)s entries"),
    N_("must be a valid IPv4 or IPv6 address"),
    N_("must be country codes of two letters"),
    N_("'*' is not allowed"),
    N_("must be domains, such as https://example.com"),
    # Notes.
    N_("must not be empty"),
    N_("must be a date such as 2026-03-10, or 2026-03-10 14:30"),
    N_("must be a URL that begins with http:// or https://"),
    N_("there are %(number)s sites already, the most that a server can have"),
    N_(
        "site %(site)s has no host yet, and several sites are distinguished by their hosts;"
        " set it first: on its page, or with tallystick site change %(same)s --host HOST"
    ),
    N_("site %(site)s is the first of its account; delete the others before it: %(others)s"),
    N_("only admins of all sites of an account can create sites; the operator of the server can make you one"),
    N_("this token is limited to some sites and cannot create others"),
    N_("there is no site %(site)s"),
    # Public counters.
    N_("cannot be more than %(most)s"),
    N_("have to be http:// or https:// and a host with an optional port, and nothing after it"),
    # Paths.
    N_("between 1 and %(most)s paths are changed at once, not %(number)s"),
    N_("site %(site)s has a path %(name)s already; merge them instead"),
    N_("site %(site)s has no path %(path)s"),
    N_("pages and events cannot be merged with each other"),
    N_("must begin with /, because it is a page"),
    N_("is the name that this path has already"),
    N_("site %(site)s has no rule %(rule)s any more"),
    N_("must begin with /, such as /orders/*"),
    N_("must have a * where paths differ, such as /orders/*"),
    N_("must not gather all paths: begin with what they share, such as /orders/*"),
    N_("can have ** as its last part only, such as /docs/**"),
    N_("can have one * between two slashes"),
    # Accounts and people.
    N_("this server has an account already"),
    N_("there are %(number)s accounts already, the most that a server can have"),
    N_("there is no account %(account)s"),
    N_("%(email)s is the last admin of site %(site)s"),
    N_("the account has no site %(site)s"),
    N_("cannot be added here; ask the operator of this server"),
    N_("only superusers can allow people to add sites"),
    N_("there is no such person without a site"),
    N_("only admins of all sites can manage people"),
    N_("must be read, settings or admin"),
    N_("this server is not set up yet"),
    N_("this server is not set up yet: its first account must not be one of a guest"),
    N_("there are %(number)s open invites already; withdraw some"),
    N_("there is no such invite any more"),
    N_("only superusers can invite people to the server"),
    N_("there is no such person"),
    N_("you cannot change your own access here"),
    N_("only superusers can manage superusers"),
    # Tokens.
    N_("%(email)s has %(number)s tokens already, the most that one person can have"),
    N_("%(email)s is not an admin; only admins can create and use API tokens for sites"),
    N_(
        "%(email)s is not an admin; only admins can create and use API tokens for sites"
        " that do more than %(permissions)s"
    ),
    N_("there is no token %(token)s"),
    N_("%(email)s has no site yet"),
    N_("the account of %(email)s has no site %(site)s"),
    N_("must be left out: shared counters belong to no site"),
    # What a site keeps.
    N_("the site has no %(kind)s %(which)s"),
    N_("the site has a %(kind)s %(name)s already"),
    N_("the site has %(number)s %(kind)s already, the most that there can be"),
    N_("the goal %(name)s is used by %(user)s; change or delete that first"),
    N_("a goal has either a page or an event; this one has both a page and an event"),
    N_("a goal has either a page or an event; this one has neither a page nor an event"),
    N_("%(event)s is no event: give the page, or ** for every page"),
    N_("a name is a line of 1 to %(most)s bytes"),
    N_("a value is a text of %(most)s bytes at most"),
    N_("must be in the future"),
    N_("there can be %(most)s at most"),
    N_("a funnel has %(least)s to %(most)s steps; this one has %(number)s"),
    N_("the first and the last step cannot be optional"),
    N_("a step has exactly one of a goal, a page and an event"),
    N_("must begin with / or *, for example /blog/*"),
    N_("cannot begin with /: that is a page"),
    N_("must be smaller than %(most)s bytes as JSON"),
    N_("a segment cannot contain another segment"),
    N_("a segment can be your own or the site's, but not another person's"),
    N_("must have 1 to %(most)s characters, as addresses have them"),
    N_("a view can be your own or the site's, but not another person's"),
    N_("an annotation can be your own or the site's, but not another person's"),
    # Rules that leave hits out.
    N_("must be country codes of two letters, such as NL"),
    N_("must be paths without https:// and host, such as /admin"),
    N_("must not be all paths: write a path such as /admin, or the beginning of some, such as /admin/*"),
    N_("can have * at the beginning and at the end only"),
    N_("must begin with / or *"),
    N_("must be host names, such as test.example.com, or *.example.com for all below example.com"),
    N_("must be names of campaigns, such as spring-letter"),
    # Exports.
    N_("%(number)s exports of this site are waiting to be written"),
    N_("the export could not be written"),
    N_("the file could not be written"),
    N_("the disk is full"),
    # Imports.
    N_("the disk of the server has no room for this file"),
    N_("the disk of the server that imports has no room for this file: make room, and send it again"),
    N_("%(number)s files of this site are waiting to be imported"),
    N_(
        "the first line is not the header of GoatCounter's CSV: it starts with %(text)s, not %(header)s;"
        " if the file is something else, choose that in the form, or see tallystick import --help: Parquet, JSON in a"
        " ZIP, an access log, or an export of Plausible, Umami or Google Analytics"
    ),
    N_("the file is not a ZIP"),
    N_("no row of the file can be used"),
    N_("no line of the file could be used"),
    N_("the file has no hit: lines of a log in the format %(format)s were expected"),
    N_("the file has no hit: %(kind)s was expected"),
    N_("%(name)s has nothing but NUL bytes, so no line can be read; it may not have been copied as a whole"),
    N_("%(name)s has more than %(most)s empty lines in a row: it is damaged, or no export and no log"),
    N_("none of the first %(number)s lines can be used; the file has another format than the chosen one"),
    N_("%(name)s becomes more than %(factor)s times its size when it is uncompressed: it is no export"),
    N_(
        "the site has imported days of the same tables before, with import %(imports)s: replace (--replace) or remove"
        " that first"
    ),
    N_("the server has ended %(number)s times while it was reading this file"),
    N_("the file could not be imported; the log of the server says why"),
    N_("the server that had the file has stopped: send the file again"),
    N_("the server that imported the file has stopped: import it again"),
    N_("the file is gone: send it again"),
    N_("the storage of the lake does not answer: try again later"),
    # Addresses of statistics.
    N_("period: %(problem)s"),
    N_("compare: %(problem)s"),
    N_("%(text)s is not a period; examples are 7d, today, 2026-03, 2026-03-01..2026-03-28"),
    N_("%(text)s is not a period"),
    N_("%(text)s is not a date"),
    N_("%(text)s is neither a date such as 2026-03-10 nor a moment with its offset"),
    N_("periods lie in the years %(first)s to %(last)s"),
    N_("%(first)s is after %(last)s"),
    N_("a period has at most %(most)s days"),
    N_("by: this period can be divided by %(units)s"),
    N_("compare: %(text)s is not one of %(values)s, or two dates with .. between them"),
    N_("graph: %(text)s is not one of %(values)s"),
    N_("a page takes at most %(most)s filters"),
    N_("choose what to filter by, and how to compare"),
    N_("a filter takes a value of at most %(most)s characters"),
    N_("a filter has at most %(most)s characters"),
    N_("filters can be nested %(most)s deep"),
    N_("filters that search for parts, for expressions or in any case take at most %(most)s values"),
    N_("there is no filter on %(name)s"),
    N_("the filter on %(name)s has no values"),
    N_("the filter on %(name)s has a value that is no text"),
    N_("a filter on visit:country takes two-letter country codes, for example DE"),
    N_("there is no segment %(name)s"),
    N_("there are several segments %(name)s: name one by its number (%(numbers)s)"),
    N_("the filter on %(filter)s: %(problem)s"),
    N_("Property %(name)s"),
    N_("the expression '%(text)s' is not valid: %(reason)s"),
    N_(
        "the site has no goal %(name)s: a goal is one that is configured, the name of an event that was seen,"
        " or Visit and a path"
    ),
    N_("a filter on %(name)s has to stand at the top level"),
    N_("has_done and has_not_done take filters on event dimensions only, not on %(name)s"),
    N_("the filters of a query take at most %(most)s segments"),
    # Badges.
    N_("must have at most 100 characters"),
    N_("must have at most 20 characters"),
    N_("must be a name such as green, or hexadecimal digits such as 7c3f0c"),
    N_("must be flat, flat-square, for-the-badge, plastic or digits"),
    N_("must be lcd, led, dots, odometer, flip or mono"),
    N_("must be auto, light or dark"),
    N_("must be a language such as de or pt-PT, of those in the documentation"),
    N_("must be a whole number of 64 bits"),
    N_("must be a number of digits from 1 to 20"),
    N_("must be 1 or 2"),
    N_("must be 0 or 1"),
    N_("must be today, 7d or 30d"),
)

KINDS = (
    *(N_("goal"), N_("funnel"), N_("segment"), N_("saved view"), N_("shared link")),
    *(N_("goals"), N_("funnels"), N_("segments"), N_("saved views"), N_("shared links"), N_("annotations")),
    *(N_("a CSV file of hits"), N_("a ZIP file of statistics"), N_("a Parquet file of hits")),
    *(N_("an export of Umami"), N_("an export of Google Analytics")),
    *(N_("segments of yours"), N_("saved views of yours"), N_("annotations of yours"), N_("saved view of yours")),
)
"""Values of the placeholder ``kind``, which are translated themselves."""

TRANSLATED = ("kind", "problem", "filter")
"""Placeholders whose values are texts of the code, not of people."""

_grouped = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_placeholder = re.compile(r"%\((\w+)\)s")


def translated(language: Language, text: str) -> str:
    """A text in a language: one that is marked in the code, or the message of a service. Others stay as they are."""
    plain = language.gettext(text) if text else ""
    if plain != text:
        return plain
    for pattern, begins, ends, matcher in _matchers():
        # Most patterns are told apart by their ends, for a fraction of what it takes to match them.
        if text.startswith(begins) and text.endswith(ends) and (found := matcher.fullmatch(text)):
            values = {name: _value(language, name, value) for name, value in found.groupdict().items()}
            return language.gettext(pattern) % values
    return text


def sentence(language: Language, text: str) -> str:
    """A text in a language, with a capital letter at its start and a point at its end."""
    text = translated(language, text).removesuffix(".")
    first = text.partition(" ")[0]
    return f"{text}." if "@" in first else f"{text[:1].upper()}{text[1:]}."


def matcher_of(pattern: str) -> re.Pattern[str]:
    """Matches the texts that a pattern stands for; groups are named as its placeholders."""
    parts = _placeholder.split(pattern)
    named = [f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)]
    return re.compile("".join(named), re.DOTALL)


def _value(language: Language, name: str, value: str) -> str:
    if name in TRANSLATED:
        return translated(language, value)
    return language.number(int(value.replace(",", ""))) if _grouped.fullmatch(value) else value


@cache
def _matchers() -> Sequence[tuple[str, str, str, re.Pattern[str]]]:
    """Patterns with placeholders, with the text before their first and behind their last one.

    First those that begin with most text of their own, then the longest.
    """
    patterns = [pattern for pattern in PATTERNS if "%(" in pattern]
    patterns.sort(key=lambda pattern: (pattern.index("%("), len(pattern)), reverse=True)
    return [(pattern, *_ends(pattern), matcher_of(pattern)) for pattern in patterns]


def _ends(pattern: str) -> tuple[str, str]:
    parts = _placeholder.split(pattern)
    return parts[0], parts[-1]
