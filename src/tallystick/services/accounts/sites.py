"""Sites: creation, changes, deletion, and the site of a host. Times are Unix milliseconds."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
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
from tallystick.model.site_changes import changes_logged, collection_change, path_rules_change, rules_change
from tallystick.model.site_rules import defaults_problems, normal_domain, normal_host, normal_settings, site_problems
from tallystick.services.accounts.accounts import CHANGES, existing, hold_accounts, last_change, set_first_site
from tallystick.services.accounts.audit import EventKind, is_superuser, note
from tallystick.services.accounts.site_hosts import (
    HOSTS_AT_MOST,
    by_host,
    by_name,
    forget_unknown_host,
    kept_host,
    note_unknown_hosts,
    remember_host,
    site_hosts,
)
from tallystick.services.accounts.site_rows import active_sites, family, site, site_columns
from tallystick.services.annotating import AnnotatedSite, annotate
from tallystick.services.jobs import DeleteSite, enqueue
from tallystick.services.zones import is_zone

SITES_AT_MOST = 10_000
DEFAULTS_AT_MOST = 32_768
"""Bytes of JSON."""

TAKEN = "already exists"  # the contract's text
DOMAIN_TAKEN = "is the domain or a host of another site"

FRESH_S = 0.125
READ_AHEAD_S = FRESH_S / 2
"""The age from which on the cache is read again while it is still used, so that requests need not wait for it."""
HOSTS_REMEMBERED = 10_000
SITES = "site"
"""The sequence that numbers sites."""

UNKNOWN_LOGGED_EVERY_S = 3_600.0
"""Least time between two log lines about the same host that no site has."""

_encode = msgspec.json.Encoder().encode

log = structlog.get_logger()


class NewSite(Struct, frozen=True, kw_only=True):
    """A site to create.

    Attributes:
        cname: the host by which requests choose it; None on a server with one site.
        code: a short name; generated if None.
        domain: the website's own name; empty for none.
    """

    cname: str | None = None
    code: str | None = None
    link_domain: str = ""
    domain: str = ""
    settings: SiteSettings = SiteSettings()
    user_defaults: UserSettings = UserSettings()


class SiteChanges(Struct, frozen=True, kw_only=True):
    """Changes of a site; unset fields stay as they are.

    Attributes:
        settings: the changed fields of ``SiteSettings``.
    """

    cname: str | UnsetType | None = UNSET
    code: str | UnsetType = UNSET
    link_domain: str | UnsetType = UNSET
    domain: str | UnsetType = UNSET
    settings: Mapping[str, Any] = msgspec.field(default_factory=dict)
    user_defaults: UserSettings | UnsetType = UNSET


class SitesSnapshot(Struct, frozen=True):
    """The sites of a server as they were at one change.

    Attributes:
        change: the number of the last change.
        hosts: ids of sites by their additional hosts.
        first: whether no more than one site has ever been created.
    """

    change: int
    sites: list[Site]
    hosts: dict[str, int]
    first: bool


def may_create_sites(person: Account, token: Token | None = None) -> bool:
    """Whether a person may add sites to their account: an admin of all its sites, even if it has none yet.

    A person without any access has no site and cannot create a first one either.

    Args:
        token: the token that acts for the person, if any; one limited to some sites cannot create others.
    """
    return person.access.get(ALL_SITES) in ("a", "*") and (token is None or EVERY_SITE in token.sites)


def sees_unknown_hosts(person: Account, sites: Iterable[Site]) -> bool:
    """Whether a person is told of hosts that no site has.

    A superuser is, and an admin whose account has all sites. Others would learn which hosts pages of other accounts
    name.

    Args:
        sites: all of the server.
    """
    if not may_create_sites(person):
        return False
    return is_superuser(person) or (person.site is not None and all(site.root == person.site for site in sites))


def create_site_as(session: Session, actor: Account, new: NewSite, now: int, token: Token | None = None) -> Site:
    """Add a site to a person's account, if the person may.

    Args:
        token: the token that acts for the person, if any.

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
    return create_site(session, person, new, now)


def create_site(session: Session, owner: Account, new: NewSite, now: int) -> Site:
    """Add a site to a person's account without checking their access. The first one makes the person its admin.

    Raises:
        InvalidFields: a field is invalid or taken.
        InputRefused: there are too many sites, the only one has no host yet, or the owner does not exist.
    """
    hold_accounts(session)
    owner = existing(session, owner.id)
    sites = active_sites(session)
    if len(sites) >= SITES_AT_MOST:
        msg = f"there are {SITES_AT_MOST:,} sites already, the most that a server can have"
        raise InputRefused(msg)
    if len(sites) == 1 and sites[0].cname is None:
        raise InputRefused(host_needed(sites[0]))
    site = _normal(_new(session.take_numbers(SITES), owner.site, new, now))
    _check(session, site)
    forget_unknown_host(session, site.cname)
    session.common.add_site(session.connection, parent=site.parent, created=now, **site_columns(site))
    if owner.site is None:
        set_first_site(session, owner, site.id, now)
    note(session, EventKind.SITE_CREATED, now, _subject(site), f"of {owner.email}")
    return site


def update_site(session: Session, number: int, changes: SiteChanges, now: int) -> Site:
    """Change a site.

    Raises:
        InvalidFields: a new value is invalid or taken.
        InputRefused: there is no such site.
    """
    hold_accounts(session)
    before = _known(session, number)
    named = {
        field: value
        for field in ("cname", "code", "link_domain", "domain", "user_defaults")
        if (value := getattr(changes, field)) is not UNSET
    }
    after = replace(before, **named, settings=replace(before.settings, **changes.settings), updated=now)
    after = _normal(after)
    if after.cname and after.cname != before.cname:
        after = replace(after, cname_setup=now)
    _check(session, after, before)
    session.common.change_site(session.connection, updated=now, **site_columns(after))
    if after.cname:
        session.common.delete_site_host(session.connection, host=after.cname, site=number)
        forget_unknown_host(session, after.cname)
    elif before.cname and len(active_sites(session)) > 1:
        # It would be at no host from now on, and pages that name this one would lose their hits.
        remember_host(session, number, before.cname, now)
    if text := changes_logged(before, after):
        note(session, EventKind.SITE_CHANGED, now, _subject(after), text)
    here = AnnotatedSite(after.id, after.user_defaults.timezone)
    for changed in (collection_change, rules_change, path_rules_change):
        if text := changed(before.settings, after.settings):
            annotate(session, [here], "collection", text, now)
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
    """Stop serving a site at once, and enqueue the removal of its hits.

    Returns:
        The id of the job.

    Raises:
        InputRefused: there is no such site, or its account has others.
    """
    hold_accounts(session)
    site = _known(session, number)
    _refuse_first_of_several(session, site)
    session.common.mark_deleted(session.connection, id=number, code=f"deleted-{number}", updated=now)
    session.common.leave_site(session.connection, site=number)
    session.common.delete_site_hosts(session.connection, site=number)
    session.common.release_namespaces_of(session.connection, site=number)
    note(session, EventKind.SITE_DELETED, now, _subject(site))
    return enqueue(session, DeleteSite(number), now)


def note_hits(session: Session, number: int, first_hit: int) -> None:
    """Record that a site has received hits, and that its statistics begin at ``first_hit`` or before."""
    stored = site(session, number)
    if stored and not (stored.received_data and stored.first_hit <= first_hit):
        hold_accounts(session)
        session.common.note_hits(session.connection, id=number, first_hit=first_hit)


class Sites:
    """A cache of the sites, which finds the site of a host.

    A change by this server is visible at once: ``hold_accounts`` invalidates the cache. Changes by other servers on the
    same database and by the command line are visible after an eighth of a second at most.

    Args:
        clock: seconds, monotonic.
        default: id, code or host of the site that counts for hosts that no site has; empty for none.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic, default: str = "") -> None:
        self._ledger, self._clock, self._default = ledger, clock, default
        self._sites: list[Site] = []
        self._by_host: dict[str, Site] = {}
        self._by_name: dict[str, Site] = {}
        self._only: Site | None = None
        """The site that counts for every host."""
        self._fallback: Site | None = None
        """The site that counts for hosts that no site has."""
        self._unknown: Counter[str] = Counter()
        self._logged: dict[str, float] = {}
        self._room = 0
        self._change = -1
        self._read_at = float("-inf")
        self._begun = self._done = 0  # numbers of the last read begun and finished
        self._valid_from = 1  # the first read that includes every change of this server
        self._reading = asyncio.Lock()
        self._ahead: asyncio.Task[None] | None = None
        """The read that replaces the cache before it is out of date."""
        ledger.subscribe(CHANGES, self.invalidate)

    def known(self, host: str) -> Site | None:
        """The site of a host if the cache has it. None means unknown, not missing. For the hot path."""
        return (self._by_host.get(host) or self._look_up(host)) if self._in_use() else None

    async def at(self, host: str) -> Site:
        """The site of a host (without port). A server's first site has every host while it is the only one.

        Raises:
            NoSuchSite: no site has the host.
            StoreUnavailable: the ledger cannot be read.
        """
        if site := self.known(host):
            return site
        # The site may have been created this moment, so a miss always reads the ledger.
        await self._read_again()
        if site := self._look_up(host):
            return site
        if self._sites:
            await self._note_unknown(host)
        raise NoSuchSite(host, empty=not self._sites)

    async def named(self, name: str) -> Site:
        """The site with this domain, else with this host, else with this code; in any case, also behind ``www.``.

        Never by its link domain, which is not unique: an owner could write another website's name there.

        Raises:
            NoSuchSite: no site has the name. Even a server's only site counts only for its own names.
            StoreUnavailable: the ledger cannot be read.
        """
        if self._in_use() and (site := self._look_up_name(name)):
            return site
        await self._read_again()
        if site := self._look_up_name(name):
            return site
        raise NoSuchSite(name, empty=not self._sites)

    async def with_name(self, name: str) -> Site | None:
        """The site that ``named`` finds; None without one, as of the last eighth of a second.

        Raises:
            StoreUnavailable: the ledger cannot be read.
        """
        if not self._fresh():
            await self._read_again()
        return self._look_up_name(name)

    async def all(self) -> list[Site]:
        """All active sites, oldest first."""
        if not self._fresh():
            await self._read_again()
        return list(self._sites)

    async def by_id(self, number: int) -> Site | None:
        """The active site with this id, or None."""
        return next((site for site in await self.all() if site.id == number), None)

    def invalidate(self) -> None:
        """Read the ledger again before the next answer; a read that has begun already does not count."""
        self._valid_from = self._begun + 1

    def is_new_host(self, host: str) -> bool:
        """Whether the only site counts for this host, and the host is not among its remembered ones yet."""
        return self._only is not None and self._room > 0 and host not in self._by_host

    async def remember(self, site: Site, host: str) -> None:
        """Remember a host for which a site has stored hits, so that it keeps the host when other sites are added.

        Errors are only logged: the hits are stored, and the next one tries again.
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
        """Store the counts of requests for hosts that no site has.

        Raises:
            StoreUnavailable: the counts are kept for the next call.
        """
        if requests := dict(self._unknown):
            await self._ledger.write(note_unknown_hosts, requests, self._ledger.clock())
            self._unknown.subtract(requests)
            self._unknown = +self._unknown

    async def _note_unknown(self, host: str) -> None:
        """Count a request for a host that no site has. Logs and stores new hosts at once, known ones now and then."""
        name, now = kept_host(host), self._clock()
        if name is None or (name not in self._unknown and len(self._unknown) >= HOSTS_AT_MOST):
            return
        self._unknown[name] += 1
        if now - self._logged.get(name, float("-inf")) < UNKNOWN_LOGGED_EVERY_S or len(self._logged) >= HOSTS_AT_MOST:
            return
        self._logged = {known: at for known, at in self._logged.items() if now - at < UNKNOWN_LOGGED_EVERY_S}
        self._logged[name] = now
        log.warning("requests for a host that no site has", host=name)
        try:
            await self.keep_unknown()
        except StoreUnavailable as error:
            log.warning("hosts that no site has could not be stored", reason=str(error))

    def _fresh(self) -> bool:
        return self._done >= self._valid_from and self._clock() - self._read_at < FRESH_S

    def _in_use(self) -> bool:
        """Whether the cache is fresh. Begins to read it again if it will not be for long."""
        age = self._clock() - self._read_at
        if self._done < self._valid_from or age >= FRESH_S:
            return False
        if age >= READ_AHEAD_S and self._ahead is None:
            self._ahead = asyncio.create_task(self._read_ahead())
        return True

    async def _read_ahead(self) -> None:
        # Where the ledger fails, the cache ends and the next request gets the error.
        try:
            with suppress(StoreUnavailable):
                await self._read_again()
        finally:
            self._ahead = None

    async def _read_again(self) -> None:
        """Read everything committed before this call; callers that wait share one read."""
        needed = self._begun + 1
        async with self._reading:
            if self._done >= needed:
                return
            self._begun += 1
            number, begun = self._begun, self._clock()
            if changed := await self._ledger.read(_changed_since, self._change):
                self._learn(changed)
            self._read_at, self._done = begun, number

    def _learn(self, known: SitesSnapshot) -> None:
        self._change, self._sites = known.change, known.sites
        self._by_host = by_host(known.sites, known.hosts)
        self._by_name = by_name(known.sites)
        self._only = _only(known)
        default = _chosen(known.sites, self._default)
        if self._default and default is None and known.sites:
            log.warning("the site given by --default-site does not exist", site=self._default)
        self._fallback = self._only or default
        self._room = HOSTS_AT_MOST - len(known.hosts)

    def _look_up(self, host: str) -> Site | None:
        if self._only is not None:
            return self._only
        site = self._by_host.get(normal_host(host))
        if site and len(self._by_host) < HOSTS_REMEMBERED + SITES_AT_MOST:
            self._by_host[host] = site
        return site or self._fallback

    def _look_up_name(self, name: str) -> Site | None:
        return self._by_name.get(normal_host(name)) or self._by_name.get(normal_domain(name))


def host_needed(site: Site) -> str:
    """The message for a second site while the first one has no host."""
    return (
        f"site {site.id} has no host yet, and several sites are distinguished by their hosts;"
        f" set it first: on its page, or with tallystick site change {site.id} --host HOST"
    )


def _only(known: SitesSnapshot) -> Site | None:
    """The site that counts for every host: the only site that was ever created, or one without any host.

    After another site was deleted, its visitors must not be counted for the remaining one. A site without a host could
    not be reached otherwise.
    """
    if len(known.sites) != 1:
        return None
    (site,) = known.sites
    return site if known.first or (site.cname is None and site.id not in known.hosts.values()) else None


def _chosen(sites: list[Site], which: str) -> Site | None:
    """The site with this id, code or host, or None."""
    if not which:
        return None
    host = normal_host(which)
    names = [(str(site.id), site.code, site.cname) for site in sites]
    return next((site for site, own in zip(sites, names, strict=True) if which in own or host in own), None)


def _changed_since(session: Session, change: int) -> SitesSnapshot | None:
    """The sites, if there was a change after the one with this number; else None."""
    last = last_change(session)
    if last == change:
        return None
    created = int(session.common.last_number(session.connection, name=SITES))
    return SitesSnapshot(last, active_sites(session), site_hosts(session), first=created <= 1)


def _refuse_first_of_several(session: Session, site: Site) -> None:
    others = [str(other.id) for other in family(session, site.id) if other.id != site.id]
    if others:
        msg = f"site {site.id} is the first of its account; delete the others before it: {', '.join(others)}"
        raise InputRefused(msg)


def _new(number: int, parent: int | None, new: NewSite, now: int) -> Site:
    return Site(
        id=number,
        parent=parent,
        cname=new.cname,
        cname_setup=now,
        code=_random_code() if new.code is None else new.code,
        link_domain=new.link_domain,
        settings=new.settings,
        user_defaults=new.user_defaults,
        received_data=False,
        state="a",
        created=now,
        updated=None,
        first_hit=now,
        domain=new.domain,
    )


def _random_code() -> str:
    return "serve-" + "".join(secrets.choice(ascii_lowercase + digits) for _ in range(8))


def _normal(site: Site) -> Site:
    cname = normal_host(site.cname or "") or None
    return replace(
        site,
        cname=cname,
        cname_setup=None if cname is None else site.cname_setup,
        code=site.code.strip().lower(),
        link_domain=site.link_domain.strip(),
        domain=normal_domain(site.domain),
        settings=normal_settings(site.settings),
    )


def _check(session: Session, site: Site, before: Site | None = None) -> None:
    """Refuse values of a site that are not valid or taken; a time zone that does not exist any more may stay."""
    errors = site_problems(site.code, site.cname, site.link_domain, site.settings, site.domain)
    for field, problems in defaults_problems(site.user_defaults).items():
        errors[f"user_defaults.{field}"] = problems
    zone = site.user_defaults.timezone
    is_new = before is None or before.user_defaults.timezone != zone
    if is_new and zone.strip(".") and not is_zone(zone):
        errors["user_defaults.timezone"] = ["must be a time zone such as DE.Europe/Berlin, or .UTC"]
    if len(_encode(site.user_defaults)) > DEFAULTS_AT_MOST:
        errors["user_defaults"] = [f"must be smaller than {DEFAULTS_AT_MOST:,} bytes"]
    # Invalid values are not looked up: no site has them, and PostgreSQL refuses some of them as parameters.
    cname = "" if "cname" in errors else site.cname or ""
    domain = "" if "domain" in errors else site.domain
    hosts, codes, domains = session.common.taken_by(
        session.connection,
        id=site.id,
        cname=cname,
        cname_domain=normal_domain(cname),
        code="" if "code" in errors else site.code,
        domain=domain,
    )
    others = {host for host, number in site_hosts(session).items() if number != site.id}
    hosts += cname in others
    domains += not others.isdisjoint({domain, f"www.{domain}"})
    for field, taken, problem in (("cname", hosts, TAKEN), ("code", codes, TAKEN), ("domain", domains, DOMAIN_TAKEN)):
        if taken:
            errors.setdefault(field, []).append(problem)
    if errors:
        raise InvalidFields(errors)


def _subject(site: Site) -> str:
    """The text for a site in the audit log."""
    return f"site {site.id} {site.cname or site.code}"


def _known(session: Session, number: int) -> Site:
    stored = site(session, number)
    if stored is None:
        msg = f"there is no site {number}"
        raise InputRefused(msg)
    return stored
