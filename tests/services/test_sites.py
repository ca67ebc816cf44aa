"""Sites come, change and go, on both databases."""

import asyncio

import msgspec
import pytest

from support.people import a_person, a_site, a_token, again
from tallystick.errors import InputRefused, InvalidFields, NotPermitted
from tallystick.ledger import Ledger
from tallystick.model.account import Access, Token, UserSettings
from tallystick.model.site import COLLECT, Site, SiteSettings
from tallystick.services.accounts.accounts import all_accounts, delete_account, set_access
from tallystick.services.accounts.site_hosts import remember_host
from tallystick.services.accounts.site_rows import active_sites, family, site
from tallystick.services.accounts.sites import (
    NewSite,
    SiteChanges,
    create_site,
    create_site_as,
    delete_site,
    may_create_sites,
    note_hits,
    update_site,
)
from tallystick.services.accounts.tokens import secret_digest
from tallystick.services.jobs import DeleteSite, pending_jobs


async def test_the_first_site_is_its_owners_account_and_later_ones_join_it(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first = await a_site(ledger, ada, "Stats.Example.com")
    second = await a_site(ledger, ada, "two.example.com")
    assert (first.parent, first.root, second.parent, second.root) == (None, first.id, first.id, first.id)
    assert first.cname == "stats.example.com"
    assert (first.cname_setup, first.first_hit, first.received_data) == (first.created, first.created, False)
    assert first.settings == SiteSettings()
    assert (await again(ledger, ada)).site == first.id
    assert await ledger.read(active_sites) == [first, second]


async def test_a_first_site_makes_its_owner_admin_and_the_servers_first_person_stays_superuser(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    await a_site(ledger, ada)
    await a_site(ledger, ben, "ben.example.com")
    assert [person.access for person in await ledger.read(all_accounts)] == [{"all": "*"}, {"all": "a"}]


async def test_a_site_of_an_owner_who_is_gone_is_not_made(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await ledger.write(delete_account, ada.id, ledger.clock())
    with pytest.raises(InputRefused, match="there is no account 1"):
        await a_site(ledger, ada)


async def test_two_first_sites_at_once_are_one_account(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    made = await asyncio.gather(*(a_site(ledger, ada, f"{name}.example.com") for name in ("one", "two")))
    assert len({site.root for site in made}) == 1


async def test_codes_are_made_up_or_given(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    given = await a_site(ledger, ada, code="  Blog ")
    made_up = [await a_site(ledger, ada, f"{n}.example.com") for n in range(3)]
    assert given.code == "blog"
    assert all(site.code.startswith("serve-") and len(site.code) == 14 for site in made_up)
    assert [site.code for site in await ledger.read(family, given.id)] == [
        "blog",
        *sorted(site.code for site in made_up),
    ]


async def test_a_host_and_a_code_belong_to_one_site(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    await a_site(ledger, ada, "stats.example.com", "blog")
    wanted = [NewSite(cname="STATS.example.com.", code="BLOG"), NewSite(cname="x.example.com", code="blog")]
    refused = [await asyncio.gather(ledger.write(create_site, ben, site, 0), return_exceptions=True) for site in wanted]
    errors = [one.errors for (one,) in refused if isinstance(one, InvalidFields)]
    assert errors == [{"cname": ["already exists"], "code": ["already exists"]}, {"code": ["already exists"]}]
    assert len(await ledger.read(active_sites)) == 1


@pytest.mark.parametrize("cname", [None, ""])
async def test_the_first_site_can_do_without_a_host_until_there_is_a_second(ledger: Ledger, cname: str | None) -> None:
    ada = await a_person(ledger)
    made = await ledger.write(create_site, ada, NewSite(cname=cname), 0)
    assert (made.cname, made.cname_setup) == (None, None)
    with pytest.raises(InputRefused, match="site 1 has no host yet"):
        await a_site(ledger, ada, "two.example.com")
    await ledger.write(update_site, made.id, SiteChanges(cname="one.example.com"), 0)
    assert (await a_site(ledger, ada, "two.example.com")).cname == "two.example.com"


async def test_a_host_that_the_only_site_has_counted_for_is_taken(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    one = await a_site(ledger, ada, "one.example.com")
    await ledger.write(remember_host, one.id, "old.example.com", 0)
    with pytest.raises(InvalidFields, match="cname: already exists"):
        await a_site(ledger, ben, "OLD.example.com")
    two = await a_site(ledger, ben, "two.example.com")
    with pytest.raises(InvalidFields, match="cname: already exists"):
        await ledger.write(update_site, two.id, SiteChanges(cname="old.example.com"), 0)
    assert (await ledger.write(update_site, one.id, SiteChanges(cname="old.example.com"), 0)).cname == "old.example.com"


@pytest.mark.parametrize(
    ("access", "token_for", "may"),
    [
        ({}, None, False),
        ({"all": "r"}, None, False),
        ({"all": "s"}, None, False),
        ({"all": "a"}, None, True),
        ({"all": "*"}, None, True),
        ({"1": "a"}, None, False),
        ({"all": "r", "1": "a"}, None, False),
        ({"all": "a"}, (-1,), True),
        ({"all": "a"}, (1,), False),
        ({"all": "*"}, (1, 2), False),
        ({"all": "r"}, (-1,), False),
    ],
)
async def test_one_rule_says_who_may_create_sites(
    ledger: Ledger, access: dict[str, Access], token_for: tuple[int, ...] | None, *, may: bool
) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    ben = await a_person(ledger, "ben@example.com", site=one.id, access=access)
    token = None
    if token_for:
        token = Token(id=1, account=ben.id, name="", prefix="", permissions=0, sites=token_for, created=0, used=None)
    assert may_create_sites(ben, token) is may
    creating = ledger.write(create_site_as, ben, NewSite(cname="three.example.com"), 0, token)
    if may:
        assert (await creating).parent == one.id
    else:
        with pytest.raises(NotPermitted):
            await creating


async def test_a_first_site_needs_a_grant(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    await a_site(ledger, ada, "one.example.com")
    with pytest.raises(NotPermitted, match="the operator of the server can make you one"):
        await ledger.write(create_site_as, ben, NewSite(cname="ben.example.com"), 0)
    await ledger.write(set_access, ben.id, {"all": "a"}, 0)
    assert (await ledger.write(create_site_as, ben, NewSite(cname="ben.example.com"), 0)).parent is None


async def test_access_that_was_taken_away_a_moment_ago_creates_nothing(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    ben = await a_person(ledger, "ben@example.com", site=one.id, access={"all": "a"})
    await ledger.write(set_access, ben.id, {"all": "r"}, 0)
    with pytest.raises(NotPermitted):
        await ledger.write(create_site_as, ben, NewSite(cname="two.example.com"), 0)


async def test_what_is_wrong_with_a_new_site_is_told_by_field(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    settings = SiteSettings(data_retention=3, allow_embed=("*",))
    defaults = UserSettings(widgets=[{"n": "x" * 40_000}])
    wanted = NewSite(cname="localhost", code="www", link_domain="a b", settings=settings, user_defaults=defaults)
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_site, ada, wanted, 0)
    assert refused.value.errors.keys() == {
        "cname",
        "code",
        "link_domain",
        "settings.data_retention",
        "settings.allow_embed",
        "user_defaults",
    }
    assert (await again(ledger, ada)).site is None


async def test_no_text_is_too_odd_for_a_host_or_a_code(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_site, ada, NewSite(cname="\0.example.com", code="\0a"), 0)
    assert refused.value.errors == {
        "cname": ["must be a valid hostname: invalid character: '\\x00'"],
        "code": ["must be a valid hostname: invalid character: '\\x00'"],
    }


async def test_what_is_changed_changes_and_nothing_else(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    before = await a_site(ledger, ada, code="blog")
    changes = SiteChanges(settings={"data_retention": 31, "ignore_ips": ("1.2.3.4",)}, link_domain="example.com")
    after = await ledger.write(update_site, before.id, changes, before.created + 5)
    settings = SiteSettings(data_retention=31, ignore_ips=("1.2.3.4",))
    expected = msgspec.structs.replace(before, link_domain="example.com", settings=settings, updated=before.created + 5)
    assert after == expected
    assert await ledger.read(site, before.id) == expected


@pytest.mark.parametrize(
    ("cname", "stored", "since"),
    [("stats.example.com", "stats.example.com", 0), ("New.example.com", "new.example.com", 9), (None, None, None)],
)
async def test_since_when_a_host_is_set_up_is_kept(
    ledger: Ledger, cname: str | None, stored: str | None, since: int | None
) -> None:
    ada = await a_person(ledger)
    made = await ledger.write(create_site, ada, NewSite(cname="stats.example.com"), 0)
    after: Site = await ledger.write(update_site, made.id, SiteChanges(cname=cname), 9)
    assert (after.cname, after.cname_setup) == (stored, since)


async def test_a_site_keeps_its_own_host_and_code_and_cannot_take_anothers(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first, second = await a_site(ledger, ada, code="one"), await a_site(ledger, ada, "two.example.com", "two")
    await ledger.write(update_site, first.id, SiteChanges(cname=first.cname, code="one"), 0)
    with pytest.raises(InvalidFields, match="code: already exists"):
        await ledger.write(update_site, second.id, SiteChanges(code="one"), 0)
    with pytest.raises(InvalidFields, match="cname: already exists"):
        await ledger.write(update_site, second.id, SiteChanges(cname=first.cname), 0)
    assert await ledger.read(site, second.id) == second


async def test_settings_are_stored_in_their_normal_form(ledger: Ledger) -> None:
    made = await a_site(ledger, await a_person(ledger))
    changed: Site = await ledger.write(update_site, made.id, SiteChanges(settings={"collect": 0}), 0)
    assert changed.settings.collect == COLLECT
    changed = await ledger.write(update_site, made.id, SiteChanges(settings={"collect": 32}), 0)
    assert changed.settings.collect == 48


async def test_statistics_begin_with_the_earliest_hit(ledger: Ledger) -> None:
    made = await a_site(ledger, await a_person(ledger))
    for first_hit in (made.created + 7, made.created - 7, made.created - 3):
        await ledger.write(note_hits, made.id, first_hit)
    found = await ledger.read(site, made.id)
    assert found is not None
    assert (found.received_data, found.first_hit) == (True, made.created - 7)


async def test_a_site_without_hits_from_before_begins_when_it_was_made(ledger: Ledger) -> None:
    made = await a_site(ledger, await a_person(ledger))
    await ledger.write(note_hits, made.id, made.created + 7)
    found = await ledger.read(site, made.id)
    assert found is not None
    assert (found.received_data, found.first_hit) == (True, made.created)


async def test_a_deleted_site_is_gone_at_once_and_its_hits_are_a_job(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    made = await a_site(ledger, ada, code="blog")
    await ledger.write(delete_site, made.id, 0)
    assert await ledger.read(site, made.id) is None
    assert await ledger.read(active_sites) == []
    assert await ledger.read(pending_jobs) == [(1, DeleteSite(made.id))]
    anew = await a_site(ledger, await again(ledger, ada), code="blog")
    assert anew.id > made.id
    assert anew.parent is None


async def test_the_first_site_of_an_account_goes_last(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first, second = await a_site(ledger, ada), await a_site(ledger, ada, "two.example.com")
    with pytest.raises(InputRefused, match=f"delete the others before it: {second.id}"):
        await ledger.write(delete_site, first.id, 0)
    assert await ledger.read(pending_jobs) == []
    await ledger.write(delete_site, second.id, 0)
    await ledger.write(delete_site, first.id, 0)
    assert (await again(ledger, ada)).site is None
    # With no site left that would lose its admin, the person may leave too.
    await ledger.write(delete_account, ada.id, ledger.clock())


@pytest.mark.parametrize("change", [(delete_site, 0), (update_site, SiteChanges(), 0)])
async def test_a_site_that_is_not_there_is_not_changed(ledger: Ledger, change: tuple[object, ...]) -> None:
    function, *rest = change
    assert callable(function)
    with pytest.raises(InputRefused, match="there is no site 12"):
        await ledger.write(function, 12, *rest)


async def test_nothing_that_is_kept_of_a_token_is_its_secret(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret = await a_token(ledger, ada)
    rows = await ledger.read(lambda session: list(session.connection.execute("SELECT * FROM token").fetchall()))
    assert secret not in str(rows)
    assert str(secret_digest(secret)) in str(rows)


async def test_a_domain_is_of_one_site_and_free_once_that_is_deleted(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first, second, third = [await a_site(ledger, ada, f"{name}.example.com") for name in ("one", "two", "three")]
    assert (first.domain, second.domain) == ("", "")
    changed = await ledger.write(update_site, second.id, SiteChanges(domain=" Example.COM. "), 1)
    assert changed.domain == "example.com"
    assert await ledger.read(site, second.id) == changed
    for taken in ("example.com", "one.example.com"):
        with pytest.raises(InvalidFields, match="domain: is the domain or a host of another site"):
            await ledger.write(update_site, third.id, SiteChanges(domain=taken), 2)
    own_host = await ledger.write(update_site, third.id, SiteChanges(domain="three.example.com"), 2)
    assert own_host.domain == "three.example.com"
    await ledger.write(delete_site, second.id, 3)
    made = await ledger.write(create_site, ada, NewSite(cname="four.example.com", domain="example.com"), 4)
    assert await ledger.read(site, made.id) == made


@pytest.mark.parametrize("same_account", [True, False])
async def test_names_by_which_another_site_is_found_are_taken(ledger: Ledger, *, same_account: bool) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    one = await a_site(ledger, ada, "one.example.com", "one")
    await ledger.write(remember_host, one.id, "kept.example.com", 0)
    await ledger.write(remember_host, one.id, "www.kept.example.net", 0)
    await ledger.write(update_site, one.id, SiteChanges(domain="example.com"), 1)
    await a_site(ledger, ada, "www.example.org", "org")
    two = await a_site(ledger, ada if same_account else ben, "two.example.com", "two")
    domains = ["example.com", "WWW.example.com", "one.example.com", "www.one.example.com", "example.org"]
    domains += ["www.example.org", "kept.example.com", "kept.example.net"]
    for domain in domains:
        with pytest.raises(InvalidFields) as refused:
            await ledger.write(update_site, two.id, SiteChanges(domain=domain), 2)
        assert refused.value.errors == {"domain": ["is the domain or a host of another site"]}, domain
    for cname in ("example.com", "www.example.com"):
        with pytest.raises(InvalidFields) as refused:
            await ledger.write(update_site, two.id, SiteChanges(cname=cname), 2)
        assert refused.value.errors == {"cname": ["already exists"]}, cname
        with pytest.raises(InvalidFields, match="cname: already exists"):
            await ledger.write(create_site, ada if same_account else ben, NewSite(cname=cname), 2)
    assert await ledger.read(site, two.id) == two
    free = SiteChanges(domain="example.net", cname="one.example.net")
    assert (await ledger.write(update_site, two.id, free, 3)).domain == "example.net"


async def test_a_site_can_be_served_under_its_own_domain(ledger: Ledger) -> None:
    one = await a_site(ledger, await a_person(ledger), "one.example.com")
    await ledger.write(remember_host, one.id, "example.com", 0)
    for changes in (
        SiteChanges(domain="one.example.com"),
        SiteChanges(domain="example.com"),
        SiteChanges(cname="example.com"),
        SiteChanges(cname="www.example.com"),
        SiteChanges(cname=None),
        SiteChanges(domain=""),
    ):
        one = await ledger.write(update_site, one.id, changes, 1)
    assert (one.domain, one.cname) == ("", None)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" WWW.Example.COM. ", "example.com"),
        ("www.com", "www.com"),
        ("www.www.example.com", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        (" ", ""),
    ],
)
async def test_a_domain_is_stored_as_it_is_compared(ledger: Ledger, typed: str, stored: str) -> None:
    ada = await a_person(ledger)
    assert (await ledger.write(create_site, ada, NewSite(domain=typed), 0)).domain == stored


@pytest.mark.parametrize("domain", ["blog", "\0.example.com", "exa mple.com", "x' OR 1=1 --.com", "a" * 300 + ".com"])
async def test_a_domain_is_a_host_name(ledger: Ledger, domain: str) -> None:
    ada = await a_person(ledger)
    with pytest.raises(InvalidFields, match="domain: must be"):
        await ledger.write(create_site, ada, NewSite(cname="one.example.com", domain=domain), 0)
