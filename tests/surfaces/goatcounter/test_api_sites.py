"""``/me`` and ``/sites``: their shapes, what may be written in which form, and whom it reaches."""

from functools import partial
from typing import Any

import pytest
from msgspec.json import encode

from support.analytics import EMAIL, HOST, Analytics, prepare
from support.asking import Answer
from tallystick.ledger import Session
from tallystick.model.account import CONTRACT_SETTINGS, Access, Permission
from tallystick.model.site import COLLECT, SiteSettings
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import SiteChanges, update_site

STAMP = "2027-01-15T08:00:00Z"
"""``builders.NOW``."""

SETTINGS = {
    "public": "private",
    "secret": "",
    "allow_counter": False,
    "allow_bosmang": False,
    "data_retention": 0,
    "ignore_ips": "",
    "collect": COLLECT,
    "collect_regions": "US,RU,CN",
    "allow_embed": "",
    "respect_gpc": False,
    "respect_dnt": False,
    "collect_props": True,
}


async def test_me_tells_the_account_and_the_token(analytics: Analytics) -> None:
    answer = await analytics.api("GET", "/me?unknown=ignored")
    assert answer.status == 200
    told = answer.json()
    assert list(told["user"]) == [
        "id",
        "site",
        "email",
        "email_verified",
        "totp_enabled",
        "access",
        "login_at",
        "open_at",
        "reset_at",
        "settings",
        "last_report_at",
        "created_at",
        "updated_at",
    ]
    assert told["user"] | {"settings": None, "updated_at": None} == {
        "id": 1,
        "site": 1,
        "email": EMAIL,
        "email_verified": False,
        "totp_enabled": False,
        "access": {"all": "*"},
        "login_at": None,
        "open_at": None,
        "reset_at": None,
        "settings": None,
        "last_report_at": STAMP,
        "created_at": STAMP,
        "updated_at": None,
    }
    assert list(told["user"]["settings"]) == list(CONTRACT_SETTINGS)
    assert told["user"]["settings"]["number_format"] == 8239
    assert told["token"] == {"name": "test", "permissions": 510, "sites": [-1]}
    assert answer.text.startswith('{\n  "user": {\n    "id": 1,\n')
    assert answer.text.endswith("\n  }\n}\n")


async def test_me_tells_the_sites_of_a_token(analytics: Analytics) -> None:
    token = await analytics.new_token(Permission.COUNT, sites=(1,))
    told = (await analytics.api("GET", "/me", token=token)).json()["token"]
    assert told == {"name": "test", "permissions": 2, "sites": [1]}


async def test_a_site_has_the_contracts_fields_in_their_order(analytics: Analytics) -> None:
    told = (await analytics.api("GET", "/sites/1")).json()
    assert told | {"user_defaults": None, "code": ""} == {
        "id": 1,
        "parent": None,
        "cname": HOST,
        "cname_setup_at": STAMP,
        "code": "",
        "link_domain": "",
        "setttings": SETTINGS,
        "user_defaults": None,
        "received_data": False,
        "state": "a",
        "created_at": STAMP,
        "updated_at": None,
        "first_hit_at": STAMP,
    }
    assert list(told["user_defaults"]) == list(CONTRACT_SETTINGS)
    assert list(told)[6] == "setttings"


async def test_a_site_tells_that_it_has_hits(analytics: Analytics) -> None:
    await analytics.pixel(p="/a")
    assert (await analytics.api("GET", "/sites/1")).json()["received_data"] is True


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_domain_is_neither_told_nor_changed(analytics: Analytics, method: str) -> None:
    before = (await analytics.api("GET", "/sites/1")).json()
    await analytics.services.ledger.write(update_site, 1, SiteChanges(domain="example.com"), 0)
    assert (await analytics.api("GET", "/sites/1")).json().keys() == before.keys()
    sent = {"cname": HOST, "code": before["code"], "link_domain": "", "settings": {}}
    assert (await analytics.api(method, "/sites/1", json=sent)).json().keys() == before.keys()
    assert (await analytics.services.sites.named("example.com")).id == 1
    taken = await create(analytics, cname="www.example.com")
    assert (taken.status, taken.json()) == (400, {"errors": {"cname": ["already exists"]}})


async def create(analytics: Analytics, **site: Any) -> Answer:
    return await analytics.api("PUT", "/sites", json=site)


async def test_new_sites_are_children_of_the_first_and_listed_by_code(analytics: Analytics) -> None:
    for code in ("zebra", "ant"):
        made = await create(analytics, cname=f"{code}.example.com", code=code, link_domain="www.example.com")
        assert (made.status, made.json()["parent"], made.json()["code"]) == (200, 1, code)
    sites = (await analytics.api("GET", "/sites/?unknown=ignored")).json()["sites"]
    assert [site["id"] for site in sites] == [1, 3, 2]
    assert (await analytics.api("GET", "/sites/3")).json() == sites[1]


async def test_a_child_reaches_only_itself(analytics: Analytics) -> None:
    await create(analytics, cname="other.example.com")
    other = {"host": "other.example.com"}
    sites = (await analytics.api("GET", "/sites", headers=other)).json()["sites"]
    assert [site["id"] for site in sites] == [2]
    assert (await analytics.api("GET", "/sites/1", headers=other)).status == 404


async def test_a_token_for_one_site_reaches_only_it(analytics: Analytics) -> None:
    await create(analytics, cname="other.example.com")
    token = await analytics.new_token(sites=(1,))
    sites = (await analytics.api("GET", "/sites", token=token)).json()["sites"]
    assert [site["id"] for site in sites] == [1]
    for method in ("GET", "PATCH", "POST"):
        answer = await analytics.api(method, "/sites/2", token=token)
        assert (answer.status, answer.json()) == (404, {"error": "not found"})


async def test_anyone_elses_site_is_not_found(analytics: Analytics) -> None:
    prepare(analytics.running.data, host="stranger.example.org", email="stranger@example.org")
    analytics.services.sites.invalidate()  # another process did it
    for method in ("GET", "PATCH", "POST"):
        assert (await analytics.api(method, "/sites/2")).status == 404
        assert (await analytics.api(method, "/sites/99")).status == 404


async def test_a_site_is_named_by_a_number(analytics: Analytics) -> None:
    for method in ["GET", "PATCH", "POST"]:
        for number in ["x", "1.5", "9" * 30]:
            answer = await analytics.api(method, f"/sites/{number}")
            assert (answer.status, answer.json()) == (400, {"errors": {"id": ["must be a whole number"]}}), (
                method,
                number,
            )


FORMS = [
    # what is sent in settings, what is told then
    ({"public": True}, {"public": "public"}),
    ({"public": False}, {"public": "private"}),
    ({"public": "secret", "secret": "abcdefgh1"}, {"public": "secret", "secret": "abcdefgh1"}),
    ({"ignore_ips": "192.0.2.1, 2001:db8::1"}, {"ignore_ips": "192.0.2.1,2001:db8::1"}),
    ({"ignore_ips": ["192.0.2.1", " 192.0.2.0/24 "]}, {"ignore_ips": "192.0.2.1,192.0.2.0/24"}),
    ({"ignore_ips": []}, {"ignore_ips": ""}),
    ({"collect_regions": "nl, de"}, {"collect_regions": "NL,DE"}),
    ({"collect_regions": ["US"]}, {"collect_regions": "US"}),
    ({"collect_regions": ""}, {"collect_regions": ""}),
    ({"allow_embed": ["https://example.com"]}, {"allow_embed": "https://example.com"}),
    ({"collect": 2}, {"collect": 2}),
    ({"collect": 32}, {"collect": 48}),
    ({"collect": None, "public": None}, {}),
    ({"data_retention": 31}, {"data_retention": 31}),
    ({"allow_counter": True, "campaigns": ["x"]}, {"allow_counter": True}),
    ({"respect_gpc": True, "respect_dnt": True}, {"respect_gpc": True, "respect_dnt": True}),
]


@pytest.mark.parametrize(("sent", "told"), FORMS, ids=str)
@pytest.mark.parametrize("spelling", ["settings", "setttings"])
async def test_settings_are_understood_in_every_form_and_told_in_one(
    analytics: Analytics, sent: dict[str, Any], told: dict[str, Any], spelling: str
) -> None:
    answer = await analytics.api("PATCH", "/sites/1", json={spelling: sent})
    assert (answer.status, answer.json()["setttings"]) == (200, SETTINGS | told)
    assert (await analytics.api("GET", "/sites/1")).json() == answer.json()


async def test_patch_changes_only_what_is_sent(analytics: Analytics) -> None:
    sent = {"link_domain": "www.example.com", "settings": {"allow_counter": True, "collect": 2}}
    before = (await analytics.api("PATCH", "/sites/1", json=sent)).json()
    after = (await analytics.api("PATCH", "/sites/1", json={"settings": {"data_retention": 60}})).json()
    assert after == before | {"setttings": before["setttings"] | {"data_retention": 60}}
    cleared = (await analytics.api("PATCH", "/sites/1", json={"link_domain": "", "cname": None})).json()
    assert (cleared["link_domain"], cleared["cname"], cleared["cname_setup_at"]) == ("", None, None)


async def test_post_replaces_what_is_not_sent(analytics: Analytics) -> None:
    await analytics.api("PATCH", "/sites/1", json={"link_domain": "x.example.com", "settings": {"allow_counter": True}})
    replaced = (await analytics.api("POST", "/sites/1", json={"settings": {"collect": 2}})).json()
    assert (replaced["cname"], replaced["link_domain"]) == (None, "")
    assert replaced["setttings"] == SETTINGS | {"collect": 2}
    named = (await analytics.api("POST", "/sites/1", json={"cname": "NEW.example.com", "settings": {}})).json()
    assert (named["cname"], named["setttings"]) == ("new.example.com", SETTINGS)


async def test_rules_that_clients_do_not_know_are_neither_told_nor_lost(analytics: Analytics) -> None:
    await analytics.change_site(
        ignore_paths=("/admin/*",),
        ignore_hosts=("test.example.com",),
        ignore_countries=("US",),
        ignore_campaigns=("spring",),
    )
    assert (await analytics.api("GET", "/sites/1")).json()["setttings"] == SETTINGS
    for method in ("POST", "PATCH"):
        await analytics.api(method, "/sites/1", json={"settings": {"collect": 2}})
    (site,) = await analytics.services.ledger.read(active_sites)
    kept = site.settings
    assert (kept.ignore_paths, kept.ignore_hosts, kept.ignore_countries, kept.ignore_campaigns) == (
        ("/admin/*",),
        ("test.example.com",),
        ("US",),
        ("spring",),
    )


async def test_a_change_is_heeded_by_the_next_hit(analytics: Analytics) -> None:
    assert (await analytics.pixel(p="/a")).status == 200
    await analytics.api("PATCH", "/sites/1", json={"settings": {"ignore_ips": "192.0.2.1"}})
    assert (await analytics.pixel(p="/a")).status == 202


async def test_what_was_got_may_be_sent_back(analytics: Analytics) -> None:
    site = (await analytics.api("GET", "/sites/1")).json()
    for method in ("PATCH", "POST"):
        answer = await analytics.api(method, "/sites/1", json=site)
        assert answer.status == 200
        assert answer.json() | {"updated_at": None} == site


async def test_fields_of_2021_are_accepted(analytics: Analytics) -> None:
    gone = ("plan", "plan_pending", "stripe", "plan_cancel_at", "billing_amount", "extra_pageviews", "billing_anchor")
    defaults = {
        "number_format": "\u202f",
        "timezone": {"CountryCode": "ID", "Zone": "Asia/Makassar", "Abbr": ["WITA"], "CountryName": "", "Comments": ""},
        "views": [{"name": "default", "filter": "", "daily": True, "period": "week-cur"}],
    }
    answer = await analytics.api(
        "PATCH", "/sites/1", json={**dict.fromkeys(gone, "x"), "id": 7, "user_defaults": defaults}
    )
    assert answer.status == 200
    told = answer.json()["user_defaults"]
    assert (answer.json()["id"], told["number_format"], told["timezone"]) == (1, 8239, "ID.Asia/Makassar")
    assert told["views"] == [{"name": "default", "filter": "", "group": 1, "period": "week"}]


@pytest.mark.parametrize(("sent", "told"), [("46", 46), ("1", 1), (44, 44), (".", 46)])
async def test_a_thousands_separator_is_a_number_or_a_character(analytics: Analytics, sent: Any, told: int) -> None:
    answer = await analytics.api("PATCH", "/sites/1", json={"user_defaults": {"number_format": sent}})
    assert answer.json()["user_defaults"]["number_format"] == told


@pytest.mark.parametrize("sent", [{"number_format": ""}, {"number_format": "ab"}, {"timezone": 5}], ids=str)
async def test_how_newcomers_see_things_has_a_shape(analytics: Analytics, sent: dict[str, Any]) -> None:
    answer = await analytics.api("PATCH", "/sites/1", json={"user_defaults": sent})
    assert (answer.status, answer.json()["error"][:28]) == (400, "invalid JSON: user_defaults:")


async def test_a_time_zone_has_to_exist(analytics: Analytics) -> None:
    refused = {"errors": {"user_defaults.timezone": ["must be a time zone such as DE.Europe/Berlin, or .UTC"]}}
    for zone in (".Nowhere", "Factory", ".Factory", ".posixrules", ".right/UTC", "DE.Europe", ".europe/berlin"):
        answer = await analytics.api("PATCH", "/sites/1", json={"user_defaults": {"timezone": zone}})
        assert (answer.status, answer.json()) == (400, refused), zone
    for zone in ("DE.Europe/Berlin", ".UTC", ".EST5EDT", "", "."):
        answer = await analytics.api("PATCH", "/sites/1", json={"user_defaults": {"timezone": zone}})
        assert (answer.status, answer.json()["user_defaults"]["timezone"]) == (200, zone)


WRONG: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    # what is sent, field -> messages
    ({"code": "a"}, {"code": ["must be longer than 2 characters"]}),
    ({"code": "a.b"}, {"code": ["cannot contain '.'"]}),
    ({"code": "www"}, {"code": ["cannot be ‘www’"]}),  # noqa: RUF001
    ({"code": "€€"}, {"code": ["must be a valid hostname: invalid character: '€'"]}),
    ({"cname": "nodots"}, {"cname": ["must be a fully qualified domain name, such as stats.example.com"]}),
    ({"cname": HOST}, {"cname": ["already exists"]}),
    ({"settings": {"public": "x"}}, {"settings.public": ["must be one of ‘private, secret, public’"]}),  # noqa: RUF001
    ({"settings": {"public": "secret"}}, {"settings.secret": ["must be 8 to 40 letters and digits"]}),
    ({"settings": {"data_retention": 7}}, {"settings.data_retention": ["must be 0, or 31 to 1825"]}),
    ({"settings": {"ignore_ips": "x"}}, {"settings.ignore_ips": ["must be a valid IPv4 or IPv6 address"]}),
    ({"settings": {"collect": 2**70}}, {"settings.collect": ["must be a sum of the bits 1 to 256"]}),
    ({"settings": {"collect": -1}}, {"settings.collect": ["must be a sum of the bits 1 to 256"]}),
    ({"settings": {"allow_embed": "*"}}, {"settings.allow_embed": ["'*' is not allowed"]}),
    ({"user_defaults": {"number_format": 0}}, {"user_defaults.number_format": ["must be 1 to 1114111"]}),
    ({"user_defaults": {"email_reports": 2**70}}, {"user_defaults.email_reports": ["must be 0 to 4"]}),
]


async def test_what_cannot_be_is_told_by_field(analytics: Analytics) -> None:
    for sent, errors in WRONG:
        answer = await create(analytics, **{"cname": "other.example.com", **sent})
        assert (answer.status, answer.json()) == (400, {"errors": errors}), (sent, errors)
        assert len((await analytics.api("GET", "/sites")).json()["sites"]) == 1, (sent, errors)


MALFORMED = [
    # body, error
    ({"name": "x"}, 'unknown parameter: "name"'),
    ({"settings": {"colour": "x"}}, 'unknown parameter: "colour"'),
    ({"user_defaults": {"colour": "x"}}, 'unknown parameter: "colour"'),
    ({"user_defaults": {"twelve_hours": True}}, 'unknown parameter: "twelve_hours"'),
    ({"cname": 1}, "invalid JSON: "),
    ({"settings": {"collect": "all"}}, "invalid JSON: "),
    ({"user_defaults": {"number_format": []}}, "invalid JSON: user_defaults: "),
    ({"user_defaults": {"views": {}}}, "invalid JSON: user_defaults: "),
    (b"{", "invalid JSON: "),
]


async def test_what_is_no_site_is_refused(analytics: Analytics) -> None:
    for body, error in MALFORMED:
        for method, path in [("PUT", "/sites"), ("PATCH", "/sites/1"), ("POST", "/sites/1")]:
            answer = await analytics.api(method, path, json=body)
            assert answer.status == 400, (body, error, method, path)
            assert answer.json()["error"][: len(error)] == error, (body, error, method, path)


async def test_an_empty_body_is_a_site_of_defaults(analytics: Analytics) -> None:
    answer = await analytics.api("PUT", "/sites")
    assert (answer.status, answer.json()["cname"], answer.json()["setttings"]) == (200, None, SETTINGS)
    assert answer.json()["code"].startswith("serve-")


async def test_nobody_deletes_a_site_through_the_api(analytics: Analytics) -> None:
    assert (await analytics.api("DELETE", "/sites/1")).status == 405


def test_the_settings_here_are_the_models() -> None:
    rules = {"ignore_countries", "ignore_paths", "ignore_hosts", "ignore_campaigns", "path_rules"}
    assert list(SETTINGS) == [name for name in SiteSettings.__struct_fields__ if name not in rules]


async def test_who_may_create_sites_is_one_rule_for_tokens_too(analytics: Analytics) -> None:
    limited = await analytics.new_token(sites=(1,))
    answer = await analytics.api("PUT", "/sites", json={"cname": "two.example.com"}, token=limited)
    assert (answer.status, answer.json()["error"]) == (
        403,
        "this token is limited to some sites and cannot create others",
    )
    owner = analytics.prepared.account.id
    accesses: list[dict[str, Access]] = [{"1": "a"}, {"all": "r", "1": "a"}]
    for access in accesses:
        await analytics.services.ledger.write(partial(_set_access, owner=owner, access=access))
        answer = await analytics.api("PUT", "/sites", json={"cname": "two.example.com"})
        assert answer.status == 403
        assert answer.json()["error"].startswith("only admins of all sites of an account can create sites")
    assert len(await analytics.services.ledger.read(active_sites)) == 1


def _set_access(session: Session, owner: int, access: dict[str, Access]) -> None:
    session.common.set_access(session.connection, id=owner, site=1, access=encode(access).decode(), updated=0)


async def test_a_second_site_waits_for_the_firsts_host(analytics: Analytics) -> None:
    await analytics.api("PATCH", "/sites/1", json={"cname": None})
    answer = await analytics.api("PUT", "/sites", json={"cname": "two.example.com"})
    assert answer.status == 400
    assert answer.json()["error"].startswith("site 1 has no host yet")
