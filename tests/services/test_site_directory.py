"""Which site a Host means: what the directory knows is at most a second old."""

import asyncio
from collections.abc import Callable

import pytest

from support.people import a_person, a_site
from tallystick.errors import NoSuchSite
from tallystick.ledger import Ledger
from tallystick.services.sites import FRESH_S, Sites, delete_site, note_hits


class Seconds:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def sites(ledger: Ledger, seconds: Callable[[], float]) -> Sites:
    return Sites(ledger, seconds)


async def test_without_a_site_there_is_none_at_any_host(sites: Sites) -> None:
    assert await sites.all() == []
    with pytest.raises(NoSuchSite) as refused:
        await sites.at("stats.example.com")
    assert (refused.value.host, refused.value.empty) == ("stats.example.com", True)
    assert str(refused.value) == 'no site at this domain ("stats.example.com")'


@pytest.mark.parametrize("host", ["stats.example.com", "localhost", "192.0.2.1", "", "é\0\ud800"])
async def test_the_only_site_is_at_every_host(ledger: Ledger, sites: Sites, host: str) -> None:
    made = await a_site(ledger, await a_person(ledger))
    assert await sites.at(host) == made
    assert sites.known(host) == made


async def test_several_sites_are_told_apart_by_host(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one, two = await a_site(ledger, ada, "one.example.com"), await a_site(ledger, ada, "two.example.com")
    assert await sites.at("ONE.example.com") == one
    assert await sites.at("two.example.com.") == two
    assert [sites.known(host) for host in ("one.example.com", "ONE.example.com", "no.example.com")] == [one, one, None]
    with pytest.raises(NoSuchSite) as refused:
        await sites.at("no.example.com")
    assert not refused.value.empty
    assert await sites.all() == [one, two]
    assert await sites.by_id(two.id) == two
    assert await sites.by_id(99) is None


async def test_a_new_site_is_found_at_once(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    await sites.at("one.example.com")
    three = await a_site(ledger, ada, "three.example.com")
    assert await sites.at("three.example.com") == three


async def test_a_change_by_others_shows_soon(ledger: Ledger, sites: Sites, seconds: Seconds) -> None:
    ada = await a_person(ledger)
    one, two = await a_site(ledger, ada, "one.example.com"), await a_site(ledger, ada, "two.example.com")
    await sites.at("two.example.com")
    await ledger.write(delete_site, two.id, 0)
    seconds.now += FRESH_S / 2
    assert sites.known("two.example.com") == two
    seconds.now += FRESH_S / 2
    assert sites.known("two.example.com") is None
    assert await sites.at("two.example.com") == one  # the only one that is left


async def test_a_change_of_ones_own_shows_at_once(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one, two = await a_site(ledger, ada, "one.example.com"), await a_site(ledger, ada, "two.example.com")
    await sites.at("two.example.com")
    await ledger.write(delete_site, two.id, 0)
    sites.forget()
    assert sites.known("two.example.com") is None
    assert await sites.all() == [one]


async def test_sites_are_read_again_only_after_a_change(
    ledger: Ledger, sites: Sites, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_person(ledger)
    made = await a_site(ledger, ada)
    await sites.all()
    with monkeypatch.context() as patch:
        patch.delattr("tallystick.services.sites.active_sites")
        for _ in range(3):
            seconds.now += FRESH_S
            assert await sites.at("stats.example.com") == made
    await ledger.write(note_hits, made.id, made.created - 5)
    seconds.now += FRESH_S
    assert (await sites.at("stats.example.com")).first_hit == made.created - 5


async def test_who_misses_at_the_same_time_shares_a_reading(
    ledger: Ledger, sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_site(ledger, await a_person(ledger))
    readings, read = [], ledger.read

    async def counted(function: Callable[..., object], *arguments: object) -> object:
        readings.append(function)
        return await read(function, *arguments)

    monkeypatch.setattr(ledger, "read", counted)
    await asyncio.gather(*(sites.at("stats.example.com") for _ in range(50)))
    assert len(readings) == 2  # the first one had begun when the others asked
