"""Under ``--base-path`` every address that a browser or program is given begins with it, and works."""

import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from promises.test_rights_of_pages import PAGES, places
from support.analytics import FIREFOX, HOST
from support.http_server import serving_application
from support.raw_http import RawClient, request
from support.rights import GUEST, PASSWORD, PEOPLE, World, world
from tallystick.app import SURFACES
from tallystick.surfaces.dashboard.support.cookies import GUEST as GUEST_COOKIE
from tallystick.surfaces.dashboard.support.cookies import LOGIN
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER
from tallystick.web.dispatch import claims

BASE = "/tools/tally"
NO_ADDRESSES = frozenset({"value", "title", "aria-label", "placeholder", "data-base", "data-key", "data-value"})
"""Attributes with texts, such as paths of the visited pages."""
NOT_PUBLIC = f"/badge/{HOST}.svg"
"""The picture of a site that is not public, which says so with 404."""


class Addresses(HTMLParser):
    """Finds what a page gives a browser to open, send to or load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str, str]] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note attributes that begin like a path."""
        self.found |= {
            (tag, name, value) for name, value in attrs if value and value[0] == "/" and name not in NO_ADDRESSES
        }


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, moved=True, base_path=BASE) as made:
        yield made


async def test_every_page_names_only_addresses_under_the_base_path(everybody: World) -> None:
    opened = set[str]()
    to_open = set[tuple[str, str]]()
    wrong = set[tuple[str, ...]]()
    for path in PAGES:
        person = next(person for person in (*PEOPLE, GUEST) if person in PAGES[path])
        place = BASE + next(place for place, own in places(everybody, path) if own)
        opened.add(place.partition("?")[0])
        # A stream has no end.
        answer = await everybody.page(person, "HEAD" if path.endswith("/live") else "GET", place)
        assert answer.status in {200, 303}, (place, answer.status)
        assert answer.headers.get("location", f"{BASE}/").startswith(f"{BASE}/"), place
        if answer.headers.get("content-type", "").startswith("text/html"):
            wrong |= {(path, url) for url in elsewhere(answer.text)}
            found = Addresses(answer.text).found
            wrong |= {(path, *each) for each in found if not is_below(each[2])}
            to_open |= {(person, value.partition("#")[0]) for tag, name, value in found if name in {"href", "src"}}
        elif answer.headers.get("content-type", "").endswith("json") and not path.startswith("/docs"):
            wrong |= {(path, text) for text in texts_in(answer.json()) if is_own_path(text) or [*elsewhere(text)]}
    assert wrong == set()
    for person, address in one_of_each(to_open, opened):
        answer = await everybody.page(person, "HEAD", address)
        assert answer.status in {200, 303} or address.endswith(NOT_PUBLIC), (person, address)


def is_below(address: str) -> bool:
    """Whether an address begins with the base path, once."""
    return address.startswith(f"{BASE}/") and not address.startswith(BASE + BASE)


def elsewhere(text: str) -> list[str]:
    """URLs of the server that are not below the base path."""
    return [url for url in re.findall(r"http://stats\.example\.com(/[^\s\"'<]*)", text) if not is_below(f"{url}/")]


def texts_in(value: Any) -> Iterator[str]:
    """All texts of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


def is_own_path(text: str) -> bool:
    """Whether a text is a path of this server without the base path."""
    return text.startswith("/") and text.partition("?")[0].split("/")[1] in {
        prefix.split("/")[1] for prefix in claims(SURFACES) if prefix != "/"
    }


def one_of_each(addresses: set[tuple[str, str]], opened: set[str]) -> list[tuple[str, str]]:
    """Addresses that differ in more than their query and their site, without those that were opened."""
    named = {kind_of(address): (person, address) for person, address in addresses}
    return [named[kind] for kind in sorted(named.keys() - set(map(kind_of, opened)))]


def kind_of(address: str) -> str:
    return re.sub(r"(/sites/)[^/]+", r"\1", address.partition("?")[0])


@pytest.mark.parametrize("file", sorted(STATIC_FOLDER.glob("*.[jc]s*")), ids=lambda file: file.name)
def test_scripts_and_styles_name_no_address_from_the_root(file: Path) -> None:
    assert re.findall(r"""["'`(]/\w[^\n]*""", file.read_text("utf-8")) == []


ADDRESSES = (
    *("/hit/example.com/visits", "/get/example.com/visits", "/info/example.com/visits", "/hit/only", "/no-such-page"),
    *("/count?p=/page", "/count.js", "/counter/TOTAL.json", "/counter/TOTAL.html", "/api/v0/sites", "/api.html"),
    *("/countapi.js", "/tally.js", "/busuanzi.js", "/api/counters/example.com/visits", "/history/a.example/likes.csv"),
    *("/badge/stats.example.com/likes.svg", "/v1/counters", "/v2/counters", "/api/v1/stats/aggregate", "/api/query"),
    *("/api/event", "/api/health", "/metrics", "/health/live", "/health/ready", "/openapi.json", "/robots.txt"),
    *("/static/style.css", "/favicon.ico", *(prefix for prefix in claims(SURFACES) if prefix != "/live")),
)  # fmt: skip
"""Addresses of every surface."""


async def test_every_surface_answers_under_the_base_path_as_without_one(everybody: World, tmp_path: Path) -> None:
    asked = [(address, accepts) for address in ADDRESSES for accepts in ("*/*", "text/html")]
    async with world(tmp_path / "plain", moved=True) as plain:
        for address, accepts in asked:
            headers = {"accept": accepts, "authorization": f"Bearer {plain.people['admin'].token}"}
            expected = await plain.analytics.ask(address, headers=headers)
            headers["authorization"] = f"Bearer {everybody.people['admin'].token}"
            answer = await everybody.analytics.ask(BASE + address, headers=headers)
            kind, location = "content-type", expected.headers.get("location", "")
            assert (answer.status, answer.headers.get(kind)) == (expected.status, expected.headers.get(kind)), address
            assert answer.headers.get("location", "") == (BASE if location[:1] == "/" else "") + location, address


async def test_nothing_is_outside_of_the_base_path(everybody: World) -> None:
    for address in (*ADDRESSES, "/tools", "/tools/", "/tools/tallyho", f"{BASE}.json", f"/{BASE}/", "/%74ools/tally/"):
        answer = await everybody.analytics.ask(address, headers={"accept": "text/html"})
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8"), address
        hint = " This server's start page is at /tools/tally/." if address == "/" else ""
        assert answer.text == f"There is nothing at this address.{hint}\n"
    bare = await everybody.analytics.ask(f"{BASE}?a=b", method="POST")
    assert (bare.status, bare.headers["location"]) == (308, f"{BASE}/?a=b")
    assert (await everybody.analytics.ask("/", method="HEAD")).body == b""


async def test_what_the_server_refuses_has_the_form_of_the_surface(everybody: World) -> None:
    forms = {
        f"{BASE}/v1/counters": "application/json",
        f"{BASE}/hit/a/b": "application/json",
        "/v1/counters": "text/plain",
    }
    async with serving_application(everybody.analytics.running.application) as started:
        for address, form in forms.items():
            async with RawClient.to(started.address) as client:
                refused = await client.ask(request(address, "Host: another"))
            assert refused.status == 400, address
            assert str(refused.header("content-type")).startswith(form), address


async def test_the_description_names_the_base_path(everybody: World) -> None:
    assert (await everybody.analytics.ask(f"{BASE}/openapi.json")).json()["servers"] == [{"url": BASE}]


@pytest.mark.parametrize(("scheme", "name"), [("http", LOGIN), ("https", f"__Secure-{LOGIN}")])
async def test_cookies_are_sent_to_the_base_path_only(everybody: World, scheme: str, name: str) -> None:
    """Not with ``__Host-``, which is for all paths: neighbours on the host would be sent the secret."""
    headers = {
        "origin": f"{scheme}://stats.example.com",
        "content-type": "application/x-www-form-urlencoded",
        "cookie": f"{'__Secure-' * (scheme == 'https')}{GUEST_COOKIE}=guest",
    }
    body = urlencode({"email": "admin@example.net", "password": PASSWORD, "token": form_token("guest")}).encode()
    answer = await everybody.analytics.ask(f"{BASE}/login", method="POST", headers=headers, body=body)
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE}/")
    assert re.fullmatch(rf"{name}=[\w-]+; .*; Path={BASE}; SameSite=lax(; Secure)?", answer.headers["set-cookie"])
    answer = await everybody.page(GUEST, "POST", f"{BASE}/language", {"language": "de", "back": "/docs"})
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE}/docs")
    assert f"Path={BASE};" in answer.headers["set-cookie"]


async def test_hot_lanes_and_sockets_are_under_the_base_path(everybody: World) -> None:
    application = everybody.analytics.running.application
    owner = everybody.people["counters only"]
    async with serving_application(application) as started, RawClient.to(started.address) as client:
        for number in (1, 2):
            shown = await client.ask(request(f"{BASE}/hit/example.com/hot", host=HOST))
            assert (shown.status, shown.body) == (200, b'{"value":%d}' % number)
        for _ in range(2):  # a new path takes the ordinary way
            pixel = await client.ask(request(f"{BASE}/count?p=/hot", f"User-Agent: {FIREFOX}", host=HOST))
            assert (pixel.status, pixel.header("content-type")) == (200, "image/gif")
        assert started.counts.hot == 3
        assert (await client.ask(request("/hit/example.com/hot", host=HOST))).status == 404
        assert (await client.ask(request(f"http://{HOST}{BASE}/get/example.com/hot"))).body == b'{"value":2}'
        shown_token = {"authorization": f"Bearer {owner.token}"}
        async with connect(f"{started.sockets_url}{BASE}/v2/ws", additional_headers=shown_token) as live:
            await (await live.ping())
        with pytest.raises(InvalidStatus):
            await connect(f"{started.sockets_url}/v2/ws", additional_headers=shown_token)
