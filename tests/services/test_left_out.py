"""What a site's figures leave out, and what new rules would have left out."""

from datetime import UTC

import pytest

from support.analytics import Analytics
from support.telling import a_visit, at, tell
from tallystick.errors import InvalidFields
from tallystick.model.dimensions import BOT, BROWSER, PAGE
from tallystick.model.leaving_out import RuleKind
from tallystick.model.period import period
from tallystick.model.question import Match, TimeUnit
from tallystick.services.analytics.left_out import (
    HitsBy,
    HitsOf,
    LeftOutPreview,
    bot_hits_by,
    bot_hits_in_all,
    normal_rule,
    preview,
)

DAYS = period(at("2020-06-17"), at("2020-06-18T23:59:59"), UTC)


@pytest.fixture
async def site(analytics: Analytics) -> Analytics:
    await tell(
        analytics,
        a_visit("/a", by=1, country="NL", host="example.com", campaign="Spring"),
        a_visit("/b", by=1, country="NL", host="example.com", when="2020-06-18T10:01"),
        a_visit("/a", by=2, country="DE", host="test.example.com"),
        a_visit("/%C3%BCber", by=3, country="DE", host="example.com"),
        a_visit("Click", by=3, country="DE", host="example.com", page="/a", when="2020-06-18T10:02"),
        a_visit("/c", by=4, when="2020-06-18T11:00", campaign="spring (2)*"),
        a_visit("/a", by=5, when="2020-06-10T11:00"),
        a_visit("/a", bot=6, country="NL", browser="Firefox"),
        a_visit("/b", bot=6, country="DE", when="2020-06-17T10:00"),
        a_visit("/b", bot=153, country="NL"),
        a_visit("Click", bot=153, page="/b"),
    )
    return analytics


async def test_bots_hits_by_what_is_known_of_them(site: Analytics) -> None:
    questions, sites = site.services.questions, [site.site.id]
    assert await bot_hits_in_all(questions, sites, DAYS) == 4
    assert await bot_hits_by(questions, sites, DAYS, BOT, 10) == HitsBy(
        (HitsOf("boty-word", 2), HitsOf("webdriver", 2)), 2
    )
    assert await bot_hits_by(questions, sites, DAYS, BROWSER, 1) == HitsBy((HitsOf("", 3),), 2)
    assert (await bot_hits_by(questions, sites, DAYS, PAGE, 10)).rows == (HitsOf("/b", 3), HitsOf("/a", 1))
    over_time = await bot_hits_by(questions, sites, DAYS, TimeUnit.DAY, 100)
    assert over_time.rows == (HitsOf("2020-06-17", 1), HitsOf("2020-06-18", 3))


async def test_bots_hits_that_pass_a_filter(site: Analytics) -> None:
    questions, sites = site.services.questions, [site.site.id]
    webdriver = Match(dimension=BOT, values=("webdriver",))
    assert await bot_hits_in_all(questions, sites, DAYS, webdriver) == 2
    found = await bot_hits_by(questions, sites, DAYS, PAGE, 10, condition=webdriver)
    assert found.rows == (HitsOf("/b", 2),)


@pytest.mark.parametrize(
    ("kind", "rule", "figures", "pages"),
    [
        (RuleKind.COUNTRY, "NL", (2, 1), [("/a", 1), ("/b", 1)]),
        (RuleKind.COUNTRY, "FR", (0, 0), []),
        # One of the three visitors of /a has been on /b, too, and one on /über.
        (RuleKind.PATH, "/a", (3, 1), [("/a", 3)]),
        (RuleKind.PATH, "/b*", (1, 0), [("/b", 1)]),
        (RuleKind.PATH, "/C", (1, 1), [("/c", 1)]),
        (RuleKind.PATH, "/über", (1, 0), [("/%C3%BCber", 1)]),
        (RuleKind.PATH, "*ber", (1, 0), [("/%C3%BCber", 1)]),
        (RuleKind.PATH, "/.*", (0, 0), []),
        (RuleKind.HOST, "example.com", (4, 2), [("/a", 2), ("/%C3%BCber", 1), ("/b", 1)]),
        (RuleKind.HOST, "*.example.com", (1, 1), [("/a", 1)]),
        # The later page of the visit is of no campaign.
        (RuleKind.CAMPAIGN, "spring", (1, 0), [("/a", 1)]),
        (RuleKind.CAMPAIGN, "Spring (2)*", (1, 1), [("/c", 1)]),
        (RuleKind.CAMPAIGN, "1", (0, 0), []),
        (RuleKind.CAMPAIGN, "(unknown)", (0, 0), []),
    ],
)
async def test_what_a_rule_would_have_left_out(
    site: Analytics, kind: RuleKind, rule: str, figures: tuple[int, int], pages: list[tuple[str, int]]
) -> None:
    found = await preview(site.services.questions, site.site.id, DAYS, kind, rule)
    assert found == LeftOutPreview(*figures, 6, 4, tuple(HitsOf(*page) for page in pages))


async def test_hits_do_not_keep_their_network(site: Analytics) -> None:
    assert await preview(site.services.questions, site.site.id, DAYS, RuleKind.NETWORK, "192.0.2.0/24") is None


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [
        (RuleKind.NETWORK, " 192.0.2.0/24 ", "192.0.2.0/24"),
        (RuleKind.COUNTRY, "nl", "NL"),
        (RuleKind.PATH, "admin/", "/admin"),
        (RuleKind.HOST, "*.Example.com", "*.example.com"),
        (RuleKind.CAMPAIGN, " Spring, 2020 ", "Spring, 2020"),
    ],
)
def test_rules_are_kept_in_one_spelling(kind: RuleKind, text: str, rule: str) -> None:
    assert normal_rule(kind, text) == rule


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (RuleKind.NETWORK, "example.com", "must be a valid IPv4 or IPv6 address"),
        (RuleKind.COUNTRY, "", "must be country codes of two letters, such as NL"),
        (RuleKind.PATH, "", "must not be all paths"),
        (RuleKind.HOST, "<script>", "must be host names"),
        (RuleKind.CAMPAIGN, " ", "must be names of campaigns"),
    ],
)
def test_what_is_no_rule_is_refused(kind: RuleKind, text: str, problem: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        normal_rule(kind, text)
    (message,) = refused.value.errors["rule"]
    assert message.startswith(problem)
