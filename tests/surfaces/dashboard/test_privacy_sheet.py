"""The privacy sheet of a site says what its settings and the server really do."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from support.rights import World, world
from tallystick.model.account import UserSettings
from tallystick.model.site import COLLECT, Collect, SiteSettings
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.operating.backups import BackupNote, note_backup
from tallystick.surfaces.dashboard.sites.privacy import KEYS_KEPT_HOURS
from tallystick.warehouse.duckdb.sessions import KEYS_KEPT_S

ALL = COLLECT | Collect.LANGUAGE


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def sheet(everybody: World, **settings: Any) -> tuple[Any, str]:
    """The sheet as data and as text, after a change of the settings."""
    number = everybody.sites["own"].id
    changes = SiteChanges(settings=settings)
    await everybody.analytics.services.ledger.write(update_site, number, changes, everybody.analytics.clock())
    data = await everybody.page("reader", "GET", f"/sites/{number}/privacy.json")
    page = await everybody.page("reader", "GET", f"/sites/{number}/privacy")
    assert (data.status, page.status) == (200, 200)
    text = re.sub(r"<[^>]+>", "", page.text.partition("<main")[2].partition("</main>")[0])
    return data.json(), " ".join(text.split())


async def test_times_on_it_are_in_the_zone_of_the_site(everybody: World) -> None:
    assert (await sheet(everybody))[0]["timezone"] == "UTC"
    changes = SiteChanges(user_defaults=UserSettings(timezone="NP.Asia/Kathmandu"))
    ledger, clock = everybody.analytics.services.ledger, everybody.analytics.clock
    await ledger.write(update_site, everybody.sites["own"].id, changes, clock())
    facts, text = await sheet(everybody)
    assert facts["timezone"] == "Asia/Kathmandu"
    assert "+0545. Tallystick" in text
    assert "Times on this sheet are in the site\u2019s time zone, Asia/Kathmandu." in text


@pytest.mark.parametrize(
    ("changed", "fact", "told"),
    [
        ({"collect": ALL & ~Collect.REFERRER}, lambda facts: facts["stored"]["referrer"], "the page that led here"),
        ({"collect": ALL & ~Collect.USER_AGENT}, lambda facts: facts["stored"]["user_agent"], "kind of device"),
        ({"collect": ALL & ~Collect.SCREEN_SIZE}, lambda facts: facts["stored"]["screen_size"], "width in pixels"),
        ({"collect": ALL & ~Collect.REGION}, lambda facts: facts["regions"], "Regions are stored of visitors from"),
        ({"collect_regions": ("NL",)}, lambda facts: facts["regions"], "United States, Russia and China"),
        ({"path_rules": ()}, lambda facts: facts["path_rules"], "1 rule of this site shortens paths"),
        ({"collect": ALL & ~Collect.LANGUAGE}, lambda facts: facts["stored"]["language"], "that the browser prefers"),
        ({"collect": ALL & ~Collect.SESSION}, lambda facts: facts["visits"], "replaced every 8 hours"),
        ({"collect": ALL & ~Collect.HITS}, lambda facts: facts["visit_numbers"], "the time to the second"),
        ({"collect_props": False}, lambda facts: facts["stored"]["props"], "properties that this website sends along"),
        ({"data_retention": 90}, lambda facts: facts["retention_days"], "Hits are kept for good."),
        ({"respect_gpc": True}, lambda facts: facts["respects_gpc"], "Global Privacy Control is not looked at."),
        ({"respect_dnt": True}, lambda facts: facts["respects_dnt"], "Do Not Track is not looked at."),
        ({"ignore_ips": ("192.0.2.7",)}, lambda facts: facts["left_out"]["networks"], "networks 0,"),
        ({"ignore_countries": ("NL",)}, lambda facts: facts["left_out"]["countries"], "countries 0,"),
        ({"ignore_paths": ("/a/*",)}, lambda facts: facts["left_out"]["paths"], "paths 0,"),
        ({"ignore_hosts": ("x.example.com",)}, lambda facts: facts["left_out"]["hosts"], "hosts 0,"),
        ({"ignore_campaigns": ("spring",)}, lambda facts: facts["left_out"]["campaigns"], "campaigns 0."),
        ({"public": "public"}, lambda facts: facts["readers"], "with an account that may see this site."),
        ({"allow_counter": True}, lambda facts: facts["visitor_counter"], "The visitor counter is off."),
        ({"allow_bosmang": True}, lambda facts: facts["operator_reads"], "may not see them. Who has"),
        ({"allow_embed": ("https://a.example",)}, lambda facts: facts["frames"], "0 websites may show them"),
    ],
)
async def test_each_setting_changes_the_sheet(
    everybody: World, changed: dict[str, Any], fact: Callable[[Any], Any], told: str
) -> None:
    usual: dict[str, Any] = {name: getattr(SiteSettings(), name) for name in SiteSettings.__struct_fields__}
    before, text_before = await sheet(everybody, **usual | {"collect": int(ALL), "path_rules": ("/orders/*",)})
    after, text_after = await sheet(everybody, **changed)
    assert fact(before) != fact(after)
    assert told in text_before
    assert told not in text_after


async def test_places_are_looked_up_only_where_they_are_needed(everybody: World) -> None:
    facts, text = await sheet(everybody, collect=int(ALL & ~Collect.REGION & ~Collect.LOCATION))
    assert facts["places"] == "nothing"
    assert "Is not looked up." in text
    facts, text = await sheet(everybody, ignore_countries=("NL",))
    assert facts["places"] == "built in"
    assert "a table that comes with the program" in text


async def test_links_and_backups_of_the_server_are_told(everybody: World, tmp_path: Path) -> None:
    facts, text = await sheet(everybody)
    assert (facts["shared_links"], facts["backup"]) == (1, None)
    assert "1 shared link is valid." in text
    assert "No backup of the server is known to it." in text
    await asyncio.to_thread(note_backup, tmp_path, BackupNote(everybody.analytics.clock(), 1_000, hits=True))
    facts, text = await sheet(everybody)
    assert facts["backup"]["hits"]
    assert "The last backup of the server is of" in text


async def test_the_text_for_a_policy_has_what_is_stored(everybody: World) -> None:
    _, text = await sheet(everybody, collect=int(Collect.NOTHING), collect_props=False, data_retention=31)
    policy = text.partition("A text for your privacy policy")[2]
    assert "the following is stored: address and title of the page and the hour." in policy
    assert "The data is deleted after 31 days." in policy
    assert "random key" not in policy


def test_the_hash_is_kept_as_long_as_the_sheet_says() -> None:
    assert KEYS_KEPT_HOURS * 3_600 == KEYS_KEPT_S
