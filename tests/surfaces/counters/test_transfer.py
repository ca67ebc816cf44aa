"""Files of the counters of an account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.analytics import HOST
from support.asking import Answer
from support.in_process import InProcess, in_process
from support.people import a_person, a_site, a_token
from tallystick.model.account import Permission
from tallystick.model.counter import Freeze
from tallystick.model.key import Key
from tallystick.services.accounts.audit import events
from tallystick.services.counting.owned import files
from tallystick.web.rate_limit import Rate

NOT_HERS = "line 2: a-shop.example/carts exists, and is not a counter of this account: it can only be kept."
RESERVED = f"line 1: the namespace {HOST} is reserved: only the owner of its site creates counters in it."
TOKEN_NEEDED = (
    "a file takes a token of an account: send Authorization: Bearer TOKEN, with the permission counters-write. "
    "A secret stands for one counter only"
)
HEADER = "namespace,key,value,update_lowerbound,update_upperbound,enable_reset,created,expires"


class Files:
    """Two accounts and a superuser, who send files."""

    def __init__(self, site: InProcess, tokens: dict[str, str]) -> None:
        self.site, self.tokens = site, tokens

    async def send(self, text: str, query: str = "", by: str = "ada") -> Answer:
        return await self.site.ask(
            f"/api/counters/import{query}", method="POST", headers=self._headers(by), body=text.encode()
        )

    async def export(self, query: str = "", by: str = "ada") -> Answer:
        return await self.site.ask(f"/api/counters/export{query}", headers=self._headers(by))

    async def values(self, by: str = "ada") -> dict[str, int]:
        rows = [line.split(",") for line in (await self.export(by=by)).text.splitlines()[1:]]
        return {f"{namespace}/{key}": int(value) for namespace, key, value, *_ in rows}

    def _headers(self, by: str) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.tokens[by]}")]


@pytest.fixture
async def sent(tmp_path: Path) -> AsyncIterator[Files]:
    async with in_process(tmp_path, rate_limit=(Rate("", None, 0),), creation_limit=1) as site:
        ledger = site.application.ledger
        superuser = await a_person(ledger)
        own = await a_site(ledger, superuser, HOST)
        people = {
            "operator": superuser,
            "ada": await a_person(ledger, "owner@example.com", own.id, {"all": "a"}),
            "ben": await a_person(ledger, "another@example.com", own.id, {"all": "r"}),
        }
        rights = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE
        yield Files(site, {name: await a_token(ledger, person, rights) for name, person in people.items()})


def told(answer: Answer) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status, error["code"], error["message"]


async def test_a_file_is_stored_once_and_exported_as_it_was_sent(sent: Files) -> None:
    await sent.site.ask("/hit/a-shop.example/sold")
    rows = ["a-shop.example,carts,7", "a-shop.example,sold,9", "https://blog.example.com/,site_pv,3"]
    answer = await sent.send("\n".join(rows))
    assert (answer.status, answer.json()) == (200, {"lines": 3, "created": 2, "replaced": 0, "kept": 1, "expired": 0})
    assert (await sent.send("\n".join(rows))).json()["kept"] == 3
    assert await sent.values() == {"a-shop.example/carts": 7, "blog.example.com/site_pv": 3}, (
        "a counter of all is not ada's"
    )
    one = (await sent.site.ask("/api/counters/a-shop.example/carts")).json()
    assert (one["owned"], one["expires"], one["upper"]) == (True, None, 1)

    exported = await sent.export("?format=jsonl")
    assert exported.headers["content-type"] == "application/x-ndjson"
    assert exported.headers["content-disposition"] == 'attachment; filename="counters.jsonl"'
    assert (await sent.send(exported.text, "?format=jsonl&existing=replace")).json()["replaced"] == 2
    as_csv = await sent.export()
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.text.splitlines()[0] == HEADER
    assert (await sent.send(as_csv.text, by="ben")).json()["kept"] == 2
    assert (await sent.export(by="ben")).text.splitlines() == [HEADER]
    noted = await sent.site.application.ledger.read(events)
    assert [event.detail for event in noted if event.subject == "its own"] == [
        "created 0, replaced 2, kept 0",
        "created 2, replaced 0, kept 1",
    ]


async def test_only_owners_and_superusers_replace(sent: Files) -> None:
    unnamed = await sent.site.ask("/api/counters/import", method="POST", body=b"a-shop.example,carts,7\n")
    assert told(unnamed) == (401, "unauthorized", TOKEN_NEEDED)
    await sent.send("a-shop.example,carts,7\n")
    assert told(await sent.send("a-bar.example,beers,1\na-shop.example,carts,8\n", "?existing=replace", "ben")) == (
        400,
        "bad-line",
        NOT_HERS + " Lines 1 to 1 are stored; the whole file can be sent again",
    )
    assert await sent.values("ben") == {"a-bar.example/beers": 1}
    assert (await sent.send("a-shop.example,carts,9\n", "?existing=replace", "operator")).json()["replaced"] == 1
    assert await sent.values() == {"a-shop.example/carts": 9}, "it stays ada's"


async def test_what_is_frozen_is_not_replaced(sent: Files) -> None:
    await sent.send("a-shop.example,carts,7\n")
    await sent.site.application.ledger.count(Key("a-shop.example", "carts"), Freeze(frozen=True))
    status, code, message = told(await sent.send("a-shop.example,carts,8\n", "?existing=replace"))
    assert (status, code) == (400, "bad-line")
    assert message.startswith("line 1: the operator of this server stopped all changes of a-shop.example/carts")
    assert (await sent.send("a-shop.example,carts,8\n")).json()["kept"] == 1
    assert await sent.values() == {"a-shop.example/carts": 7}
    assert (await sent.send("a-shop.example,carts,9\n", "?existing=replace", "operator")).json()["replaced"] == 1
    assert (await sent.site.ask("/api/counters/a-shop.example/carts")).json()["frozen"] is True


async def test_reserved_namespaces_and_full_accounts_refuse_lines(sent: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = [("authorization", f"Bearer {sent.tokens['ada']}")]
    assert (await sent.site.ask(f"/api/counters/{HOST}", method="PUT", headers=headers)).status == 200
    assert told(await sent.send(f"{HOST},visits,7\n", by="ben")) == (
        400,
        "bad-line",
        RESERVED + " Nothing was stored",
    )
    assert (await sent.send(f"{HOST},visits,7\n")).status == 200
    monkeypatch.setattr(files, "MOST_COUNTERS", 2)
    again = "a-bar.example,one,1\na-bar.example,one,1\na-bar.example,two,2\n"
    assert told(await sent.send(again))[2].startswith("line 3: one account owns 2 counters at most. Lines 1 to 2 are")


NO_FILES = [
    ("", "a-bar.example,beers,1\na-bar.example,x,1\n", 400, "bad-line"),
    ("", "neither\n", 400, "bad-line"),
    ("", "", 400, "bad-line"),
    ("?format=jsonl", "{}\n", 400, "bad-line"),
    ("?format=xml", "", 400, "invalid-field"),
    ("?existing=lose", "", 400, "invalid-field"),
    ("", "a-bar.example,beers,1\n" * 100_000, 413, "body-too-large"),
]


async def test_what_is_no_file_of_counters(sent: Files) -> None:
    for query, text, status, code in NO_FILES:
        assert told(await sent.send(text, query))[:2] == (status, code), (query, text[:40])
    assert await sent.values() == {"a-bar.example/beers": 1}


async def test_what_has_expired_is_left_out(sent: Files) -> None:
    answer = await sent.send("key,value,expires\na-bar.example/beers,1,5\na-bar.example/wines,2,\n")
    assert answer.json() == {"lines": 3, "created": 1, "replaced": 0, "kept": 0, "expired": 1}


async def test_where_nobody_makes_counters_files_do_not(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_counters="existing") as site:
        person = await a_person(site.application.ledger)
        own = await a_site(site.application.ledger, person, HOST)
        ada = await a_person(site.application.ledger, "owner@example.com", own.id, {"all": "a"})
        files = Files(site, {"ada": await a_token(site.application.ledger, ada, Permission.COUNTERS_WRITE)})
        assert told(await files.send("a-bar.example,beers,1\n"))[:2] == (403, "creation-off")
