"""Sites: how they come, change and go, and which one a Host means. Times are Unix milliseconds."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from string import ascii_lowercase, digits
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import InputRefused, InvalidFields, NoSuchSite, NotPermitted, StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.model.account import ALL_SITES, EVERY_SITE, Access, Account, Principal, Token, UserSettings
from tallystick.model.site import Site, SiteSettings
from tallystick.model.site_rules import defaults_problems, normal_host, normal_settings, site_problems
from tallystick.services.accounts.accounts import CHANGES, existing, hold_accounts, last_change, own_site
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_hosts import (
    HOSTS_AT_MOST,
    by_host,
    forget_unknown_host,
    kept_host,
    note_unknown_hosts,
    remember_host,
    site_hosts,
)
from tallystick.services.accounts.site_rows import active_sites, family, site, site_columns
from tallystick.services.jobs import DeleteSite, enqueue

SITES_AT_MOST = 10_000
DEFAULTS_AT_MOST = 32_768
"""Bytes of JSON."""

FRESH_S = 0.125
HOSTS_REMEMBERED = 10_000
SITES = "site"
"""The sequence that numbers sites."""

UNKNOWN_LOGGED_EVERY_S = 3_600.0
"""How often one Host that no site has is worth a line of the log."""

_encode = msgspec.json.Encoder().encode

log = structlog.get_logger()


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


class Known(Struct, frozen=True):
    """The sites of a server as they were at one change.

    Attributes:
        change: the number of the last change.
        hosts: host -> id of the site that counts for it beside its own.
        first: whether no more than one site has ever been created.
    """

    change: int
    sites: list[Site]
    hosts: dict[str, int]
    first: bool


def may_create_sites(person: Account, token: Token | None = None) -> bool:
    """Whether a person may add sites to their account: an admin of all its sites, with or without one yet.

    A person who was given no access has no site and cannot make the first one either.

    Args:
        token: what acts for the person; one that is limited to some sites creates none.
    """
    return person.access.get(ALL_SITES) in ("a", "*") and (token is None or EVERY_SITE in token.sites)


def create_site_as(session: Session, actor: Account, wanted: NewSite, now: int, token: Token | None = None) -> Site:
    """Add a site to the account of a person, who must have the right to.

    Args:
        token: what acts for the person, if anything does.

    Raises:
        NotPermitted: the person or the token may not create sites.
        InvalidFields, InputRefused: see ``create_site``.
    """
    hold_accounts(session)
    person = existing(session, actor.id)
    if not may_create_sites(person, token):
        if token is not None and may_create_sites(person):
            msg = "this token is limited to some sites and cannot create others"
        else:
            msg = "only admins of all sites of an account can create sites; the operator of the server can make you one"
        raise NotPermitted(msg)
    return create_site(session, person, wanted, now)


def create_site(session: Session, owner: Account, wanted: NewSite, now: int) -> Site:
    """Add a site to a person's account, by the word of the operator. The first one makes the person its admin.

    Raises:
        InvalidFields: what is wanted cannot be used, or is taken.
        InputRefused: there are too many sites, one of them has no host yet, or the owner is gone.
    """
    hold_accounts(session)
    owner = existing(session, owner.id)
    present = active_sites(session)
    if len(present) >= SITES_AT_MOST:
        msg = f"there are {SITES_AT_MOST:,} sites already, which is as many as a server takes"
        raise InputRefused(msg)
    if len(present) == 1 and present[0].cname is None:
        raise InputRefused(host_needed(present[0]))
    site = _normal(_new(session.take_numbers(SITES), owner.site, wanted, now))
    _check(session, site)
    forget_unknown_host(session, site.cname)
    session.common.add_site(session.connection, parent=site.parent, created=now, **site_columns(site))
    if owner.site is None:
        own_site(session, owner, site.id, now)
    note(session, EventKind.SITE_CREATED, now, _subject(site), f"of {owner.email}")
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
    if after.cname:
        session.common.delete_site_host(session.connection, host=after.cname, site=number)
        forget_unknown_host(session, after.cname)
    elif before.cname and len(active_sites(session)) > 1:
        # It would be at no host from now on, and pages that name this one would lose their hits.
        remember_host(session, number, before.cname, now)
    return after


def sites_within_reach(session: Session, current: Site, principal: Principal, needed: Access = "s") -> list[Site]:
    """A site and its children, as far as a token and its owner reach."""
    token, account = principal.token, principal.account
    return [
        site
        for site in family(session, current.root)
        if current.id in (site.id, site.parent) and token.covers(site.id) and account.may(needed, site.id)
    ]


def update_site_within_reach(  # noqa: PLR0913, PLR0917  # who changes what, from where and when
    session: Session, current: Site, principal: Principal, number: int, changes: SiteChanges, now: int
) -> Site | None:
    """Change a site or one of its children; None for one that the principal may not change.

    Raises:
        InvalidFields, InputRefused: see ``update_site``.
    """
    if all(site.id != number for site in sites_within_reach(session, current, principal, "a")):
        return None
    return update_site(session, number, changes, now)


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
    session.common.delete_site_hosts(session.connection, site=number)
    note(session, EventKind.SITE_DELETED, now, _subject(site))
    return enqueue(session, DeleteSite(number), now)


def note_hits(session: Session, number: int, first_hit: int) -> None:
    """Remember that a site has received hits, and that its statistics begin at ``first_hit`` or before."""
    found = site(session, number)
    if found and not (found.received_data and found.first_hit <= first_hit):
        hold_accounts(session)
        session.common.note_hits(session.connection, id=number, first_hit=first_hit)


class Sites:
    """A cache of the sites, and which site a Host means.

    A change by this server shows at once: ``hold_accounts`` invalidates the cache. Changes by other servers on the same
    database and by the command line show after an eighth of a second at most.

    Args:
        clock: seconds, monotonic.
        default: id, code or host of the site that counts for hosts that no site has; empty for none.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic, default: str = "") -> None:
        self._ledger, self._clock, self._default = ledger, clock, default
        self._sites: list[Site] = []
        self._by_host: dict[str, Site] = {}
        self._only: Site | None = None
        """The site that counts for every Host."""
        self._otherwise: Site | None = None
        """The site that counts for hosts that no site has."""
        self._unknown: Counter[str] = Counter()
        self._logged: dict[str, float] = {}
        self._room = 0
        self._change = -1
        self._read_at = float("-inf")
        self._begun = self._done = 0  # readings, by number
        self._believed_from = 1  # the first reading that has seen every change of our own
        self._reading = asyncio.Lock()
        ledger.subscribe(CHANGES, self.invalidate)

    def known(self, host: str) -> Site | None:
        """The site at a Host if that is known right now; no answer means nothing. For the hot path."""
        if not self._fresh():
            return None
        return self._by_host.get(host) or self._look_up(host)

    async def at(self, host: str) -> Site:
        """The site at a Host (without port). A server's first site is at every Host while it is the only one.

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
        if self._sites:
            await self._note_unknown(host)
        raise NoSuchSite(host, empty=not self._sites)

    async def all(self) -> list[Site]:
        """Every active site, oldest first."""
        if not self._fresh():
            await self._read_again()
        return list(self._sites)

    async def by_id(self, number: int) -> Site | None:
        """One active site by id."""
        return next((site for site in await self.all() if site.id == number), None)

    def invalidate(self) -> None:
        """Read again before the next answer. A reading that has begun already does not count."""
        self._believed_from = self._begun + 1

    def is_new_host(self, host: str) -> bool:
        """Whether the only site counts for a Host by being the only one, and that is not remembered yet."""
        return self._only is not None and self._room > 0 and host not in self._by_host

    async def remember(self, site: Site, host: str) -> None:
        """Let a site that has stored hits for a Host go on counting for it when there are others.

        Nothing is raised: the hits are stored, and the next one tries again.
        """
        name = kept_host(host)
        if name is None or name in self._by_host:
            self._by_host.setdefault(host, site)
            return
        try:
            await self._ledger.write(remember_host, site.id, name, self._ledger.clock())
        except StoreUnavailable as error:
            log.warning("a host could not be remembered", reason=str(error))

    async def keep_unknown(self) -> None:
        """Store how often hosts that no site has were named.

        Raises:
            StoreUnavailable: the next call tries again.
        """
        if requests := dict(self._unknown):
            await self._ledger.write(note_unknown_hosts, requests, self._ledger.clock())
            self._unknown.subtract(requests)
            self._unknown = +self._unknown

    async def _note_unknown(self, host: str) -> None:
        """The log and the ledger hear of a new host at once, and of a known one from time to time."""
        name, now = kept_host(host), self._clock()
        if name is None or (name not in self._unknown and len(self._unknown) >= HOSTS_AT_MOST):
            return
        self._unknown[name] += 1
        if now - self._logged.get(name, float("-inf")) < UNKNOWN_LOGGED_EVERY_S or len(self._logged) >= HOSTS_AT_MOST:
            return
        self._logged = {known: at for known, at in self._logged.items() if now - at < UNKNOWN_LOGGED_EVERY_S}
        self._logged[name] = now
        log.warning("requests name a host that no site has", host=name)
        try:
            await self.keep_unknown()
        except StoreUnavailable as error:
            log.warning("hosts that no site has could not be noted", reason=str(error))

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
                self._learn(changed)
            self._read_at, self._done = begun, number

    def _learn(self, known: Known) -> None:
        self._change, self._sites = known.change, known.sites
        self._by_host = by_host(known.sites, known.hosts)
        self._only = _only(known)
        default = _chosen(known.sites, self._default)
        if self._default and default is None and known.sites:
            log.warning("there is no such site as --default-site names", site=self._default)
        self._otherwise = self._only or default
        self._room = HOSTS_AT_MOST - len(known.hosts)

    def _look_up(self, host: str) -> Site | None:
        if self._only is not None:
            return self._only
        found = self._by_host.get(normal_host(host))
        if found and len(self._by_host) < HOSTS_REMEMBERED + SITES_AT_MOST:
            self._by_host[host] = found
        return found or self._otherwise


def host_needed(site: Site) -> str:
    """Why no other site can be added beside one that has no host."""
    return (
        f"site {site.id} has no host yet, and several sites are told apart by their hosts;"
        f" set it first: on its page, or with tallystick site change {site.id} --host HOST"
    )


def _only(known: Known) -> Site | None:
    """The site that is at every Host: the only one there ever was.

    After another one was deleted, its visitors would be counted for this one. A site without a host of its own could
    be reached by nobody.
    """
    if len(known.sites) != 1:
        return None
    (site,) = known.sites
    return site if known.first or (site.cname is None and site.id not in known.hosts.values()) else None


def _chosen(sites: list[Site], wanted: str) -> Site | None:
    """The site that an id, a code or a host names."""
    if not wanted:
        return None
    host = normal_host(wanted)
    names = [(str(site.id), site.code, site.cname) for site in sites]
    return next((site for site, known in zip(sites, names, strict=True) if wanted in known or host in known), None)


def _changed_since(session: Session, change: int) -> Known | None:
    """What is known of the sites, if there was a change after that one."""
    last = last_change(session)
    if last == change:
        return None
    created = int(session.common.last_number(session.connection, name=SITES))
    return Known(last, active_sites(session), site_hosts(session), first=created <= 1)


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
    hosts += site_hosts(session).get(sought["cname"] or "", site.id) != site.id
    for field, taken in (("cname", hosts), ("code", codes)):
        if taken:
            errors.setdefault(field, []).append("already exists")
    if errors:
        raise InvalidFields(errors)


def _subject(site: Site) -> str:
    """A site as the log names it."""
    return f"site {site.id} {site.cname or site.code}"


def _known(session: Session, number: int) -> Site:
    found = site(session, number)
    if found is None:
        msg = f"there is no site {number}"
        raise InputRefused(msg)
    return found
