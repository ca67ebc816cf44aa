"""How soon another device shows a press of a shared counter, and how large a counter's page is. See README.md."""

import asyncio
import gzip
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, NamedTuple

import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from playwright.sync_api import Browser, Page, Request, sync_playwright
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tallystick.ledger import Ledger, open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.services.sharing.changing import ChangeRequest, ValueChange, Verb
from tallystick.services.sharing.counters import NewCounter, create
from tallystick.services.sharing.service import Sharing

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
DAYS, CHANGES_OF_A_DAY, DAY_MS = 40, 250, 86_400_000
"""What the counter has behind it: as many changes as a chart is drawn from."""
SHOWN_WITHIN_MS = 10_000
PAUSE_MS = 50

WATCH = """
window.seen = {};
const look = () => {
  const shown = document.querySelector("[data-counter] [data-value]");
  if (shown) seen[shown.textContent] ??= performance.timeOrigin + performance.now();
};
new MutationObserver(look).observe(document, {childList: true, characterData: true, subtree: true});
"""
"""Notes when a page showed each number for the first time."""
PRESS = """
() => {
  const begun = performance.timeOrigin + performance.now();
  document.querySelector("button[value=up]").click();
  return begun;
}
"""

AtLeastTwo = Annotated[int, Parameter(validator=Number(gte=2))]
app = App(name="pressing.py", help=__doc__)
console = Console(width=120)


class Prepared(NamedTuple):
    """A counter, its value, and what the cookie of its person's browsers has."""

    uid: str
    value: int
    secret: str


@app.default
def main(*, presses: AtLeastTwo = 200) -> None:
    """Measure: half a minute.

    Args:
        presses: each is made when the other device has shown the one before.
    """
    if not Path(CHROMIUM).exists():
        sys.exit(f"pressing.py needs {CHROMIUM}; Debian: apt-get install chromium")
    console.print(f"{machine()}; load of the last minute {os.getloadavg()[0]:.1f}")
    with servers.working_folder() as folder:
        prepared = asyncio.run(_prepare(folder))
        with servers.tallystick(folder, "--rate-limit", "off") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
            try:
                _measure(browser, f"{server.url}/counters/{prepared.uid}", prepared, presses)
            finally:
                browser.close()
    console.print(f"load of the last minute at the end {os.getloadavg()[0]:.1f}")


def _measure(browser: Browser, address: str, prepared: Prepared, presses: int) -> None:
    finished: list[Request] = []
    first, second = (_opened(browser, address, prepared.secret, finished) for _ in range(2))
    _print_sizes(_sizes(finished[: len(finished) // 2]))
    _pressed(first, second, prepared.value + 1)  # what is done once is not measured
    numbers = track(range(presses), transient=True, console=console)
    own, other = zip(*(_pressed(first, second, prepared.value + 2 + number) for number in numbers), strict=True)
    _print_times(own, other)


async def _prepare(folder: Path) -> Prepared:
    now = [milliseconds() - DAYS * DAY_MS]
    ledger = await Ledger.open(open_database(None, folder), lambda: now[0])
    try:
        sharing = Sharing(ledger, lambda: None)
        wanted = NewAccount(email="ada@example.com", name="Ada", password="none", access={})  # noqa: S106  # nobody's
        ada = await ledger.write(create_account, wanted, ledger.clock())
        counter = await sharing.write(create, ada.id, NewCounter(name="Cups of tea", goal=100_000), ledger.clock())
        step = ValueChange(counter=counter.uid, verb=Verb.INCREMENT)
        for _ in range(DAYS):
            now[0] += DAY_MS
            await sharing.change(ChangeRequest(account=ada.id, steps=(step,) * CHANGES_OF_A_DAY))
        secret = new_secret()
        await ledger.write(begin_login, ada.id, secret_digest(secret), milliseconds())
    finally:
        await ledger.close()
    return Prepared(counter.uid, DAYS * CHANGES_OF_A_DAY, secret)


def _opened(browser: Browser, address: str, secret: str, finished: list[Request]) -> Page:
    """The counter's page in a browser that has been nowhere yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, service_workers="block")
    context.add_cookies([{"name": "tallystick-login", "value": secret, "url": address}])
    context.add_init_script(WATCH)
    page = context.new_page()
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108  # no builtin may be passed
    with page.expect_request(lambda request: request.url.endswith("/counters/live")):
        response = page.goto(address, wait_until="load", timeout=60_000)
    if response is None or not response.ok:
        sys.exit(f"pressing.py: {address} was not answered: {response and response.status}")
    page.wait_for_timeout(1_000)  # the stream begins
    return page


def _pressed(first: Page, second: Page, value: int) -> tuple[float, float]:
    """Press on one device. Returns milliseconds until this one, and until the other one shows the number."""
    text = f"{value:,}"
    begun: float = first.evaluate(PRESS)
    second.wait_for_function("(text) => seen[text]", arg=text, timeout=SHOWN_WITHIN_MS)
    first.wait_for_timeout(PAUSE_MS)
    return tuple(page.evaluate("(text) => seen[text]", text) - begun for page in (first, second))  # type: ignore[return-value]


def _sizes(finished: Sequence[Request]) -> Mapping[str, tuple[int, int]]:
    """Bytes compressed with gzip, and bytes transferred with their heads, by the kind of file."""
    found: dict[str, tuple[int, int]] = {}
    for request in finished:
        answer, sizes = request.response(), request.sizes()
        assert answer is not None
        compressed, transferred = found.get(request.resource_type, (0, 0))
        found[request.resource_type] = (
            compressed + len(gzip.compress(answer.body())),
            transferred + sizes["responseHeadersSize"] + sizes["responseBodySize"],
        )
    return found


def _print_sizes(sizes: Mapping[str, tuple[int, int]]) -> None:
    table = Table("a counter's page, first time", "compressed, bytes", "transferred, bytes", "aim")
    for kind, (compressed, transferred) in sizes.items():
        table.add_row(kind, f"{compressed:,}", f"{transferred:,}", "")
    counted = sum(sizes.get(kind, (0, 0))[0] for kind in ("document", "stylesheet", "script"))
    table.add_row("HTML, style sheets and scripts", f"{counted:,}", "", "less than 20 KB")
    console.print(table)


def _print_times(own: Sequence[float], other: Sequence[float]) -> None:
    table = Table("ms from a press to the new number", "median", "p95", "p99", "greatest", "aim")
    for name, times, aim in (("on this device", own, ""), ("on the other device", other, "p99 less than 150")):
        parts = quantiles(times, n=100, method="inclusive")
        figures = (median(times), parts[94], parts[98], max(times))
        table.add_row(name, *(f"{figure:.1f}" for figure in figures), aim)
    console.print(table)


if __name__ == "__main__":
    app()
