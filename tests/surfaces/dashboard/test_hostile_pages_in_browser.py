"""The nastiest strings through every way in: on no page do they run, break out or reach another origin."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from support.analytics import FIREFOX, HOST, AnalyticsServer, analytics_server
from support.asking import ask
from support.browsing import opened_browser
from tallystick.ledger import open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.surfaces.dashboard.analytics.lists import LISTS
from tallystick.surfaces.dashboard.analytics.view import text_of
from tallystick.surfaces.dashboard.support.cookies import LOGIN

pytestmark = pytest.mark.browser

NASTY = (
    "<script>window.ran=1</script>",
    "\"><img src=https://evil.test/x onerror='window.ran=1'>",
    "'><svg onload=window.ran=1>",
    "</title></script></style></textarea><script src=https://evil.test/x.js></script>",
    "javascript:window.ran=1",
    "{{ 7*191 }}${7*191}{% raw %}",
    "<!--parts--><h1>broken out</h1>",
    "&lt;b&gt; &amp; &#60;b&#62;",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "%(name)s %s {0} \\n \\u003cb\\u003e",
    "=1+1;@SUM(1)|' \t\u2028\u2029",
    "a" * 300,
)
"""Each with a letter before it where a way in wants one."""

REFUSED = "the server responded with a status of 4"


# Scoped to the module: while Playwright is open, its event loop counts as running, and async tests cannot start theirs.
@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    options = ("--rate-limit", "off")
    with analytics_server(tmp_path_factory.mktemp("hostile") / "data", *options) as server:
        for text in NASTY:
            send_everywhere(server, text)
        settings = {"settings": {"public": "public"}}
        assert server.api("PATCH", f"/sites/{server.site.id}", json=settings).status == 200
        yield server


def send_everywhere(server: AnalyticsServer, text: str) -> None:
    """A text as path, title, event, referrer, campaign and property of hits, and as a name of what is kept."""
    server.pixel(p=f"/{text}", t=text, r=f"https://ref.example/{text}", q=f"?utm_campaign={quote(text)}")
    server.pixel(p=text, t=text, e="1", r=text, q=f"utm_source={quote(text)}&utm_medium={quote(text)}")
    event = {
        "domain": HOST,
        "name": text,
        "url": f"https://{HOST}/{quote(text)}?utm_term={quote(text)}&utm_content={quote(text)}",
        "referrer": text,
        "props": {text[:200]: text},
    }
    for name in (text[:100], "pageview"):
        headers = {"user-agent": FIREFOX, "content-type": "application/json", "host": HOST}
        assert (
            ask(server.url, "/api/event", method="POST", headers=headers, body=encoded({**event, "name": name})).status
            == 202
        )
    hit = {
        "path": f"/{text}",
        "title": text,
        "ref": text,
        "query": f"utm_campaign={quote(text)}",
        "user_agent": FIREFOX,
    }
    server.api("POST", "/count", json={"hits": [{**hit, "session": text}]})
    own = f"/api/v2/sites/{HOST}"
    for path, body in (
        ("/goals", {"name": text[:100], "event": text[:100]}),
        ("/segments", {"name": text[:100], "filters": [["is", "event:page", [f"/{text}"]]]}),
        ("/annotations", {"at": "2026-01-01", "text": text, "link": "https://evil.test/"}),
        ("/funnels", {"name": text[:100], "steps": [{"page": f"/{text}"}, {"event": text[:100], "name": text[:100]}]}),
    ):
        headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json", "host": HOST}
        answer = ask(server.url, own + path, method="POST", headers=headers, body=encoded(body))
        assert answer.status in {200, 201, 400, 409}, (path, answer.text)


def encoded(body: object) -> bytes:
    return msgspec.json.encode(body)


@pytest.fixture(scope="module")
def login(site: AnalyticsServer) -> str:
    """What proves in a browser that it is the owner's."""
    secret, ledger = new_secret(), open_database(None, site.server.data)
    with closing(ledger.session(writes=True)) as session, session.transaction():
        begin_login(session, site.prepared.account.id, secret_digest(secret), milliseconds())
    return secret


@pytest.fixture(scope="module")
def browser(chromium: str, site: AnalyticsServer) -> Iterator[Browser]:
    assert site  # the server starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    """What the browser complains about, and what it asks other hosts for."""
    return []


@pytest.fixture(scope="module")
def context(browser: Browser, site: AnalyticsServer) -> Iterator[BrowserContext]:
    """A guest's browser."""
    with browser.new_context(base_url=site.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def window(context: BrowserContext, site: AnalyticsServer, complaints: list[str]) -> Page:
    """One for all tests: pages of a new one load and compile every script again."""

    def watch(url: str) -> None:
        if urlsplit(url).netloc != urlsplit(site.url).netloc:
            complaints.append(f"asked another host: {url}")

    opened = context.new_page()
    opened.set_default_timeout(30_000)
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on("request", lambda request: watch(request.url))
    return opened


@pytest.fixture
def page(window: Page, complaints: list[str]) -> Iterator[Page]:
    """A guest's window, in which nothing may be complained about and no other host be asked."""
    yield window
    window.goto("about:blank")
    window.context.clear_cookies()
    said, complaints[:] = [text for text in complaints if REFUSED not in text], []
    # Of a refused address the browser complains, too.
    assert said == []


PAGES = ("", *(f"/{name}" for name in LISTS), "/funnels", "/week", "/now", "/left-out")


@pytest.mark.parametrize("path", PAGES)
def test_no_text_breaks_out_of_its_place(page: Page, site: AnalyticsServer, path: str) -> None:
    answer = page.goto(f"/sites/{site.site.id}{path}?period=today&compare=off")
    assert answer is not None
    assert answer.status == 200
    check(page)


TOGETHER = ("page", "source", "utm_term", "prop:x", "q", "find", "by", "show")
"""What a page shows all of, whatever it is."""
REFUSED_ALONE = ("goal", "filter", "period", "graph")
"""What a page may show nothing beside, because it cannot be used."""


@pytest.mark.parametrize("text", NASTY)
def test_no_filter_breaks_out_of_its_place(page: Page, site: AnalyticsServer, text: str) -> None:
    own, same = f"/sites/{site.site.id}", quote(text)
    together = "&".join(f"{name}={same}" for name in TOGETHER)
    page.goto(f"{own}?period=today&{together}")
    check(page)
    for name in REFUSED_ALONE:
        page.goto(f"{own}?period=today&{name}={same}")
        check(page)
    page.goto(f"{own}/page?period=today&page=/{same}")
    check(page)


@pytest.mark.parametrize("name", ["page", "source", "goal"])
def test_no_filter_by_many_values_breaks_out_of_its_place(page: Page, site: AnalyticsServer, name: str) -> None:
    """As one filter all texts find something, so that they are in the filter and in every list beside it."""
    texts = [text[:100] for text in NASTY] if name == "goal" else [*NASTY, *(f"/{text}" for text in NASTY)]
    page.goto(f"/sites/{site.site.id}?period=today&{name}={quote(text_of(texts))}")
    check(page)
    assert page.locator("main .failed").count() == 0
    assert page.locator("#pages tbody tr").count() > 1


def test_no_text_breaks_out_of_pages_of_settings(page: Page, site: AnalyticsServer, login: str) -> None:
    page.context.add_cookies([{"name": LOGIN, "value": login, "url": site.url}])
    chosen = f"path=1&path=2&into=/{quote(NASTY[0])}&name=/{quote(NASTY[1])}&rule=/{quote(NASTY[2])}*"
    for path in (
        *("settings/goals", "settings/goals/1", "settings/funnels", "settings/funnels/1", "segments", "notes"),
        *("paths", f"paths/merge?{chosen}", f"paths/rename?path=1&{chosen[14:]}", f"paths/rules?{chosen}"),
        *(f"left-out/rules?kind=path&{chosen}", f"views?page={quote(NASTY[1])}"),
    ):
        answer = page.goto(f"/sites/{site.site.id}/{path}")
        assert answer is not None
        assert answer.status in {200, 422}, path  # 422: what is chosen fits no change
        check(page)


def check(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    assert page.locator("h1").count() == 1
    assert page.locator("script:not([nonce]), [style], [onerror], [onload]").count() == 0
    assert "1337" not in page.locator("body").inner_text()
    assert all(
        link.startswith(("/", "#", "http://127.0.0.1", "https://", "mailto:"))
        for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
        if not link.startswith("?")
    )
    # Whole: what is behind the hostile text is still there.
    assert page.locator("footer.bar").count() == 1
