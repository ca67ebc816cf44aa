"""What a site stores: every setting of the command line in the browser, with its consequences."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.asking import Answer
from support.rights import World, world
from tallystick.model.site import Collect, Site, SiteSettings
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.surfaces.dashboard.sites.collecting import COLLECTED

ALL = {
    "collect": [str(int(each.bit)) for each in COLLECTED],
    "collect_props": "on",
    "collect_regions": "US",
    "data_retention": "0",
}
OF_SETTINGS = (
    "settings collection left-out/rules privacy paths settings/goals settings/funnels segments views notes sharing"
)
DAY_MS = 86_400_000


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def path_of(everybody: World, page: str = "collection") -> str:
    return f"/sites/{everybody.sites['own'].id}/{page}"


async def send(everybody: World, **changed: Any) -> Answer:
    return await everybody.page("admin", "POST", path_of(everybody), ALL | changed)


async def kept(everybody: World) -> SiteSettings:
    site: Site | None = await everybody.analytics.services.ledger.read(read_site, everybody.sites["own"].id)
    assert site is not None
    return site.settings


async def test_settings_go_there_and_back(everybody: World) -> None:
    fields = {"collect": ["2", "64", "128"], "collect_regions": "nl de", "respect_gpc": "on", "respect_dnt": "on"}
    answer = await send(everybody, ignore_ips="192.0.2.1, 2001:db8::/32\n\n198.51.100.7", **fields)
    assert (answer.status, answer.headers["location"]) == (303, f"{path_of(everybody)}?done=changed")
    settings = await kept(everybody)
    assert settings.collect == Collect.REFERRER | Collect.LANGUAGE | Collect.SESSION
    assert settings.ignore_ips == ("192.0.2.1", "2001:db8::/32", "198.51.100.7")
    assert settings.collect_regions == ("NL", "DE")
    assert (settings.respect_gpc, settings.respect_dnt, settings.collect_props) == (True, True, True)
    shown = (await everybody.page("admin", "GET", path_of(everybody))).text
    assert "192.0.2.1\n2001:db8::/32\n198.51.100.7</textarea>" in shown
    assert len(re.findall(r'name="collect" value="\d+" aria-describedby="kept-\d+" checked', shown)) == 3
    told = (await everybody.page("admin", "GET", path_of(everybody, "collection.json"))).json()
    assert [name for name, on in told["collect"].items() if on] == ["referrer", "language", "session"]
    assert (told["ignore_ips"], told["respect_dnt"]) == (["192.0.2.1", "2001:db8::/32", "198.51.100.7"], True)


@pytest.mark.parametrize(
    ("who", "linked"),
    [
        ("reader", "settings privacy segments views notes"),
        ("settings", OF_SETTINGS),
        ("admin", f"{OF_SETTINGS} imports exports"),
    ],
)
async def test_pages_of_settings_are_linked_from_one_another(everybody: World, who: str, linked: str) -> None:
    for page in linked.split():
        shown = (await everybody.page(who, "GET", path_of(everybody, page))).text
        links = shown.split('class="tabs"')[1].split("</nav>")[0]
        tabs = re.findall(r'<a href="/sites/\d+/([\w/-]+)"( aria-current="page")?>', links)
        assert [name for name, _ in tabs] == linked.split()
        assert [name for name, current in tabs if current] == [page]


async def test_collecting_nothing_is_kept_as_nothing(everybody: World) -> None:
    assert (await send(everybody, collect=[])).status == 303
    assert (await kept(everybody)).collect == Collect.NOTHING


def test_every_flag_says_what_it_keeps_and_what_is_missing_without_it() -> None:
    assert sum(each.bit for each in COLLECTED) == 2 * Collect.HITS - 1 - Collect.NOTHING
    assert all(each.kept and each.without for each in COLLECTED)


async def test_ones_own_address_is_shown_to_leave_oneself_out(everybody: World) -> None:
    shown = (await everybody.page("admin", "GET", path_of(everybody))).text
    assert "Yours is <code>127.0.0.1</code> now" in shown


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"data_retention": "5"}, "Days that hits are kept must be 0, or 31 to 1825"),
        ({"data_retention": "some"}, "Days that hits are kept must be 0, or 31 to 1825"),
        ({"ignore_ips": "nowhere"}, "must be a valid IPv4 or IPv6 address"),
        ({"collect_regions": "Utopia"}, "must be country codes"),
    ],
)
async def test_what_makes_no_sense_is_shown_again(everybody: World, changed: dict[str, str], told: str) -> None:
    before = await kept(everybody)
    answer = await send(everybody, **changed)
    assert answer.status == 422
    assert told in answer.text
    assert await kept(everybody) == before


async def test_hits_are_deleted_only_when_it_is_confirmed(everybody: World) -> None:
    now = everybody.analytics.clock.now
    for days in (100, 40, 1):
        at = datetime.fromtimestamp((now - days * DAY_MS) / 1000, UTC).isoformat().replace("+00:00", "Z")
        hits = [{"path": "/old", "created_at": at}]
        answer = await everybody.analytics.api("POST", "/count", json={"no_sessions": True, "hits": hits})
        assert answer.status == 202, answer.text
    asked = await send(everybody, data_retention="60")
    assert asked.status == 422
    assert 'name="data_retention" type="text" value="60"' in asked.text
    assert (await kept(everybody)).data_retention == 0
    # What was imported is older and counts, too.
    assert doomed(await send(everybody, data_retention="31")) == doomed(asked) + 1
    assert 'name="delete" value="31"' in (await send(everybody, data_retention="31", delete="60")).text
    assert (await kept(everybody)).data_retention == 0
    assert (await send(everybody, data_retention="31", delete="31")).status == 303
    assert (await kept(everybody)).data_retention == 31
    shown = (await everybody.page("admin", "GET", path_of(everybody))).text
    assert "Now hits from before" in shown
    assert (await send(everybody, data_retention="90")).status == 303


def doomed(answer: Answer) -> int:
    found = re.search(r"<strong>(\d+) hits?</strong> from before", answer.text)
    assert found, answer.text
    return int(found[1])


async def test_every_setting_of_the_command_line_has_its_field(everybody: World) -> None:
    pages = [await everybody.page("admin", "GET", path_of(everybody, page)) for page in ("settings", "collection")]
    fields = set(re.findall(r'name="(\w+)"', "".join(page.text for page in pages)))
    elsewhere = {
        "ignore_countries",
        "ignore_paths",
        "ignore_hosts",
        "ignore_campaigns",
        "path_rules",
    }  # pages of their own
    assert set(SiteSettings.__struct_fields__) - elsewhere <= fields
    assert {"cname", "code", "domain", "link_domain", "timezone"} <= fields
    rules = (await everybody.page("admin", "GET", path_of(everybody, "left-out/rules"))).text
    assert all(f'value="{kind}"' in rules for kind in ("network", "country", "path", "host", "campaign"))
    assert (await everybody.page("admin", "GET", path_of(everybody, "paths/rules"))).status == 200


async def test_the_time_zone_of_a_site_is_that_of_its_statistics(everybody: World) -> None:
    fields = {"code": "main", "public": "private", "cname": "stats.example.com"}
    refused = await everybody.page("admin", "POST", path_of(everybody, "settings"), fields | {"timezone": "nowhere"})
    assert refused.status == 422
    changed = await everybody.page(
        "admin", "POST", path_of(everybody, "settings"), fields | {"timezone": "JP.Asia/Tokyo"}
    )
    assert changed.status == 303
    (event, *_) = await everybody.analytics.services.ledger.read(events)
    assert (event.kind, event.actor) == ("site changed", "admin@example.net")
    told = (await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}.json")).json()
    assert told["timezone"] == "Asia/Tokyo"


async def test_settings_as_data_have_no_secret(everybody: World) -> None:
    secret = "abcdefgh12"
    fields = {"code": "main", "public": "secret", "secret": secret, "cname": "stats.example.com", "timezone": ".UTC"}
    assert (await everybody.page("admin", "POST", path_of(everybody, "settings"), fields)).status == 303
    for person in ("admin", "reader"):
        answer = await everybody.page(person, "GET", path_of(everybody, "settings.json"))
        told = msgspec.json.decode(answer.body)
        assert (told["cname"], told["timezone"]) == ("stats.example.com", ".UTC")
        assert ("public" in told) == (person == "admin")
        assert secret not in answer.text
