"""The bars above the statistics: forms for filters and periods, and the search for pages."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from support.analytics import Analytics, analytics_in_process
from tallystick.model.dimension_names import DIMENSIONS, GOAL, PROPERTY, SEGMENT
from tallystick.services.analytics import titles
from tallystick.surfaces.dashboard.analytics import bars
from tallystick.surfaces.dashboard.analytics import pages as view_pages
from tallystick.surfaces.dashboard.analytics.filter_words import GROUPS


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        yield running


async def leads_to(analytics: Analytics, query: str) -> str:
    answer = await analytics.ask(f"/sites/1?{query}")
    assert answer.status == 303, answer.text
    return answer.headers["location"]


async def pages(analytics: Analytics, query: str) -> list[str]:
    answer = await analytics.ask(f"/sites/1.json?{query}")
    assert answer.status == 200, answer.text
    return sorted(row["page"] for row in answer.json()["lists"]["pages"])


def test_every_dimension_can_be_chosen() -> None:
    offered = [name for _, names in GROUPS for name in names]
    assert sorted(offered) == sorted([*DIMENSIONS, GOAL, SEGMENT, PROPERTY])


FORMS = (
    ("add=page&op=is&value=/a", "page=/a"),
    ("add=page&op=is_not&value=/a", "page=!/a"),
    ("add=page&op=contains&value=a", "page=~a"),
    ("add=page&op=contains_not&value=a", "page=!~a"),
    ("add=page&op=matches&value=^/a", "page=*%5E/a"),
    ("add=page&op=matches_not&value=^/a", "page=!*%5E/a"),
    ("add=page&value=/a,+/b", "page=/a,/b"),
    ("add=entry+page&value=/a", "entry_page=/a"),
    ("add=prop:&prop=plan&value=pro", "prop:plan=pro"),
    ("add=country&value=germany,nl", "country=DE,NL"),
    ("add=goal&op=contains_not&value=Sign", "goal=!~Sign"),
    ("source=Google&add=page&value=/b", "source=Google&page=/b"),
    ("page=/a&source=Google&add=page&op=is_not&value=/b&at=0", "page=!/b&source=Google"),
    ("page=/a&add=page&value=/b&at=99", "page=/a&page=/b"),
)


async def test_a_form_leads_to_its_filter(analytics: Analytics) -> None:
    for form, filters in FORMS:
        assert quote(await leads_to(analytics, form), safe="/?=&%*!~:,+.") == f"/sites/1?{filters}"


REFUSED = (
    ("add=page&value=", "Write what to compare with"),
    ("add=prop:&value=x", "Write the name of the property."),
    ("add=goal&op=matches&value=x", "A goal can be compared by"),
    ("add=segment&op=contains&value=1", "A segment can be compared by"),
    ("add=nothing&value=x", "choose what to filter by"),
    ("add=page&op=nothing&value=x", "choose what to filter by"),
    ("add=page&value=" + "x" * 3_000, "at most 2,048 characters"),
    ("filter=page+like+x", "character 6"),
    ("first=nothing", "Write two dates"),
    ("first=", "Write two dates"),
)


async def test_a_form_that_is_not_valid_is_shown_again(analytics: Analytics) -> None:
    for form, message in REFUSED:
        answer = await analytics.ask(f"/sites/1?{form}", headers={"accept": "text/html"})
        assert answer.status == 400
        assert message.casefold() in unescape(answer.text).casefold()
        if "value=x" in form:
            assert 'value="x' in answer.text
        if "filter=" in form:
            assert 'value="page like x"' in answer.text
            assert 'aria-invalid="true"' in answer.text


DATES = (
    ("first=2026-03-01&last=2026-03-31", "period=2026-03"),
    ("first=2026-03-09&last=2026-03-01", "period=2026-03-01..2026-03-09"),
    ("first=2026-03-09", "period=2026-03-09"),
    ("period=2026-03&by=week&first=2026-03-01&last=2026-03-02", "period=2026-03-01..2026-03-02"),
    ("period=7d&compare_first=2026-01-01&compare_last=2026-01-07", "period=7d&compare=2026-01-01..2026-01-07"),
)


async def test_dates_make_a_period(analytics: Analytics) -> None:
    for form, period in DATES:
        assert await leads_to(analytics, form) == f"/sites/1?{period}"


async def test_names_on_chips_are_words(analytics: Analytics) -> None:
    query = "country=DE,NL&prop:plan=!pro&source=&period=2026-02&match=weekdays"
    answer = await analytics.ask(f"/sites/1?{query}", headers={"accept": "text/html", "accept-language": "de"})
    text = " ".join(unescape(answer.text).split())
    assert "Land <b>ist</b> Deutschland oder Niederlande" in text
    assert "Eigenschaft plan <b>ist nicht</b> pro" in text


async def test_the_search_narrows_everything(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, title in (("/blog/a", "First"), ("/blog/b", "Second"), ("/about", "About our blog")):
        assert (await analytics.pixel(p=path, t=title)).status == 200
    assert (await analytics.pixel(p="blog-signup", t="", e="true")).status == 200
    assert await pages(analytics, "q=blog+in:path+is:pageview") == ["/blog/a", "/blog/b"]
    assert await pages(analytics, "q=blog") == ["/about", "/blog/a", "/blog/b"]
    assert await pages(analytics, "q=BLOG+in:title") == ["/about"]
    assert await pages(analytics, "q=/blog+at:start") == ["/blog/a", "/blog/b"]
    assert await pages(analytics, "q=second+in:title+:not+is:pageview") == ["/about", "/blog/a"]
    assert await pages(analytics, "q=nothing-has-this") == []
    limited = "Only the titles of the first 1 pages were searched"
    assert limited not in (await analytics.ask("/sites/1?q=blog", headers={"accept": "text/html"})).text
    monkeypatch.setattr(titles, "PATHS_AT_ONCE", 1)
    for module in (titles, bars, view_pages):
        monkeypatch.setattr(module, "MOST_LOOKED_AT", 1)
    assert limited in (await analytics.ask("/sites/1?q=blog", headers={"accept": "text/html"})).text
    found = (await analytics.ask("/sites/1.json?q=second")).json()
    assert (found["titles_searched"], found["lists"]["pages"]) == (1, [])
    assert (await analytics.ask("/sites/1.json?q=second+in:path")).json()["titles_searched"] is None


HOSTILE = ("\"><script>alert(1)</script>' onfocus=alert(1) x='", "{{ 7*7 }}\x00\x01\u202e" + "x" * 400)
FIELDS = ("page", "country", "prop:x", "goal", "segment", "q", "filter", "period", "compare", "first", "add", "value")


async def test_hostile_values_are_text(analytics: Analytics) -> None:
    for name in FIELDS:
        for value in HOSTILE:
            more = {"value": "add=page&", "add": "value=x&"}.get(name, "")
            answer = await analytics.ask(f"/sites/1?{more}{name}={quote(value)}", headers={"accept": "text/html"})
            assert answer.status in {200, 303, 400}, name
            assert "<script>alert" not in answer.text, name
            assert "' onfocus" not in answer.text, name
            assert ">49" not in answer.text, name


async def test_a_filter_on_the_empty_value_stays(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1?country=&period=today", headers={"accept": "text/html"})
    assert '<input type="hidden" name="country" value="">' in answer.text
    await analytics.pixel(p="/a")
    answer = await analytics.ask("/sites/1/pages?country=&period=today", headers={"accept": "text/html"})
    find = answer.text.partition('<form class="find"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="country" value="">' in find
    assert await leads_to(analytics, "country=&add=country&op=is_not&value=&at=0") == "/sites/1?country=!"


UNANSWERABLE = (
    ("page=*[", "the filter on Page: the expression '[' is not valid: ", '<input name="value" value="["'),
    (
        "page=/a&prop:plan=*(",
        "the filter on Property plan: the expression '(' is not valid: ",
        'name="prop" value="plan"',
    ),
    ("goal=Nothing", "the filter on Goal: the site has no goal 'Nothing': ", '<input name="value" value="Nothing"'),
    ("country=Atlantis", "the filter on Country: a country is written as two letters", '" value="Atlantis"'),
    ("add=country&value=Atlantis", "", '" value="Atlantis"'),
    ("source=Google&add=page&op=matches&value=(", "", '<input type="hidden" name="source" value="Google">'),
    ("segment=~Foo", "A segment can be compared by", ""),
    ("filter=page+matches+%22[%22", "the expression '[' is not valid: ", 'name="filter" value="page matches'),
    ("filter=goal+is+x", "the site has no goal 'x': ", 'name="filter" value="goal is x"'),
    ("filter=not+(host+is+a)", "a filter on host has to stand at the top level", 'value="not (host is a)"'),
    ("filter=page+is", "", 'name="filter" value="page is"'),
)
"""A query, the beginning of what is said as data, and what stands in the form."""


@pytest.mark.parametrize("path", ["", "/pages", "/left-out", "/now", "/week"])
async def test_filters_that_no_part_can_answer_are_refused_once_with_their_form(
    analytics: Analytics, path: str
) -> None:
    for query, problem, kept in UNANSWERABLE:
        if path == "/now" and "add=" in query:
            continue  # it has no forms
        answer = await analytics.ask(f"/sites/1{path}?{query}", headers={"accept": "text/html"})
        assert answer.status == 400, query
        assert "This address cannot be shown" in answer.text
        shown = unescape(answer.text)
        assert kept in shown, query
        assert "#/" not in shown.partition("<main")[2].partition("</main>")[0]
        assert not re.search(r"\b(event|visit):", shown.partition("<main")[2]), query
        if problem:
            for form in (".json", ".csv"):
                data = await analytics.ask(f"/sites/1{path}{form}?{query}")
                assert (data.status, data.json()["error"].startswith(problem)) == (400, True), (query, data.text)
            assert problem[4:] in shown, query
    answer = await analytics.ask(f"/sites/1{path}.json?filter=host+is+a+and+page+is+/x")
    assert answer.status == 200, answer.text
    german = {"accept": "text/html", "accept-language": "de"}
    answer = await analytics.ask(f"/sites/1{path}?country=Atlantis", headers=german)
    assert "Der Filter nach Land: ein Land wird mit zwei Buchstaben geschrieben" in answer.text
