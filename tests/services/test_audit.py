"""The log of administrative events: everything that changes rights is in it, with who did it."""

from builders import NOW
from support.people import a_person, a_site, a_token
from tallystick.ledger import Ledger
from tallystick.services.accounts import audit
from tallystick.services.accounts.accounts import delete_account, set_access, set_password
from tallystick.services.accounts.audit import HOUR_MS, EventKind, acting, done_by, events, note, note_refusal
from tallystick.services.accounts.site_hosts import release_host, remember_host
from tallystick.services.accounts.sites import SiteChanges, delete_site, update_site
from tallystick.services.accounts.tokens import all_tokens, delete_token, rotate_token


async def log_of(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    return [(e.kind, e.actor, e.subject, e.detail) for e in reversed(await ledger.read(events))]


async def test_what_people_do_is_noted_with_who_did_it(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    ben = await a_person(ledger, "ben@example.com", site.id)
    await a_token(ledger, ada)
    (token,) = await ledger.read(all_tokens)
    by_ada = (done_by, ada)
    await ledger.write(*by_ada, set_access, ben.id, {"all": "a", "1": "s"}, NOW)
    await ledger.write(*by_ada, set_password, ben.id, "digest", NOW)
    await ledger.write(*by_ada, rotate_token, token.id)
    await ledger.write(*by_ada, delete_token, token.id)
    await ledger.write(*by_ada, delete_account, ben.id, NOW)
    await ledger.write(done_by, "command line", delete_site, site.id, NOW)
    name = "token 1 “a script” of ada@example.com"
    assert await log_of(ledger) == [
        ("account created", "", "ada@example.com", "all: superuser"),
        ("site created", "", "site 1 stats.example.com", "of ada@example.com"),
        ("account created", "", "ben@example.com", "all: read"),
        ("token created", "", name, "count"),
        ("access changed", "ada@example.com", "ben@example.com", "all: read -> all: admin, 1: read and settings"),
        ("password changed", "ada@example.com", "ben@example.com", ""),
        ("token rotated", "ada@example.com", name, ""),
        ("token revoked", "ada@example.com", name, ""),
        ("account deleted", "ada@example.com", "ben@example.com", ""),
        ("site deleted", "command line", "site 1 stats.example.com", ""),
    ]


async def test_changes_of_a_site_are_noted_without_its_secret_and_addresses(ledger: Ledger) -> None:
    site = await a_site(ledger, await a_person(ledger))

    async def change(cname: str | None, **settings: object) -> None:
        changes = SiteChanges(cname=cname, settings=settings)
        await ledger.write(done_by, "ada@example.com", update_site, site.id, changes, NOW)

    await change("new.example.com", public="secret", secret="asecretofthesite", data_retention=90)
    await change("new.example.com", ignore_ips=("192.0.2.7",), respect_gpc=True, collect=6)
    await change("new.example.com", respect_gpc=True)  # is so already
    await change("new.example.com", data_retention=0)
    await ledger.write(remember_host, site.id, "old.example.com", NOW)
    assert await ledger.write(done_by, "command line", release_host, site.id, "old.example.com")
    assert not await ledger.write(release_host, site.id, "old.example.com")
    changed = [event for event in await log_of(ledger) if event[0] == "site changed"]
    subject = "site 1 new.example.com"
    assert changed == [
        (
            *("site changed", "ada@example.com", subject),
            "cname stats.example.com -> new.example.com, public private -> secret, secret, data_retention 0 -> 90",
        ),
        ("site changed", "ada@example.com", subject, "ignore_ips, collect, respect_gpc off -> on"),
        ("site changed", "ada@example.com", subject, "data_retention 90 -> 0"),
        ("site changed", "command line", "site 1", "host old.example.com released"),
    ]


async def test_what_is_refused_is_not_noted(ledger: Ledger) -> None:
    assert not await ledger.write(delete_token, 7)
    assert await log_of(ledger) == []


async def test_refused_logins_of_an_hour_are_one_line(ledger: Ledger) -> None:
    for minutes in range(90):
        for email in ("", "ada@example.com"):
            await ledger.write(note_refusal, EventKind.LOGIN_REFUSED, NOW + minutes * 60_000, email)
    found = [(event.subject, event.at, event.times) for event in await ledger.read(events)]
    assert sorted(found) == [
        ("", NOW, 61),
        ("", NOW + HOUR_MS + 60_000, 29),
        ("ada@example.com", NOW, 61),
        ("ada@example.com", NOW + HOUR_MS + 60_000, 29),
    ]


async def test_the_log_has_pages(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.write(note, EventKind.RESTORED, NOW, str(number))
    newest = await ledger.read(events, 2**53, 2)
    assert [event.subject for event in newest] == ["4", "3"]
    assert [event.subject for event in await ledger.read(events, newest[-1].id, 9)] == ["2", "1", "0"]


def test_who_acts_ends_with_the_block() -> None:
    with acting("ada@example.com"):
        assert audit._acting.get() == "ada@example.com"  # noqa: SLF001
    assert audit._acting.get() == ""  # noqa: SLF001
