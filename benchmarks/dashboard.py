"""How long a browser waits for the statistics of a site with ten million hits. See README.md."""

import asyncio
import gzip
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import hits
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from playwright.sync_api import Browser, BrowserContext, Request, sync_playwright
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tallystick.ledger import Ledger, open_database
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PERIODS: Mapping[str, str] = {
    "7 days": "2025-12-25..2025-12-31",
    "28 days": "2025-12-04..2025-12-31",
    "365 days": "2025",
}
WITHOUT_HITS = "2024-01-01"
"""Looked at first: a server that was just started has to read its templates."""
SLOWER = (1, 4)
"""How many times slower the browser's processor is made."""
PERSON = 1
"""The account that ``hits.py`` makes."""

WATCH = """
window.seen = {};
window.shift = 0;
const look = () => {
  for (const each of document.querySelectorAll(".numbers, .chart-place, .panel[id]")) {
    seen[each.id || each.classList[0]] ??= performance.now();
  }
};
new MutationObserver(look).observe(document, {childList: true, subtree: true});
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) shift += each.hadRecentInput ? 0 : each.value;
}).observe({type: "layout-shift", buffered: true});
"""
"""Notes when each part of the page has come, and how far parts that had come were moved."""
FOUND = """
() => ({
  "first byte": performance.getEntriesByType("navigation")[0].responseStart,
  "first paint": performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
  ...seen,
  "whole page": performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
})
"""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="dashboard.py", help=__doc__)
console = Console(width=120)


class Seen(NamedTuple):
    """One view of the page.

    Attributes:
        times: milliseconds after the click, of each part.
        requests: addresses without their query.
        transferred: bytes of all answers, with their heads.
        compressed: bytes of HTML and style sheets if a proxy compresses them with gzip, and of scripts.
        shift: the browser's cumulative layout shift.
    """

    times: Mapping[str, float]
    requests: Sequence[str]
    transferred: int
    compressed: tuple[int, int]
    shift: float


@app.default
def main(*, data: Path | None = None, count: AtLeastOne = hits.HITS, rounds: AtLeastOne = 3) -> None:
    """Measure: three minutes, after half a minute to make ten million hits.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        rounds: each looks at every period for the first time and again.
    """
    if not Path(CHROMIUM).exists():
        sys.exit(f"dashboard.py needs {CHROMIUM}; Debian: apt-get install chromium")
    console.print(f"{machine()}; load of the last minute {os.getloadavg()[0]:.1f}")
    views: dict[tuple[int, str, bool], list[Seen]] = {}
    with hits.made(data, count) as folder:
        secret = asyncio.run(_login(folder))
        with _browser() as browser:
            for _ in track(range(rounds), transient=True, console=console):
                for slower, name in product(SLOWER, PERIODS):
                    with servers.tallystick(folder) as server:
                        _look(browser, server.url, secret, WITHOUT_HITS, 1)
                        for again in (False, True):
                            found = _look(browser, server.url, secret, PERIODS[name], slower)
                            views.setdefault((slower, name, again), []).append(found)
    for slower in SLOWER:
        console.print(_table(slower, views))
    _print_sizes([seen for (_, _, again), found in views.items() if not again for seen in found])


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


async def _login(folder: Path) -> str:
    """Log the site's owner in. Returns what the browser's cookie has."""
    ledger, secret = await Ledger.open(open_database(None, folder)), new_secret()
    try:
        await ledger.write(begin_login, PERSON, secret_digest(secret), ledger.clock())
    finally:
        await ledger.close()
    return secret


def _look(browser: Browser, url: str, secret: str, period: str, slower: int) -> Seen:
    """Open the page in a browser that has been nowhere yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        context.add_cookies([{"name": "tallystick-login", "value": secret, "url": url}])
        context.add_init_script(WATCH)
        return _opened(context, f"{url}/sites/{hits.HOST}?period={period}", slower)
    finally:
        context.close()


def _opened(context: BrowserContext, address: str, slower: int) -> Seen:
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108  # no builtin may be passed
    response = page.goto(address, wait_until="load", timeout=60_000)
    if response is None or not response.ok:
        sys.exit(f"dashboard.py: {address} was not answered: {response and response.status}")
    page.wait_for_timeout(200)  # the first paint is noted a moment after it
    kinds: dict[str, int] = {}
    transferred = 0
    for request in finished:
        answer, sizes = request.response(), request.sizes()
        assert answer is not None
        transferred += sizes["responseHeadersSize"] + sizes["responseBodySize"]
        kinds[request.resource_type] = kinds.get(request.resource_type, 0) + len(gzip.compress(answer.body()))
    return Seen(
        times=page.evaluate(FOUND),
        requests=[request.url.partition("?")[0].replace(address.partition("/sites/")[0], "") for request in finished],
        transferred=transferred,
        compressed=(kinds.get("document", 0) + kinds.get("stylesheet", 0), kinds.get("script", 0)),
        shift=page.evaluate("shift"),
    )


def _table(slower: int, views: Mapping[tuple[int, str, bool], Sequence[Seen]]) -> Table:
    title = "processor as it is" if slower == 1 else f"the browser's processor {slower} times slower"
    table = Table(f"first time / again, ms; {title}", *PERIODS)
    parts = dict.fromkeys(part for found in views.values() for seen in found for part in seen.times)
    for part in sorted(parts, key=lambda part: median(_times(views, slower, "28 days", part, again=False))):
        cells = []
        for name in PERIODS:
            both = [_times(views, slower, name, part, again=again) for again in (False, True)]
            cells.append(" / ".join(f"{median(times):.0f}" for times in both))
        table.add_row(part, *cells)
    return table


def _times(
    views: Mapping[tuple[int, str, bool], Sequence[Seen]], slower: int, name: str, part: str, *, again: bool
) -> list[float]:
    return [seen.times.get(part, float("nan")) for seen in views[slower, name, again]]


def _print_sizes(views: Sequence[Seen]) -> None:
    table = Table("first time", "greatest of all views", "budget")
    most = max(views, key=lambda seen: len(seen.requests))
    table.add_row("requests", f"{len(most.requests)}: {' '.join(most.requests)}", "3, and images")
    table.add_row("transferred", f"{max(seen.transferred for seen in views):,} bytes", "")
    page, scripts = (max(seen.compressed[place] for seen in views) for place in (0, 1))
    table.add_row("HTML and style sheets, compressed", f"{page:,} bytes", "25 KB, and 5 KB for the map")
    table.add_row("scripts, compressed", f"{scripts:,} bytes", "6 KB")
    table.add_row("layout shift", f"{max(seen.shift for seen in views):.3f}", "0")
    console.print(table)


if __name__ == "__main__":
    app()
