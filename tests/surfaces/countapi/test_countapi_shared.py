"""Numbers of shared counters lie beside public ones; no request about public counters reaches them."""

from pathlib import Path
from urllib.parse import quote

import pytest

from support.in_process import InProcess, in_process
from support.sharing import a_counter, change, joined, now_as, someone
from tallystick.model.shared_counter import NAMESPACE

SPELLINGS = [
    NAMESPACE,
    quote(NAMESPACE, safe=""),
    quote(quote(NAMESPACE, safe=""), safe=""),
    "%3ashared",
    ":SHARED",
    ":shared:",
    "%EF%BC%9Ashared",
    "\u02d0shared",
    "%00:shared",
    "./:shared",
    ":shared/",
]
VERBS = [
    "/get/NS/KEY",
    "/hit/NS/KEY",
    "/info/NS/KEY",
    "/update/NS/KEY?amount=1",
    "/set/NS/KEY?value=5",
    "/create?namespace=NS&key=KEY&value=5",
    "/hit/:HOST:/KEY?page=http://NS/",
    "/create?namespace=:HOST:&key=KEY&page=http://NS/",
    "/create?namespace=:PATHNAME:&key=KEY&page=http://x/NS",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_reaches_them(tmp_path: Path, spelling: str) -> None:
    async with in_process(tmp_path) as site:
        ledger = site.application.ledger
        ada = await someone(ledger)
        counter = await a_counter(ledger, ada)
        await change(ledger, ada, counter)
        before = await now_as(ledger, counter)
        for verb in VERBS:
            for key in ("", "one"):
                target = verb.replace("NS", spelling).replace("KEY", counter.uid)
                answer = await site.ask(target, headers=[("Idempotency-Key", key)] if key else [])
                assert answer.status in {400, 404, 414} or reaches_another(answer.path), (target, answer)
        assert await now_as(ledger, counter) == before


def reaches_another(path: str | None) -> bool:
    """Names that are made from pages may come out as names of public counters."""
    return path is not None and not path.startswith(NAMESPACE)


async def stats(site: InProcess) -> dict[str, int]:
    told: dict[str, int] = (await site.ask("/stats")).json()
    return told


async def test_they_are_not_in_stats(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/hit/visits")
        before, ledger = await stats(site), site.application.ledger
        ada, ben = await someone(ledger), await someone(ledger, "Ben")
        counter = await a_counter(ledger, ada)
        await joined(ledger, counter, ben)
        for person in (ada, ben):
            await change(ledger, person, counter)
        assert await stats(site) == before | {"requests": before["requests"] + 1}
