"""Visitors are told apart for as long as a salt lives, and by nobody afterwards."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from builders import NOW
from tallystick.ledger import Ledger, Session, open_database
from tallystick.services.ingest.salts import SALT_BYTES, SPAN_MS, Salts, rotate

ADDRESS, OTHER_ADDRESS, SIX = map(ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1"))
START = NOW - NOW % SPAN_MS


async def salts_at(ledger: Ledger, now: int) -> Salts:
    salts = Salts(ledger)
    await salts.refresh(now)
    return salts


def stored(session: Session) -> list[tuple[int, bytes]]:
    return [(started, bytes(salt)) for started, salt in session.common.newest_salts(session.connection)]


def files_with(content: bytes, folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if content in file.read_bytes()]


async def test_a_visitor_is_told_by_site_address_and_agent(ledger: Ledger) -> None:
    salts = await salts_at(ledger, NOW)
    visitors = [
        salts.visitor(1, ADDRESS, "a"),
        salts.visitor(2, ADDRESS, "a"),
        salts.visitor(1, OTHER_ADDRESS, "a"),
        salts.visitor(1, SIX, "a"),
        salts.visitor(1, ADDRESS, "b"),
        salts.visitor(1, "no address", "a"),
        salts.visitor(1, "", "\ud800"),
        salts.visitor_of_session(1, "a"),
        salts.visitor_of_session(2, "a"),
    ]
    assert len({visitor.current for visitor in visitors}) == len(visitors)
    assert salts.visitor(1, ADDRESS, "a") == visitors[0]
    assert all(0 <= visitor.current < 2**64 for visitor in visitors)


async def test_servers_of_one_ledger_and_a_restarted_one_agree(ledger: Ledger) -> None:
    ours = await salts_at(ledger, NOW)
    theirs = await salts_at(ledger, NOW + 1_000)
    assert ours.visitor(1, ADDRESS, "a") == theirs.visitor(1, ADDRESS, "a")


async def test_the_first_salt_has_none_before_it(ledger: Ledger) -> None:
    salts = await salts_at(ledger, NOW)
    visitor = salts.visitor(1, ADDRESS, "a")
    assert visitor.current == visitor.previous


async def test_after_eight_hours_a_visitor_has_a_new_key_and_the_old_one_beside_it(ledger: Ledger) -> None:
    salts = await salts_at(ledger, START)
    before = salts.visitor(1, ADDRESS, "a")
    assert not salts.due(START + SPAN_MS - 1)
    assert salts.due(START + SPAN_MS)
    await salts.refresh(START + SPAN_MS)
    after = salts.visitor(1, ADDRESS, "a")
    assert after.previous == before.current != after.current


@pytest.mark.parametrize("spans", [2, 3, 100])
async def test_salts_that_no_session_needs_are_destroyed(ledger: Ledger, spans: int) -> None:
    await ledger.write(rotate, START)
    await ledger.write(rotate, START + SPAN_MS)
    [(_, second), (_, first)] = await ledger.read(stored)
    await ledger.write(rotate, START + spans * SPAN_MS)
    kept = [salt for _, salt in await ledger.read(stored)]
    assert first not in kept
    assert (second in kept) is (spans == 2)
    assert kept


async def test_a_clock_that_goes_back_makes_no_new_salt(ledger: Ledger) -> None:
    newest = await ledger.write(rotate, START + SPAN_MS)
    assert await ledger.write(rotate, START) == newest


async def test_a_clock_that_goes_back_a_little_keeps_the_salt(ledger: Ledger) -> None:
    salts = await salts_at(ledger, START + SPAN_MS)
    before = salts.visitor(1, ADDRESS, "a")
    assert not salts.due(START)
    await salts.refresh(START)
    assert salts.visitor(1, ADDRESS, "a") == before


@pytest.mark.parametrize("spans", [2, 3, 180])
async def test_a_salt_of_a_clock_that_was_ahead_is_replaced_at_once(ledger: Ledger, spans: int) -> None:
    salts = await salts_at(ledger, START + spans * SPAN_MS)
    before = salts.visitor(1, ADDRESS, "a")
    [(_, ahead)] = await ledger.read(stored)
    assert salts.due(NOW)
    await salts.refresh(NOW)
    after = salts.visitor(1, ADDRESS, "a")
    assert before.current not in (after.current, after.previous)
    assert not salts.due(NOW)
    assert salts.due(START + SPAN_MS)
    [(started, salt)] = await ledger.read(stored)
    assert (started, salt == ahead) == (START, False)


async def test_a_clock_that_goes_ahead_and_back_changes_the_salt_each_span(ledger: Ledger) -> None:
    salts = await salts_at(ledger, START)
    await salts.refresh(START + 180 * SPAN_MS)
    hashes = set()
    for span in range(4):
        now = START + span * SPAN_MS + 1
        assert salts.due(now)
        await salts.refresh(now)
        hashes.add(salts.visitor(1, ADDRESS, "a").current)
    assert len(hashes) == 4


async def test_a_destroyed_salt_is_in_no_file(tmp_path: Path) -> None:
    ledger = await Ledger.open(open_database(None, tmp_path))
    [(_, salt)] = await ledger.write(rotate, START)
    await ledger.write(rotate, START + 2 * SPAN_MS)
    await ledger.close()
    assert len(salt) == SALT_BYTES
    assert files_with(salt, tmp_path) == []
