"""Annotations of the server: upgrades, lists of bots, changes of what is collected."""

import pytest
from msgspec.structs import replace

from support.people import a_person, a_site, elsewhere
from tallystick import __version__
from tallystick.ledger import Ledger
from tallystick.model.account import UserSettings
from tallystick.model.site import COLLECT, Collect, SiteSettings
from tallystick.model.site_changes import collection_change, rules_change
from tallystick.services.accounts.sites import SiteChanges, delete_site, update_site
from tallystick.services.analytics.kept.annotations import Annotations, AnnotationsAsked
from tallystick.services.versions import BOTS, PROGRAM, NoteVersions, Versions, note_versions, versions

MARCH = 1_773_100_800_000
"""2026-03-10, 00:00 UTC."""


async def texts(ledger: Ledger, site: int) -> list[tuple[str, str, str]]:
    found = await Annotations(ledger).visible(site, None, AnnotationsAsked())
    return [(each.kind, each.at, each.text) for each in found]


async def test_the_first_start_annotates_nothing_and_an_upgrade_every_active_site(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first, second, gone = [await a_site(ledger, ada, f"{name}.example.com") for name in ("a", "b", "c")]
    in_asia = SiteChanges(user_defaults=UserSettings(timezone="ID.Asia/Makassar"))
    await ledger.write(update_site, second.id, in_asia, MARCH)
    await ledger.write(delete_site, gone.id, MARCH)
    old = {PROGRAM: "1.0", BOTS: "5"}
    assert not await ledger.write(note_versions, old, MARCH)
    assert not await ledger.write(note_versions, old, MARCH)
    assert await texts(ledger, first.id) == []
    assert not await ledger.write(note_versions, {PROGRAM: "1.1", BOTS: "6"}, MARCH)
    assert await texts(ledger, first.id) == [
        ("upgrade", "2026-03-10 00:00", "Tallystick 1.1 runs here now; before it was 1.0."),
        (
            "bots",
            "2026-03-10 00:00",
            "The list of bots was updated from 5 to 6: it may recognize more hits than before.",
        ),
    ]
    assert {at for _, at, _ in await texts(ledger, second.id)} == {"2026-03-10 08:00"}
    assert await texts(ledger, gone.id) == []
    await ledger.write(note_versions, {PROGRAM: "1.1"}, MARCH)  # of the list nothing is known
    assert len(await texts(ledger, first.id)) == 2


async def test_two_servers_that_start_at_once_annotate_once(ledger: Ledger) -> None:
    site = await a_site(ledger, await a_person(ledger))
    await ledger.write(note_versions, {PROGRAM: "1.0"}, MARCH)
    await elsewhere(ledger, note_versions, {PROGRAM: "1.1"}, MARCH)
    assert not await ledger.write(note_versions, {PROGRAM: "1.1"}, MARCH)
    assert len(await texts(ledger, site.id)) == 1


async def test_a_server_notes_its_versions_once(ledger: Ledger) -> None:
    asked: list[Versions] = []

    def running() -> Versions:
        asked.append(found := versions())
        return found

    task = NoteVersions(ledger, running)
    await task.run()
    await task.run()
    assert [(each[PROGRAM], bool(each[BOTS])) for each in asked] == [(__version__, True)]
    seen = await ledger.read(lambda session: dict(session.common.seen_versions(session.connection)))
    assert seen == asked[0]


async def test_many_sites_are_annotated_some_at_a_time_each_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.services.versions.SITES_AT_ONCE", 2)
    ada = await a_person(ledger)
    sites = [await a_site(ledger, ada, f"site-{number}.example.com") for number in range(5)]
    for version, before in (("1.0", 0), ("1.1", 2), ("1.0", 2), ("1.1", 2)):
        task = NoteVersions(ledger, lambda found={PROGRAM: version}: found)  # type: ignore[misc]
        assert [await task.run() for _ in range(4)] == [True] * before + [False] * (4 - before)
    for site in sites:
        assert [text for _, _, text in await texts(ledger, site.id)] == [
            "Tallystick 1.1 runs here now; before it was 1.0.",
            "Tallystick 1.0 runs here now; before it was 1.1.",
            "Tallystick 1.1 runs here now; before it was 1.0.",
        ]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({}, {}, ""),
        ({}, {"data_retention": 31}, ""),
        ({}, {"collect": COLLECT & ~Collect.LOCATION & ~Collect.REGION}, "No longer collected: countries, regions."),
        ({}, {"collect": COLLECT | Collect.LANGUAGE}, "Collected from here on: languages."),
        (
            {"collect": int(Collect.REFERRER)},
            {"collect": int(Collect.SESSION)},
            "Collected from here on: sessions; No longer collected: referrers.",
        ),
        ({}, {"collect_props": False}, "No longer collected: properties of events."),
        ({}, {"collect_regions": ()}, "Regions are collected of all countries."),
        ({}, {"collect_regions": ("DE",)}, "Regions are collected of DE."),
    ],
)
def test_a_change_of_what_is_collected_is_told_in_plain_words(
    before: dict[str, object], after: dict[str, object], text: str
) -> None:
    settings = replace(SiteSettings(), **before)
    assert collection_change(settings, replace(settings, **after)) == text


async def test_a_change_of_what_is_collected_annotates_the_site(ledger: Ledger) -> None:
    site = await a_site(ledger, await a_person(ledger))
    await ledger.write(update_site, site.id, SiteChanges(settings={"data_retention": 31}), MARCH)
    assert await texts(ledger, site.id) == []
    changes = SiteChanges(settings={"collect": COLLECT & ~Collect.SCREEN_SIZE})
    await ledger.write(update_site, site.id, changes, MARCH)
    assert await texts(ledger, site.id) == [("collection", "2026-03-10 00:00", "No longer collected: screen sizes.")]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({}, {"ignore_paths": ("/admin/*",)}, "Left out from here on: path /admin/*."),
        (
            {"ignore_countries": ("NL", "DE")},
            {"ignore_countries": ("DE",), "ignore_hosts": ("test.example.com",), "ignore_campaigns": ("spring",)},
            "Left out from here on: host test.example.com, campaign spring; No longer left out: country NL.",
        ),
        ({}, {"ignore_ips": ("192.0.2.1", "192.0.2.2")}, "Left out from here on: a network."),
        ({"ignore_ips": ("192.0.2.1",)}, {}, ""),
    ],
)
async def test_rules_to_leave_out_annotate_the_site_without_its_networks(
    ledger: Ledger, before: dict[str, object], after: dict[str, object], text: str
) -> None:
    settings = replace(SiteSettings(), **before)
    assert rules_change(settings, replace(settings, **after)) == text
    site = await a_site(ledger, await a_person(ledger))
    await ledger.write(update_site, site.id, SiteChanges(settings=before), 0)
    told = await texts(ledger, site.id)
    await ledger.write(update_site, site.id, SiteChanges(settings=after), MARCH)
    new = (await texts(ledger, site.id))[len(told) :]
    assert new == ([("collection", "2026-03-10 00:00", text)] if text else [])
