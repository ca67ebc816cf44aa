"""``--public-counters``: who may create counters without an account, in every way that a counter can be created."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.asking import Answer
from support.in_process import InProcess, in_process
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.model.counter import Create
from tallystick.model.key import Key

NO_CREATION = {
    "error": "This server makes no new counters on request (--public-counters existing). Its operator makes them"
    " with: tallystick counter create NAMESPACE/KEY"
}
OFF = {"error": "Public counters are switched off on this server (--public-counters off)."}
CREATING = [
    "/hit/mysite.com/new",
    "/hit/new",
    "/hit/mysite.com/new/",
    "/create?namespace=mysite.com&key=new",
    "/create",
]
KNOWN = Key("mysite.com", "known")


async def with_a_counter(site: InProcess) -> InProcess:
    """The operator made one."""
    wanted = [CounterWrite(KNOWN, Create(5, -9, 9, resettable=True))]
    await site.application.ledger.write(fold, wanted, site.clock.now)
    return site


@pytest.fixture
async def existing(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, public_counters="existing") as site:
        yield await with_a_counter(site)


@pytest.fixture
async def off(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, public_counters="off") as site:
        yield await with_a_counter(site)


async def counters(site: InProcess) -> int:
    return await site.application.ledger.read(lambda session: session.size())


@pytest.mark.parametrize("target", CREATING)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [[], [("idempotency-key", "one")]], ids=["", "keyed"])
async def test_no_request_creates_a_counter(
    existing: InProcess, target: str, method: str, headers: list[tuple[str, str]]
) -> None:
    for _ in range(2):
        answer = await existing.ask(target, method=method, headers=headers)
        assert (answer.status, answer.json()) == (403, NO_CREATION)
        assert "retry-after" not in answer.headers
        assert answer.headers["x-path"]
    assert await counters(existing) == 1


async def test_the_refusal_is_dressed_like_every_answer(existing: InProcess) -> None:
    image = await existing.ask("/hit/mysite.com/new?img")
    assert (image.status, image.headers["content-type"]) == (403, "image/gif")
    script = await existing.ask("/hit/mysite.com/new?callback=show")
    assert (script.status, script.text[:8]) == (200, "/**/show")
    assert '"status":403' in script.text
    assert await counters(existing) == 1


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("/hit/mysite.com/known", 200, {"value": 6}),
        ("/update/mysite.com/known?amount=9", 200, {"value": 14}),
        ("/set/mysite.com/known?value=1", 200, {"old_value": 5, "value": 1}),
        ("/get/mysite.com/known", 200, {"value": 5}),
        ("/create?namespace=mysite.com&key=known", 409, {"namespace": None, "key": None, "value": None}),
        ("/get/mysite.com/new", 404, {"value": None}),
        ("/update/mysite.com/new?amount=1", 404, {"value": None}),
        ("/nowhere", 404, None),
    ],
)
async def test_existing_counters_go_on(existing: InProcess, target: str, status: int, body: object) -> None:
    answer = await existing.ask(target)
    assert answer.status == status
    assert body is None or answer.json() == body


async def test_a_counter_that_the_operator_makes_counts_with_the_same_key(existing: InProcess) -> None:
    keyed = [("idempotency-key", "one")]
    assert (await existing.ask("/hit/mysite.com/late", headers=keyed)).status == 403
    await existing.application.ledger.write(
        fold, [CounterWrite(Key("mysite.com", "late"), Create())], existing.clock.now
    )
    assert (await existing.ask("/hit/mysite.com/late", headers=keyed)).json() == {"value": 1}


@pytest.mark.parametrize(
    "target",
    [
        *CREATING,
        "/hit/mysite.com/known",
        "/update/mysite.com/known?amount=1",
        "/set/mysite.com/known?value=1",
        "/get/mysite.com/known",
        "/info/mysite.com/known",
        "/stats",
    ],
)
async def test_switched_off_nothing_is_answered(off: InProcess, target: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        answer = await off.ask(target, method=method)
        assert answer.status == 403
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (await off.ask(target)).json() == OFF
    separator = "&" if "?" in target else "?"
    assert (await off.ask(f"{target}{separator}img")).headers["content-type"] == "image/gif"
    assert '"status":403' in (await off.ask(f"{target}{separator}callback=show")).text
    assert await counters(off) == 1


async def test_switched_off_nothing_is_live(off: InProcess) -> None:
    for target in ("/live/mysite.com/known", "/live?key=mysite.com/known"):
        answer = await off.ask(target)
        assert (answer.status, answer.json()) == (
            403,
            {"error": "public counters are switched off on this server (--public-counters off)"},
        )


async def test_other_paths_are_as_ever(off: InProcess) -> None:
    assert (await off.ask("/nowhere")).status == 404
    assert (await off.ask("/hit/a/b", method="OPTIONS")).status == 204
    assert (await off.ask("/health/ready")).status == 200


@pytest.mark.parametrize(
    ("mode", "says", "hides"),
    [
        ("open", "Add one", "switched"),
        ("existing", "operator can create new counters", "Add one"),
        ("off", "switched off here", "/hit/"),
    ],
)
async def test_the_first_page_offers_what_there_is(tmp_path: Path, mode: str, says: str, hides: str) -> None:
    async with in_process(tmp_path, public_counters=mode) as site:
        page: Answer = await site.ask("/", headers=[("host", "127.0.0.1:8080")])
    assert page.status == 200
    assert says in page.text
    assert hides not in page.text
