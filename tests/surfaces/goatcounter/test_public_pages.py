"""The script as it is served, and what tools and robots ask for."""

import gzip
from pathlib import Path

import pytest

import tallystick
from support.analytics import Analytics

SCRIPT = (Path(tallystick.__file__).parent / "surfaces/goatcounter/static/count.js").read_bytes()


@pytest.mark.parametrize("path", ["/count.js", "/count.v1.js", "/count.v5.js"])
async def test_the_script_is_the_file_in_the_package(analytics: Analytics, path: str) -> None:
    answer = await analytics.ask(path)
    assert (answer.status, answer.body) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=604800"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_script_is_compressed_for_whom_it_may_be(analytics: Analytics) -> None:
    answer = await analytics.ask("/count.js", headers={"accept-encoding": "gzip, br"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert gzip.decompress(answer.body) == SCRIPT
    assert len(answer.body) < 2048


async def test_a_browser_that_has_the_script_is_told_so(analytics: Analytics) -> None:
    tag = (await analytics.ask("/count.js")).headers["etag"]
    answer = await analytics.ask("/count.js", headers={"if-none-match": tag})
    assert (answer.status, answer.body) == (304, b"")
    assert (await analytics.ask("/count.js", headers={"if-none-match": '"another"'})).status == 200


async def test_the_status_has_the_names_that_tools_know(analytics: Analytics) -> None:
    answer = await analytics.ask("/status")
    assert set(answer.json()) == {"uptime", "version", "database", "go", "GOOS", "GOARCH", "race", "cgo"}
    assert (answer.json()["version"], answer.json()["database"]) == (tallystick.__version__, "sqlite")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_api_describes_itself(analytics: Analytics) -> None:
    answer = await analytics.ask("/api.json")
    document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"] == "3.1.0"
    assert "/api/v0/count" in document["paths"]


async def test_a_person_is_led_to_the_pages_about_the_api(analytics: Analytics) -> None:
    answer = await analytics.ask("/api.html")
    assert (answer.status, answer.headers["location"]) == (302, "docs")
    assert (await analytics.ask("/docs")).status == 200


async def test_robots_find_nothing_here(analytics: Analytics) -> None:
    answer = await analytics.ask("/robots.txt")
    assert answer.text == "User-agent: *\nDisallow: /\n"


@pytest.mark.parametrize("path", ["/count.v6.js", "/count.js/", "/counter", "/status/more"])
async def test_what_is_not_there_is_not_found(analytics: Analytics, path: str) -> None:
    assert (await analytics.ask(path)).status == 404


async def test_pages_that_are_there_take_no_other_method(analytics: Analytics) -> None:
    answer = await analytics.ask("/status", method="DELETE")
    assert (answer.status, answer.json()) == (405, {"error": "method not allowed"})
    assert answer.headers["allow"] == "GET, HEAD"
