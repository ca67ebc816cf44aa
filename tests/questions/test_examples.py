"""Small worlds with questions and their answers, all written by hand.

Each answer is compared with that of the service, of the oracle, and of the plan that reads hits only; so an error that
the oracle and the product have in common shows here. ``examples.py`` says how a world is written. A row of an answer
has the values of the dimensions, then the figures; with a comparison those of the other period follow, or None where
that period has no such time. Empty values are times that only the other period has.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from questions import oracle
from questions.examples import (
    OTHER,
    OWN,
    Asked,
    Names,
    asked,
    both,
    contains,
    contains_not,
    either,
    in_ids,
    in_names,
    is_,
    is_not,
    matches,
    matches_not,
    told,
)
from support.analytics import Analytics
from tallystick.model.dimensions import (
    BOT,
    BROWSER,
    CAMPAIGN,
    CHANNEL,
    COUNTRY,
    DEVICE,
    ENTRY_HOST,
    ENTRY_PAGE,
    EVENT_NAME,
    EXIT_HOST,
    EXIT_PAGE,
    HOST,
    LANGUAGE,
    NEXT_PAGE,
    PAGE,
    PREVIOUS_PAGE,
    QUESTION_DIMENSIONS,
    REFERRING_PAGE,
    REGION,
    SIZE,
    SOURCE,
    SYSTEM,
    UTM_CONTENT,
    UTM_MEDIUM,
    UTM_SOURCE,
    UTM_TERM,
    VERSION_OF_BROWSER,
    VERSION_OF_SYSTEM,
    Dimension,
)
from tallystick.model.metrics import Metric
from tallystick.model.question import MOST_ROWS, HasDone, Not, Operator, Order, Question, TimeUnit, matches_in
from tallystick.warehouse import WarehouseSession
from tallystick.warehouse.duckdb.questions.answering import answer as answer_in_ids
from tallystick.warehouse.duckdb.session import DuckDbSession

VISITORS, VISITS, PAGEVIEWS, EVENTS, COUNT = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.EVENTS,
    Metric.COUNT,
)
PER_VISIT, BOUNCES, DURATION = Metric.VIEWS_PER_VISIT, Metric.BOUNCE_RATE, Metric.VISIT_DURATION
SHARE, EXITS = Metric.PERCENTAGE, Metric.EXIT_RATE
ALL = (VISITORS, VISITS, PAGEVIEWS, EVENTS, COUNT, PER_VISIT, BOUNCES, DURATION, SHARE, EXITS)

DAY, WEEK, SUNDAY_WEEK, MONTH = TimeUnit.DAY, TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK, TimeUnit.MONTH
HOUR, QUARTER_HOUR, MINUTE = TimeUnit.HOUR, TimeUnit.QUARTER_HOUR, TimeUnit.MINUTE
WEEKDAY, HOUR_OF_DAY = TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY
BERLIN, KATHMANDU, LORD_HOWE, APIA = "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"
BOTH_SITES = (OWN, OTHER)
THE_DAY_BEFORE = ("2020-06-17", "2020-06-17")


class Example(NamedTuple):
    """A world, and questions with their rows."""

    hits: str
    answers: Sequence[tuple[Asked, Sequence[tuple[Any, ...]]]]


# Metrics.

METRICS = {
    "no hits": Example(
        "",
        [
            (asked(*ALL), [(0, 0, 0, 0, 0, None, None, None, None, None)]),
            (asked(VISITORS, by=(PAGE,)), []),
            (asked(VISITORS, by=(DAY,)), []),
        ],
    ),
    "one visit of three pageviews": Example(
        """
        10:00 A /a
        10:01 A /b
        10:03 A /a
        """,
        [
            (asked(*ALL), [(1, 1, 3, 3, 2, 3.0, 0.0, 180.0, 100.0, 33.33)]),
            (
                asked(VISITORS, PAGEVIEWS, EVENTS, COUNT, SHARE, EXITS, by=(PAGE,)),
                [("/a", 1, 2, 2, 1, 100.0, 50.0), ("/b", 1, 1, 1, 1, 100.0, 0.0)],
            ),
            (
                asked(VISITORS, PER_VISIT, BOUNCES, DURATION, by=(PAGE,)),
                [("/a", 1, 3.0, 0.0, 180.0), ("/b", 1, None, None, None)],
            ),
            (asked(BOUNCES, by=(PAGE,)), [("/a", 0.0)]),
        ],
    ),
    "bounces have one pageview and no event": Example(
        """
        10:00:00 A /a
        10:00:00 B /a
        10:00:10 B Click
        10:00:00 C Click
        10:00:00 D /a
        10:00:05 D /a
        """,
        [
            (asked(*ALL), [(4, 4, 4, 6, 5, 1.0, 25.0, 3.75, 100.0, 75.0)]),
            (asked(BOUNCES, where=is_(PAGE, "/a")), [(33.33,)]),
            (asked(VISITORS, BOUNCES, DURATION, where=is_(EVENT_NAME, "Click")), [(2, 0.0, 5.0)]),
            (asked(VISITORS, EVENTS, COUNT, by=(EVENT_NAME,)), [("pageview", 3, 4, 3), ("Click", 2, 2, 2)]),
            (asked(VISITORS, PAGEVIEWS, EVENTS, by=(PAGE,)), [("/a", 3, 4, 4)]),
            (asked(VISITORS, EVENTS, by=(ENTRY_PAGE,)), [("/a", 3, 5), ("", 1, 1)]),
        ],
    ),
    "repeated pages and events count once a visit": Example(
        """
        10:00 A /a
        10:01 A /a
        10:02 A /a
        10:03 A Click
        10:04 A Click
        10:05 B /a
        """,
        [
            (asked(PAGEVIEWS, EVENTS, COUNT), [(4, 6, 3)]),
            (asked(COUNT, by=(EVENT_NAME,)), [("pageview", 2), ("Click", 1)]),
            (asked(COUNT, by=(PAGE,)), [("/a", 2)]),
        ],
    ),
    "a visit ends after eight hours": Example(
        """
        01:00 A /a
        08:59 A /a
        17:00 A /a
        """,
        [
            (asked(VISITORS, VISITS, COUNT, PER_VISIT, BOUNCES), [(2, 2, 2, 1.5, 50.0)]),
            (asked(DURATION), [(14_370.0,)]),
            (asked(VISITORS, by=(HOUR,)), [(f"2020-06-18 {hour}:00:00", 1) for hour in ("01", "08", "17")]),
        ],
    ),
    "a bounce rate of a page is of visits that entered there": Example(
        """
        10:00 A /a
        10:01 A /b
        10:02 A /c
        10:00 B /b
        10:00 C Click
        10:03 C /a
        """,
        [
            (asked(BOUNCES, DURATION, PER_VISIT, where=is_(PAGE, "/b")), [(100.0, 60.0, 2.0)]),
            (asked(BOUNCES, DURATION, by=(ENTRY_PAGE,)), [("/b", 100.0, 0.0), ("/a", 0.0, 150.0)]),
            (asked(VISITORS, EXITS, by=(PAGE,)), [("/a", 2, 50.0), ("/b", 2, 50.0), ("/c", 1, 100.0)]),
            (
                asked(VISITORS, BOUNCES, DURATION, by=(PAGE,)),
                [("/a", 2, 0.0, 150.0), ("/b", 2, 100.0, 0.0), ("/c", 1, None, None)],
            ),
        ],
    ),
    "a percentage is of all visitors that pass": Example(
        """
        10:00 A /a country=NL browser=Firefox
        10:01 A /b
        10:00 B /a country=NL browser=Chrome
        10:00 C /a country=DE browser=Firefox
        """,
        [
            (asked(VISITORS, SHARE, by=(COUNTRY,)), [("NL", 2, 66.67), ("DE", 1, 33.33)]),
            (asked(SHARE, by=(COUNTRY,), where=is_(BROWSER, "Firefox")), [("DE", 50.0), ("NL", 50.0)]),
            (asked(SHARE, by=(PAGE,)), [("/a", 100.0), ("/b", 33.33)]),
            (asked(SHARE, by=(COUNTRY,), limit=1), [("NL", 66.67)]),
        ],
    ),
    "exits belong to the time of the last pageview": Example(
        """
        10:59:30 A /a
        11:00:30 A /b
        11:10:00 A Click
        """,
        [
            (asked(EXITS, by=(HOUR,)), [("2020-06-18 10:00:00", 0.0), ("2020-06-18 11:00:00", 100.0)]),
            (asked(EXITS, by=(EXIT_PAGE,)), [("/b", 50.0)]),
            (asked(EXITS, where=is_(PAGE, "/a")), [(0.0,)]),
        ],
    ),
    "hits without a session are visits of their own": Example(
        """
        10:00 - /a
        10:01 - /a
        10:02 - Click
        10:03 A /a
        """,
        [
            (asked(*ALL), [(4, 4, 3, 4, 4, 1.0, 100.0, 0.0, 100.0, 100.0)]),
            (asked(VISITORS, PAGEVIEWS, by=(PAGE,)), [("/a", 3, 3)]),
            (asked(VISITORS, by=(ENTRY_PAGE,)), [("/a", 3), ("", 1)]),
            (asked(PAGEVIEWS, by=(NEXT_PAGE,)), [("", 3)]),
            (asked(VISITORS, where=HasDone(is_(PAGE, "/a"))), [(3,)]),
            (asked(VISITORS, where=Not(HasDone(is_(PAGE, "/a")))), [(1,)]),
            (asked(VISITORS, where=both(HasDone(is_(PAGE, "/a")), HasDone(is_(EVENT_NAME, "Click")))), [(0,)]),
        ],
    ),
}

# Operators.

HOSTS = """
    10:00 A /a host=example.com
    10:00 B /a host=Blog.example.com
    10:00 C /a
    10:00 D /a host=shop.example.org
"""
PAGES = """
    10:00 A /blog/One
    10:00 B /blog/two
    10:00 C /about
    10:00 D Click
"""
PEOPLE = """
    10:00 A /a country=NL browser=Firefox
    10:00 B /a country=NL browser=Chrome
    10:00 C /a country=DE browser=Firefox
"""


def visitors_where(*conditions: tuple[Any, int]) -> list[tuple[Asked, list[tuple[int]]]]:
    """Numbers of visitors by conditions."""
    return [(asked(VISITORS, where=condition), [(visitors,)]) for condition, visitors in conditions]


OPERATORS = {
    "is": Example(
        HOSTS,
        visitors_where(
            (is_(HOST, "example.com"), 1),
            (is_(HOST, "example.com", ""), 2),
            (is_(HOST, ""), 1),
            (is_(HOST, "EXAMPLE.com"), 0),
            (is_(HOST, "EXAMPLE.com", "blog.Example.com", caseless=True), 2),
            (is_(HOST, "nowhere"), 0),
        ),
    ),
    "is not": Example(
        HOSTS,
        visitors_where(
            (is_not(HOST, "example.com"), 3),
            (is_not(HOST, "example.com", ""), 2),
            (is_not(HOST, ""), 3),
            (is_not(HOST, "EXAMPLE.com"), 4),
            (is_not(HOST, "EXAMPLE.com", caseless=True), 3),
        ),
    ),
    "contains": Example(
        HOSTS,
        visitors_where(
            (contains(HOST, "example"), 3),
            (contains(HOST, "Blog"), 1),
            (contains(HOST, "blog"), 0),
            (contains(HOST, "blog", caseless=True), 1),
            (contains(HOST, "Blog", "shop"), 2),
            (contains(HOST, ""), 4),
            (contains(HOST, "e.a"), 0),
            (contains(HOST, "%"), 0),
        ),
    ),
    "does not contain": Example(
        HOSTS,
        visitors_where(
            (contains_not(HOST, "example"), 1),
            (contains_not(HOST, "blog"), 4),
            (contains_not(HOST, "blog", caseless=True), 3),
            (contains_not(HOST, "Blog", "shop"), 2),
            (contains_not(HOST, ""), 0),
        ),
    ),
    "matches": Example(
        HOSTS,
        visitors_where(
            (matches(HOST, "^example[.]"), 1),
            (matches(HOST, "e.a"), 3),
            (matches(HOST, "e[.]a"), 0),
            (matches(HOST, "^blog"), 0),
            (matches(HOST, "^blog", caseless=True), 1),
            (matches(HOST, "org$", "^Blog"), 2),
            (matches(HOST, "^$"), 1),
            (matches_not(HOST, "^example"), 3),
            (matches_not(HOST, "^BLOG", "org$", caseless=True), 2),
        ),
    ),
    "names of pages": Example(
        PAGES,
        visitors_where(
            (is_(PAGE, "/about"), 1),
            (is_(PAGE, "/blog/one"), 0),
            (is_(PAGE, "/blog/one", caseless=True), 1),
            (is_not(PAGE, "/about"), 2),
            (is_not(PAGE, "/nowhere"), 3),
            (contains(PAGE, "/blog/"), 2),
            (contains(PAGE, "one"), 0),
            (contains(PAGE, "one", caseless=True), 1),
            (contains_not(PAGE, "/blog/"), 1),
            (matches(PAGE, "^/blog/[a-z]+$"), 1),
            (matches(PAGE, "^/blog/[a-z]+$", caseless=True), 2),
            (matches_not(PAGE, "^/blog"), 1),
            (Not(is_(PAGE, "/about")), 3),
        ),
    ),
    "names of events": Example(
        PAGES,
        visitors_where(
            (is_(EVENT_NAME, "Click"), 1),
            (is_(EVENT_NAME, "pageview"), 3),
            (is_not(EVENT_NAME, "Click"), 3),
            (contains(EVENT_NAME, "lick"), 1),
            (contains_not(EVENT_NAME, "lick"), 3),
            (matches(EVENT_NAME, "^c", caseless=True), 1),
            (matches(EVENT_NAME, "i"), 4),
        ),
    ),
    "and, or, not": Example(
        PEOPLE,
        visitors_where(
            (both(is_(COUNTRY, "NL"), is_(BROWSER, "Firefox")), 1),
            (either(is_(COUNTRY, "NL"), is_(BROWSER, "Firefox")), 3),
            (Not(both(is_(COUNTRY, "NL"), is_(BROWSER, "Firefox"))), 2),
            (Not(either(is_(COUNTRY, "NL"), is_(BROWSER, "Firefox"))), 0),
            (both(is_(COUNTRY, "NL"), Not(is_(BROWSER, "Firefox"))), 1),
            (either(both(is_(COUNTRY, "DE"), is_(BROWSER, "Firefox")), is_(BROWSER, "Chrome")), 2),
            (both(), 3),
            (either(), 0),
            (Not(Not(is_(COUNTRY, "DE"))), 1),
        ),
    ),
    "several conditions on pages are of one hit": Example(
        """
        10:00 A /a host=one.example
        10:01 A /b host=two.example
        """,
        [
            *visitors_where(
                (both(is_(PAGE, "/a"), is_(PAGE, "/b")), 0),
                (both(HasDone(is_(PAGE, "/a")), HasDone(is_(PAGE, "/b"))), 1),
                (both(is_(PAGE, "/a"), is_(HOST, "two.example")), 0),
                (both(is_(PAGE, "/b"), is_(HOST, "two.example")), 1),
                (HasDone(both(is_(PAGE, "/a"), is_(HOST, "two.example"))), 0),
            ),
            (asked(PAGEVIEWS, where=either(is_(PAGE, "/a"), is_(HOST, "two.example"))), [(2,)]),
        ],
    ),
    "has done, has not done": Example(
        """
        10:00 A /a
        10:01 A /b
        10:00 B /a
        10:00 C /b
        10:01 C Click
        """,
        [
            (asked(VISITORS, PAGEVIEWS, EVENTS, where=HasDone(is_(PAGE, "/b"))), [(2, 3, 4)]),
            (asked(VISITORS, PAGEVIEWS, where=Not(HasDone(is_(PAGE, "/b")))), [(1, 1)]),
            (asked(VISITORS, PAGEVIEWS, where=both(is_(PAGE, "/a"), HasDone(is_(PAGE, "/b")))), [(1, 1)]),
            (asked(VISITORS, BOUNCES, DURATION, where=HasDone(is_(PAGE, "/b"))), [(2, 0.0, 60.0)]),
            (asked(VISITORS, where=HasDone(both(is_(PAGE, "/a"), is_(PAGE, "/b")))), [(0,)]),
            (asked(VISITORS, where=HasDone(either(is_(PAGE, "/a"), is_(EVENT_NAME, "Click")))), [(3,)]),
            (asked(VISITORS, where=HasDone(is_not(PAGE, "/a"))), [(2,)]),
            (asked(VISITORS, where=Not(HasDone(is_(EVENT_NAME, "Click")))), [(2,)]),
            (asked(VISITORS, by=(PAGE,), where=HasDone(is_(EVENT_NAME, "Click"))), [("/b", 1)]),
            (asked(PAGEVIEWS, where=both(HasDone(is_(PAGE, "/a")), HasDone(is_(PAGE, "/b")))), [(2,)]),
        ],
    ),
}

# Dimensions.

DIMENSIONS = {
    "values of a visit are those of its first hit": Example(
        """
        10:00 A /a source=Google country=NL
        10:05 A /b source=Bing country=DE
        10:10 B /b
        10:11 B /c source=Google
        """,
        [
            (asked(VISITORS, PAGEVIEWS, by=(SOURCE,)), [("", 1, 2), ("Google", 1, 2)]),
            *visitors_where(
                (is_(COUNTRY, "DE"), 0),
                (is_(SOURCE, "Bing"), 0),
                (both(is_(COUNTRY, "NL"), is_(PAGE, "/b")), 1),
                (both(is_(SOURCE, "Google"), is_(PAGE, "/c")), 0),
            ),
            (asked(PAGEVIEWS, by=(SOURCE, PAGE), where=is_(PAGE, "/b")), [("", "/b", 1), ("Google", "/b", 1)]),
        ],
    ),
    "a hit that arrives late may be the first": Example(
        """
        10:10 A /b source=Bing
        10:20 A /c
        10:00 A /a source=Google
        10:15 A /d
        10:30 A /e
        """,
        [
            (asked(VISITORS, DURATION, by=(SOURCE, ENTRY_PAGE, EXIT_PAGE)), [("Google", "/a", "/e", 1, 1_800.0)]),
            (
                asked(PAGEVIEWS, by=(PAGE, NEXT_PAGE)),
                [("/a", "/b", 1), ("/b", "/d", 1), ("/c", "/e", 1), ("/d", "/c", 1), ("/e", "", 1)],
            ),
        ],
    ),
    "hits of one second are in the order of their arrival": Example(
        """
        10:00 A /b source=Bing
        10:00 A /a source=Google
        """,
        [
            (asked(VISITORS, DURATION, by=(SOURCE, ENTRY_PAGE, EXIT_PAGE)), [("Bing", "/b", "/a", 1, 0.0)]),
            (asked(PAGEVIEWS, by=(PAGE, PREVIOUS_PAGE)), [("/a", "/b", 1), ("/b", "", 1)]),
        ],
    ),
    "entry and exit": Example(
        """
        10:00 A /a host=one.example
        10:01 A /b host=two.example
        10:00 B /b host=two.example
        10:00 C Click host=three.example
        """,
        [
            (asked(VISITORS, by=(ENTRY_PAGE,)), [("", 1), ("/a", 1), ("/b", 1)]),
            (asked(VISITORS, PAGEVIEWS, by=(EXIT_PAGE,)), [("/b", 2, 3), ("", 1, 0)]),
            (
                asked(VISITORS, by=(ENTRY_HOST, EXIT_HOST)),
                [("", "", 1), ("one.example", "two.example", 1), ("two.example", "two.example", 1)],
            ),
            *visitors_where(
                (is_(ENTRY_PAGE, "/a"), 1),
                (is_(ENTRY_PAGE, ""), 1),
                (is_not(ENTRY_PAGE, "/a"), 2),
                (contains(EXIT_PAGE, "/"), 2),
                (is_(EXIT_PAGE, "/b"), 2),
                (is_(ENTRY_HOST, "two.example"), 1),
                (both(is_(ENTRY_PAGE, "/a"), is_(PAGE, "/b")), 1),
            ),
        ],
    ),
    "next and previous pages": Example(
        """
        10:00 A /a
        10:01 A Click
        10:02 A /b
        10:03 A /a
        10:04 A /c
        10:00 B /a
        10:00 C /a
        10:01 C /b
        """,
        [
            (asked(PAGEVIEWS, by=(NEXT_PAGE,), where=is_(PAGE, "/a")), [("/b", 2), ("", 1), ("/c", 1)]),
            (asked(PAGEVIEWS, by=(PREVIOUS_PAGE,), where=is_(PAGE, "/a")), [("", 3), ("/b", 1)]),
            (asked(VISITORS, by=(NEXT_PAGE,), where=is_(PAGE, "/a")), [("/b", 2), ("", 1), ("/c", 1)]),
            (asked(PAGEVIEWS, EVENTS, where=is_(NEXT_PAGE, "/b")), [(2, 2)]),
            (asked(PAGEVIEWS, where=is_(NEXT_PAGE, "")), [(3,)]),
            (asked(PAGEVIEWS, where=is_not(NEXT_PAGE, "")), [(4,)]),
            (asked(VISITORS, where=HasDone(both(is_(PAGE, "/b"), is_(NEXT_PAGE, "/a")))), [(1,)]),
            (asked(PAGEVIEWS, by=(PREVIOUS_PAGE, NEXT_PAGE), where=is_(PAGE, "/b")), [("/a", "", 1), ("/a", "/a", 1)]),
        ],
    ),
    "pages and hosts": Example(
        """
        10:00 A /a host=one.example
        10:01 A /a host=two.example
        10:00 B /a host=two.example
        """,
        [
            (asked(VISITORS, PAGEVIEWS, by=(HOST,)), [("two.example", 2, 2), ("one.example", 1, 1)]),
            (
                asked(VISITORS, BOUNCES, by=(PAGE, HOST)),
                [("/a", "two.example", 2, 100.0), ("/a", "one.example", 1, 0.0)],
            ),
        ],
    ),
    "screens": Example(
        "\n".join(
            f"10:00 {visitor} /a width={width}"
            for visitor, width in zip("ABCDEFGHI", (0, 1, 600, 601, 1_000, 1_001, 1_920, 1_921, 2**32 - 1), strict=True)
        ),
        [
            (asked(VISITORS, by=(DEVICE,)), [("Desktop", 4), ("Mobile", 2), ("Tablet", 2), ("", 1)]),
            (
                asked(VISITORS, by=(SIZE,)),
                [("desktop", 2), ("desktophd", 2), ("phone", 2), ("tablet", 2), ("unknown", 1)],
            ),
            *visitors_where(
                (is_(DEVICE, "Mobile", "Tablet"), 4), (is_not(DEVICE, ""), 8), (contains(SIZE, "desktop"), 4)
            ),
        ],
    ),
    "places": Example(
        """
        10:00 A /a country=US region=TX language=eng
        10:00 B /a country=US language=eng
        10:00 C /a language=nld
        """,
        [
            (asked(VISITORS, by=(COUNTRY,)), [("US", 2), ("", 1)]),
            (asked(VISITORS, by=(REGION,)), [("", 2), ("US-TX", 1)]),
            (asked(VISITORS, by=(COUNTRY, REGION)), [("", "", 1), ("US", "", 1), ("US", "US-TX", 1)]),
            (asked(VISITORS, by=(LANGUAGE,)), [("eng", 2), ("nld", 1)]),
            *visitors_where((is_(REGION, "US-TX"), 1), (is_(REGION, ""), 2), (is_(COUNTRY, "us", caseless=True), 2)),
        ],
    ),
    "referrers, and sources of hits without a channel": Example(
        """
        10:00 A /a ref=www.a.example/x ref_scheme=h
        10:00 B /a ref=www.a.example/x ref_scheme=h channel=Referral source=Alpha
        10:00 C /a ref="Hacker News" ref_scheme=g
        10:00 D /a ref=Spring ref_scheme=c
        10:00 E /a
        10:00 F /a ref=b.example:8080/y ref_scheme=h
        """,
        [
            (
                asked(VISITORS, by=(REFERRING_PAGE,)),
                [("", 2), ("a.example/x", 2), ("Hacker News", 1), ("b.example:8080/y", 1)],
            ),
            (
                asked(VISITORS, by=(SOURCE,)),
                [("", 1), ("Alpha", 1), ("Hacker News", 1), ("Spring", 1), ("a.example", 1), ("b.example", 1)],
            ),
            (asked(VISITORS, by=(CHANNEL,)), [("", 5), ("Referral", 1)]),
            *visitors_where((is_(SOURCE, "a.example"), 1), (contains(REFERRING_PAGE, "a.example/"), 2)),
        ],
    ),
    "campaigns": Example(
        """
        10:00 A /a campaign=Spring utm_source=news utm_medium=email utm_content=top utm_term="red shoes"
        10:01 A /b campaign=Summer
        10:00 B /a campaign=Summer utm_source=News
        10:00 C /a
        """,
        [
            (asked(VISITORS, PAGEVIEWS, by=(CAMPAIGN,)), [("", 1, 1), ("Spring", 1, 2), ("Summer", 1, 1)]),
            (asked(VISITORS, by=(UTM_SOURCE,)), [("", 1), ("News", 1), ("news", 1)]),
            (
                asked(VISITORS, by=(UTM_MEDIUM, UTM_CONTENT, UTM_TERM)),
                [("", "", "", 2), ("email", "top", "red shoes", 1)],
            ),
            *visitors_where(
                (is_(CAMPAIGN, ""), 1),
                (is_not(CAMPAIGN, "Spring"), 2),
                (contains(CAMPAIGN, "s", caseless=True), 2),
                (matches(CAMPAIGN, "^S.*g$"), 1),
                (is_(UTM_TERM, "red shoes"), 1),
                (is_(UTM_SOURCE, "news", caseless=True), 2),
            ),
        ],
    ),
    "browsers and systems": Example(
        """
        10:00 A /a browser=Firefox browser_version=140 system=Linux
        10:00 B /a browser=Firefox browser_version=141 system=Android system_version=15
        10:00 C /a browser=Safari browser_version=18.1 system=iOS system_version=18.1
        """,
        [
            (
                asked(VISITORS, by=(BROWSER, VERSION_OF_BROWSER)),
                [("Firefox", "140", 1), ("Firefox", "141", 1), ("Safari", "18.1", 1)],
            ),
            (
                asked(VISITORS, by=(SYSTEM, VERSION_OF_SYSTEM, BROWSER)),
                [("Android", "15", "Firefox", 1), ("Linux", "", "Firefox", 1), ("iOS", "18.1", "Safari", 1)],
            ),
            *visitors_where((is_(VERSION_OF_BROWSER, "18.1"), 1), (matches(VERSION_OF_SYSTEM, "^1"), 2)),
        ],
    ),
    "bots are asked for alone": Example(
        """
        10:00 A /a country=NL
        10:01 - /a bot=6 country=DE
        10:02 - /b bot=6 country=DE
        10:03 - Click bot=3 country=NL
        10:04 B /a bot=1
        """,
        [
            (asked(VISITORS, PAGEVIEWS, EVENTS), [(2, 2, 2)]),
            (asked(EVENTS, PAGEVIEWS, bots=True), [(3, 2)]),
            (asked(EVENTS, by=(BOT,), bots=True), [("boty-word", 2), ("link", 1)]),
            (asked(EVENTS, by=(COUNTRY,), bots=True), [("DE", 2), ("NL", 1)]),
            (asked(EVENTS, by=(BOT, PAGE), bots=True), [("boty-word", "/a", 1), ("boty-word", "/b", 1)]),
            (asked(EVENTS, where=is_(BOT, "link"), bots=True), [(1,)]),
            (asked(EVENTS, where=contains(BOT, "word"), bots=True), [(2,)]),
            (asked(EVENTS, by=(HOUR,), where=is_not(PAGE, "/a"), bots=True), [("2020-06-18 10:00:00", 1)]),
        ],
    ),
    "rows are sorted as asked": Example(
        """
        10:00 A /a country=NL
        10:00 B /b country=NL
        10:01 B /b
        10:00 C /b country=DE
        10:01 C Click
        """,
        [
            (asked(VISITORS, BOUNCES, by=(COUNTRY,)), [("NL", 2, 50.0), ("DE", 1, 0.0)]),
            (
                asked(VISITORS, BOUNCES, by=(COUNTRY,), order=(Order(BOUNCES, descending=False),)),
                [("DE", 1, 0.0), ("NL", 2, 50.0)],
            ),
            (asked(VISITORS, by=(PAGE,), order=(Order(PAGE),)), [("/b", 2), ("/a", 1)]),
            (
                asked(VISITORS, by=(COUNTRY, PAGE), order=(Order(COUNTRY, descending=False),)),
                [("DE", "/b", 1), ("NL", "/a", 1), ("NL", "/b", 1)],
            ),
            (asked(PAGEVIEWS, by=(PAGE,), limit=1), [("/b", 3)]),
            (asked(PAGEVIEWS, by=(PAGE,), limit=1, offset=1), [("/a", 1)]),
        ],
    ),
}

# Periods and time.

TIME = {
    "hits before and after the period play no part": Example(
        """
        2020-06-17T23:50 A /a source=Google
        2020-06-18T00:10 A /b source=Bing
        2020-06-18T00:11 A /c
        2020-06-18T23:59 B /b
        2020-06-19T00:01 B /d
        """,
        [
            (
                asked(VISITORS, PAGEVIEWS, DURATION, by=(SOURCE, ENTRY_PAGE, EXIT_PAGE)),
                [("", "/b", "/b", 1, 1, 0.0), ("Bing", "/b", "/c", 1, 2, 60.0)],
            ),
            (asked(VISITORS, BOUNCES, PER_VISIT, EXITS), [(2, 50.0, 1.5, 66.67)]),
            (asked(VISITORS, where=HasDone(is_(PAGE, "/a"))), [(0,)]),
            (asked(VISITORS, where=is_(SOURCE, "Google")), [(0,)]),
            (asked(PAGEVIEWS, by=(PREVIOUS_PAGE,)), [("", 2), ("/b", 1)]),
            (asked(PAGEVIEWS, by=(NEXT_PAGE,), day="2020-06-17"), [("", 1)]),
            (asked(BOUNCES, EXITS, DURATION, day="2020-06-17"), [(100.0, 100.0, 0.0)]),
            (
                asked(VISITORS, DURATION, by=(SOURCE, ENTRY_PAGE), day="2020-06-17", until="2020-06-19"),
                [("", "/b", 1, 120.0), ("Google", "/a", 1, 1_260.0)],
            ),
        ],
    ),
    "a visit is counted in each unit, whole visits in that of their first hit": Example(
        """
        10:59 A /a
        11:01 A /b
        11:30 B /a
        """,
        [
            (asked(VISITORS), [(2,)]),
            (
                asked(VISITORS, PAGEVIEWS, BOUNCES, DURATION, by=(HOUR,)),
                [("2020-06-18 10:00:00", 1, 1, 0.0, 120.0), ("2020-06-18 11:00:00", 2, 2, 100.0, 0.0)],
            ),
            (asked(VISITORS, BOUNCES, by=(DAY,)), [("2020-06-18", 2, 50.0)]),
            (
                asked(VISITORS, by=(MINUTE,)),
                [("2020-06-18 10:59:00", 1), ("2020-06-18 11:01:00", 1), ("2020-06-18 11:30:00", 1)],
            ),
            (asked(DURATION, by=(HOUR_OF_DAY,)), [(10, 120.0), (11, 0.0)]),
        ],
    ),
    "to the second": Example(
        """
        10:00:29 A /a
        10:00:30 B /a
        10:10:29 C /a
        10:10:30 D /a
        """,
        [
            (asked(VISITORS, moments=("2020-06-18T10:00:30", "2020-06-18T10:10:29")), [(2,)]),
            (
                asked(VISITORS, by=(QUARTER_HOUR,), moments=("2020-06-18T10:00:30", "2020-06-18T10:10:29")),
                [("2020-06-18 10:00:00", 2)],
            ),
        ],
    ),
    "weeks, months and weekdays": Example(
        """
        2020-06-14T12:00 A /a
        2020-06-15T12:00 B /a
        2020-06-21T12:00 C /a
        2020-06-22T12:00 D /a
        2020-07-01T12:00 E /a
        """,
        [
            (
                asked(VISITORS, by=(WEEK,), day="2020-06-10", until="2020-07-05"),
                [("2020-06-10", 1), ("2020-06-15", 2), ("2020-06-22", 1), ("2020-06-29", 1)],
            ),
            (
                asked(VISITORS, by=(SUNDAY_WEEK,), day="2020-06-10", until="2020-07-05"),
                [("2020-06-14", 2), ("2020-06-21", 2), ("2020-06-28", 1)],
            ),
            (
                asked(VISITORS, by=(MONTH,), day="2020-06-10", until="2020-07-05"),
                [("2020-06-01", 4), ("2020-07-01", 1)],
            ),
            (
                asked(VISITORS, by=(WEEKDAY,), day="2020-06-10", until="2020-07-05"),
                [(1, 2), (3, 1), (7, 2)],
            ),
        ],
    ),
    "weekdays by hours": Example(
        """
        2020-06-15T10:00 A /a
        2020-06-22T10:30 B /a
        2020-06-22T11:00 B /b
        2020-06-16T10:00 C /a
        """,
        [
            (
                asked(VISITORS, PAGEVIEWS, by=(WEEKDAY, HOUR_OF_DAY), day="2020-06-15", until="2020-06-28"),
                [(1, 10, 2, 2), (1, 11, 1, 1), (2, 10, 1, 1)],
            ),
            (asked(VISITORS, by=(WEEKDAY,), day="2020-06-15", until="2020-06-28"), [(1, 2), (2, 1)]),
        ],
    ),
    "three dimensions": Example(
        """
        2020-06-17T10:00 A /a country=NL browser=Firefox
        2020-06-18T10:00 B /a country=NL browser=Firefox
        2020-06-18T10:00 C /a country=NL browser=Firefox
        2020-06-18T10:00 D /a country=NL browser=Safari
        """,
        [
            (
                asked(VISITORS, by=(COUNTRY, DAY, BROWSER), day="2020-06-17", until="2020-06-18"),
                [
                    ("NL", "2020-06-17", "Firefox", 1),
                    ("NL", "2020-06-18", "Firefox", 2),
                    ("NL", "2020-06-18", "Safari", 1),
                ],
            ),
        ],
    ),
    "a day of 23 hours": Example(
        """
        2020-03-28T22:59:59 A /a
        2020-03-28T23:30 B /a
        2020-03-29T00:59:59 C /a
        2020-03-29T01:00 D /a
        2020-03-29T21:59:59 E /a
        2020-03-29T22:00 F /a
        """,
        [
            (asked(VISITORS, day="2020-03-29", zone=BERLIN), [(4,)]),
            (
                asked(VISITORS, by=(HOUR,), day="2020-03-29", zone=BERLIN),
                [(f"2020-03-29 {hour}:00:00", 1) for hour in ("00", "01", "03", "23")],
            ),
            (
                asked(VISITORS, by=(HOUR_OF_DAY,), day="2020-03-29", zone=BERLIN),
                [(0, 1), (1, 1), (3, 1), (23, 1)],
            ),
            (
                asked(VISITORS, by=(DAY,), day="2020-03-28", until="2020-03-30", zone=BERLIN),
                [("2020-03-28", 1), ("2020-03-29", 4), ("2020-03-30", 1)],
            ),
        ],
    ),
    "a visit over the skipped hour": Example(
        """
        2020-03-29T00:45 A /a
        2020-03-29T01:15 A /b
        """,
        [
            (
                asked(VISITORS, DURATION, by=(QUARTER_HOUR,), day="2020-03-29", zone=BERLIN),
                [("2020-03-29 01:45:00", 1, 1_800.0), ("2020-03-29 03:15:00", 1, None)],
            ),
        ],
    ),
    "a day of 25 hours": Example(
        """
        2020-10-24T21:59:59 A /a
        2020-10-25T00:30 B /a
        2020-10-25T01:30 B /b
        2020-10-25T22:59:59 C /a
        2020-10-25T23:00 D /a
        """,
        [
            (asked(VISITORS, PAGEVIEWS, day="2020-10-25", zone=BERLIN), [(2, 3)]),
            (
                asked(VISITORS, PAGEVIEWS, DURATION, by=(HOUR,), day="2020-10-25", zone=BERLIN),
                [("2020-10-25 02:00:00", 1, 2, 3_600.0), ("2020-10-25 23:00:00", 1, 1, 0.0)],
            ),
            (
                asked(VISITORS, by=(QUARTER_HOUR,), where=is_(PAGE, "/a", "/b"), day="2020-10-25", zone=BERLIN),
                [("2020-10-25 02:30:00", 1), ("2020-10-25 23:45:00", 1)],
            ),
            (
                asked(PAGEVIEWS, by=(DAY,), day="2020-10-24", until="2020-10-26", zone=BERLIN),
                [("2020-10-24", 1), ("2020-10-25", 3), ("2020-10-26", 1)],
            ),
        ],
    ),
    "a zone of a quarter hour": Example(
        """
        2020-06-17T18:14:59 A /a
        2020-06-17T18:15 B /a
        2020-06-18T18:14:59 C /a
        2020-06-18T18:15 D /a
        """,
        [
            (asked(VISITORS, zone=KATHMANDU), [(2,)]),
            (
                asked(VISITORS, by=(HOUR,), zone=KATHMANDU),
                [("2020-06-18 00:00:00", 1), ("2020-06-18 23:00:00", 1)],
            ),
            (asked(VISITORS, by=(WEEKDAY, HOUR_OF_DAY), zone=KATHMANDU), [(4, 0, 1), (4, 23, 1)]),
            (
                asked(VISITORS, by=(QUARTER_HOUR,), day="2020-06-17", until="2020-06-19", zone=KATHMANDU),
                [
                    ("2020-06-17 23:45:00", 1),
                    ("2020-06-18 00:00:00", 1),
                    ("2020-06-18 23:45:00", 1),
                    ("2020-06-19 00:00:00", 1),
                ],
            ),
        ],
    ),
    "clocks that go back half an hour": Example(
        """
        2020-04-04T14:45 A /a
        2020-04-04T15:05 B /a
        2020-04-04T15:30 C /a
        """,
        [
            (
                asked(VISITORS, by=(HOUR,), day="2020-04-05", zone=LORD_HOWE),
                [("2020-04-05 01:00:00", 2), ("2020-04-05 02:00:00", 1)],
            ),
            (
                asked(VISITORS, by=(QUARTER_HOUR,), day="2020-04-05", zone=LORD_HOWE),
                [("2020-04-05 01:30:00", 1), ("2020-04-05 01:45:00", 1), ("2020-04-05 02:00:00", 1)],
            ),
        ],
    ),
    "a date that never was": Example(
        """
        2011-12-30T09:59:59 A /a
        2011-12-30T10:00 B /a
        """,
        [
            (
                asked(VISITORS, by=(DAY,), day="2011-12-29", until="2011-12-31", zone=APIA),
                [("2011-12-29", 1), ("2011-12-31", 1)],
            ),
            (asked(VISITORS, day="2011-12-31", zone=APIA), [(1,)]),
        ],
    ),
}

# Several sites, and comparisons.

SITES = {
    "visitors of two sites are two": Example(
        """
        10:00 A /a country=NL
        10:01 A /b country=NL site=other
        10:02 A /a country=NL site=other
        10:03 B /a country=DE
        """,
        [
            (asked(VISITORS, PAGEVIEWS, EVENTS, COUNT), [(2, 2, 2, 2)]),
            (asked(VISITORS, PAGEVIEWS, EVENTS, COUNT, sites=(OTHER,)), [(1, 2, 2, 2)]),
            (asked(VISITORS, PAGEVIEWS, EVENTS, COUNT, sites=BOTH_SITES), [(3, 4, 4, 4)]),
            (asked(VISITORS, PAGEVIEWS, by=(PAGE,), sites=BOTH_SITES), [("/a", 3, 3), ("/b", 1, 1)]),
            (
                asked(VISITORS, BOUNCES, DURATION, by=(COUNTRY,), sites=BOTH_SITES),
                [("NL", 2, 50.0, 30.0), ("DE", 1, 100.0, 0.0)],
            ),
            (asked(VISITORS, PAGEVIEWS, where=HasDone(is_(PAGE, "/b")), sites=BOTH_SITES), [(1, 2)]),
            (asked(VISITORS, where=is_(PAGE, "/a"), sites=BOTH_SITES), [(3,)]),
            (asked(PAGEVIEWS, by=(NEXT_PAGE,), sites=BOTH_SITES), [("", 3), ("/a", 1)]),
            (asked(VISITORS, by=(HOUR,), sites=BOTH_SITES), [("2020-06-18 10:00:00", 3)]),
        ],
    ),
    "a comparison of two sites": Example(
        """
        2020-06-17T10:00 A /a
        2020-06-17T10:00 B /a site=other
        2020-06-17T10:00 C /c site=other
        2020-06-18T10:00 D /a
        2020-06-18T11:00 E /b
        2020-06-18T11:00 E /a site=other
        """,
        [
            (asked(VISITORS, against=THE_DAY_BEFORE, sites=BOTH_SITES), [(3, 3)]),
            (
                asked(VISITORS, by=(PAGE,), against=THE_DAY_BEFORE, sites=BOTH_SITES),
                [("/a", 2, 2), ("/b", 1, 0), ("/c", 0, 1)],
            ),
            (asked(VISITORS, by=(DAY,), against=THE_DAY_BEFORE, sites=BOTH_SITES), [("2020-06-18", 3, 3)]),
            (
                asked(VISITORS, by=(HOUR,), against=THE_DAY_BEFORE, sites=BOTH_SITES),
                [("2020-06-18 10:00:00", 1, 3), ("2020-06-18 11:00:00", 2, 0)],
            ),
            (
                asked(VISITORS, BOUNCES, by=(HOUR_OF_DAY,), against=THE_DAY_BEFORE, sites=BOTH_SITES),
                [(10, 1, 100.0, 3, 100.0), (11, 2, 100.0, 0, None)],
            ),
        ],
    ),
    "a comparison of a day of 23 hours pairs the hours that clocks show": Example(
        """
        2020-03-28T01:30 A /a
        2020-03-28T01:31 B /a
        2020-03-28T22:00 C /a
        2020-03-29T01:00 D /a
        2020-03-29T21:00 E /a
        """,
        [
            (
                asked(VISITORS, by=(HOUR,), day="2020-03-29", against=("2020-03-28", "2020-03-28"), zone=BERLIN),
                [("2020-03-29 03:00:00", 1, 0), ("2020-03-29 23:00:00", 1, 1), ("", 0, 2)],
            ),
            (asked(VISITORS, day="2020-03-29", against=("2020-03-28", "2020-03-28"), zone=BERLIN), [(2, 3)]),
        ],
    ),
    "a comparison of weeks and weekdays": Example(
        """
        2020-06-03T10:00 A /a
        2020-06-09T10:00 B /a
        2020-06-10T10:00 C /a
        2020-06-16T10:00 D /a
        2020-06-24T10:00 E /a
        2020-06-24T10:00 F /a
        """,
        [
            (
                asked(VISITORS, by=(WEEK,), day="2020-06-15", until="2020-06-28", against=("2020-06-01", "2020-06-14")),
                [("2020-06-15", 1, 1), ("2020-06-22", 2, 2)],
            ),
            (
                asked(VISITORS, by=(WEEK,), day="2020-06-16", until="2020-06-28", against=("2020-06-09", "2020-06-14")),
                [("2020-06-16", 1, 2), ("2020-06-22", 2, None)],
            ),
            (
                asked(
                    *(VISITORS, DURATION),
                    by=(WEEKDAY,),
                    day="2020-06-15",
                    until="2020-06-28",
                    against=("2020-06-01", "2020-06-14"),
                ),
                [(2, 1, 0.0, 1, 0.0), (3, 2, 0.0, 2, 0.0)],
            ),
            (
                asked(
                    VISITORS, by=(DAY, PAGE), day="2020-06-16", until="2020-06-24", against=("2020-06-02", "2020-06-10")
                ),
                [
                    ("2020-06-16", "/a", 1, 0),
                    ("2020-06-17", "/a", 0, 1),
                    ("2020-06-23", "/a", 0, 1),
                    ("2020-06-24", "/a", 2, 1),
                ],
            ),
        ],
    ),
    "a comparison by two dimensions": Example(
        """
        2020-06-17T10:00 A /a country=NL
        2020-06-17T10:00 B /a country=DE
        2020-06-18T10:00 C /a country=NL
        2020-06-18T10:00 D /b country=NL
        """,
        [
            (
                asked(VISITORS, SHARE, EXITS, by=(COUNTRY, PAGE), against=THE_DAY_BEFORE),
                [
                    ("NL", "/a", 1, 50.0, 100.0, 1, 50.0, 100.0),
                    ("NL", "/b", 1, 50.0, 100.0, 0, 0, None),
                    ("DE", "/a", 0, 0, None, 1, 50.0, 100.0),
                ],
            ),
        ],
    ),
}

EXAMPLES = METRICS | OPERATORS | DIMENSIONS | TIME | SITES


def close_to(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Rows for a comparison: ratios are written with two decimals."""
    return [[pytest.approx(each, abs=0.005) if isinstance(each, float) else each for each in row] for row in rows]


async def from_service(analytics: Analytics, question: Question) -> list[list[Any]]:
    found = await analytics.services.questions.answer(question)
    missing = (None,) * len(question.metrics) if question.compare else ()
    return [[*row.values, *row.figures, *(row.compared or missing)] for row in found.rows]


def from_hits(session: WarehouseSession, question: Question, names: Names, zone: Any) -> list[dict[Any, Any]]:
    """The answers of the oracle and of the plan that reads hits only, with names; without pages and order."""
    assert isinstance(session, DuckDbSession)
    hits = session.connection.execute("SELECT * REPLACE (CAST(width AS UINTEGER) AS width) FROM hit")
    columns = [column[0] for column in hits.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in hits.fetchall()]
    general = answer_in_ids(session, question, general=True)
    return [
        _added_up(oracle.answer(rows, question, zone).items(), question, names),
        _added_up(((row.values, row.figures) for row in general.rows), question, names),
    ]


def _added_up(rows: Any, question: Question, names: Names) -> dict[Any, Any]:
    """Rows by names: paths of several sites have the same."""
    found: dict[Any, Any] = {}
    for values, figures in rows:
        key = in_names(values, question, names)
        found[key] = [sum(pair) for pair in zip(found[key], figures, strict=True)] if key in found else list(figures)
    return found


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
async def test_answers_are_those_written_down(analytics: Analytics, example: Example) -> None:
    names = await told(analytics, example.hits)
    for asking, expected in example.answers:
        question = asking.question(names.sites)
        assert await from_service(analytics, question) == close_to(expected), asking
        if question.compare or question.limit < MOST_ROWS:
            continue
        width = len(question.dimensions)
        by_values = {row[:width]: close_to([row[width:]])[0] for row in expected}
        asked_in_ids = replace(question, condition=in_ids(question.condition, names))
        for found in await analytics.services.warehouse.read(from_hits, asked_in_ids, names, asking.zone):
            assert found == by_values, asking


async def test_answers_tell_of_hits_without_a_session(analytics: Analytics) -> None:
    names = await told(analytics, "10:00 - /a country=NL\n10:00 A /a country=DE\n10:00 - /b bot=6")
    for asking, sessionless in (
        (asked(VISITORS), True),
        (asked(PAGEVIEWS, by=(PAGE,)), True),
        (asked(VISITORS, by=(HOUR,)), True),
        (asked(VISITORS, where=is_(COUNTRY, "DE")), False),
        (asked(PAGEVIEWS, by=(PAGE,), where=is_(PAGE, "/b")), False),
        (asked(BOUNCES), False),
        (asked(EVENTS, bots=True), False),
    ):
        found = await analytics.services.questions.answer(asking.question(names.sites))
        assert found.sessionless == sessionless, asking


def test_everything_has_an_example() -> None:
    """Every metric, operator, dimension and unit of time is asked for."""
    fields = [asking.fields for example in EXAMPLES.values() for asking, _ in example.answers]
    assert {metric for each in fields for metric in each["metrics"]} == set(Metric)
    by = {dimension for each in fields for dimension in each["dimensions"]}
    assert {each for each in by if isinstance(each, TimeUnit)} == set(TimeUnit)
    assert {each.name for each in by if isinstance(each, Dimension)} == {each.name for each in QUESTION_DIMENSIONS}
    compared = {
        (match.operator, match.negated, match.caseless) for each in fields for match in matches_in(each["condition"])
    }
    assert compared == {(each, no, case) for each in Operator for no in (False, True) for case in (False, True)}
    assert len(EXAMPLES) >= 30
