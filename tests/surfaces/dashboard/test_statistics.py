"""Pages of statistics, and the same as data."""

import asyncio
import csv
import re
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from support.analytics import HOST, Analytics, analytics_in_process
from support.exported import an_export
from support.http_server import serving_application
from support.pages import PASSWORD, Visitor
from support.raw_http import RawClient, request
from support.telling import a_visit, tell
from tallystick.model.aggregates import PLAUSIBLE, Row
from tallystick.model.dimensions import Dimension
from tallystick.model.question import Answer, Question
from tallystick.services.accounts.accounts import set_password
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.analytics import questions
from tallystick.services.analytics.imported import WARNINGS as OF_IMPORTS
from tallystick.services.imports.plausible_zip import ExportReport, rows_of
from tallystick.services.inquiries.asking import WITHOUT_SESSION
from tallystick.surfaces.dashboard.analytics.wording import WARNINGS

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        yield running


@asynccontextmanager
async def logged_in(analytics: Analytics) -> AsyncIterator[Visitor]:
    """The browser of the site's owner."""
    account, services = analytics.prepared.account, analytics.services
    digest = await asyncio.to_thread(hash_password, PASSWORD)
    await services.ledger.write(set_password, account.id, digest, analytics.clock())
    transport = httpx.ASGITransport(analytics.running.application)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        browser = Visitor(client)
        assert (await browser.log_in(account.email)).status_code == 303
        yield browser


async def visit(analytics: Analytics, path: str, referrer: str = "", agent: str = FIREFOX) -> None:
    answer = await analytics.pixel(p=path, r=referrer, headers={"user-agent": agent})
    assert answer.status == 200


async def page(analytics: Analytics, target: str, status: int = 200) -> str:
    answer = await analytics.ask(target, headers={"accept": "text/html"})
    assert answer.status == status, answer.text
    return answer.text


async def data(analytics: Analytics, target: str, status: int = 200) -> Any:
    answer = await analytics.ask(target)
    assert answer.status == status, answer.text
    return answer.json()


async def test_a_site_that_is_private_leads_guests_to_the_login(analytics: Analytics) -> None:
    await analytics.change_site(public="private")
    for target in ("/sites/1", "/sites/1.json", "/sites/1/pages", "/sites/1/pages.csv"):
        answer = await analytics.ask(target)
        assert answer.status == 303, target
        assert answer.headers["location"].startswith("/login?next="), target


async def test_the_page_and_its_data_say_the_same(analytics: Analytics) -> None:
    for path in ("/a", "/b"):
        await visit(analytics, path, "https://www.google.com/")
    shown = await page(analytics, "/sites/1")
    assert '<a href="/sites/1?page=/a">/a</a>' in shown.replace(f"/sites/{name_in(shown)}", "/sites/1")
    assert shown.rstrip().endswith("</html>")
    found = await data(analytics, "/sites/1.json")
    assert found["period"]["name"] == "today"
    assert found["numbers"]["visitors"] == {"now": 1, "before": 0, "change": 100}
    assert found["numbers"]["pageviews"]["now"] == 2
    assert [row["page"] for row in found["lists"]["pages"]] == ["/a", "/b"]
    assert [row["source"] for row in found["lists"]["sources"]] == ["Google"]
    assert found["live"] == 1
    assert sum(value or 0 for value in found["series"]["values"]) == 1


def name_in(shown: str) -> str:
    """The name of the site in the links of its page."""
    return shown.partition('href="/sites/')[2].partition("?")[0].partition("/")[0]


async def test_a_filter_in_the_address_filters_everything(analytics: Analytics) -> None:
    await visit(analytics, "/a")
    await visit(analytics, "/b")
    found = await data(analytics, "/sites/1.json?page=/a")
    assert found["filters"] == [["is", "event:page", ["/a"]]]
    assert found["numbers"]["pageviews"]["now"] == 1
    assert [row["page"] for row in found["lists"]["pages"]] == ["/a"]
    found = await data(analytics, "/sites/1.json?page=!/a&compare=off")
    assert [row["page"] for row in found["lists"]["pages"]] == ["/b"]
    assert found["numbers"]["pageviews"] == 1


async def test_the_form_for_filters_leads_to_the_short_address(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1?period=7d&add=page&op=contains&value=blog")
    assert (answer.status, answer.headers["location"]) == (303, "/sites/1?period=7d&page=~blog")
    answer = await analytics.ask("/sites/1?page=/a&source=Google&add=page&op=is_not&value=/b&at=0")
    assert answer.headers["location"] == "/sites/1?page=!/b&source=Google"


@pytest.mark.parametrize(
    "query", ["period=nonsense", "compare=x", "by=minute&period=28d", "page=*(", "filter=page", "filter=nothing is x"]
)
async def test_an_address_that_cannot_be_shown_says_why(analytics: Analytics, query: str) -> None:
    found = await data(analytics, f"/sites/1.json?{query}", 400)
    assert len(found["error"]) > 10
    shown = await analytics.ask(f"/sites/1?{query}", headers={"accept": "text/html"})
    assert shown.status in {200, 400}
    assert "This address cannot be shown" in shown.text or "failed" in shown.text


@pytest.mark.parametrize("period", ["9998", "0002", "0002-01-01", "0999", "0999-03-01T00:00..0999-03-01T01:59"])
async def test_any_year_of_the_calendar_can_be_shown(analytics: Analytics, period: str) -> None:
    await visit(analytics, "/a")
    with capture_logs() as logs:
        for path in ("", "/left-out"):
            for compare in ("", "&compare=year", "&compare=off"):
                shown = await page(analytics, f"/sites/1{path}?period={period}{compare}")
                assert "Something went wrong" not in shown
                assert "period=0001" not in shown
                assert "period=9999" not in shown
    assert [each for each in logs if each["log_level"] == "error"] == []


@pytest.mark.parametrize("period", ["9999", "0001", "0001-05", "0001-01-01T00:00..0001-01-01T01:59"])
async def test_a_year_outside_of_the_calendar_is_refused(analytics: Analytics, period: str) -> None:
    for form in ("json", "csv"):
        answer = await analytics.ask(f"/sites/1.{form}?period={period}")
        assert (answer.status, answer.json()) == (400, {"error": "period: periods lie in the years 2 to 9998"})


async def test_data_is_never_taken_for_a_page(analytics: Analytics) -> None:
    await visit(analytics, "/<script>alert(1)</script>")
    for target, status in (
        ("/sites/1.json", 200),
        ("/sites/1/pages.csv", 200),
        ("/sites/1/now.json", 200),
        ("/sites/1/left-out.csv", 200),
        ("/sites/1.json?page=*(", 400),
        ("/sites/1/nothing.json", 404),
    ):
        answer = await analytics.ask(target)
        assert answer.status == status, target
        assert answer.headers["x-content-type-options"] == "nosniff", target
        assert answer.headers["content-security-policy"].startswith("default-src 'none'"), target
        assert answer.headers["cache-control"] == "private, no-store", target


async def test_one_list_with_all_of_its_rows(analytics: Analytics) -> None:
    for number in range(105):
        await visit(analytics, f"/{number:03}")
    shown = await page(analytics, "/sites/1/pages")
    assert "1 to 100 of 105" in shown
    assert "/sites/1/pages?from=100" in shown
    assert "101 to 105 of 105" in await page(analytics, "/sites/1/pages?from=100")
    found = await data(analytics, "/sites/1/pages.json?find=00")
    assert [row["page"] for row in found["rows"]] == ["/000", *(f"/00{n}" for n in range(1, 10)), "/100"]
    await page(analytics, "/sites/1/nothing", 404)


async def test_what_was_not_read_of_the_period_before_is_not_shown_as_new(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [a_visit(path, "2020-06-17T10:00", by=by) for by, path in enumerate(("/a", "/a", "/b", "/b", "/z"), 1)]
    await tell(analytics, *before, *(a_visit(path, by=9) for path in ("/a", "/z")))
    monkeypatch.setattr(questions, "MOST_GROUPS", 2)
    answer = await data(analytics, "/sites/1/pages.json?period=2020-06-18")
    assert [(row["page"], row["visitors"]) for row in answer["rows"]] == [
        ("/a", {"now": 1, "before": 2, "change": -50}),
        ("/z", 1),
    ]
    shown = await page(analytics, "/sites/1/pages?period=2020-06-18")
    assert "Something went wrong" not in shown
    assert ">new<" not in shown


async def test_csv_is_safe_for_spreadsheets(analytics: Analytics) -> None:
    await visit(analytics, '=HYPERLINK("https://evil.example")')
    answer = await analytics.ask("/sites/1/pages.csv?compare=off")
    rows = list(csv.reader(StringIO(answer.text)))
    assert rows[0][:2] == ["page", "visitors"]
    assert not rows[1][0].startswith("=")
    assert answer.headers["content-disposition"] == 'attachment; filename="pages.csv"'


async def test_hostile_names_are_text(analytics: Analytics) -> None:
    hostile = "/<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    await visit(analytics, hostile, "javascript:alert(1)")
    for target in ("/sites/1", "/sites/1/pages"):
        shown = await page(analytics, target)
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


async def test_a_page_is_compressed_in_parts(analytics: Analytics) -> None:
    await visit(analytics, "/a")
    answer = await analytics.ask("/sites/1", headers={"accept": "text/html", "accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"]
    head = await analytics.ask("/sites/1", headers={"accept": "text/html"}, method="HEAD")
    assert head.status == 200
    assert '<section class="panel"' not in head.text  # no question is asked for them


async def test_cards_of_sites_and_all_of_them_together(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com", "domain": "zwei.example"})
        await visit(analytics, "/a")
        shown = (await ada.get("/sites?period=today")).text
        assert "1 visitor" in shown
        assert "No hits yet." in shown
        assert shown.rstrip().endswith("</html>")
        found = (await ada.get("/sites?find=ZWEI")).text
        assert "zwei.example</a>" in found
        assert "stats.example.com</a></h2>" not in found
        assert "No site has a name like this." in (await ada.get("/sites?find=nothing")).text
        together = re.search(r'href="(/sites/[^"]*\+[^"?]*)', shown)
        assert together is not None
        found = (await ada.get(f"{together[1]}.json?period=today")).json()
        assert sorted(found["sites"]) == ["stats.example.com", "zwei.example"]
        assert found["numbers"]["visitors"]["now"] == 1


async def test_a_pinned_site_comes_first(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        names = re.compile(r'<h2><a href="[^"]*">([^<]*)</a></h2>')
        assert names.findall((await ada.get("/sites")).text) == ["stats.example.com", "zwei.example.com"]
        assert (await ada.fill("/sites", {"pinned": "1"}, action="/sites/2/pin")).headers["location"] == "/sites"
        shown = (await ada.get("/sites")).text
        assert names.findall(shown) == ["zwei.example.com", "stats.example.com"]
        assert shown.count('aria-pressed="true">Pinned') == 1
        await ada.fill("/sites", {"pinned": "0"}, action="/sites/2/pin")
        assert names.findall((await ada.get("/sites")).text) == ["stats.example.com", "zwei.example.com"]


async def test_filters_are_kept_as_a_segment(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        await visit(analytics, "/a")
        await visit(analytics, "/b")
        shown = (await ada.get("/sites/1?page=~/a&country=!DE")).text
        address = re.search(r'href="(/sites/[^"]*/segments[?]filter=[^"]*)#new"', shown)
        assert address is not None
        form = (await ada.get(address[1])).text
        assert "page contains /a ignoring case and country is not DE</textarea>" in form
        fields = {"name": "<b>Mine", "filter": "page contains /a ignoring case and country is not DE"}
        answer = await ada.fill("/sites/1/segments", fields)
        assert answer.headers["location"].endswith("/segments?done=added")
        (segment,) = await analytics.services.segments.visible(1, analytics.prepared.account.id)
        assert segment.filters[1] == ["is_not", "visit:country", ["DE"]]
        assert segment.owner == analytics.prepared.account.id
        found = (await ada.get(f"/sites/1.json?segment={segment.id}&compare=off")).json()
        assert found["numbers"]["pageviews"] == 1
        listed = (await ada.get("/sites/1/segments")).text
        assert "&lt;b&gt;Mine" in listed
        changed = {"id": str(segment.id), "name": "All of it", "filter": "page is /b", "whose": "site"}
        await ada.fill("/sites/1/segments", changed, action="/sites/1/segments/change")
        (segment,) = await analytics.services.segments.visible(1, None)
        assert (segment.name, segment.filters) == ("All of it", [["is", "event:page", ["/b"]]])
        await ada.fill("/sites/1/segments", {"id": str(segment.id)}, action="/sites/1/segments/delete")
        assert not await analytics.services.segments.visible(1, analytics.prepared.account.id)


async def test_refused_segments_and_links_say_why(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        for fields, message in (
            ({"name": "", "filter": "page is /a"}, "Name"),
            ({"name": "x", "filter": "page"}, "expected"),
            ({"name": "x", "filter": "nothing is /a"}, "nothing"),
            ({"name": "x", "filter": "page matches ["}, "is not valid: "),
        ):
            for form in ("segments", "sharing"):
                answer = await ada.fill(f"/sites/1/{form}", fields)
                assert (answer.status_code, message in answer.text) == (422, True), (form, fields)
                assert fields["filter"] in answer.text


async def test_segments_that_there_are_not_are_refused_with_the_filter(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        for query, kept in (("segment=Nobody", "Nobody"), ("filter=segment+is+Nobody", "segment is Nobody")):
            answer = await ada.get(f"/sites/1?{query}")
            assert (answer.status_code, f'value="{kept}"' in answer.text) == (400, True)
            assert "here is no segment &#39;Nobody&#39;" in answer.text
            assert "there is no segment 'Nobody'" in (await ada.get(f"/sites/1.json?{query}")).json()["error"]


async def test_a_view_is_kept_under_a_name(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        await visit(analytics, "/a")
        saved, person = analytics.services.saved_views, analytics.prepared.account.id
        shown = unescape((await ada.get("/sites/1?page=~/a&graph=visits&embed=1&sort=x")).text)
        address = re.search(r'href="(/sites/[^"]*/views[?][^"]*)#new"', shown)
        assert address is not None
        form = unescape((await ada.get(address[1])).text)
        query = "period=today&graph=visits&page=~/a"
        assert f'name="query" value="{query}"' in form
        answer = await ada.fill(address[1], {"name": "<b>Mine", "query": query}, action="/sites/1/views")
        assert answer.headers["location"].endswith("/views?done=added")
        (view,) = await saved.visible(1, person)
        assert (view.name, view.query, view.owner) == ("<b>Mine", query, person)
        menu = (await ada.get("/sites/1?page=~/a&graph=visits")).text
        assert 'aria-current="true"><bdi>&lt;b&gt;Mine</bdi>' in menu
        changed = {"id": str(view.id), "name": "All of us", "whose": "site"}
        await ada.fill("/sites/1/views", changed, action="/sites/1/views/change")
        (view,) = await saved.visible(1, 0)
        assert (view.name, view.query) == ("All of us", query)
        for refused, message in (
            ({"name": ""}, ""),
            ({"name": "x" * 101}, ""),
            ({"name": "ALL OF US", "whose": "site"}, "the site has a saved view 'ALL OF US' already"),
            ({"name": "x", "query": "graph=nothing"}, ""),
            ({"name": "x", "query": "period=0001"}, "periods lie in the years 2 to 9998"),
            ({"name": "x", "query": "segment=Nobody"}, "there is no segment 'Nobody'"),
            ({"name": "x", "query": "page=*("}, "the expression '(' is not valid"),
            ({"name": "x", "query": "goal=Nothing"}, "the site has no goal 'Nothing'"),
        ):
            answer = await ada.fill("/sites/1/views", {"query": query, **refused})
            assert (answer.status_code, message[1:] in unescape(answer.text)) == (422, True), refused
            assert len(await saved.visible(1, person)) == 1
        answer = await ada.fill("/sites/1/views", {**changed, "name": "a\nb"}, action="/sites/1/views/change")
        assert answer.status_code == 422
        await ada.fill("/sites/1/views", {"id": str(view.id)}, action="/sites/1/views/delete")
        assert not await saved.visible(1, person)


async def test_lists_of_several_sites_have_no_rates_that_cannot_be_told(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics, logged_in(analytics) as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        await visit(analytics, "/a?utm_campaign=spring")
        for name in ("pages", "entry-pages", "exit-pages", "campaigns", "hosts", "sources", "goals", "events"):
            for form in ("", ".json", ".csv"):
                answer = await ada.get(f"/sites/1+2/{name}{form}?sort=bounce_rate")
                assert answer.status_code == 200, answer.text
                assert "rates and averages" not in answer.text
        (row,) = (await ada.get("/sites/1+2/pages.json?period=today&compare=off")).json()["rows"]
        assert row["page"] == "/a"
        assert "bounce_rate" not in row
        (row,) = (await ada.get("/sites/1+2/sources.json?period=today&compare=off")).json()["rows"]
        assert row["bounce_rate"] == 100


async def imported(analytics: Analytics, folder: Path) -> None:
    """The days from 2026-12-31 until 2027-01-10, from another software."""

    def read() -> tuple[ExportReport, dict[str, list[Row]]]:
        report, found = ExportReport(), defaultdict[str, list[Row]](list)
        for aggregate, row in rows_of(an_export(folder), 20_900, report, lambda bad: pytest.fail(str(bad))):
            found[aggregate.name].append(row)
        return report, found

    report, found = await asyncio.to_thread(read)
    aggregates, site = analytics.services.aggregates, analytics.site.id
    spans = {name: each.span for name, each in report.tables.items()}
    begun = await aggregates.begin(site, PLAUSIBLE, "e.zip", "e.zip", spans, replace=False)
    await aggregates.add(site, begun.id, 1, found)
    await aggregates.finish("a test", site, begun.id, report.rows, replace=False)


async def test_all_time_begins_with_imports_which_have_no_hours(analytics: Analytics, tmp_path: Path) -> None:
    await imported(analytics, tmp_path)
    for _ in ("without own hits", "with own hits"):
        found = await data(analytics, "/sites/1.json?period=all")
        assert found["period"]["first"] <= "2026-12-31"
        assert found["series"]["by"] == "day"
        assert found["series"]["labels"][0] == found["period"]["first"]
        assert sum(value or 0 for value in found["series"]["values"]) >= 17
        await visit(analytics, "/a")
    await data(analytics, "/sites/1.json?period=2027-01-09..2027-01-11&by=hour", 400)
    found = await data(analytics, "/sites/1.json?period=2027-01-10")
    assert (found["series"]["by"], found["series"]["values"]) == ("day", [2])
    assert (await data(analytics, "/sites/1.json?period=today"))["series"]["by"] == "hour"


async def test_what_imports_cannot_tell_is_said(analytics: Analytics, tmp_path: Path) -> None:
    await imported(analytics, tmp_path)
    await visit(analytics, "/a")
    query = "period=all&page=/a&source=~x"
    found = await data(analytics, f"/sites/1.json?{query}")
    (warning,) = found["warnings"]
    assert warning.startswith("Imported data is not included: its tables")
    for name in ("", "/sources"):
        assert "Imported data is not included: its tables" in await page(analytics, f"/sites/1{name}?{query}")
    assert (await data(analytics, f"/sites/1/sources.json?{query}"))["warnings"] == [warning]


def test_warnings_can_be_translated() -> None:
    assert sorted(WARNINGS) == sorted([WITHOUT_SESSION["warning"], *OF_IMPORTS.values()])


async def test_data_says_what_it_is_of(analytics: Analytics) -> None:
    found = await data(analytics, "/sites/1.json?period=2027-01-08&q=blog&match=weekdays")
    assert (found["search"], found["match"]) == ("blog", "weekdays")
    assert found["compared"] == {"first": "2027-01-01", "last": "2027-01-01"}
    found = await data(analytics, "/sites/1.json?compare=off")
    assert (found["search"], found["match"], found["compared"]) == (None, None, None)


async def test_a_list_keeps_its_order_and_what_is_looked_for(analytics: Analytics) -> None:
    await visit(analytics, "/a")
    await visit(analytics, "/b")
    shown = await page(analytics, "/sites/1/pages?period=today&find=a&sort=pageviews")
    for link in ("/pages?period=yesterday&amp;sort=pageviews&amp;find=a", "/pages.json?sort=pageviews&amp;find=a"):
        assert link in shown.replace("?period=today&amp;", "?"), link
    assert '<input type="hidden" name="sort" value="pageviews"><input type="hidden" name="find" value="a">' in shown
    assert 'find=a">/a</a>' not in shown
    answer = await analytics.ask("/sites/1/pages?find=a&add=source&value=x")
    assert answer.headers["location"] == "/sites/1/pages?source=x&find=a"
    answer = await analytics.ask(f"/sites/1/pages?find={'a' * 3_000}", headers={"accept": "text/html"})
    assert answer.status == 400
    assert "2,048 characters" in answer.text
    shown = await page(analytics, "/sites/1/pages?find=a&from=500")
    assert "There are not so many rows." in shown
    assert '<a href="/sites/1/pages?find=a">Show the first rows</a>' in shown


@pytest.mark.parametrize("resets", [True, False])
async def test_questions_for_a_browser_that_is_gone_are_interrupted(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, *, resets: bool
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow(session: Any, question: Question) -> Answer:
        if not any(isinstance(each, Dimension) for each in question.dimensions):
            found: Answer = session.answer(question)
            return found
        begun.set()
        try:
            session.connection.execute("SELECT count(*) FROM range(10000000000) a(x) WHERE hash(x) = 1").fetchall()
        finally:
            ended.set()
        raise AssertionError

    await visit(analytics, "/a")
    monkeypatch.setattr("tallystick.services.analytics.questions.ask", slow)
    monkeypatch.setattr("tallystick.surfaces.dashboard.analytics.asking.WITHIN_S", 60)
    monkeypatch.setattr("tallystick.surfaces.dashboard.support.streaming.PROBED_EVERY_S", 0.1)
    async with serving_application(analytics.running.application) as started:
        async with RawClient.to(started.address) as client:
            await client.send(request("/sites/1", "Accept: text/html", host=HOST))
            assert await asyncio.to_thread(begun.wait, 20)
            if resets:
                client.reset()
        assert await asyncio.to_thread(ended.wait, 8), "the question is still being answered"
    monkeypatch.undo()
    assert (await data(analytics, "/sites/1/pages.json"))["total"] == 1
