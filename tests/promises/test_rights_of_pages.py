"""Who may see which page and send which form. The rows are held against the routes themselves."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from support.rights import (
    COLLEAGUES,
    FROZEN_COUNTER,
    GUEST,
    INVITE,
    MISSING,
    PASSWORD,
    PEOPLE,
    PLAIN,
    PUBLIC,
    RESERVED,
    STRANGERS,
    World,
    address_of,
    names_of_pages,
    page_routes,
    settled,
    world,
)

LOGGED_IN = frozenset(PEOPLE)
EVERYONE = frozenset({GUEST, *PEOPLE})
NOT_FOR_ANYONE: frozenset[str] = frozenset()
READERS = frozenset({"superuser", "admin", "site admin", "settings", "reader"})
SETTERS = READERS - {"reader"}
ADMINS = SETTERS - {"settings"}
OWNER = frozenset({"counters only"})
"""Of the shared counter, and of a public one."""
SUPERUSERS = frozenset({"superuser"})
MANAGERS = frozenset({"superuser", "admin"})
"""Of the first site's account."""

SITE = {"code": "main", "public": "private", "timezone": ".UTC", "cname": "stats.example.com"}
PREFERENCES = {
    "timezone": "DE.Europe/Berlin",
    "number_format": "46",
    "date_format": "2006-01-02",
    "language": "de",
    "theme": "dark",
}
KEPT_HOST = "kept.example.com"
Fields = Callable[[World], Mapping[str, Any]]


class Form(NamedTuple):
    """One form.

    Attributes:
        who: may send it about the first account.
        fields: what is filled in, about something of the first account.
        foreign: the same about something of another account, and about nothing that exists; nobody may.
    """

    who: frozenset[str]
    fields: Fields
    foreign: tuple[Fields, ...] = ()


def about(person: str, **fields: Any) -> Fields:
    """Fields of a form about a person."""
    return lambda everybody: {"id": everybody.people[person].account.id, **fields}


def others(**fields: Any) -> tuple[Fields, ...]:
    """The same about people of other accounts, and about nobody."""
    return about("foreign admin", **fields), about("counters only", **fields), lambda _: {"id": MISSING, **fields}


def removals_of_others() -> tuple[Fields, ...]:
    """Forms that remove people of other accounts, with their addresses typed to confirm it."""
    strangers = tuple(about(name, confirm=address_of(name)) for name in STRANGERS)
    return (*strangers, filled(id=MISSING, confirm=""))


def filled(**fields: Any) -> Fields:
    """The same fields for everything."""
    return lambda _: fields


def member_of_counter(**further: str) -> Fields:
    """Fields about a member of the shared counter."""
    return lambda everybody: {"id": everybody.member_uid, **further}


def segment_of(site: str, **further: str) -> Fields:
    """The fields of a form about the segment of a site."""
    return lambda everybody: {"id": everybody.segments[site].id, **further}


def view_of(site: str, **further: str) -> Fields:
    """The fields of a form about the saved view of a site."""
    return lambda everybody: {"id": everybody.views[site].id, **further}


def export_of(site: str) -> Fields:
    """The fields of a form about the export of a site."""
    return lambda everybody: {"id": everybody.exports[site].id}


def invite_of(whose: str) -> Fields:
    """Fields about an open invite to the sites of an account, or to the server."""
    return lambda everybody: {"id": everybody.access_invites[whose]}


def link_of(site: str) -> Fields:
    """The fields that withdraw the shared link of a site."""

    def fields(everybody: World) -> Mapping[str, Any]:
        link, _ = everybody.links[site]
        return {"id": link.id, "confirm": link.name}

    return fields


PAGES: Mapping[str, frozenset[str]] = {
    "/": EVERYONE,
    "/index.json": EVERYONE,
    "/docs": EVERYONE,
    "/docs/": EVERYONE,
    "/docs.json": EVERYONE,
    "/docs/{topic}": EVERYONE,
    "/docs/{topic}.json": EVERYONE,
    "/setup": EVERYONE,
    "/login": EVERYONE,
    "/login/code": EVERYONE,
    "/logout": EVERYONE,
    "/user": LOGGED_IN,
    "/user.json": LOGGED_IN,
    "/user/name": LOGGED_IN,
    "/user/password": LOGGED_IN,
    "/user/logins": LOGGED_IN,
    "/user/preferences": LOGGED_IN,
    "/user/preferences.json": LOGGED_IN,
    "/user/two-factor": LOGGED_IN,
    "/user/two-factor.json": LOGGED_IN,
    "/user/two-factor/on": LOGGED_IN,
    "/user/two-factor/off": LOGGED_IN,
    "/user/two-factor/codes": LOGGED_IN,
    "/user/tokens": LOGGED_IN,
    "/user/tokens.json": LOGGED_IN,
    "/user/tokens/delete": LOGGED_IN,
    "/sites": LOGGED_IN,
    "/sites.json": LOGGED_IN,
    "/sites/{site}": READERS,
    "/sites/{site}/page": READERS,
    "/sites/{site}/page.json": READERS,
    "/sites/{site}/page.csv": READERS,
    "/sites/{site}/week": READERS,
    "/sites/{site}/week.json": READERS,
    "/sites/{site}/week.csv": READERS,
    "/sites/{site}/values.json": READERS,
    "/sites/{site}/funnels": READERS,
    "/sites/{site}/funnels.json": READERS,
    "/sites/{site}/funnels.csv": READERS,
    "/sites/{site}/{listing}": READERS,
    "/sites/{site}/badge": READERS,
    "/sites/{site}/badge.json": READERS,
    "/sites/{site}/install": SETTERS,
    "/sites/{site}/install.json": SETTERS,
    "/sites/{site}/live": READERS,
    "/sites/{site}/now": READERS,
    "/sites/{site}/now.json": READERS,
    "/sites/{site}/now.csv": READERS,
    "/sites/{site}/settings": READERS,
    "/sites/{site}/settings.json": READERS,
    "/sites/{site}/privacy": READERS,
    "/sites/{site}/privacy.json": READERS,
    "/sites/{site}/collection": SETTERS,
    "/sites/{site}/collection.json": SETTERS,
    "/sites/{site}/settings/hosts": READERS,
    "/sites/{site}/delete": READERS - {"site admin"},
    "/sites/{site}/pin": READERS,
    "/sites/{site}/left-out": READERS,
    "/sites/{site}/left-out.json": READERS,
    "/sites/{site}/left-out.csv": READERS,
    "/sites/{site}/left-out/count": SETTERS,
    "/sites/{site}/left-out/count.json": SETTERS,
    "/sites/{site}/left-out/mark": SETTERS,
    "/sites/{site}/left-out/mark.json": SETTERS,
    "/sites/{site}/left-out/relabel": SETTERS,
    "/sites/{site}/left-out/relabel.json": SETTERS,
    "/sites/{site}/left-out/rules": SETTERS,
    "/sites/{site}/left-out/rules.json": SETTERS,
    "/sites/{site}/left-out/rules/remove": SETTERS,
    "/sites/{site}/paths": SETTERS,
    "/sites/{site}/paths.json": SETTERS,
    "/sites/{site}/paths/rename": SETTERS,
    "/sites/{site}/paths/rename.json": SETTERS,
    "/sites/{site}/paths/merge": SETTERS,
    "/sites/{site}/paths/merge.json": SETTERS,
    "/sites/{site}/paths/delete": SETTERS,
    "/sites/{site}/paths/delete.json": SETTERS,
    "/sites/{site}/paths/rules": SETTERS,
    "/sites/{site}/paths/rules.json": SETTERS,
    "/sites/{site}/paths/rules/remove": SETTERS,
    "/sites/{site}/paths/rules/apply": SETTERS,
    "/sites/{site}/paths/rules/apply.json": SETTERS,
    "/sites/{site}/sharing": SETTERS,
    "/sites/{site}/sharing.json": SETTERS,
    "/sites/{site}/sharing/withdraw": SETTERS,
    "/sites/{site}/sharing/{link}": SETTERS,
    "/sites/{site}/sharing/{link}.json": SETTERS,
    "/sites/{site}/exports": ADMINS,
    "/sites/{site}/exports.json": ADMINS,
    "/sites/{site}/exports/{export}/file": ADMINS,
    "/sites/{site}/exports/delete": ADMINS,
    "/sites/{site}/imports": ADMINS,
    "/sites/{site}/imports.json": ADMINS,
    "/sites/{site}/imports/remove": ADMINS,
    "/sites/{site}/imports/begin": ADMINS,
    "/sites/{site}/imports/stop": ADMINS,
    "/sites/{site}/imports/{upload}": ADMINS,
    "/sites/{site}/segments": READERS,
    "/sites/{site}/segments.json": READERS,
    "/sites/{site}/segments/change": READERS,
    "/sites/{site}/segments/delete": READERS,
    "/sites/{site}/views": READERS,
    "/sites/{site}/views.json": READERS,
    "/sites/{site}/views/change": READERS,
    "/sites/{site}/views/delete": READERS,
    "/sites/{site}/notes": READERS,
    "/sites/{site}/notes.json": READERS,
    "/sites/{site}/notes/{note}": SETTERS,
    "/sites/{site}/notes/{note}.json": SETTERS,
    "/sites/{site}/notes/{note}/delete": SETTERS,
    "/sites/{site}/settings/goals": SETTERS,
    "/sites/{site}/settings/goals.json": SETTERS,
    "/sites/{site}/settings/goals/{goal}": SETTERS,
    "/sites/{site}/settings/goals/{goal}.json": SETTERS,
    "/sites/{site}/settings/goals/{goal}/delete": SETTERS,
    "/sites/{site}/settings/funnels": SETTERS,
    "/sites/{site}/settings/funnels.json": SETTERS,
    "/sites/{site}/settings/funnels/{funnel}": SETTERS,
    "/sites/{site}/settings/funnels/{funnel}.json": SETTERS,
    "/sites/{site}/settings/funnels/{funnel}/delete": SETTERS,
    "/share/{site}": EVERYONE,
    "/share/{site}/left-out": EVERYONE,
    "/share/{site}/left-out.json": EVERYONE,
    "/share/{site}/left-out.csv": EVERYONE,
    "/share/{site}/page": EVERYONE,
    "/share/{site}/page.json": EVERYONE,
    "/share/{site}/page.csv": EVERYONE,
    "/share/{site}/week": EVERYONE,
    "/share/{site}/week.json": EVERYONE,
    "/share/{site}/week.csv": EVERYONE,
    "/share/{site}/values.json": EVERYONE,
    "/share/{site}/funnels": EVERYONE,
    "/share/{site}/funnels.json": EVERYONE,
    "/share/{site}/funnels.csv": EVERYONE,
    "/share/{site}/{listing}": EVERYONE,
    "/share/{site}/live": EVERYONE,
    "/share/{site}/now": EVERYONE,
    "/share/{site}/now.json": EVERYONE,
    "/share/{site}/now.csv": EVERYONE,
    "/people": LOGGED_IN,
    "/people.json": LOGGED_IN,
    "/people/invites": MANAGERS | {"foreign admin"},
    "/people/invites.json": MANAGERS | {"foreign admin"},
    "/people/invites/withdraw": MANAGERS | {"foreign admin"},
    "/people/access": LOGGED_IN,
    "/people/password": LOGGED_IN,
    "/people/remove": LOGGED_IN,
    "/admin": SUPERUSERS,
    "/admin.json": SUPERUSERS,
    "/admin/people": SUPERUSERS,
    "/admin/people.json": SUPERUSERS,
    "/admin/people/grant": SUPERUSERS,
    "/admin/invites": frozenset({"superuser"}),
    "/admin/invites.json": frozenset({"superuser"}),
    "/admin/invites/withdraw": frozenset({"superuser"}),
    "/admin/counters": SUPERUSERS,
    "/admin/counters.json": SUPERUSERS,
    "/admin/counters/namespaces": SUPERUSERS,
    "/admin/counters/namespaces.json": SUPERUSERS,
    "/admin/counters/namespaces/close": SUPERUSERS,
    "/admin/counters/namespaces/reopen": SUPERUSERS,
    "/admin/counters/namespaces/freeze": SUPERUSERS,
    "/admin/counters/namespaces/unfreeze": SUPERUSERS,
    "/admin/counters/namespaces/delete": SUPERUSERS,
    "/admin/counters/import": SUPERUSERS,
    "/admin/counters/discard": SUPERUSERS,
    "/admin/counters/export.csv": SUPERUSERS,
    "/admin/counters/export.jsonl": SUPERUSERS,
    "/admin/log": SUPERUSERS,
    "/admin/log.json": SUPERUSERS,
    "/admin/log.csv": SUPERUSERS,
    "/join": EVERYONE,
    "/join.json": EVERYONE,
    "/invites/{code}": EVERYONE,
    "/invites/{code}.json": EVERYONE,
    "/invites/{code}/join": EVERYONE,
    "/badge/{namespace}/{key}": EVERYONE,
    "/badge/{namespace}/{key}/page": EVERYONE,
    "/badge/{namespace}/{key}/badge.json": EVERYONE,
    "/counters": LOGGED_IN,
    "/counters.json": LOGGED_IN,
    "/counters/public": LOGGED_IN,
    "/counters/public.json": LOGGED_IN,
    "/counters/public/reserve": LOGGED_IN,
    "/counters/public/release": LOGGED_IN,
    "/counters/public/{namespace}/{key}": LOGGED_IN,
    "/counters/public/{namespace}/{key}/counter.json": LOGGED_IN,
    "/counters/public/{namespace}/{key}/set": LOGGED_IN,
    "/counters/public/{namespace}/{key}/freeze": LOGGED_IN,
    "/counters/public/{namespace}/{key}/rules": LOGGED_IN,
    "/counters/public/{namespace}/{key}/rename": LOGGED_IN,
    "/counters/public/{namespace}/{key}/delete": LOGGED_IN,
    "/counters/live": LOGGED_IN,
    "/counters/worker.js": LOGGED_IN,
    "/counters/{counter}": OWNER,
    "/counters/{counter}/app.webmanifest": OWNER,
    "/counters/{counter}/log": OWNER,
    "/counters/{counter}/log.json": OWNER,
    "/counters/{counter}/log.csv": OWNER,
    "/counters/{counter}/people": OWNER,
    "/counters/{counter}/people.json": OWNER,
    "/counters/{counter}/people/role": OWNER,
    "/counters/{counter}/people/remove": OWNER,
    "/counters/{counter}/people/leave": OWNER,
    "/counters/{counter}/invites": OWNER,
    "/counters/{counter}/invites/withdraw": OWNER,
    "/counters/{counter}/settings": OWNER,
    "/counters/{counter}/settings.json": OWNER,
    "/counters/{counter}/settings/set": OWNER,
    "/counters/{counter}/settings/reset": OWNER,
    "/counters/{counter}/settings/delete": OWNER,
}
"""Who may see each page; of a page with a place in it, that of the first account."""

FORMS: Mapping[str, Form] = {
    "/setup": Form(
        NOT_FOR_ANYONE, filled(code="x", email="eve@example.com", password="correct horse battery", host="x.example")
    ),
    "/login": Form(NOT_FOR_ANYONE, filled(email="admin@example.net", password="not the password")),
    "/login/code": Form(NOT_FOR_ANYONE, filled(code="123456")),
    "/logout": Form(LOGGED_IN, filled()),
    "/user/name": Form(LOGGED_IN, filled(name="Another name")),
    "/user/password": Form(LOGGED_IN, filled(current=PASSWORD, password="correct horse battery")),
    "/user/preferences": Form(LOGGED_IN, filled(**PREFERENCES)),
    "/sites": Form(MANAGERS | {"foreign admin"}, filled(cname="third.example.com")),
    "/sites/{site}/settings": Form(SETTERS, filled(**SITE, link_domain="www.example.com")),
    "/sites/{site}/collection": Form(SETTERS, filled(collect="2", data_retention="0")),
    "/sites/{site}/settings/hosts": Form(ADMINS, filled(host=KEPT_HOST)),
    "/sites/{site}/pin": Form(READERS, filled(pinned="1")),
    "/sites/{site}/delete": Form(MANAGERS, filled(confirm="second.example.com")),
    "/sites/{site}/left-out/count": Form(SETTERS, filled()),
    "/sites/{site}/left-out/mark": Form(SETTERS, filled(reason="known")),
    "/sites/{site}/left-out/relabel": Form(SETTERS, filled(reason="known")),
    "/sites/{site}/left-out/rules": Form(SETTERS, filled(kind="path", rule="/admin/*")),
    "/sites/{site}/left-out/rules/remove": Form(SETTERS, filled(kind="host", rule="test.example.com")),
    "/sites/{site}/paths/rename": Form(
        SETTERS, filled(path=1, name="/renamed"), (filled(path=3, name="/x"), filled(path=MISSING, name="/x"))
    ),
    "/sites/{site}/paths/merge": Form(
        SETTERS, filled(path=[1, 2], into="/together"), (filled(path=[1, 3], into="/x"), filled(path=3, into="/own/a"))
    ),
    "/sites/{site}/paths/rules": Form(SETTERS, filled(rule="/orders/*")),
    "/sites/{site}/paths/rules/remove": Form(SETTERS, filled(rule="/own/b*")),
    "/sites/{site}/paths/rules/apply": Form(SETTERS, filled(rule="/own/b*"), (filled(rule="/other/*"),)),
    "/sites/{site}/paths/delete": Form(SETTERS, filled(path=[1, 2]), (filled(path=[1, 3]), filled(path=MISSING))),
    "/sites/{site}/sharing": Form(SETTERS, filled(name="Another link")),
    "/sites/{site}/sharing/withdraw": Form(
        SETTERS, link_of("own"), (link_of("second"), filled(id=MISSING, confirm="own link"))
    ),
    "/sites/{site}/sharing/{link}": Form(SETTERS, filled(name="Renamed link")),
    "/sites/{site}/exports": Form(ADMINS, filled(format="csv")),
    "/sites/{site}/exports/delete": Form(ADMINS, export_of("own"), (export_of("second"), filled(id=MISSING))),
    "/sites/{site}/segments": Form(READERS, filled(name="Another segment", filter="page is /")),
    "/sites/{site}/segments/change": Form(
        SETTERS,
        segment_of("own", name="Renamed", filter="page is /x", whose="site"),
        (segment_of("second", name="Renamed", filter="page is /x"), filled(id=MISSING)),
    ),
    "/sites/{site}/segments/delete": Form(SETTERS, segment_of("own"), (segment_of("second"), filled(id=MISSING))),
    "/sites/{site}/views": Form(READERS, filled(name="Another view", query="period=7d")),
    "/sites/{site}/views/change": Form(
        SETTERS,
        view_of("own", name="Renamed", whose="site"),
        (view_of("second", name="Renamed"), filled(id=MISSING)),
    ),
    "/sites/{site}/views/delete": Form(SETTERS, view_of("own"), (view_of("second"), filled(id=MISSING))),
    "/sites/{site}/notes": Form(READERS, filled(date="2026-03-11", text="Another note")),
    "/sites/{site}/notes/{note}": Form(SETTERS, filled(date="2026-03-11", text="Changed", whose="site")),
    "/sites/{site}/notes/{note}/delete": Form(SETTERS, filled()),
    "/sites/{site}/settings/goals": Form(SETTERS, filled(name="Another goal", page="/thanks")),
    "/sites/{site}/settings/goals/{goal}": Form(SETTERS, filled(name="Renamed goal", event="Bought")),
    "/sites/{site}/settings/goals/{goal}/delete": Form(SETTERS, filled()),
    "/sites/{site}/settings/funnels": Form(SETTERS, filled(name="Another funnel", step=["/a", "/b"], called=["", ""])),
    "/sites/{site}/settings/funnels/{funnel}": Form(
        SETTERS, filled(name="Renamed funnel", step=["/b", "/a"], called=["", ""])
    ),
    "/sites/{site}/settings/funnels/{funnel}/delete": Form(SETTERS, filled()),
    "/people": Form(MANAGERS | {"foreign admin"}, filled(email="new@example.com", name="New", **{"access-all": "r"})),
    "/people/invites": Form(
        MANAGERS | {"foreign admin"},
        filled(place="all", letter="r", days="7", uses="1"),
        (filled(place="9", days="7"),),
    ),
    "/people/invites/withdraw": Form(MANAGERS, invite_of("own"), (invite_of("server"), filled(id=MISSING))),
    "/admin/invites": Form(frozenset({"superuser"}), filled(days="7", uses="1")),
    "/admin/invites/withdraw": Form(
        frozenset({"superuser"}), invite_of("server"), (invite_of("own"), invite_of("foreign"), filled(id=MISSING))
    ),
    "/people/access": Form(MANAGERS, about("settings", **{"access-all": "r"}), others(**{"access-all": "r"})),
    "/people/password": Form(MANAGERS, about("settings"), others()),
    "/people/remove": Form(MANAGERS, about("settings", confirm=address_of("settings")), removals_of_others()),
    "/admin/people/grant": Form(SUPERUSERS, about("counters only"), (filled(id=MISSING),)),
    "/invites/{code}": Form(LOGGED_IN - {"counters only"}, filled()),
    "/counters": Form(LOGGED_IN, filled(name="Another counter")),
    "/counters/public": Form(LOGGED_IN, filled(namespace="another.example", key="visits")),
    "/counters/public/reserve": Form(
        ADMINS, filled(reserved="stats.example.com"), (filled(reserved="nowhere.example"),)
    ),
    "/counters/public/release": Form(MANAGERS, filled(reserved=RESERVED), (filled(reserved="nowhere.example"),)),
    "/counters/public/{namespace}/{key}": Form(SUPERUSERS | OWNER, filled(press="up")),
    "/counters/public/{namespace}/{key}/set": Form(SUPERUSERS | OWNER, filled(value="7")),
    "/counters/public/{namespace}/{key}/rules": Form(SUPERUSERS | OWNER, filled(label="Visits", locked="on")),
    "/counters/public/{namespace}/{key}/rename": Form(
        SUPERUSERS | OWNER, filled(namespace=PUBLIC.namespace, key="renamed")
    ),
    "/counters/public/{namespace}/{key}/freeze": Form(SUPERUSERS, filled(frozen="yes")),
    "/admin/counters/namespaces/close": Form(SUPERUSERS, filled(namespace="spam.example")),
    "/admin/counters/namespaces/reopen": Form(SUPERUSERS, filled(namespace=FROZEN_COUNTER.namespace)),
    "/admin/counters/namespaces/freeze": Form(SUPERUSERS, filled(id=f"{PUBLIC.namespace}/")),
    "/admin/counters/namespaces/unfreeze": Form(SUPERUSERS, filled(id=f"{FROZEN_COUNTER.namespace}/")),
    "/admin/counters/namespaces/delete": Form(
        SUPERUSERS, filled(id=f"{PUBLIC.namespace}/", confirm=f"{PUBLIC.namespace}/")
    ),
    "/counters/public/{namespace}/{key}/delete": Form(SUPERUSERS | OWNER, filled(confirm=str(PUBLIC))),
    "/counters/{counter}": Form(OWNER, filled(press="up")),
    "/counters/{counter}/people/role": Form(OWNER, member_of_counter(role="viewer")),
    "/counters/{counter}/people/remove": Form(OWNER, member_of_counter()),
    "/counters/{counter}/people/leave": Form(frozenset(), filled()),
    "/counters/{counter}/invites": Form(OWNER, filled(role="member", days="7")),
    "/counters/{counter}/invites/withdraw": Form(OWNER, lambda everybody: {"id": everybody.invite_uid}),
    "/counters/{counter}/settings": Form(OWNER, filled(name="Renamed counter", mode="UpAndDown")),
    "/counters/{counter}/settings/set": Form(OWNER, filled(value="7")),
    "/counters/{counter}/settings/reset": Form(OWNER, filled()),
    "/counters/{counter}/settings/delete": Form(OWNER, filled(confirm="Shared")),
    "/user/tokens": Form(READERS | {"foreign admin"}, filled(name="another", permission="64")),
}
"""Every form but those that are only about the login of who sends them: see ``OWN``."""

OWN = frozenset(
    {
        "/user/logins",
        "/user/two-factor/on",
        "/user/two-factor/off",
        "/user/two-factor/codes",
        "/user/tokens/delete",
        "/language",
        "/share/{site}",
    }
)
"""Forms about the sender alone; sent with everybody else's names, or by guests, they change nothing."""


FOR_GUESTS = {"/invites/{code}/join", "/join"}
"""Forms that make an account: tests/surfaces/dashboard/test_invites.py, test_access_invites.py."""


OF_IMPORTS = {
    *(
        "/sites/{site}/imports",
        "/sites/{site}/imports/remove",
        "/sites/{site}/imports/begin",
        "/sites/{site}/imports/stop",
    ),
    *("/admin/counters", "/admin/counters/import", "/admin/counters/discard"),  # test_counter_files.py
}
"""Forms that change nothing of the ledger; they have a test of their own."""


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, moved=True) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looked_at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One for tests that change nothing: what one person has asked need not be computed for the next."""
    async with world(tmp_path_factory.mktemp("world") / "data", moved=True) as made:
        yield made


async def test_every_page_and_every_form_has_a_row(everybody: World) -> None:
    pages, forms = page_routes(everybody)
    assert pages == set(PAGES)
    assert forms == set(FORMS) | OWN | FOR_GUESTS | OF_IMPORTS


WITHOUT_DATA: Mapping[str, str] = {
    "/setup": "a form of the first start",
    "/login": "a form",
    "/login/code": "a form",
    "/logout": "the form of /login",
    "/docs/": "the page of /docs",
    "/sites/{site}/exports/{export}/file": "a file",
    "/admin/counters/export.csv": "a file",
    "/admin/counters/export.jsonl": "a file",
    "/sites/{site}/live": "a stream",
    "/share/{site}/live": "a stream",
    "/counters/live": "a stream",
    "/counters/worker.js": "a script",
    "/counters/{counter}/app.webmanifest": "JSON itself",
}
"""Pages without a twin as JSON, and why. The dashboard's README has them, too."""

DATA_ELSEWHERE = {
    "/": "/index.json",
    "/counters/public/{namespace}/{key}": "/counters/public/{namespace}/{key}/counter.json",
    "/badge/{namespace}/{key}": "/badge/{namespace}/{key}/badge.json",
    "/badge/{namespace}/{key}/page": "/badge/{namespace}/{key}/badge.json",
}
"""Keys of public counters may end with ``.json``."""


async def test_every_page_has_a_twin_as_json(everybody: World) -> None:
    """A form's own address shows the page of the form again, and needs none."""
    shown, (pages, forms) = names_of_pages(everybody), page_routes(everybody)
    with_twin = set[str]()
    without = dict[str, str]()
    for path in pages - set(WITHOUT_DATA):
        if path.endswith((".json", ".csv")):
            continue
        place = next(place for place, own in places(everybody, path) if own)
        person = next(person for person in (*PEOPLE, GUEST) if person in PAGES[path])
        address, _, query = place.partition("?")
        data = DATA_ELSEWHERE.get(path, "").replace("{namespace}/{key}", str(PUBLIC)) or f"{address}.json"
        answer = await everybody.page(person, "GET", f"{data}?{query}")
        if answer.status == 200 and answer.headers["content-type"] == "application/json":
            answer.json()
            with_twin.add(shown[path])
        else:
            without[path] = shown[path]
    lacking = {path for path, name in without.items() if path not in forms or name not in with_twin}
    assert not lacking
    assert set(WITHOUT_DATA) <= pages


PARTS_OF_SITES = ("{link}", "{note}", "{goal}", "{funnel}", "{export}", "{upload}")


def parts_of_sites(everybody: World, path: str, mark: str) -> Iterator[tuple[str, bool]]:
    """Paths of what belongs to a site: of the first one, of another site, and of none."""
    all_numbers: dict[str, dict[str, Any]] = {
        "{link}": {name: link.id for name, (link, _) in everybody.links.items()},
        "{note}": {name: note.id for name, note in everybody.notes.items()},
        "{goal}": {name: goal.id for name, goal in everybody.goals.items()},
        "{funnel}": {name: funnel.id for name, funnel in everybody.funnels.items()},
        "{export}": {name: export.id for name, export in everybody.exports.items()},
        "{upload}": {name: upload.id for name, upload in everybody.uploads.items()},
    }
    numbers = all_numbers[mark]
    for site, name in (("own", "own"), ("foreign", "foreign"), ("own", "foreign"), ("own", "second")):
        place = path.replace("{site}", str(everybody.sites[site].id))
        yield place.replace(mark, str(numbers[name])), site == name == "own"
    for nothing in (MISSING, "0", "x", "-1", "1%00"):
        yield path.replace("{site}", str(everybody.sites["own"].id)).replace(mark, str(nothing)), False


def places_of_counters(everybody: World, path: str) -> Iterator[tuple[str, bool]]:
    """Paths of a counter that there is, and of others."""
    if "{counter}" in path:
        yield path.replace("{counter}", everybody.counter), True
        yield path.replace("{counter}", "018f5b5c-1f21-7c3a-9b1e-3f1f2a7c9d10"), False
    else:
        # What ends like a badge is one.
        counter = PLAIN if path == "/badge/{namespace}/{key}" else PUBLIC
        yield path.replace("{namespace}/{key}", str(counter)), True
        for nothing in ("stats.example.com/visits", f":shared/{everybody.counter}", "a/b", "people/role"):
            yield path.replace("{namespace}/{key}", nothing), False


QUERIES = {
    "}/page": "?page=/",
    "/left-out/mark": "?page=/own/a",
    "/values.json": "?of=page",
    "/paths/": "?path=1&path=5&rule=/own/b*",
}
"""What pages must be asked with. Of the paths one is the first site's, one the foreign one's."""


def places(everybody: World, path: str) -> Iterator[tuple[str, bool]]:
    """Paths with everything that can stand in their place, and whether it is the first account's."""
    path = path.replace("{listing}", "pages").replace("{topic}", "events")
    path += next((query for part, query in QUERIES.items() if part in path), "")
    if path.startswith("/share/"):
        yield path.replace("{site}", everybody.links["own"][1]), True  # others: tests/surfaces/dashboard/test_shared.py
    elif mark := next((mark for mark in PARTS_OF_SITES if mark in path), None):
        yield from parts_of_sites(everybody, path, mark)
    elif "{site}" in path:
        # The first site cannot be deleted while there are others.
        first = "second" if path == "/sites/{site}/delete" else "own"
        for name in (first, "foreign"):
            yield path.replace("{site}", str(everybody.sites[name].id)), name == first
        for nothing in (MISSING, "0", "x", "-1", "1%00"):
            yield path.replace("{site}", str(nothing)), False
    elif "{counter}" in path or "{key}" in path:
        yield from places_of_counters(everybody, path)
    elif "{code}" in path:
        yield path.replace("{code}", everybody.invite), True
        yield path.replace("{code}", INVITE), False
    else:
        yield path, True


def may_see(person: str, path: str, *, own: bool) -> bool:
    if "{" in path and not own:
        return False
    return person in PAGES[path]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("person", [GUEST, *PEOPLE])
async def test_pages_are_shown_to_whom_they_are_for(looked_at: World, person: str) -> None:
    everybody = looked_at
    before = everybody.state()
    foreign = everybody.sites["foreign"]
    for path in PAGES:
        for place, own in places(everybody, path):
            # A stream has no end.
            answer = await everybody.page(person, "HEAD" if place.endswith("/live") else "GET", place)
            theirs = person == "foreign admin" and place.startswith(f"/sites/{foreign.id}")
            if may_see(person, path, own=own) or theirs:
                assert answer.status in {200, 303}, (place, answer.status)
                assert not answer.headers.get("location", "").startswith("/login"), place
            elif person == GUEST and not place.startswith(("/invites/", "/badge/")):
                assert answer.status == 303, (place, answer.status)
                assert answer.headers["location"].startswith("/login?next="), place
            else:
                assert answer.status == 404, (place, answer.status)
            if person in COLLEAGUES:
                assert b"foreign" not in answer.body, place
    assert everybody.state() == before


@pytest.mark.parametrize("person", [GUEST, *PEOPLE])
async def test_forms_do_nothing_for_whom_they_are_not(everybody: World, person: str) -> None:
    before = everybody.state()
    for path, form in FORMS.items():
        for place, own in places(everybody, path):
            fields = list(form.foreign)
            theirs = person == "foreign admin" and str(everybody.sites["foreign"].id) in place
            if not theirs and (person not in form.who or not own):
                fields.append(form.fields)
            for fill in fields:
                answer = await everybody.page(person, "POST", place, fill(everybody))
                assert answer.status < 500, (place, answer.status)
            if own and person in form.who:
                answer = await everybody.page(person, "POST", place, form.fields(everybody), token="0" * 32)
                assert answer.status == 403, (place, answer.status)
        assert everybody.state() == before, path


@pytest.mark.parametrize("path", [path for path, form in FORMS.items() if form.who])
async def test_forms_work_for_whom_they_are(tmp_path: Path, path: str) -> None:
    form = FORMS[path]
    people = [person for person in PEOPLE if person in form.who]
    for number, person in enumerate(dict.fromkeys((people[0], people[-1]))):
        async with world(tmp_path / str(number), moved="/exports" in path) as everybody:
            before = everybody.state()
            place = next(place for place, own in places(everybody, path) if own)
            answer = await everybody.page(person, "POST", place, form.fields(everybody))
            assert answer.status in {200, 303}, (person, answer.status, answer.text)
            assert everybody.state() != before, (person, answer.status, answer.text)


async def test_imports_begin_stop_and_figures_go_for_whom_they_may(everybody: World) -> None:
    """Whoever may do nothing comes first: figures can be removed once only."""
    aggregates, uploads = everybody.analytics.services.aggregates, everybody.analytics.services.uploads
    may_some = [person for person in PEOPLE if person in ADMINS or person == "foreign admin"]
    others_first = [GUEST, *(person for person in PEOPLE if person not in may_some), *may_some]
    sites = list(places(everybody, "/sites/{site}/imports"))[:3]  # of the account, of another one, of none
    for person, (place, own) in product(others_first, sites):
        theirs = person == "foreign admin" and place == f"/sites/{everybody.sites['foreign'].id}/imports"
        may = (person in ADMINS and own) or theirs
        await settled(everybody)
        before = everybody.state()
        assert (await everybody.file(person, place, "x.csv", token="0" * 32)).status in {303, 403, 404}
        for name, of_site in (("own", own), ("second", False), ("foreign", theirs)):
            figures = everybody.figures[name]
            there = figures in await aggregates.listed(figures.site)
            fields = {"id": figures.id, "confirm": figures.name}
            answer = await everybody.page(person, "POST", f"{place}/remove", fields)
            removed = may and of_site and there
            assert (figures in await aggregates.listed(figures.site)) == (there and not removed), (person, place)
            assert answer.status == (303 if removed or person == GUEST else 404), (person, place, name)
            for action in ("begin", "stop"):
                answer = await everybody.page(person, "POST", f"{place}/{action}", {"id": everybody.uploads[name].id})
                assert answer.status == (303 if (may and of_site) or person == GUEST else 404), (person, place, name)
        assert everybody.state() == before, (person, place)
        numbers = [site.id for site in everybody.sites.values()]
        count = sum([len(await uploads.latest(number)) for number in numbers])
        answer = await everybody.file(person, place, "x.log")
        assert answer.status == (303 if may or person == GUEST else 404), (person, place)
        assert sum([len(await uploads.latest(number)) for number in numbers]) == count + may, (person, place)


async def test_a_note_of_ones_own_is_for_oneself(everybody: World) -> None:
    before = everybody.state()
    site, note = everybody.sites["own"].id, everybody.notes["admin's"].id
    for person in (GUEST, *PEOPLE):
        theirs = person == "admin"
        shown = await everybody.page(person, "GET", f"/sites/{site}/notes")
        assert ("private" in shown.text) == theirs, person
        assert ((await everybody.page(person, "GET", f"/sites/{site}/notes/{note}")).status == 200) == theirs, person
        for path in (f"/sites/{site}/notes/{note}", f"/sites/{site}/notes/{note}/delete"):
            if not theirs:
                await everybody.page(person, "POST", path, {"date": "2026-03-11", "text": "mine", "whose": "site"})
    assert everybody.state() == before


async def test_what_is_named_in_own_forms_must_be_ones_own(everybody: World) -> None:
    before = everybody.state()
    for person in PEOPLE:
        names = [member for name, member in everybody.people.items() if name != person]
        for member in names:
            await everybody.page(person, "POST", "/user/logins", {"login": member.login})
            await everybody.page(person, "POST", "/user/tokens/delete", {"id": member.token_id, "confirm": "all"})
        assert everybody.state() == before, person
    for path in OWN:
        for _ in range(2):
            await everybody.page(GUEST, "POST", path, {"id": 1, "login": "x", "code": "1", "password": PASSWORD})
        assert everybody.state() == before, path
