"""Which site a Host means: what the directory knows is at most a second old."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from support.people import a_person, a_site, again, elsewhere
from tallystick.errors import NoSuchSite
from tallystick.ledger import Ledger
from tallystick.services.accounts.site_hosts import (
    HOSTS_AT_MOST,
    by_name,
    hosts_of,
    release_host,
    remember_host,
    unknown_hosts,
)
from tallystick.services.accounts.sites import (
    FRESH_S,
    READ_AHEAD_S,
    NewSite,
    SiteChanges,
    Sites,
    create_site,
    delete_site,
    note_hits,
    update_site,
)


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
    await elsewhere(ledger, delete_site, two.id, 0)
    seconds.now += FRESH_S / 2
    assert sites.known("two.example.com") == two
    seconds.now += FRESH_S / 2
    assert sites.known("two.example.com") is None
    with pytest.raises(NoSuchSite):  # its visitors are not the other site's
        await sites.at("two.example.com")
    assert await sites.at("one.example.com") == one


async def test_sites_in_use_are_read_again_before_they_are_out_of_date(
    ledger: Ledger, sites: Sites, seconds: Seconds
) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    two = await a_site(ledger, ada, "two.example.com")
    await sites.at("two.example.com")
    await elsewhere(ledger, delete_site, two.id, 0)
    seconds.now += READ_AHEAD_S
    for _ in range(1_000):
        if sites.known("two.example.com") is None:
            break
        await asyncio.sleep(0.005)
    seconds.now += READ_AHEAD_S
    assert sites.known("one.example.com")
    assert sites.known("two.example.com") is None


async def test_a_change_of_ones_own_shows_at_once(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one, two = await a_site(ledger, ada, "one.example.com"), await a_site(ledger, ada, "two.example.com")
    await sites.at("two.example.com")
    await ledger.write(delete_site, two.id, 0)
    assert sites.known("two.example.com") is None
    assert await sites.all() == [one]


async def test_sites_are_read_again_only_after_a_change(
    ledger: Ledger, sites: Sites, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_person(ledger)
    made = await a_site(ledger, ada)
    await sites.all()
    with monkeypatch.context() as patch:
        patch.delattr("tallystick.services.accounts.sites.active_sites")
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


async def test_the_first_site_goes_on_counting_for_its_hosts_beside_a_second(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    for host in ("old.example.com", "192.0.2.1", "[2001:db8::1]"):
        assert await sites.at(host) == one
        assert sites.is_new_host(host)
        await sites.remember(one, host)
        assert await sites.at(host) == one
        assert not sites.is_new_host(host)
    await a_site(ledger, ada, "two.example.com")
    for host in ("old.example.com", "OLD.example.com.", "192.0.2.1", "[2001:db8::1]", "one.example.com"):
        assert await sites.at(host) == one
    with pytest.raises(NoSuchSite):
        await sites.at("never.example.com")


async def test_a_host_that_was_let_go_is_no_sites(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await ledger.write(remember_host, one.id, "old.example.com", 0)
    await a_site(ledger, ada, "two.example.com")
    assert await ledger.write(release_host, one.id, "OLD.example.com")
    assert not await ledger.write(release_host, one.id, "old.example.com")
    with pytest.raises(NoSuchSite):
        await sites.at("old.example.com")
    assert (await a_site(ledger, ada, "old.example.com")).cname == "old.example.com"


@pytest.mark.parametrize("host", ["", "a b", "x" * 300, "é\0\ud800", "-", "a\nb"])
async def test_what_is_no_host_is_not_remembered(ledger: Ledger, sites: Sites, host: str) -> None:
    one = await a_site(ledger, await a_person(ledger))
    assert await sites.at(host) == one
    await sites.remember(one, host)
    assert not sites.is_new_host(host)
    assert await ledger.read(hosts_of, one.id) == []


async def test_so_many_hosts_are_remembered_and_no_more(ledger: Ledger, sites: Sites) -> None:
    one = await a_site(ledger, await a_person(ledger))
    for number in range(HOSTS_AT_MOST + 5):
        await ledger.write(remember_host, one.id, f"h{number}.example.com", 0)
    assert len(await ledger.read(hosts_of, one.id)) == HOSTS_AT_MOST
    assert await sites.at("new.example.com") == one
    assert not sites.is_new_host("new.example.com")


async def test_a_site_after_a_deleted_one_does_not_get_its_visitors(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await ledger.write(delete_site, one.id, 0)
    two = await a_site(ledger, await again(ledger, ada), "two.example.com")
    with pytest.raises(NoSuchSite):
        await sites.at("one.example.com")
    assert await sites.at("two.example.com") == two


@pytest.mark.parametrize("default", ["1", "one", "one.example.com", "ONE.example.com."])
async def test_a_default_site_gets_what_no_site_has(ledger: Ledger, default: str) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com", code="one")
    two = await a_site(ledger, ada, "two.example.com")
    sites = Sites(ledger, default=default)
    assert [await sites.at(host) for host in ("no.example.com", "", "two.example.com")] == [one, one, two]


async def test_a_default_site_that_does_not_exist_changes_nothing(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    with pytest.raises(NoSuchSite):
        await Sites(ledger, default="three.example.com").at("three.example.com")


async def test_requests_for_hosts_that_no_site_has_are_kept(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    for host in ("no.example.com", "NO.example.com", "not a host", "other.example.com"):
        with pytest.raises(NoSuchSite):
            await sites.at(host)
    await sites.keep_unknown()
    await sites.keep_unknown()
    assert {known.host: known.requests for known in await ledger.read(unknown_hosts)} == {
        "no.example.com": 2,
        "other.example.com": 1,
    }
    await a_site(ledger, ada, "no.example.com")
    assert [known.host for known in await ledger.read(unknown_hosts)] == ["other.example.com"]


async def test_hosts_that_attackers_make_up_are_bounded(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    for number in range(HOSTS_AT_MOST + 20):
        with pytest.raises(NoSuchSite):
            await sites.at(f"h{number}.example.com")
    await sites.keep_unknown()
    assert len(await ledger.read(unknown_hosts)) == HOSTS_AT_MOST


async def test_a_site_that_loses_its_host_beside_others_keeps_counting(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    changed = await ledger.write(update_site, one.id, SiteChanges(cname=None), 5)
    assert changed.cname is None
    assert (await sites.at("one.example.com")).id == one.id
    await ledger.write(update_site, one.id, SiteChanges(cname="one.example.com"), 6)
    assert await ledger.read(hosts_of, one.id) == []


async def test_an_only_site_without_a_host_stays_reachable(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await ledger.write(create_site, ada, NewSite(), 0)
    assert await sites.at("anything.example.com") == one


async def test_a_site_has_the_names_of_its_domain_its_host_and_its_code(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "stats.example.com", code="one")
    one = await ledger.write(update_site, one.id, SiteChanges(domain="example.com"), 1)
    two = await a_site(ledger, ada, "www.example.org", code="two")
    for name in ("example.com", " Www.EXAMPLE.com. ", "stats.example.com", "www.stats.example.com", "one", "ONE"):
        assert await sites.named(name) == one, name
    for name in ("www.example.org", "WWW.example.org.", "two"):
        assert await sites.named(name) == two, name


@pytest.mark.parametrize(
    "name", ["", "1", "example.org", "example.com", "old.example.com", "www.one", "com", "www.", "\0", "é\0\ud800"]
)
async def test_a_site_has_no_name_by_its_link_domain_or_by_hosts_it_has_counted_for(ledger: Ledger, name: str) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "www.example.org", code="one")
    await ledger.write(remember_host, one.id, "old.example.com", 0)
    await ledger.write(update_site, one.id, SiteChanges(link_domain="https://example.com"), 1)
    sites = Sites(ledger, default="1")
    assert (await sites.at(name)).id == one.id
    with pytest.raises(NoSuchSite) as refused:
        await sites.named(name)
    assert (refused.value.host, refused.value.empty) == (name, False)


async def test_without_a_site_there_is_none_of_any_name(ledger: Ledger, sites: Sites) -> None:
    with pytest.raises(NoSuchSite) as refused:
        await sites.named("example.com")
    assert refused.value.empty
    await sites.keep_unknown()
    assert await ledger.read(unknown_hosts) == []


async def test_of_equal_names_a_domain_counts_before_a_host_and_a_host_before_a_code(ledger: Ledger) -> None:
    some = await a_site(ledger, await a_person(ledger), code="some")
    domain = replace(some, domain="a.example", cname=None)
    host = replace(some, cname="a.example", code="other")
    shadowed = replace(some, cname="www.a.example", code="x.example")
    other = replace(some, cname="x.example")
    for rows in ([other, shadowed, host, domain], [domain, host, shadowed, other]):
        names = by_name(rows)
        assert names["a.example"] == names["www.a.example"] == domain
        assert names["x.example"] == other
        assert names["other"] == host


async def test_changed_and_deleted_names_are_gone_at_once(ledger: Ledger, sites: Sites) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    two = await a_site(ledger, ada, "two.example.com", code="two")
    await ledger.write(update_site, two.id, SiteChanges(domain="old.example"), 1)
    assert (await sites.named("old.example")).id == two.id
    await ledger.write(update_site, two.id, SiteChanges(domain="new.example", cname="2.example.com", code="zwei"), 2)
    for name in ("new.example", "2.example.com", "zwei"):
        assert (await sites.named(name)).id == two.id
    for name in ("old.example", "two.example.com", "two"):
        with pytest.raises(NoSuchSite):
            await sites.named(name)
    await ledger.write(delete_site, two.id, 3)
    for name in ("new.example", "2.example.com", "zwei", f"deleted-{two.id}"):
        with pytest.raises(NoSuchSite):
            await sites.named(name)
    made = await ledger.write(create_site, ada, NewSite(cname="three.example.com", domain="new.example"), 4)
    assert await sites.named("new.example") == made


async def test_a_name_that_others_change_is_gone_soon(ledger: Ledger, sites: Sites, seconds: Seconds) -> None:
    one = await a_site(ledger, await a_person(ledger), code="one")
    await elsewhere(ledger, update_site, one.id, SiteChanges(domain="a.example"), 1)
    assert (await sites.named("a.example")).id == one.id
    await elsewhere(ledger, update_site, one.id, SiteChanges(domain="b.example"), 2)
    assert (await sites.named("b.example")).id == one.id  # a miss reads the sites again
    await elsewhere(ledger, update_site, one.id, SiteChanges(domain="c.example"), 3)
    assert (await sites.named("b.example")).id == one.id
    seconds.now += FRESH_S
    with pytest.raises(NoSuchSite):
        await sites.named("b.example")


async def test_names_in_use_are_read_ahead_and_shared(
    ledger: Ledger, sites: Sites, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await a_site(ledger, await a_person(ledger), code="one")
    readings, read = [], ledger.read

    async def counted(function: Callable[..., object], *arguments: object) -> object:
        readings.append(function)
        return await read(function, *arguments)

    monkeypatch.setattr(ledger, "read", counted)
    assert {(await sites.named("one")).id for _ in range(50)} == {one.id}
    assert len(readings) == 1
    seconds.now += READ_AHEAD_S
    await sites.named("one")
    await asyncio.sleep(0)
    assert len(readings) == 2
