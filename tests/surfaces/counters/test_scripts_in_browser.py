"""The scripts for pages, on pages of another site in a real browser: strict policies, files, who is left out."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from support.browsing import AS_A_PERSON, opened_browser
from support.recording import RecordingSite, recording_site
from support.server import RunningServer, running_server
from tallystick.services.counting.page_keys import page_key

pytestmark = pytest.mark.browser

DOCS = Path(__file__).resolve().parents[3] / "docs"
LIVE = re.compile(r"/live\?")
VIOLATIONS = """
  window.violations = [];
  addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
HIDDEN = """
  window.away = true;
  for (const name of ["hidden", "prerendering"])
    Object.defineProperty(Document.prototype, name, { configurable: true, get: () => window.away });
  window.come = () => {
    window.away = false;
    for (const type of ["prerenderingchange", "visibilitychange"]) document.dispatchEvent(new Event(type));
  };
  window.go = () => { window.away = true; document.dispatchEvent(new Event("visibilitychange")); };
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("scripts") / "data", "--rate-limit", "off") as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[RecordingSite]:
    with recording_site() as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with opened_browser(chromium, AS_A_PERSON) as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as opened:
        opened.set_default_timeout(20_000)
        opened.add_init_script(VIOLATIONS)
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def show(page: Page, site: RecordingSite, server: RunningServer) -> Callable[..., Page]:
    """Open a page of the site that has a body and scripts of the server."""

    def show(body: str, *scripts: str, host: str, path: str = "/", head: str = "", at: Page = page) -> Page:
        tags = "".join(f'<script defer src="{server.url}/{script}"></script>' for script in scripts)
        site.pages[urlsplit(path).path] = f"<!doctype html><html lang=en><meta charset=utf-8>{head}{tags}{body}"
        at.goto(site.url(path, host))
        return at

    return show


def value(server: RunningServer, name: str) -> int | None:
    answered: int | None = server.get(f"/get/{name}").json()["value"]
    return answered


def strict(server: RunningServer) -> str:
    policy = (
        f"default-src 'none'; script-src {server.url}; connect-src {server.url}; style-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return f'<meta http-equiv="content-security-policy" content="{policy}">'


CALLS: list[tuple[str, dict[str, Any]]] = [
    # what the published client resolves to, see tests/clients/test_countapi_js.py
    (
        "create({namespace: 'cdn.test', key: 'test', value: 42, enable_reset: true})",
        {"status": 200, "path": "cdn.test/test", "namespace": "cdn.test", "key": "test", "value": 42},
    ),
    ("create({namespace: 'cdn.test', key: 'test'})", {"rejected": "Response from server: 409"}),
    ("get('cdn.test', 'test')", {"status": 200, "path": "cdn.test/test", "value": 42}),
    ("hit('cdn.test', 'test')", {"status": 200, "path": "cdn.test/test", "value": 43}),
    ("update('cdn.test', 'test', -1)", {"status": 200, "path": "cdn.test/test", "value": 42}),
    ("update('cdn.test', 'test', 9)", {"status": 403, "path": "cdn.test/test", "value": 42}),
    ("update('cdn.test', 'test', 0.5)", {"rejected": "amount must be a whole number"}),
    ("update('cdn.test', 'test', 1e21)", {"rejected": "amount must be a whole number"}),
    ("set('cdn.test', 'test', 7)", {"status": 200, "path": "cdn.test/test", "old_value": 42, "value": 7}),
    ("set('a-new-key', 7)", {"status": 404, "path": "default/a-new-key", "old_value": None, "value": None}),
    ("get(null, 'test')", {"status": 404, "path": "null/test", "value": None}),
    ("get()", {"rejected": "Missing key"}),
    ("set('test')", {"rejected": "Missing key or value"}),
    ("set('test', '7')", {"rejected": "Value is NaN"}),
    ("get('')", {"rejected": "Key must match /^[A-Za-z0-9_\\-.]{3,64}$/. Got ''"}),
    (
        "get('', 'test')",
        {"rejected": "Namespace must match /^[A-Za-z0-9_\\-.]{3,64}$/ or be empty. Got ''"},
    ),
    ("validatePath('aaa', 'bbb')", {"path": "aaa/bbb"}),
    ("visits()", {"status": 200, "path": "cdn.test/blogpost", "value": 1}),
    ("visits('global')", {"status": 200, "path": "cdn.test/global", "value": 1}),
    ("event('magic-button')", {"status": 200, "path": "cdn.test/magic-button", "value": 1}),
]
RESULT = "(call) => eval('countapi.' + call).then((found) => found, (rejected) => ({rejected}))"


def test_a_page_of_the_published_client_changes_one_address(
    show: Callable[..., Page], page: Page, server: RunningServer
) -> None:
    show("", "countapi.js", host="cdn.test", path="/blog/post?secret=1#part")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert [page.evaluate(RESULT, call) for call, _ in CALLS] == [result for _, result in CALLS]
    assert not [url for url in asked if "secret" in url or "part" in url], "only the path of the page is told"
    assert list(page.evaluate(RESULT, "info('cdn.test', 'test')")) == [
        *("status", "path", "namespace", "key", "ttl", "created"),
        *("update_lowerbound", "update_upperbound", "enable_reset", "value"),
    ]
    stats = page.evaluate(RESULT, "stats()")
    assert list(stats) == ["status", "path", "keys_created", "keys_updated", "requests", "version"]
    # However the script comes, it asks where it came from.
    ways = {
        "async": f'<script async src="{server.url}/countapi.js"></script>',
        "query": f'<script src="{server.url}/countapi.js?v=2"></script>',
        "module": f'<script type=module src="{server.url}/countapi.js"></script>',
        "import": f'<script type=module>import countapi from "{server.url}/countapi.mjs"; countapi.stats()</script>',
        "named": f'<script type=module>import {{stats}} from "{server.url}/countapi.mjs"; stats()</script>',
        "jsonp": f"<script>function show(told) {{ window.countapi = told.value }}</script>"
        f'<script src="{server.url}/get/cdn.test/test?callback=show"></script>',
    }
    for name, tag in ways.items():
        show(tag, host="cdn.test", path=f"/{name}")
        page.wait_for_function("window.countapi")
        if name == "jsonp":
            assert page.evaluate("countapi") == 7
        else:
            assert page.evaluate(RESULT, "get('cdn.test', 'test')")["value"] == 7, name


def test_pages_with_a_strict_policy(show: Callable[..., Page], server: RunningServer) -> None:
    server.get("/create?namespace=strict.test&key=read&value=9223372036854775807")
    shown = show(
        "<tally-count id=read key=read>?</tally-count> <tally-count id=hit key=hit mode=hit live>?</tally-count>"
        "<p id=busuanzi_container_site_pv hidden><b id=busuanzi_value_site_pv></b></p>",
        *("countapi.js", "tally.js", "busuanzi.js"),
        host="strict.test",
        head=strict(server),
    )
    expect(shown.locator("#read")).to_have_text("9,223,372,036,854,775,807")
    expect(shown.locator("#hit")).to_have_text("1")
    expect(shown.locator("#hit")).to_have_attribute("aria-live", "polite")
    expect(shown.locator("#busuanzi_value_site_pv")).to_have_text("1")
    assert shown.evaluate("countapi.get('strict.test', 'hit')")["value"] == 1
    assert shown.evaluate("violations") == []
    assert shown.evaluate("getComputedStyle(document.querySelector('#read')).fontVariantNumeric") == "tabular-nums"


def test_pages_that_are_files(page: Page, server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        f'<script src="{server.url}/countapi.js"></script><script defer src="{server.url}/tally.js"></script>'
        "<tally-count namespace=files.test key=visits mode=hit live>?</tally-count>"
        "<tally-count key=visits>none</tally-count>",
        "utf-8",
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator("tally-count").first).to_have_text("1")
    counted = page.evaluate("countapi.hit('files.test', 'visits')")
    assert counted == {"status": 200, "path": "files.test/visits", "value": 2}
    expect(page.locator("tally-count").first).to_have_text("2")
    expect(page.locator("tally-count").last).to_have_attribute("error", "400")
    assert page.evaluate("countapi.visits()")["path"] == ".../..."
    assert not [url for url in asked if "page=" in url], "where a person keeps files is nobody's business"


def test_many_numbers_live_on_one_connection(
    show: Callable[..., Page], page: Page, context: BrowserContext, server: RunningServer
) -> None:
    for name in ("one", "two"):
        server.get(f"/create?namespace=live.test&key={name}&value=999&update_upperbound=5000")
    streams: list[list[str]] = []

    def note(url: str) -> None:
        if urlsplit(url).path == "/live":
            streams.append([name for _, name in parse_qsl(urlsplit(url).query)])

    body = (
        "<tally-count id=one key=one live>?</tally-count>"
        "<tally-count id=two key=two live format=compact>?</tally-count>"
        "<tally-count id=plain key=one live format=plain>?</tally-count>"
        "<tally-count id=late key=late live>none yet</tally-count><tally-count id=quiet key=one>?</tally-count>"
    )
    page.on("request", lambda request: note(request.url))
    first = show(body, "tally.js", host="live.test")
    second = show(body, "tally.js", host="live.test", at=context.new_page())
    for shown in (first, second):
        expect(shown.locator("#one")).to_have_text("999")
        expect(shown.locator("#late")).to_have_attribute("error", "404")
        expect(shown.locator("#late")).to_have_text("none yet")
    assert streams == [["live.test/one", "live.test/two", "live.test/late"]]
    server.get("/update/live.test/one?amount=1")
    server.get("/update/live.test/two?amount=4500")
    server.get("/hit/live.test/late")
    for shown in (first, second):
        expect(shown.locator("#one")).to_have_text("1,000")
        expect(shown.locator("#two")).to_have_text("5.5K")
        expect(shown.locator("#plain")).to_have_text("1000")
        expect(shown.locator("#late")).to_have_text("1")
        expect(shown.locator("#quiet")).to_have_text("999")
        assert shown.evaluate("[...document.querySelectorAll('[aria-live], [error]')].map((el) => el.id)") == [
            *("one", "two", "plain", "late")
        ]
    # Elements come, change and go.
    first.evaluate("""() => {
      const host = document.body.appendChild(document.createElement('div'));
      const inner = '<tally-count id=inner key=two live format=plain lang=de>?</tally-count>';
      host.attachShadow({mode: 'open'}).innerHTML = inner;
      document.querySelector('#plain').remove();
      document.querySelector('#one').setAttribute('format', 'plain');
      document.querySelector('#quiet').setAttribute('key', 'late');
      document.querySelector('#late').removeAttribute('live');
    }""")
    expect(first.locator("#inner")).to_have_text("5499")
    expect(first.locator("#one")).to_have_text("1000")
    expect(first.locator("#quiet")).to_have_text("1")
    expect(first.locator("#late")).not_to_have_attribute("aria-live", "polite")
    page.wait_for_timeout(100)
    assert streams[-1] == ["live.test/one", "live.test/two"]
    # More than one connection takes.
    page.evaluate("""() => {
      for (let n = 100; n < 200; n++)
        document.body.insertAdjacentHTML('beforeend', `<tally-count key=more-${n} live>?</tally-count>`);
    }""")
    expect(page.locator("tally-count[error='404']")).to_have_count(100)
    assert sorted(len(names) for names in streams[-2:]) == [2, 100]


def test_who_is_away_is_not_counted_and_not_told(
    show: Callable[..., Page], context: BrowserContext, server: RunningServer
) -> None:
    context.add_init_script(HIDDEN)
    page = context.new_page()
    body = "<tally-count key=seen mode=hit live>?</tally-count><b id=vercount_value_page_pv>?</b>"
    show(body, "tally.js", "busuanzi.js", "countapi.js", host="away.test", at=page)
    page.evaluate("window.counting = countapi.hit('away.test', 'called'); 0")
    page.wait_for_timeout(300)
    assert [value(server, f"away.test/{name}") for name in ("seen", "called", "site_pv")] == [None] * 3
    with page.expect_request(LIVE) as stream:
        page.evaluate("come()")
    expect(page.locator("tally-count")).to_have_text("1")
    expect(page.locator("#vercount_value_page_pv")).to_have_text("1")
    assert page.evaluate("counting")["value"] == 1
    assert value(server, "away.test/site_pv") == 1
    with page.expect_event("requestfailed", lambda request: request.url == stream.value.url):
        page.evaluate("go()")
    server.get("/hit/away.test/seen")
    page.evaluate("come()")
    expect(page.locator("tally-count")).to_have_text("2")


def test_who_opts_out_reads_and_is_not_counted(show: Callable[..., Page], page: Page, server: RunningServer) -> None:
    for name in ("visits", "site_pv"):
        server.get(f"/create?namespace=own.test&key={name}&value=5")
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.accept()

    page.on("dialog", hear)
    scripts = ("tally.js", "busuanzi.js", "countapi.js")
    body = "<tally-count key=visits mode=hit>?</tally-count><i id=busuanzi_value_site_pv></i>"
    show(body, *scripts, host="own.test", path="/#tally-ignore")
    expect(page.locator("tally-count")).to_have_text("5")
    expect(page.locator("#busuanzi_value_site_pv")).to_have_text("5")
    assert page.evaluate("countapi.visits('visits')")["value"] == 5
    assert page.evaluate("countapi.hit('own.test', 'visits')")["value"] == 6, "what is no visit counts"
    page.evaluate("location.hash = '#tally-count'")
    page.wait_for_function("!localStorage.length")
    page.reload()
    expect(page.locator("tally-count")).to_have_text("7")
    page.evaluate("customElements.get('tally-count').ignore()")
    show(body, *scripts, host="own.test", path="/again")
    expect(page.locator("tally-count")).to_have_text("7")
    page.evaluate("countapi.ignore(false)")
    assert page.evaluate("countapi.visits('visits')")["value"] == 8
    assert said == [
        "You are no longer counted here. #tally-count undoes it.",
        "You are counted here.",
    ]
    assert page.context.cookies() == []


CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/138.0.0.0 Safari/537.36"
DRIVEN = "Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => true })"


def test_robots_read_and_are_not_counted(show: Callable[..., Page], browser: Browser, server: RunningServer) -> None:
    server.get("/create?namespace=driven.test&key=visits&value=5")
    body = "<tally-count key=visits mode=hit>?</tally-count><b id=busuanzi_value_site_pv></b>"
    for agent, script in ((CRAWLER, ""), (None, DRIVEN)):
        with browser.new_context(user_agent=agent) as context:
            page = context.new_page()
            page.add_init_script(script)
            show(body, "tally.js", "busuanzi.js", "countapi.js", host="driven.test", at=page)
            expect(page.locator("tally-count")).to_have_text("5")
            assert page.evaluate("countapi.visits('visits')")["value"] == 5
    assert value(server, "driven.test/site_pv") is None


def test_a_page_counts_once_however_its_elements_move(
    show: Callable[..., Page], page: Page, server: RunningServer
) -> None:
    two = "<tally-count class=a key=moved mode=hit>?</tally-count>" * 2
    show(f"<div id=here>{two}</div><div id=there></div>", "tally.js", host="moves.test")
    expect(page.locator("tally-count").first).to_have_text("1")
    page.evaluate("document.querySelector('#there').append(document.querySelector('tally-count'))")
    page.evaluate("document.querySelector('#here').replaceChildren()")
    page.wait_for_timeout(100)
    assert value(server, "moves.test/moved") == 1
    page.evaluate("(two) => { history.pushState({}, '', '/next'); here.innerHTML = two }", two)
    expect(page.locator("#here tally-count").first).to_have_text("2")
    expect(page.locator("#here tally-count").last).to_have_text("2")


def test_hostile_names_and_fallbacks(show: Callable[..., Page], page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    fallback = "&lt;img src=x onerror=alert(1)&gt; <em>none</em>"
    names = ["", "a", "../../get/x/y", "visits&amp;key=x/y", "visits\n", "visits?img", "&lt;b&gt;", "ä" * 4, "x" * 65]
    body = "".join(f'<tally-count key="{name}" live mode=hit>{fallback}</tally-count>' for name in names)
    show(
        body + "<tally-count live>none</tally-count><tally-count namespace=a/b key=visits>none</tally-count>",
        "tally.js",
        host="hostile.test",
    )
    expect(page.locator("tally-count[error='400']")).to_have_count(len(names) + 2)
    assert page.locator("tally-count").first.inner_html() == fallback
    assert [path for path in asked if path not in {"/", "/tally.js", "/favicon.ico"}] == []
    # A language that is none, a number that is none.
    page.evaluate("""() => { document.body.innerHTML =
      '<p lang="no-such-language-at-all"><tally-count key=known mode=hit digits=7 format=other>0</tally-count>'
      + '<span id=next>|</span>' }""")
    expect(page.locator("tally-count")).to_have_text("1")
    page.evaluate("document.querySelector('tally-count').setAttribute('mode', 'read')")
    page.evaluate("document.querySelector('tally-count').setAttribute('key', 'missing')")
    expect(page.locator("tally-count")).to_have_attribute("error", "404")
    expect(page.locator("tally-count")).to_have_text("0")


SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shifted += entry.value }))
    .observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("reserved", [True, False])
def test_numbers_that_come_move_nothing(show: Callable[..., Page], page: Page, *, reserved: bool) -> None:
    """Both the page and the element reserve the width, as the guide says; a page that does not is measured, too."""
    rule = re.findall(r"`(tally-count \{.*?\})`", (DOCS / "on-a-page.md").read_text("utf-8"))[0] if reserved else ""
    page.add_init_script(SHIFTS)
    page.route(
        "**/get/**", lambda route: route.fulfill(body='{"value":123456}', headers={"access-control-allow-origin": "*"})
    )
    show(
        "<style>body { font: 40px monospace } p { display: flex; width: max-content } " + rule + "</style>"
        f"<p><tally-count key=visits digits={7 if reserved else 0}>-</tally-count> <b>visits of this page</b></p>",
        *("tally.js",),
        host="steady.test",
    )
    expect(page.locator("tally-count")).to_have_text("123,456")
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    page.wait_for_timeout(100)
    assert (page.evaluate("shifted") == 0) == reserved


IDS = ("site_pv", "site_uv", "page_pv", "page_uv")


def test_elements_of_busuanzi_are_filled(
    show: Callable[..., Page], page: Page, context: BrowserContext, server: RunningServer
) -> None:
    body = "".join(
        f'<span id="{kind}_container_{name}" style="display:none"><b id="{kind}_value_{name}">?</b></span>'
        for kind in ("busuanzi", "vercount")
        for name in IDS
    )

    def told(path: str, at: Page = page) -> list[str]:
        show(body, "busuanzi.js", host="blog.test", path=path, at=at)
        for name in IDS:
            expect(at.locator(f"#vercount_container_{name}")).to_be_visible()
            expect(at.locator(f"#busuanzi_value_{name}")).not_to_have_text("?")
        return [str(at.locator(f"#busuanzi_value_{name}").text_content()) for name in IDS]

    assert told("/post/") == ["1", "1", "1", "1"]
    assert told("/post/index.html?a=1") == ["2", "1", "2", "1"], "the same page, and the same browser"
    assert told("/") == ["3", "1", "1", "1"]
    with context.browser.new_context() as other:  # type: ignore[union-attr]
        assert told("/post", other.new_page()) == ["4", "2", "3", "2"]
    assert [value(server, "/".join(page_key("http://blog.test/post", name))) for name in IDS] == [4, 2, 3, 2]
    # Two tags on one page count once, and without an answer nothing is shown.
    show(body, "busuanzi.js", "busuanzi.js", host="twice.test")
    expect(page.locator("#busuanzi_value_site_pv")).to_have_text("1")
    page.wait_for_timeout(200)
    assert value(server, "twice.test/site_pv") == 1
    page.route("**/hit/**", lambda route: route.abort())
    show(body, "busuanzi.js", host="failing.test")
    page.wait_for_timeout(200)
    assert not page.locator("#busuanzi_container_site_pv").is_visible()


def test_a_server_that_is_away_is_asked_again(show: Callable[..., Page], page: Page, server: RunningServer) -> None:
    server.get("/hit/again.test/visits")
    page.route(LIVE, lambda route: route.abort())
    show("<tally-count key=visits live>?</tally-count>", "tally.js", host="again.test")
    expect(page.locator("tally-count")).to_have_attribute("error", "network", timeout=20_000)
    page.unroute(LIVE)
    # What is counted or read is shown as the page has written it, and the page goes on.
    page.route(re.compile("/(hit|get)/"), lambda route: route.abort())
    page.evaluate("""() => { document.body.insertAdjacentHTML('beforeend',
      '<tally-count key=a-hit mode=hit>often</tally-count><tally-count key=a-read>many</tally-count>') }""")
    expect(page.locator("tally-count[error=network]:not([live])")).to_have_text(["often", "many"])
    # The second pause is up to six seconds.
    expect(page.locator("tally-count[live]")).to_have_text("1", timeout=20_000)
    expect(page.locator("tally-count[live]")).not_to_have_attribute("error", "network")


def test_pages_of_the_guides_show_numbers(show: Callable[..., Page], page: Page, server: RunningServer) -> None:
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    for guide in ("on-a-page", "moving-from-countapi", "moving-from-busuanzi"):
        text = (DOCS / f"{guide}.md").read_text("utf-8").replace("https://counts.example.com", server.url)
        blocks = re.findall(r"```html\n(.*?)```", text, re.DOTALL)
        assert blocks
        show("\n".join(blocks), host="guides.test", path=f"/{guide}")
        for shown in page.locator("tally-count, #visits, [id^='busuanzi_value'], [id^='vercount_value']").all():
            expect(shown).to_have_text(re.compile(r"^[1-9]\d*$"))
        assert failed == []
        for script in re.findall(r"```js\n(.*?)```", text, re.DOTALL):
            server.get("/hit/example.com/likes")
            with page.expect_console_message(lambda message: message.text == "example.com/likes 1"):
                page.evaluate(f"() => {{ {script} }}")


PATHS = (
    *("/", "/index.html", "/a/", "/a", "/a/index.htm", "/A", "/a//", "/a/index/", "/index", "/x/index.html/index"),
    *(
        "/%E4%B8%8D%E8%92%9C%E5%AD%90/",
        "/café/olé",
        "/100%",
        "/%zz",
        "/%ff",
        "/a%2Fb",
        "/--a--/_b.c~d",
        "/" + "long-" * 30,
        "/😀",
    ),
)


def test_the_command_line_knows_the_names_of_pages(
    show: Callable[..., Page], page: Page, server: RunningServer
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    show("", host="Names.test")
    for path in PATHS:
        asked.clear()
        page.evaluate(
            """([src, path]) => new Promise((onload) => {
              history.pushState({}, '', path);
              document.head.append(Object.assign(document.createElement('script'), { src, onload }));
            })""",
            [f"{server.url}/busuanzi.js", path],
        )
        expected = [f"/hit/{key}" for key in (page_key(f"https://NAMES.test{path}", name) for name in IDS[:3])]
        assert [name for name in asked if "uv" not in name][-2:] == [expected[0], expected[2]], path
        assert asked[-2].endswith("/names.test/site_uv")
