"""Appending: what is stored, with which ids, and what is refused alone."""

import asyncio
from pathlib import Path

import pytest

from support.warehouses import NOW, a_hit, ids, opened_warehouse, rows
from tallystick.errors import DatabaseSchemaRefused, DatabaseUnreachable, StoreBusy, StoreClosed
from tallystick.model.hit import Bot, Hit
from tallystick.warehouse.duckdb import warehouse as doors
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import IdempotencyRecord, NumberedHit

EVERYTHING = Hit(
    site=7,
    path=8,
    visitor=None,
    event=True,
    bot=Bot.LINK,
    ref="example.com/a'b\"c\\d\n\0é😀",
    ref_scheme="h",
    campaign=9,
    browser="Firefox",
    browser_version="120.1",
    system="Linux",
    system_version="6",
    country="US",
    region="TX",
    language="eng",
    width=4_294_967_295,
    utm_source="news",
    utm_medium="email",
    utm_content="top",
    utm_term="a b",
    host="example.com",
    source="Newsletter",
    channel="Email",
    page=10,
    props='{"a":"b\'\\\\"}',
    interactive=False,
    device="Mobile",
    created=NOW,
)


async def test_every_field_is_stored_as_it_came(warehouse: DuckDbWarehouse) -> None:
    [stored] = await warehouse.append([EVERYTHING])
    assert await rows(warehouse) == [
        (
            *(1, 7, 8, 0, True, True, 3, "example.com/a'b\"c\\d\n\0é😀", "h", 9, "Firefox", "120.1", "Linux", "6"),
            *("US", "TX", "eng", 4_294_967_295, NOW),
            *("news", "email", "top", "a b", "example.com", "Newsletter", "Email"),
            *(10, '{"a":"b\'\\\\"}', False, "Mobile"),
        )
    ]
    assert stored == NumberedHit(id=1, session=0, first=True)


async def test_nothing_given_is_empty_not_null(warehouse: DuckDbWarehouse) -> None:
    await warehouse.append([a_hit()])
    assert await rows(warehouse) == [
        (1, 1, 1, 0, True, False, 0, "", "o", None, "", "", "", "", "", "", "", 0, NOW, *[""] * 7, None, "", True, ""),
    ]


async def test_a_result_code_that_means_a_person_is_stored_as_one(warehouse: DuckDbWarehouse) -> None:
    await warehouse.append([a_hit(bot=bot) for bot in (Bot.KNOWN_NOT, Bot.NO_MATCH, Bot.PREFETCH, Bot.WEBDRIVER)])
    assert await rows(warehouse, "bot") == [(0,), (0,), (2,), (153,)]


async def test_without_single_hits_a_row_has_no_session_and_only_its_hour(warehouse: DuckDbWarehouse) -> None:
    created = NOW - NOW % 3_600 + 1_234
    stored = await warehouse.append([a_hit(by=5, created=created, single=False) for _ in range(2)])
    assert await rows(warehouse, "session, first, created") == [
        (0, True, NOW - NOW % 3_600),
        (0, False, NOW - NOW % 3_600),
    ]
    assert stored[0].session == stored[1].session != 0


async def test_ids_are_consecutive_over_concurrent_appends(warehouse: DuckDbWarehouse) -> None:
    answers = await asyncio.gather(*(warehouse.append([a_hit(path=n)] * (n % 5)) for n in range(200)))
    given = [stored.id for answer in answers for stored in answer]
    assert [len(answer) for answer in answers] == [n % 5 for n in range(200)]
    assert given == list(range(1, 401)) == await ids(warehouse)


async def test_a_read_sees_what_was_acknowledged_before_it(warehouse: DuckDbWarehouse) -> None:
    for number in range(1, 30):
        await warehouse.append([a_hit()])
        assert await ids(warehouse) == list(range(1, number + 1))


async def test_an_append_larger_than_a_transaction(warehouse: DuckDbWarehouse) -> None:
    small, large = await asyncio.gather(warehouse.append([a_hit()]), warehouse.append([a_hit()] * 25_000))
    assert [stored.id for stored in (*small, *large)] == list(range(1, 25_002))


async def test_what_cannot_be_stored_is_refused_alone(warehouse: DuckDbWarehouse) -> None:
    impossible = [a_hit(site=1 << 40), a_hit(ref="\ud800"), a_hit(width=-1), a_hit(bot=300)]
    answers = await asyncio.gather(
        *(warehouse.append([a_hit(path=path), hit]) for path, hit in enumerate(impossible)),
        *(warehouse.append([a_hit(path=path, by=path)]) for path in range(10, 13)),
        return_exceptions=True,
    )
    assert [isinstance(answer, Exception) for answer in answers] == [True] * 4 + [False] * 3
    assert await rows(warehouse, "id, path, first") == [(1, 10, True), (2, 11, True), (3, 12, True)]


async def test_ids_go_on_after_the_newest_rows_were_deleted_and_the_server_restarted(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()] * 5)
        await warehouse.write(delete, "id > 2")
    async with opened_warehouse(file) as warehouse:
        assert [stored.id for stored in await warehouse.append([a_hit()])] == [6]
        await warehouse.write(delete, "true")
        assert [stored.id for stored in await warehouse.append([a_hit()])] == [7]
    async with opened_warehouse(file) as warehouse:
        assert [stored.id for stored in await warehouse.append([a_hit()])] == [8]


def delete(session: DuckDbSession, condition: str) -> None:
    session.connection.execute(f"DELETE FROM hit WHERE {condition}")


async def test_a_write_that_raises_changes_nothing(warehouse: DuckDbWarehouse) -> None:
    await warehouse.append([a_hit()])

    def fail(session: DuckDbSession) -> None:
        delete(session, "true")
        raise KeyError

    with pytest.raises(KeyError):
        await warehouse.write(fail)
    assert await ids(warehouse) == [1]
    assert [stored.id for stored in await warehouse.append([a_hit()])] == [2]


async def test_a_read_cannot_write(warehouse: DuckDbWarehouse) -> None:
    await warehouse.append([a_hit()])
    with pytest.raises(Exception, match="read-only"):
        await warehouse.read(delete, "true")
    assert await ids(warehouse) == [1]


async def test_an_answer_is_kept_with_the_hits_it_is_about(file: Path) -> None:
    kept = IdempotencyRecord("token 1: 'abc'", "fingerprint", '{"status":"ok"}', NOW)
    async with opened_warehouse(file) as warehouse:
        assert await warehouse.idempotency_record(kept.key) is None
        await warehouse.append([a_hit()], kept)
    async with opened_warehouse(file) as warehouse:
        assert await warehouse.idempotency_record(kept.key) == kept
        assert await warehouse.idempotency_record("another") is None


async def test_an_answer_without_hits_is_kept(warehouse: DuckDbWarehouse) -> None:
    kept = IdempotencyRecord("key", "fingerprint", "{}", NOW)
    assert await warehouse.append([], kept) == []
    assert await warehouse.idempotency_record("key") == kept


async def test_too_many_waiting_hits_are_refused(warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "WAITING_HITS", 10)
    answers = await asyncio.gather(*(warehouse.append([a_hit()] * 5) for _ in range(3)), return_exceptions=True)
    assert isinstance(answers[2], StoreBusy)
    assert await ids(warehouse) == list(range(1, 11))
    await warehouse.append([a_hit()])


async def test_after_closing_nothing_is_accepted(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        last = asyncio.ensure_future(warehouse.append([a_hit()]))
        await asyncio.sleep(0)
    assert [stored.id for stored in await last] == [1]
    with pytest.raises(StoreClosed):
        await warehouse.append([a_hit()])
    with pytest.raises(StoreClosed):
        await ids(warehouse)


async def test_a_file_of_a_newer_program_is_refused_and_left_alone(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()])
        await warehouse.write(lambda session: session.connection.execute("INSERT INTO migration VALUES (1000, 'x')"))
    with pytest.raises(DatabaseSchemaRefused, match="newer"):
        await DuckDbWarehouse.open(file)


async def test_a_file_whose_schema_was_made_by_another_text_is_refused(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.write(lambda session: session.connection.execute("UPDATE migration SET checksum = 'x'"))
    with pytest.raises(DatabaseSchemaRefused, match="another text"):
        await DuckDbWarehouse.open(file)


@pytest.mark.parametrize("content", [b"no database", b"\0" * 20_000])
def test_a_file_that_is_no_warehouse_is_refused_and_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DatabaseUnreachable):
        asyncio.run(DuckDbWarehouse.open(file))
    assert file.read_bytes() == content


async def test_queries_reach_no_file_but_the_exports(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()

    def write_to(session: DuckDbSession, file: Path) -> None:
        session.connection.execute(f"COPY (SELECT 1) TO '{file}'")

    await warehouse.read(write_to, tmp_path / "exports" / "a.csv")
    assert (tmp_path / "exports" / "a.csv").exists()
    with pytest.raises(Exception, match="disabled by configuration"):
        await warehouse.read(write_to, tmp_path / "b.csv")
    with pytest.raises(Exception, match="disabled by configuration"):
        await warehouse.read(lambda session: session.connection.execute("FROM read_text('/etc/hostname')"))
