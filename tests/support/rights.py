"""A server with two accounts, people of every kind and their tokens: who may do what is tried here."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from copy import copy
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import apsw
from argon2 import PasswordHasher
from msgspec import Struct
from starlette.routing import Route

from builders import NOW
from support.analytics import HOST, UNLIMITED, Analytics, Prepared, analytics_in_process
from support.asking import Answer
from support.in_process import in_process
from support.ledgers import until
from support.prepared import kept_folder
from tallystick.ledger import Session
from tallystick.model.account import Access, Account, Permission
from tallystick.model.aggregates import PLAUSIBLE, VISITORS, AggregateImport, TableSpan, row_of
from tallystick.model.annotation import Annotation
from tallystick.model.counter import Create
from tallystick.model.export import Export
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.model.key import Key
from tallystick.model.leaving_out import RuleKind
from tallystick.model.saved_view import SavedView
from tallystick.model.segment import Segment
from tallystick.model.shared_link import SharedLink
from tallystick.model.site import Site
from tallystick.services.accounts.access_invites import NewAccessInvite, invite_to_server, invite_to_sites
from tallystick.services.accounts.accounts import NewAccount, create_account, existing, set_access, set_password
from tallystick.services.accounts.left_out_rules import add_rule
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.services.accounts.path_rules import put_path_rule
from tallystick.services.accounts.site_hosts import remember_host
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.services.analytics.kept.annotations import create_annotation
from tallystick.services.analytics.kept.funnels import create_funnel
from tallystick.services.analytics.kept.goals import create_goal
from tallystick.services.analytics.kept.saved_views import create_saved_view
from tallystick.services.analytics.kept.segments import create_segment
from tallystick.services.analytics.kept.shared_links import create_shared_link
from tallystick.services.counting.abuse import close_namespace
from tallystick.services.counting.managing import freeze_public_counter
from tallystick.services.counting.owned.changing import give_counter, reserve_namespace
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.imports.upload_folder import Upload, UploadKind, UploadOptions
from tallystick.services.imports.uploads import SentFile
from tallystick.services.sharing.counters import NewCounter
from tallystick.services.sharing.counters import create as create_counter
from tallystick.services.sharing.invites import NewInvite, accept
from tallystick.services.sharing.invites import create as create_invite
from tallystick.surfaces.dashboard.sharing.form import OFFERED_LISTS
from tallystick.surfaces.dashboard.support.cookies import LOGIN
from tallystick.surfaces.dashboard.support.forms import form_token

PASSWORD = "a password for every person of the matrix"  # of tests
MISSING = 999_999
INVITE = "there-is-no-such-code"
EVERYTHING = Permission(sum(set(Permission) - {Permission.NOTHING}))
OF_COUNTERS = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE

COLLEAGUES: Mapping[str, dict[str, Access]] = MappingProxyType(
    {
        "admin": {"all": "a"},
        "site admin": {"1": "a"},
        "settings": {"all": "s"},
        "reader": {"all": "r"},
        "no access": {},
    }
)
"""People of the account of the first site, by what they may do there; that site's id is 1."""

PUBLIC = Key("stats.example.com", "visits.json")
PLAIN = Key("stats.example.com", "likes")
"""Public counters. Names of the first end like data; it belongs to the person with counters only."""
FROZEN_COUNTER = Key("closed.example.com", "frozen")
"""A frozen counter of a closed namespace."""
RESERVED = "second.example.com"
"""A namespace that is reserved for the second site of the first account."""
STRANGERS = ("foreign admin", "counters only")
PEOPLE = ("superuser", *COLLEAGUES, *STRANGERS)
GUEST = "guest"

_VOLATILE = {
    "salt": "",
    "path": "",
    "audit_event": "",
    "counting_total": "",
    "login": "seen",
    "token": "used",
    "account": "login",
    "shared_link": "used",
    "unknown_host": "",
    "sequence": "",
    "warehouse_mark": "",  # written by a background task
    "seen_version": "",  # the same
    "counter_thinning": "",  # the same, when a test takes long
}
"""What requests may change that do nothing else: when something was last used, names of hits, refusals in the log."""


class Member(Struct, frozen=True):
    """A person of the matrix.

    Attributes:
        token: a secret with every permission, on all sites of the account, made while the person was an admin;
            of someone without a site it has those of counters.
        token_id: of that token.
        cookie: the secret of a browser in which the person is logged in.
    """

    account: Account
    token: str
    token_id: int
    cookie: str

    @property
    def login(self) -> str:
        """What the person calls that login by."""
        return secret_digest(self.cookie).hex()


class World:
    """The whole application with everybody in it.

    Attributes:
        sites: ``own`` and ``second`` of the first account, ``foreign`` of another one.
        counter: the id of a shared counter of the person who has only counters.
        invite: a code with which anybody may join that counter.
        invite_uid: the id of the invite.
        member_uid: a member of that counter, who has nothing else.
        links: a shared link of each site, and its secret, by the names of ``sites``.
        goals, funnels: a goal and a funnel of each site, by the names of ``sites``.
        segments: a segment of each site, by the names of ``sites``.
        views: a saved view of each site, by the names of ``sites``.
        exports: a written export of each site, by the names of ``sites``; of a world with ``moved``, as the next two.
        uploads: a file that was imported into each site, by the names of ``sites``.
        figures: imported figures of each site, by the names of ``sites``.
        access_invites: the ids of invites to the sites of the accounts ``own`` and ``foreign``, and to the ``server``.
        notes: a note of each site, by the names of ``sites``; ``admin's`` is that person's own on the first site.
    """

    def __init__(self, analytics: Analytics, people: dict[str, Member], sites: dict[str, Site]) -> None:
        self.analytics, self.people, self.sites = analytics, people, sites
        self.counter = self.invite = self.invite_uid = self.member_uid = ""
        self.links: dict[str, tuple[SharedLink, str]] = {}
        self.notes: dict[str, Annotation] = {}
        self.goals: dict[str, Goal] = {}
        self.funnels: dict[str, Funnel] = {}
        self.segments: dict[str, Segment] = {}
        self.views: dict[str, SavedView] = {}
        self.exports: dict[str, Export] = {}
        self.uploads: dict[str, Upload] = {}
        self.figures: dict[str, AggregateImport] = {}
        self.access_invites: dict[str, str] = {}
        self._reading: apsw.Connection | None = None
        self._read: tuple[list[Any], dict[str, list[Any]]] = ([], {})

    async def page(
        self, person: str, method: str, path: str, fields: Mapping[str, Any] = MappingProxyType({}), token: str = ""
    ) -> Answer:
        """Ask for a page, or send one of its forms, as a person or a guest.

        Args:
            token: of the form, in place of the right one.
        """
        headers = {"accept": "text/html"}
        secret = ""
        if person != GUEST:
            secret = self.people[person].cookie
            headers["cookie"] = f"{LOGIN}={secret}"
        body = None
        if method == "POST":
            headers |= {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
            body = urlencode({"token": token or form_token(secret), **fields}, doseq=True).encode()
        return await self.analytics.ask(path, method=method, headers=headers, body=body)

    async def file(self, person: str, path: str, name: str, token: str = "") -> Answer:
        """Send the form with a file of one line, of a log."""
        secret = "" if person == GUEST else self.people[person].cookie
        fields = {"token": token or form_token(secret), "kind": "log", "format": "combined"}
        parts = [f'Content-Disposition: form-data; name="{field}"\r\n\r\n{text}' for field, text in fields.items()]
        parts.append(f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nnonsense')
        body = "--x\r\n" + "\r\n--x\r\n".join(parts) + "\r\n--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x", "accept": "text/html"}
        if secret:
            headers["cookie"] = f"{LOGIN}={secret}"
        return await self.analytics.ask(path, method="POST", headers=headers, body=body.encode())

    def state(self) -> dict[str, list[Any]]:
        """Every row of the ledger, without what reading may change, and the files of exports and imports."""
        data = self.analytics.running.data
        files: list[Any] = sorted(file.name for name in ("exports", "uploads") for file in (data / name).glob("*"))
        if self._reading is None:
            self._reading = apsw.Connection(str(data / "ledger.sqlite3"))
            self._reading.set_busy_timeout(10_000)  # locked for a moment while the server opens or closes a connection
        # Another number after each commit of another connection: without one, nothing is to be read again.
        version = self._reading.execute("PRAGMA data_version").fetchall()
        if version != self._read[0]:
            tables = [name for (name,) in self._reading.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            rows = {name: self._rows(self._reading, name) for name in tables if _VOLATILE.get(name) != ""}
            self._read = version, rows
        return {**self._read[1], "files": files}

    def close(self) -> None:
        """No state is asked for any more."""
        if self._reading is not None:
            self._reading.close()

    @staticmethod
    def _rows(connection: apsw.Connection, table: str) -> list[Any]:
        left_out = _VOLATILE.get(table)
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != left_out]
        return sorted(connection.execute(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)


@asynccontextmanager
async def world(data: Path, *, moved: bool = False, base_path: str = "") -> AsyncIterator[World]:
    """Open a server with everybody in it; two hits are counted on each site.

    Args:
        moved: whether each site has an export and imports, too.
        base_path: ``--base-path`` of the server; then the paths of all requests begin with it.
    """
    folder, prepared, contents = await asyncio.to_thread(_made_once, moved=moved)
    await asyncio.to_thread(shutil.copytree, folder, data, dirs_exist_ok=True)
    async with in_process(data, rate_limit=UNLIMITED, base_path=base_path) as running:
        made = World(Analytics(running, prepared), {}, {})
        for name, value in contents.items():
            setattr(made, name, copy(value))
        with closing(made):
            yield made


@cache
def _made_once(*, moved: bool) -> tuple[Path, Prepared, dict[str, Any]]:
    """A data directory to be copied, and what the attributes of its ``World`` are: made in half a second."""
    data = kept_folder()

    async def make() -> tuple[Prepared, dict[str, Any]]:
        async with _new_world(data) as made:
            if moved:
                await _move_data(made)
            contents = vars(made)
            return contents.pop("analytics").prepared, contents

    return data, *asyncio.run(make())


@asynccontextmanager
async def _new_world(data: Path) -> AsyncIterator[World]:
    async with analytics_in_process(data) as analytics:
        ledger = analytics.services.ledger
        digest = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
        people, sites = await ledger.write(partial(_populate, digest=digest), analytics.prepared)
        made = World(analytics, people, sites)
        for name, site in sites.items():
            for path in ("/a", "/b"):
                answer = await analytics.pixel(p=f"/{name}{path}", headers={"host": site.cname or HOST})
                assert answer.status == 200
            # A hit of a bot, and rules, which forms can undo. The path /b was counted before its rule.
            await analytics.pixel(p=f"/{name}/a", b="150", headers={"host": site.cname or HOST})
            await ledger.write(add_rule, site.id, RuleKind.HOST, "test.example.com", NOW)
            await ledger.write(put_path_rule, site.id, "/own/b*", NOW)
        await _share_a_counter(made)
        for public in (PUBLIC, PLAIN):
            await analytics.services.counting.create(public, Create(5))
        await ledger.write(reserve_namespace, Asker(is_operator=True), RESERVED, NOW)
        owner = people["counters only"].account.id
        await ledger.write(give_counter, Asker(is_operator=True), PUBLIC, owner, "", NOW)
        await analytics.services.counting.create(FROZEN_COUNTER, Create(5))
        await ledger.write(partial(freeze_public_counter, frozen=True), FROZEN_COUNTER, NOW)
        await ledger.write(close_namespace, FROZEN_COUNTER.namespace, NOW)
        for name, site in sites.items():
            link = SharedLink(site=site.id, name=f"{name} link", panels=OFFERED_LISTS if name == "own" else ())
            made.links[name] = await ledger.write(create_shared_link, link, NOW)
            note = Annotation(site=site.id, at="2026-03-10", text=f"{name} note")
            made.notes[name] = await ledger.write(create_annotation, note, NOW)
            goal = Goal(site=site.id, name=f"{name} goal", page="/thanks")
            made.goals[name] = await ledger.write(create_goal, goal, NOW)
            steps = (FunnelStep(page="/a"), FunnelStep(page="/b"))
            made.funnels[name] = await ledger.write(
                create_funnel, Funnel(site=site.id, name=f"{name} funnel", steps=steps), NOW
            )
            segment = Segment(site=site.id, name=f"{name} segment", filters=[["is", "event:page", ["/"]]])
            made.segments[name] = await ledger.write(create_segment, segment, NOW)
            view = SavedView(site=site.id, name=f"{name} view", query="period=7d")
            made.views[name] = await ledger.write(create_saved_view, view, NOW)
        await _invite(made)
        own = Annotation(site=sites["own"].id, at="2026-03-10", text="private", owner=people["admin"].account.id)
        made.notes["admin's"] = await ledger.write(create_annotation, own, NOW)
        yield made


async def _invite(made: World) -> None:
    ledger, to_sites = made.analytics.services.ledger, NewAccessInvite(access={"all": "r"})
    for whose, maker in (("own", "admin"), ("foreign", "foreign admin")):
        invite, _ = await ledger.write(invite_to_sites, made.people[maker].account.id, to_sites, NOW)
        made.access_invites[whose] = invite.uid
    invite, _ = await ledger.write(invite_to_server, None, NewAccessInvite(access={}), NOW)
    made.access_invites["server"] = invite.uid


async def _move_data(made: World) -> None:
    """Export from each site and import into it."""
    for name, site in made.sites.items():
        made.exports[name] = await made.analytics.services.exports.create(site, "csv")
        await _import_into(made, name, site)
    await settled(made)


async def _import_into(made: World, name: str, site: Site) -> None:
    services = made.analytics.services
    async with await services.uploads.arriving(site.id, 0) as file:
        await file.write(b"nonsense\n")
        sent = SentFile(f"{name}.log", UploadKind.LOG, UploadOptions(format="combined"))
        made.uploads[name] = await services.uploads.add(file, site, "admin@example.net", sent)
    row = row_of(VISITORS, "2026-01-01", [], [1] * len(VISITORS.numbers), services.aggregates.latest_day)
    spans = {VISITORS.name: TableSpan(1, int(row[0]), int(row[0]))}
    begun = await services.aggregates.begin(site.id, PLAUSIBLE, f"{name}.zip", "0" * 64, spans, replace=False)
    await services.aggregates.add(site.id, begun.id, 1, {VISITORS.name: [row]})
    made.figures[name] = await services.aggregates.finish("admin@example.net", site.id, begun.id, 1, replace=False)


async def settled(made: World) -> None:
    """Wait until the exports are written and the files imported."""
    services, data = made.analytics.services, made.analytics.running.data

    async def over() -> bool:
        exports = [await services.exports.get(each.site, each.id) for each in made.exports.values()]
        arrived = list((data / "uploads").glob("*.data*"))
        return not arrived and all(export and export.finished for export in exports)

    await until(over)


async def _share_a_counter(made: World) -> None:
    sharing, owner, now = made.analytics.services.sharing, made.people["counters only"], NOW
    counter = await sharing.write(create_counter, owner.account.id, NewCounter(name="Shared"), now)
    made.counter = counter.uid
    invite, made.invite = await sharing.write(
        create_invite, owner.account.id, counter.uid, NewInvite(max_uses=100), now
    )
    made.invite_uid = invite.uid
    wanted = NewAccount(email="member@example.com", password="none", access={})
    member = await made.analytics.services.ledger.write(create_account, wanted, now)
    await sharing.write(accept, member.id, made.invite, now)
    made.member_uid = member.uid


PICTURES = {f"/{base}/{{site}}/{name}.svg" for base in ("sites", "share") for name in ("chart", "number")}
FILES = frozenset({"/favicon.ico", "/static/{name}", *PICTURES})
"""Routes that are no pages."""


def page_routes(made: World) -> tuple[set[str], set[str]]:
    """The paths of every page and of every form, as the dashboard itself routes them."""
    routes = _routes(made)
    pages = {route.path for route in routes if "GET" in (route.methods or ())}
    return pages, {route.path for route in routes if "POST" in (route.methods or ())}


def names_of_pages(made: World) -> dict[str, str]:
    """The name of the handler that shows each page, by its path."""
    return {route.path: route.name for route in _routes(made) if "GET" in (route.methods or ())}


def _routes(made: World) -> list[Route]:
    app: Any = made.analytics.running.application.apps["dashboard"].http
    while not hasattr(app, "routes"):  # what counts its answers and knows its address stands around it
        app = app._app  # noqa: SLF001
    return [route for route in app.routes if isinstance(route, Route) and route.path not in FILES]


def _populate(session: Session, prepared: Any, digest: str) -> tuple[dict[str, Member], dict[str, Site]]:
    owner, own = prepared.account, prepared.site
    second = create_site(session, owner, NewSite(cname="second.example.com"), NOW)
    set_password(session, owner.id, digest, NOW)
    accounts = {"superuser": owner}
    for name in COLLEAGUES:
        # Everybody begins as an admin, so that there are tokens which can do more than their owners still may.
        wanted = NewAccount(email=address_of(name), name=name, password=digest, site=own.id, access={"all": "a"})
        accounts[name] = create_account(session, wanted, NOW)
    for name in STRANGERS:
        wanted = NewAccount(email=address_of(name), name=name, password=digest, access={})
        accounts[name] = create_account(session, wanted, NOW)
    foreign = create_site(session, accounts["foreign admin"], NewSite(cname="foreign.example.net"), NOW)
    people = {name: _member(session, person.id) for name, person in accounts.items()}
    remember_host(session, own.id, "kept.example.com", NOW)
    for name, access in COLLEAGUES.items():
        set_access(session, accounts[name].id, access, NOW)
    return people, {"own": own, "second": second, "foreign": foreign}


def address_of(name: str) -> str:
    """The e-mail address of a person of the matrix."""
    return f"{name.replace(' ', '-')}@example.net"


def _member(session: Session, number: int) -> Member:
    person, cookie = existing(session, number), new_secret()
    begin_login(session, number, secret_digest(cookie), NOW)
    permissions = OF_COUNTERS if person.site is None else EVERYTHING
    token, secret = create_token(session, person, NewToken(name="all", permissions=permissions), NOW)
    return Member(person, secret, token.id, cookie)
