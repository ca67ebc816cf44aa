"""The pages over HTTP: headers, escaping, errors, static files."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from support.server import RunningServer, running_server
from support.services import a_kit, services_over
from tallystick.ledger import Ledger
from tallystick.surfaces import countapi, native
from tallystick.surfaces.dashboard.live.streams import LiveStreams
from tallystick.surfaces.dashboard.reference.document import sections
from tallystick.surfaces.dashboard.routes import dashboard
from tallystick.surfaces.dashboard.support.rendering import paragraphs
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([countapi.SURFACE, native.SURFACE])).document
AS_A_PERSON = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data") as server:
        yield server


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/docs?q=count", "/docs/events"])
def test_every_page_is_locked_up(site: RunningServer, path: str) -> None:
    answer = site.get(path, headers=AS_A_PERSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/favicon.ico"])
def test_head_answers_without_a_body_and_counts_nothing(site: RunningServer, path: str) -> None:
    before = site.get("/get/tallystick/welcome").json()
    answer = httpx.head(site.url + path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert site.get("/get/tallystick/welcome").json() == before


def test_the_page_is_rendered_without_counting(site: RunningServer) -> None:
    before = site.get("/hit/tallystick/welcome").json()["value"]
    assert f">{before}</output>" in site.get("/").text
    assert site.get("/get/tallystick/welcome").json() == {"value": before}


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("count.example.org", "http://count.example.org/hit/"),
        ("count.example.org:8443", "http://count.example.org:8443/hit/"),
        ("under_score:80", "http://under_score/hit/"),
        ("under_score:81", "http://under_score:81/hit/"),
        ("[::1]:8080", "http://[::1]:8080/hit/"),
        ('"><script>alert(1)</script>', "http://localhost/hit/"),
        ("count.example.org/path", "http://localhost/hit/"),
        ("count.example.org; rm -rf ~", "http://localhost/hit/"),
        ("$(id)", "http://localhost/hit/"),
        ("a" * 300, "http://localhost/hit/"),
        ("", "http://localhost/hit/"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/docs/public-counters"])
def test_the_host_is_shown_only_when_it_is_one(site: RunningServer, path: str, host: str, shown: str) -> None:
    text = site.get(path, headers={"host": host}).text
    assert shown in text
    assert host == "" or host in shown or host not in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/docs/none", 404),
        ("GET", "/static/none.js", 404),
        ("POST", "/docs", 405),
        ("DELETE", "/", 405),
    ],
)
def test_errors_are_a_page_for_people_and_json_for_programs(
    site: RunningServer, method: str, path: str, status: int
) -> None:
    page = httpx.request(method, site.url + path, headers=AS_A_PERSON)
    program = httpx.request(method, site.url + path)
    assert (page.status_code, program.status_code) == (status, status)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<h1>" in page.text
    assert list(program.json()) == ["error"]
    assert ("allow" in page.headers) == (status == 405)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
async def test_a_fault_of_the_program_is_a_500_that_tells_nothing(ledger: Ledger, accept: str) -> None:
    class Broken:
        @property
        def document(self) -> dict[str, Any]:
            msg = "a secret"
            raise RuntimeError(msg)

    app = dashboard(services_over(ledger), replace(a_kit(), description=Broken()), LiveStreams())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tallystick.test") as client:
        answer = await client.get("/docs", headers={"accept": accept})
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_the_page_is_shown_although_the_ledger_cannot_be_read(ledger: Ledger) -> None:
    await ledger.close()
    app = dashboard(services_over(ledger), a_kit(), LiveStreams())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tallystick.test") as client:
        answer = await client.get("/")
    assert answer.status_code == 200
    assert "The counter cannot be read right now." in answer.text


def test_static_files_are_kept_by_the_browser_and_renamed_by_their_content(site: RunningServer) -> None:
    text = site.get("/").text
    named = [part.split('"')[0] for part in text.split('="') if part.startswith("/static/")]
    assert {path.split("?")[0] for path in named} == {
        "/static/icon.svg",
        "/static/style.css",
        "/static/origin.js",
        "/static/welcome.js",
    }
    for path in named:
        current, unnamed, stale = site.get(path), site.get(path.split("?")[0]), site.get(path[:-1] + "_")
        assert current.status_code == 200
        assert "immutable" in current.headers["cache-control"]
        assert unnamed.headers["cache-control"] == stale.headers["cache-control"] == "no-cache"
        again = site.get(path.split("?")[0], headers={"if-none-match": unnamed.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_static_files_have_the_types_that_nosniff_insists_on(site: RunningServer) -> None:
    types = {
        name: site.get(f"/static/{name}").headers["content-type"] for name in ("style.css", "welcome.js", "icon.svg")
    }
    assert types["style.css"].startswith("text/css")
    assert types["welcome.js"].startswith("text/javascript")
    assert types["icon.svg"].startswith("image/svg+xml")


@pytest.mark.parametrize(
    "path", ["/static/..%2fpages.py", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/", "/static"]
)
def test_nothing_but_static_files_is_served(site: RunningServer, path: str) -> None:
    assert site.get(path).status_code == 404


def test_endpoints_show_a_command_that_works(site: RunningServer) -> None:
    site.get("/create?namespace=example.com&key=visits&enable_reset=1")
    for section in sections(DESCRIBED):
        for endpoint in section.endpoints:
            if endpoint.name == "/live":
                continue  # it goes on until somebody has had enough
            assert endpoint.options == ()
            assert site.get(endpoint.path).status_code == int(endpoint.answers[0].status), endpoint.path


def test_texts_are_escaped_before_they_are_marked_up() -> None:
    assert paragraphs("a `b<c` & <d>\n\ne") == "<p>a <code>b&lt;c</code> &amp; &lt;d&gt;</p>\n<p>e</p>"


def test_lines_with_dashes_are_a_list() -> None:
    text = "These:\n\n  - `a`: one,\n    in two lines\n  - <b>\n\nThat is it, - no list."
    assert paragraphs(text) == (
        "<p>These:</p>\n<ul><li><code>a</code>: one, in two lines</li><li>&lt;b&gt;</li></ul>\n"
        "<p>That is it, - no list.</p>"
    )


@pytest.mark.parametrize("path", ["/nowhere", "/doc", "/Login", "/hits/a/b", "//", "/wp-admin/setup.php"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_mistyped_page_is_a_page_for_people(site: RunningServer, path: str, method: str) -> None:
    page = httpx.request(method, site.url + path, headers=AS_A_PERSON)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert method == "HEAD" or "There is no such page" in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "image/avif,image/webp,*/*;q=0.8", None])
def test_programs_scripts_and_images_get_json_for_unknown_paths(site: RunningServer, accept: str | None) -> None:
    headers = {} if accept is None else {"accept": accept}
    answer = httpx.get(f"{site.url}/nowhere", headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "*")
    assert answer.json()["error"].startswith("not found")
    assert httpx.post(f"{site.url}/nowhere", headers=AS_A_PERSON).headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/nowhere", "/health/nowhere", "/live/nowhere", "/docs/nowhere"])
def test_not_found_is_said_in_one_way(site: RunningServer, path: str) -> None:
    assert site.get(path).json()["error"].split(":")[0] == "not found"
