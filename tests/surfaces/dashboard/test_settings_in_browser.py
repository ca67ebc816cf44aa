"""Every setting of a site is saved in a real browser, and its consequence seen."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from msgspec import Struct
from playwright.sync_api import Browser, Locator, Page, expect

from support.analytics import FIREFOX
from support.browsing import opened_browser
from support.owned import HOST, SITE, OwnedSite, owned_site
from tallystick.model.leaving_out import RuleKind
from tallystick.model.site import Collect, SiteSettings
from tallystick.services import job_worker
from tallystick.services.job_worker import JobWorker
from tallystick.surfaces.dashboard.analytics.lists import LISTS
from tallystick.surfaces.dashboard.sites.collecting import COLLECTED

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]

DAY_MS = 86_400_000
TODAY = "period=today"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedSite]:
    with owned_site(tmp_path_factory.mktemp("site") / "data", trusted_proxy=(ip_network("127.0.0.0/8"),)) as owned:
        yield owned


@pytest.fixture(autouse=True)
def _new_settings(site: OwnedSite) -> None:
    site.reset()


@pytest.fixture(scope="module")
def browser(chromium: str, site: OwnedSite) -> Iterator[Browser]:
    assert site  # the server starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(browser: Browser, site: OwnedSite) -> Iterator[Page]:
    """A window of the owner."""
    with site.window(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain_page(browser: Browser, site: OwnedSite) -> Iterator[Page]:
    """A window of the owner without scripts."""
    with site.window(browser, scripts=False) as opened:
        yield opened


# The form of what is stored.

STORED: Mapping[Collect, tuple[str, str]] = {
    Collect.REFERRER: ("referrers", "news.example/today"),
    Collect.USER_AGENT: ("browsers", "Firefox"),
    Collect.SCREEN_SIZE: ("sizes", "desktop"),
    Collect.LOCATION: ("countries", "US"),
    Collect.REGION: ("regions", "US-TX"),
    Collect.LANGUAGE: ("languages", "nld"),
}
"""By flag the list that needs it, and the value there of a hit of ``send``."""
OF_VISITS = {Collect.SESSION, Collect.HITS}

OF_COLLECTION = {
    *("collect", "collect_props", "collect_regions"),  # test_each_part_of_a_hit_is_stored_or_not
    *("respect_gpc", "respect_dnt", "ignore_ips"),  # test_visitors_are_left_out
    *("data_retention", "delete"),  # test_a_shorter_time_deletes_old_hits
}
"""The fields of the form, each with the test that sees its consequence."""


def send(site: OwnedSite, path: str, location: str = "US-TX", ip: str = "198.51.100.1") -> None:
    """Send a hit with everything that can be stored."""
    site.hits(
        {
            "path": path,
            "ref": "https://news.example/today",
            "size": [1_400, 900, 1],
            "user_agent": FIREFOX,
            "ip": ip,
            "location": location,
            "language": "nl",
            "props": {"plan": "pro"},
        }
    )


def values(site: OwnedSite, listing: str, path: str) -> set[str]:
    """What a list has of a page."""
    column = LISTS[listing].by.replace(" ", "_")
    return {row[column] for row in site.data(f"/{listing}", f"{TODAY}&page={path}")["rows"]}


def came_from(site: OwnedSite, path: str) -> set[str]:
    """The pages that visits saw before another one."""
    lists = site.data("/page", f"{TODAY}&page={path}")["lists"]
    return {row["previous_page"] for row in lists["came-from"]}


def flag(page: Page, bit: Collect) -> Locator:
    label = next(each.label for each in COLLECTED if each.bit == bit)
    return page.get_by_role("checkbox", name=label, exact=True)


def fields_of(page: Page, action: str) -> set[str]:
    """The names of the fields of a form."""
    names = page.locator(f"form[action='{action}'] [name]").evaluate_all("all => all.map((field) => field.name)")
    return set(names) - {"token"}


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The settings are saved.")


def test_each_part_of_a_hit_is_stored_or_not(page: Page, plain_page: Page, site: OwnedSite) -> None:
    assert set(STORED) | OF_VISITS == {each.bit for each in COLLECTED}
    page.goto(f"{SITE}/collection")
    assert fields_of(page, f"{SITE}/collection") == OF_COLLECTION - {"delete"}
    for each in COLLECTED:
        flag(page, each.bit).check()
    page.get_by_label("Properties of events and pageviews").check()
    page.get_by_label("Countries whose regions are stored").fill("US, NL")
    save(page)
    send(site, "/with")
    send(site, "/with/next")
    send(site, "/elsewhere", "DE-BE", "198.51.100.2")
    for bit, (listing, value) in STORED.items():
        assert value in values(site, listing, "/with"), bit
    assert came_from(site, "/with/next") == {"/with"}
    assert values(site, "countries", "/elsewhere") == {"DE"}
    assert "DE-BE" not in values(site, "regions", "/elsewhere")
    assert site.pageviews("/with", "&prop:plan=pro") == 1
    page.goto(f"{SITE}/languages?{TODAY}")
    expect(page.get_by_text("This site does not store languages.")).to_have_count(0)

    plain_page.goto(f"{SITE}/collection")
    for each in COLLECTED:
        flag(plain_page, each.bit).uncheck()
    plain_page.get_by_label("Properties of events and pageviews").uncheck()
    save(plain_page)
    send(site, "/without")
    send(site, "/without/next")
    assert site.pageviews("/without") == 1
    for bit, (listing, value) in STORED.items():
        assert value not in values(site, listing, "/without"), bit
        warnings = site.data(f"/{listing}", TODAY)["warnings"]
        assert any(text.startswith("This site does not store ") for text in warnings), bit
    assert "/without" not in came_from(site, "/without/next")
    assert site.pageviews("/without", "&prop:plan=pro") == 0
    plain_page.goto(f"{SITE}/now")
    expect(plain_page.get_by_text("Of this site only the hour of hits is kept")).to_be_visible()
    plain_page.goto(f"{SITE}/languages?{TODAY}")
    expect(plain_page.get_by_text("This site does not store languages.")).to_be_visible()
    plain_page.get_by_role("main").get_by_role("link", name="What is stored").click()
    for each in COLLECTED:
        flag(plain_page, each.bit).check()
    save(plain_page)
    plain_page.goto(f"{SITE}/now")
    expect(plain_page.get_by_text("Of this site only the hour of hits is kept")).to_have_count(0)


def test_visitors_are_left_out(page: Page, site: OwnedSite) -> None:
    visitors: Mapping[str, Mapping[str, str]] = {
        "of browsers that send Global Privacy Control": {"sec-gpc": "1"},
        "of browsers that send Do Not Track": {"dnt": "1"},
        "Addresses whose hits are not counted": {"x-forwarded-for": "192.0.2.77"},
    }
    page.goto(f"{SITE}/collection")
    for label, headers in visitors.items():
        assert site.pixel("/left", headers) == 200, label
        field = page.get_by_label(label)
        if field.get_attribute("type") == "checkbox":
            field.check()
        else:
            field.fill("192.0.2.0/24")
        save(page)
        assert site.pixel("/left", headers) == 202, label
    assert site.pixel("/left", {"x-forwarded-for": "198.51.100.9"}) == 200
    assert site.pageviews("/left") == len(visitors) + 1


def test_a_shorter_time_deletes_old_hits(plain_page: Page, site: OwnedSite) -> None:
    now = site.served.running.clock.now
    for days in (100, 20, 0):  # nothing is deleted by a clock that is weeks ahead of the newest hit
        at = datetime.fromtimestamp((now - days * DAY_MS) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        site.hits({"path": f"/{days}-days-ago", "created_at": at, "session": "one"})
    plain_page.goto(f"{SITE}/collection")
    plain_page.get_by_label("Days that hits are kept").fill("31")
    plain_page.get_by_role("button", name="Save").click()
    expect(plain_page.get_by_text("1 hit from before")).to_be_visible()
    assert fields_of(plain_page, f"{SITE}/collection") == OF_COLLECTION
    plain_page.get_by_label("Delete them").check()
    save(plain_page)
    # What the server does once an hour; its clock stands still.
    services, clock = site.served.running.application.services, iter((0.0, job_worker.NO_RETENTION_WITHIN_S))
    worker = JobWorker(services.ledger, services.warehouse, lambda _: None, clock=lambda: next(clock))
    site.served.run(worker.tidy())
    listed = site.data("/pages", "period=all")["rows"]
    paths = {row["page"] for row in listed}
    assert "/20-days-ago" in paths
    assert "/100-days-ago" not in paths


# The rules of what is left out.

RULES: Mapping[RuleKind, tuple[str, Mapping[str, Any]]] = {
    RuleKind.NETWORK: ("198.51.100.0/24", {"ip": "198.51.100.7"}),
    RuleKind.COUNTRY: ("FR", {"location": "FR"}),
    RuleKind.PATH: ("/admin/*", {"path": "/admin/users"}),
    RuleKind.HOST: ("*.test.example.com", {"host": "new.test.example.com"}),
    RuleKind.CAMPAIGN: ("spring letter", {"query": "utm_campaign=Spring+Letter"}),
}
"""By kind a rule, and what makes a hit fit it."""


def test_each_kind_of_rule_leaves_hits_out(page: Page, plain_page: Page, site: OwnedSite) -> None:
    page.goto(f"{SITE}/left-out/rules")
    assert page.locator("#kind option").count() == len(RULES) == len(RuleKind)
    for place, (kind, (rule, fields)) in enumerate(RULES.items()):
        window = page if place % 2 else plain_page
        hit = {"path": f"/{kind.value}", "ip": "203.0.113.4", "user_agent": FIREFOX, **fields}
        site.hits(hit)
        window.goto(f"{SITE}/left-out/rules")
        window.get_by_label("What", exact=True).select_option(kind.name.lower())
        window.get_by_label("Rule", exact=True).fill(rule)
        window.get_by_role("button", name="Show what it would leave out").click()
        window.get_by_role("button", name="Leave these out").click()
        expect(window.get_by_role("status")).to_contain_text("The rule is added.")
        site.hits(hit)
        assert site.pageviews(hit["path"]) == 1, kind


# Rules for paths, and paths.


def test_pages_are_counted_under_the_path_of_a_rule(page: Page, plain_page: Page, site: OwnedSite) -> None:
    for number in (1, 2):
        assert site.pixel(f"/orders/{number}") == 200
    page.goto(f"{SITE}/paths/rules")
    page.get_by_label("Rule", exact=True).fill("/orders/*")
    page.get_by_role("button", name="Show what it would gather").click()
    expect(page.locator("#preview ~ p")).to_have_text("Of what was counted already, this fits: 2 stored paths, 2 hits.")
    page.get_by_role("region", name="/orders/*").get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("The rule is added.")
    assert site.pixel("/orders/3") == 200
    assert [site.pageviews(path) for path in ("/orders/*", "/orders/3", "/orders/1")] == [1, 0, 1]
    plain_page.goto(f"{SITE}/paths/rules")
    plain_page.get_by_role("link", name="Apply to what was counted…").click()
    plain_page.get_by_role("button", name="Merge 2 paths").click()
    expect(plain_page.get_by_role("status").first).to_contain_text("The stored paths are merged")
    carried_out(site)
    assert [site.pageviews(path) for path in ("/orders/*", "/orders/1")] == [3, 0]
    plain_page.get_by_role("button", name="Remove: /orders/*").click()
    expect(plain_page.get_by_role("status")).to_contain_text("The rule is removed.")
    assert site.pixel("/orders/4") == 200
    assert site.pageviews("/orders/4") == 1


def test_paths_are_renamed_merged_and_deleted(page: Page, plain_page: Page, site: OwnedSite) -> None:
    for name in ("old", "one", "two", "gone"):
        assert site.pixel(f"/paths/{name}") == 200

    def choose(window: Page, *names: str) -> None:
        window.goto(f"{SITE}/paths?find=/paths/")
        for name in names:
            window.get_by_label(f"/paths/{name}", exact=True).check()

    choose(page, "old")
    page.get_by_role("button", name="Rename…").click()
    page.get_by_label("New name").fill("/paths/new")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("The path will be called /paths/new and keeps its hits.")).to_be_visible()
    page.get_by_role("button", name="Rename it").click()
    expect(page.get_by_role("status").first).to_have_text("The path is renamed.")

    choose(plain_page, "one", "two")
    plain_page.get_by_role("button", name="Merge…").click()
    plain_page.get_by_label("Path that gets the hits").fill("/paths/one")
    plain_page.get_by_role("button", name="Show what would change").click()
    expect(plain_page.get_by_text("/paths/one gets the hits of the others: 1 hit.")).to_be_visible()
    plain_page.get_by_role("button", name="Merge them").click()
    expect(plain_page.get_by_role("status").first).to_contain_text("The paths are merged")

    choose(page, "gone")
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_text("1 path is deleted with everything that was counted: 1 hit.")).to_be_visible()
    page.get_by_role("button", name="Delete 1 path").click()
    expect(page.get_by_role("status").first).to_contain_text("The paths are deleted")

    carried_out(site)
    pageviews = {name: site.pageviews(f"/paths/{name}") for name in ("old", "new", "one", "two", "gone")}
    assert pageviews == {"old": 0, "new": 1, "one": 2, "two": 0, "gone": 0}
    page.goto(f"{SITE}/paths?find=/paths/")
    expect(page.locator("table.list tbody th")).to_have_text(["/paths/one", "/paths/new"])


def carried_out(site: OwnedSite) -> None:
    """Wait until the jobs are done that move hits."""
    services = site.served.running.application.services
    worker = JobWorker(services.ledger, services.warehouse, lambda _: None, seen_within=0)
    while site.served.run(worker.work()):
        pass


# The form of the site's names and readers.


class Setting(Struct, frozen=True):
    """A field of the form.

    Attributes:
        change: fills it in.
        seen: what shows its consequence.
        before, after: what that was, and is then.
    """

    change: Callable[[Page], Any]
    seen: Callable[[OwnedSite], Any]
    before: Any
    after: Any


def typed(label: str, text: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_label(label, exact=True).fill(text)


def ticked(label: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_label(label).check()


def status(site: OwnedSite, path: str, *, host: str = HOST, cookie: str = "") -> int:
    cookies = {"tallystick-login": cookie} if cookie else {}
    headers = {"host": host, "user-agent": FIREFOX}
    return httpx.get(f"{site.url}{path}", headers=headers, cookies=cookies, timeout=30).status_code


def sent_as_event(site: OwnedSite) -> str:
    """What is said of an event for a domain."""
    body = {"name": "pageview", "url": "https://shop.example/basket", "domain": "shop.example"}
    answer = httpx.post(f"{site.url}/api/event", json=body, headers={"user-agent": FIREFOX}, timeout=30)
    return answer.headers.get("x-tallystick-dropped", "") or str(site.pageviews("/basket"))


def shown_in_frames(site: OwnedSite) -> str:
    """Which websites may show the statistics."""
    policy = httpx.get(f"{site.url}{SITE}", follow_redirects=True, timeout=30).headers["content-security-policy"]
    return policy.partition("frame-ancestors ")[2].partition(";")[0]


SETTINGS: Mapping[str, Setting] = {
    "cname": Setting(
        typed("Address of its statistics", "new.example.com"),
        lambda site: status(site, "/count?p=/by-host", host="new.example.com"),
        400,
        200,
    ),
    "code": Setting(
        typed("Short name", "shop"), lambda site: status(site, "/sites/shop.json", cookie=site.people.owner), 404, 200
    ),
    "domain": Setting(typed("Domain", "shop.example"), sent_as_event, "0", "1"),
    "link_domain": Setting(
        typed("The website", "www.shop.example"),
        lambda site: site.data("/page", f"{TODAY}&page=/by-host")["on_website"],
        None,
        "https://www.shop.example/by-host",
    ),
    "timezone": Setting(
        lambda page: page.get_by_label("Time zone").first.select_option(label="Tokyo (Japan)"),
        lambda site: site.data("")["timezone"],
        "UTC",
        "Asia/Tokyo",
    ),
    "allow_counter": Setting(
        ticked("Anyone may read the visitor counter"),
        lambda site: status(site, "/counter/TOTAL.json", host=site.data("/settings")["cname"]),
        403,
        200,
    ),
    "allow_bosmang": Setting(
        ticked("The operator of this server may see the statistics"),
        lambda site: status(site, f"{SITE}.json", cookie=site.people.operator),
        404,
        200,
    ),
    "allow_embed": Setting(
        typed("Websites that may show the pages in a frame", "https://www.example.com"),
        shown_in_frames,
        "'none'",
        "https://www.example.com",
    ),
}
OF_READERS = {"public", "secret"}  # test_everyone_some_or_nobody_may_read


def test_each_setting_of_a_site_has_its_consequence(page: Page, site: OwnedSite) -> None:
    page.goto(f"{SITE}/settings")
    assert fields_of(page, f"{SITE}/settings") == {*SETTINGS, *OF_READERS}
    before = {name: setting.seen(site) for name, setting in SETTINGS.items()}
    for setting in SETTINGS.values():
        setting.change(page)
    page.get_by_label("everyone", exact=True).check()
    save(page)
    after = {name: setting.seen(site) for name, setting in SETTINGS.items()}
    assert before == {name: setting.before for name, setting in SETTINGS.items()}
    assert after == {name: setting.after for name, setting in SETTINGS.items()}


def test_everyone_some_or_nobody_may_read(plain_page: Page, browser: Browser, site: OwnedSite) -> None:
    with browser.new_context(base_url=site.url) as context:
        guest = context.new_page()
        for label, reads, with_secret in (
            ("people of this account", False, False),
            ("also everyone who has the secret link", False, True),
            ("everyone", True, True),
        ):
            plain_page.goto(f"{SITE}/settings")
            plain_page.get_by_label(label, exact=True).check()
            plain_page.get_by_label("Secret of the link").fill("fourteen14words")
            save(plain_page)
            context.clear_cookies()
            for query, may in (("", reads), ("?access-token=fourteen14words", with_secret)):
                guest.goto(f"{SITE}{query}")
                expect(guest.locator(".numbers")).to_have_count(1 if may else 0)
                expect(guest.get_by_label("Password")).to_have_count(0 if may else 1)


def test_every_setting_has_a_consequence() -> None:
    """A new one has to be named in this file, where it is seen."""
    rules = {kind.value for kind in RULES} | {"path_rules"}  # test_pages_are_counted_under_the_path_of_a_rule
    assert set(SiteSettings.__struct_fields__) - rules <= {*SETTINGS, *OF_READERS, *OF_COLLECTION}
