"""Sites: how they come, change and go, and which one a Host means. Times are Unix milliseconds."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from string import ascii_lowercase, digits
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import InputRefused, InvalidFields, NoSuchSite
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account, UserSettings
from tallystick.model.site import Site, SiteSettings
from tallystick.model.site_rules import defaults_problems, normal_host, normal_settings, site_problems
from tallystick.services.accounts import existing, hold_accounts, last_change, own_site
from tallystick.services.jobs import DeleteSite, ask_for
from tallystick.services.site_rows import active_sites, family, site, site_columns

SITES_AT_MOST = 10_000
DEFAULTS_AT_MOST = 32_768
"""Bytes of JSON."""

FRESH_S = 0.125
HOSTS_REMEMBERED = 10_000

_encode = msgspec.json.Encoder().encode


class NewSite(Struct, frozen=True, kw_only=True):
    """What is known of a site that is created.

    Attributes:
        cname: the Host that chooses it; None for a server with one site.
        code: a short name; made up when None.
    """

    cname: str | None = None
    code: str | None = None
    link_domain: str = ""
    settings: SiteSettings = SiteSettings()
    user_defaults: UserSettings = UserSettings()


class SiteChanges(Struct, frozen=True, kw_only=True):
    """What changes about a site; what is not named stays.

    Attributes:
        settings: the fields of ``SiteSettings`` that change.
    """

    cname: str | UnsetType | None = UNSET
    code: str | UnsetType = UNSET
    link_domain: str | UnsetType = UNSET
    settings: Mapping[str, Any] = msgspec.field(default_factory=dict)
    user_defaults: UserSettings | UnsetType = UNSET


def create_site(session: Session, owner: Account, wanted: NewSite, now: int) -> Site:
    """Add a site to a person's account. The first one makes the person its admin.

    Raises:
        InvalidFields: what is wanted cannot be used, or is taken.
        InputRefused: there are too many sites, or the owner is gone.
    """
    hold_accounts(session)
    owner = existing(session, owner.id)
    if len(active_sites(session)) >= SITES_AT_MOST:
        msg = f"there are {SITES_AT_MOST:,} sites already, which is as many as a server takes"
        raise InputRefused(msg)
    site = _normal(_new(session.take_numbers("site"), owner.site, wanted, now))
    _check(session, site)
    session.common.add_site(session.connection, parent=site.parent, created=now, **site_columns(site))
    if owner.site is None:
        own_site(session, owner, site.id, now)
    return site


def update_site(session: Session, number: int, changes: SiteChanges, now: int) -> Site:
    """Change a site.

    Raises:
        InvalidFields: a new value cannot be used, or is taken.
        InputRefused: there is no such site.
    """
    hold_accounts(session)
    before = _known(session, number)
    named = {
        field: value
        for field in ("cname", "code", "link_domain", "user_defaults")
        if (value := getattr(changes, field)) is not UNSET
    }
    after = replace(before, **named, settings=replace(before.settings, **changes.settings), updated=now)
    after = _normal(after)
    if after.cname and after.cname != before.cname:
        after = replace(after, cname_setup=now)
    _check(session, after)
    session.common.change_site(session.connection, updated=now, **site_columns(after))
    return after


def delete_site(session: Session, number: int, now: int) -> int:
    """Take a site out of service at once, and have what it has left in the warehouse removed; the job's id.

    Raises:
        InputRefused: there is no such site, or its account has others.
    """
    hold_accounts(session)
    site = _known(session, number)
    _refuse_first_of_several(session, site)
    session.common.mark_deleted(session.connection, id=number, code=f"deleted-{number}", updated=now)
    session.common.leave_site(session.connection, site=number)
    return ask_for(session, DeleteSite(number), now)


def note_hits(session: Session, number: int, first_hit: int) -> None:
    """Remember that a site has received hits, and that its statistics begin at ``first_hit`` or before."""
    found = site(session, number)
    if found and not (found.received_data and found.first_hit <= first_hit):
        hold_accounts(session)
        session.common.note_hits(session.connection, id=number, first_hit=first_hit)


class Sites:
    """Which site a Host means; what it knows is at most an eighth of a second old.

    Changes come from this server, from others on the same database and from the command line beside it.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._sites: list[Site] = []
        self._by_host: dict[str, Site] = {}
        self._change = -1
        self._read_at = float("-inf")
        self._begun = self._done = 0  # readings, by number
        self._believed_from = 1  # the first reading that has seen every change of our own
        self._reading = asyncio.Lock()

    def known(self, host: str) -> Site | None:
        """The site at a Host if that is known right now; no answer means nothing. For the hot path."""
        if not self._fresh():
            return None
        return self._by_host.get(host) or self._look_up(host)

    async def at(self, host: str) -> Site:
        """The site at a Host (without port); with exactly one site it is that one.

        Raises:
            NoSuchSite
            StoreUnavailable
        """
        if found := self.known(host):
            return found
        # It may have been created this very moment: a miss is never believed.
        await self._read_again()
        if found := self._look_up(host):
            return found
        raise NoSuchSite(host, empty=not self._sites)

    async def all(self) -> list[Site]:
        """Every active site, oldest first."""
        if not self._fresh():
            await self._read_again()
        return list(self._sites)

    async def by_id(self, number: int) -> Site | None:
        """One active site by id."""
        return next((site for site in await self.all() if site.id == number), None)

    def forget(self) -> None:
        """Read again before the next answer: something has changed."""
        self._believed_from = self._begun + 1

    def _fresh(self) -> bool:
        return self._done >= self._believed_from and self._clock() - self._read_at < FRESH_S

    async def _read_again(self) -> None:
        """Read what was committed before this call; callers that wait share one reading."""
        wanted = self._begun + 1
        async with self._reading:
            if self._done >= wanted:
                return
            self._begun += 1
            number, begun = self._begun, self._clock()
            if changed := await self._ledger.read(_changed_since, self._change):
                self._change, self._sites = changed
                self._by_host = {site.cname: site for site in self._sites if site.cname}
            self._read_at, self._done = begun, number

    def _look_up(self, host: str) -> Site | None:
        if len(self._sites) == 1:
            return self._sites[0]
        found = self._by_host.get(normal_host(host))
        if found and len(self._by_host) < HOSTS_REMEMBERED + SITES_AT_MOST:
            self._by_host[host] = found
        return found


def _changed_since(session: Session, change: int) -> tuple[int, list[Site]] | None:
    """The last change and every site, if there was a change after that one."""
    last = last_change(session)
    return None if last == change else (last, active_sites(session))


def _refuse_first_of_several(session: Session, site: Site) -> None:
    others = [str(other.id) for other in family(session, site.id) if other.id != site.id]
    if others:
        msg = f"site {site.id} is the first of its account; delete the others before it: {', '.join(others)}"
        raise InputRefused(msg)


def _new(number: int, parent: int | None, wanted: NewSite, now: int) -> Site:
    return Site(
        id=number,
        parent=parent,
        cname=wanted.cname,
        cname_setup=now,
        code=_made_up_code() if wanted.code is None else wanted.code,
        link_domain=wanted.link_domain,
        settings=wanted.settings,
        user_defaults=wanted.user_defaults,
        received_data=False,
        state="a",
        created=now,
        updated=None,
        first_hit=now,
    )


def _made_up_code() -> str:
    return "serve-" + "".join(secrets.choice(ascii_lowercase + digits) for _ in range(8))


def _normal(site: Site) -> Site:
    cname = normal_host(site.cname or "") or None
    return replace(
        site,
        cname=cname,
        cname_setup=None if cname is None else site.cname_setup,
        code=site.code.strip().lower(),
        link_domain=site.link_domain.strip(),
        settings=normal_settings(site.settings),
    )


def _check(session: Session, site: Site) -> None:
    errors = site_problems(site.code, site.cname, site.link_domain, site.settings)
    for field, problems in defaults_problems(site.user_defaults).items():
        errors[f"user_defaults.{field}"] = problems
    if len(_encode(site.user_defaults)) > DEFAULTS_AT_MOST:
        errors["user_defaults"] = [f"must be smaller than {DEFAULTS_AT_MOST:,} bytes"]
    # What is wrong already is nobody's, and may be text that PostgreSQL cannot even be asked for.
    sought = {"cname": None if "cname" in errors else site.cname, "code": "" if "code" in errors else site.code}
    hosts, codes = session.common.taken_by(session.connection, id=site.id, **sought)
    for field, taken in (("cname", hosts), ("code", codes)):
        if taken:
            errors.setdefault(field, []).append("already exists")
    if errors:
        raise InvalidFields(errors)


def _known(session: Session, number: int) -> Site:
    found = site(session, number)
    if found is None:
        msg = f"there is no site {number}"
        raise InputRefused(msg)
    return found
