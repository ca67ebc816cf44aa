"""The scripts for pages are served as pages of other sites need them, and are made of their sources."""

import runpy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.in_process import InProcess, in_process
from support.published import INSTALLED_WITHIN_S, installed_node_packages
from tallystick.surfaces.counters.scripts.serving import NAMES
from tallystick.web.rate_limit import Rate

ROOT = Path(__file__).resolve().parents[3]
MAKING = runpy.run_path(str(ROOT / "tools" / "make_count_js.py"))
SOURCES = [source for source in MAKING["SOURCES"] if source.parent == MAKING["COUNTERS"]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, rate_limit=(Rate("counters", 1, 60),)) as running:
        yield running


async def test_any_page_may_load_them(site: InProcess) -> None:
    for name in NAMES:
        answer = await site.ask(f"/{name}", headers=[("origin", "null")])
        assert (answer.status, answer.body) == (200, (MAKING["COUNTERS"] / name).read_bytes())
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=3600"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        unchanged = await site.ask(f"/{name}", headers=[("if-none-match", f'"a", {answer.headers["etag"]}')])
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert unchanged.headers["cache-control"] == "public, max-age=3600"
        assert (await site.ask(f"/{name}", headers=[("if-none-match", '"a"')])).status == 200
        head = await site.ask(f"/{name}", method="HEAD")
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    small = await site.ask("/tally.js", headers=[("accept-encoding", "gzip")])
    assert small.headers["content-encoding"] == "gzip"
    assert (await site.ask("/tally.js", method="POST")).status == 405


@pytest.mark.timeout(INSTALLED_WITHIN_S + 100)
def test_they_are_made_of_their_sources(request: pytest.FixtureRequest) -> None:
    packages = installed_node_packages(request.config, ROOT / "tools" / "terser")
    assert {MAKING["served"](source).name for source in SOURCES} == {name for name in NAMES if name.endswith(".js")}
    for source in SOURCES:
        made = MAKING["served"](source).read_text("utf-8")
        assert MAKING["small"](source, packages) == made
        assert len(made.encode()) < 4_096
