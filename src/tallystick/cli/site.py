"""``tallystick site``: sites whose hits are counted, also while a server serves them."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, get_type_hints

import msgspec
from cyclopts import App, Parameter, Token
from msgspec import UNSET

from tallystick.cli.support.asking import Yes, confirm
from tallystick.cli.support.jobs import do_jobs
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import Site, SiteSettings
from tallystick.model.site_rules import normal_host
from tallystick.services.accounts import sites
from tallystick.services.accounts.site_hosts import hosts_of, release_host
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import NewSite, SiteChanges
from tallystick.settings import StorageSettings

app = App(
    name="site",
    help="Look after the sites whose hits are counted, also while a server serves them.",
    help_epilogue="A site is named by id or Host.",
)

SITES_NAMED = 10

_KINDS = get_type_hints(SiteSettings)


def _settings(_type: Any, tokens: tuple[Token, ...]) -> tuple[tuple[str, Any], ...]:  # noqa: ANN401
    return tuple(_setting(token.value) for token in tokens)


def _setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE``; lists are separated by commas, and an empty value is an empty list."""
    name, sign, value = text.partition("=")
    if not sign or name not in _KINDS:
        msg = f"it accepts NAME=VALUE, where NAME is one of {', '.join(_KINDS)}, not {text!r}."
        raise ValueError(msg)
    kind = _KINDS[name]
    raw = [part for part in value.split(",") if part.strip()] if kind == tuple[str, ...] else value
    try:
        return name, msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        msg = f"it accepts NAME=VALUE, where VALUE is of the setting's kind: {name}: {str(error).lower()}."
        raise ValueError(msg) from None


SettingOptions = Annotated[
    tuple[tuple[str, Any], ...],
    Parameter(
        name="--setting",
        converter=_settings,
        n_tokens=1,
        accepts_keys=False,
        negative=(),
        metavar="NAME=VALUE",
        show_default=False,
    ),
]


@app.command(sort_key=1)
def create(
    *,
    host: str,
    email: str,
    code: str | None = None,
    link_domain: Annotated[str, Parameter(show_default=False)] = "",
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Create a site and print its id.

    A server's first site counts for every Host as long as it is the only one there has been. With several, the Host
    chooses; the first one keeps the Hosts that it has counted for (see site hosts).

    Args:
        host: The Host that requests for this site name, for example stats.example.com.
        email: Whose it is. Someone's first site makes them its admin; later ones join the same account.
        code: A short name; made up unless given.
        link_domain: Where the counted pages are, for example https://example.com, so that reports can link to them.
    """
    wanted = NewSite(cname=host, code=code, link_domain=link_domain)
    with _told_as_options(), opened_ledger(settings) as (_, session), session.transaction():
        made = sites.create_site(session, account_of(session, email), wanted, milliseconds())
    print(f"{made.cname} belongs to {email}", file=sys.stderr)
    print(made.id)


@app.command(name="list", sort_key=2)
def list_(*, settings: StorageSettings = StorageSettings()) -> None:
    """List sites, oldest first.

    A table on a terminal. Elsewhere one site a line, separated by tabs: id, Host, code, the first site of its
    account if it is another one, link domain, when it was created, and since when it has hits.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        found = active_sites(session)
    print_rows(
        ("Id", "Host", "Code", "First site", "Link domain", "Created", "Hits since"),
        [
            (
                site.id,
                site.cname,
                site.code,
                site.parent,
                site.link_domain,
                instant(site.created),
                instant(site.counting_since),
            )
            for site in found
        ],
    )


@app.command(sort_key=3)
def change(  # noqa: PLR0913  # one an option
    which: str,
    /,
    *,
    host: str | None = None,
    code: str | None = None,
    link_domain: str | None = None,
    setting: SettingOptions = (),
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Change a site; what is not named stays. Hits older than a new data_retention are deleted.

    Args:
        which: Id or Host.
        host: The Host that requests for this site name.
        code: A short name.
        link_domain: Where the counted pages are; empty for nowhere.
        setting: A setting of the site, for example data_retention=365 or ignore_ips=192.0.2.1,10.0.0.0/8. May be
            repeated.
    """
    changes = SiteChanges(
        cname=UNSET if host is None else host,
        code=UNSET if code is None else code,
        link_domain=UNSET if link_domain is None else link_domain,
        settings=dict(setting),
    )
    with _told_as_options(), opened_ledger(settings) as (_, session), session.transaction():
        sites.update_site(session, site_of(session, which).id, changes, milliseconds())


@app.command(sort_key=4)
def hosts(
    which: str,
    /,
    *,
    release: Annotated[tuple[str, ...], Parameter(negative=(), metavar="HOST", show_default=False)] = (),
    settings: StorageSettings = StorageSettings(),
) -> None:
    """List the Hosts beside its own that a site counts for, one a line.

    They are the ones that a server's only site has counted for. It keeps them when other sites are added, until they
    are released.

    Args:
        which: Id or Host.
        release: A Host that the site no longer counts for. May be repeated.
    """
    with opened_ledger(settings) as (_, session), session.transaction():
        number = site_of(session, which).id
        for name in release:
            if not release_host(session, number, name):
                msg = f"--release: site {number} does not count for {name}"
                raise InputRefused(msg)
        left = hosts_of(session, number)
    for host in left:
        print(host)


@app.command(sort_key=5)
def delete(
    which: str,
    /,
    *,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete a site with everything that was counted for it.

    The site answers no more at once; its hits are removed in the background.

    Args:
        which: Id or Host.
        yes: Do not ask.
    """
    with opened_ledger(settings) as (_, session):
        with session.snapshot():
            site = site_of(session, which)
        name = f"site {site.id} ({site.name})" if site.name != f"site {site.id}" else site.name
        names = [name for name in (site.cname, site.code) if name]
        confirm(f"Delete {name} with all its hits?", f"{name} was not deleted", yes=yes, names=names)
        with session.transaction():
            sites.delete_site(session, site.id, milliseconds())
    do_jobs(settings)


def site_of(session: Session, which: str | None) -> Site:
    """The site that a person means, by id, code or Host; None for the only one there is.

    Raises:
        InputRefused: there is none, or it is not clear which.
    """
    return site_among(active_sites(session), which)


def site_among(known: Sequence[Site], wanted: str | None) -> Site:
    """Like ``site_of``, among sites that were read already."""
    found = list(known) if wanted is None else [site for site in known if wanted in (str(site.id), site.code)]
    if wanted is not None and not found:
        found = [site for site in known if site.cname == normal_host(wanted)]
    if len(found) == 1:
        return found[0]
    if wanted is None and known:
        named = ", ".join(f"{site.id} ({site.name})" for site in known[:SITES_NAMED])
        more = ", ..." if len(known) > SITES_NAMED else ""
        msg = f"--site is needed, an id or Host of one of {len(known)} sites: {named}{more}"
    else:
        msg = f"there is no site {wanted}" if wanted else "there is no site yet: tallystick site create makes one"
    raise InputRefused(msg)


def _told_as_options() -> AbstractContextManager[None]:
    settings = {f"settings.{name}": f"--setting {name}" for name in _KINDS}
    return fields_are_options(cname="--host", link_domain="--link-domain", **settings)
