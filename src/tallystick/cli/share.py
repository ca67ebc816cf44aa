"""``tallystick share``: manages the shared links of a site."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from msgspec import UNSET, UnsetType

from tallystick.cli.support.kept_access import SiteOfKept, changing, reading, removal
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.people import fields_are_options
from tallystick.cli.support.prompts import new_password
from tallystick.cli.support.query_body import filters_in
from tallystick.cli.user import FromInput
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.filter_words import words_of
from tallystick.model.shared_link import SharedLink, end_of_day, last_day
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.analytics.kept.keeping import id_or_name, pick_named
from tallystick.services.analytics.kept.shared_links import (
    SharedLinkChanges,
    change_shared_link,
    create_shared_link,
    shared_links_of,
    withdraw_shared_link,
)
from tallystick.settings import StorageSettings

NEVER, ALL = "never", "all"
KIND = "shared link"
_OPTIONS = {"name": "NAME", "panels": "--list", "filters": "--filter"}

app = App(
    name="share",
    help="Manage the shared links of a site, with which people without an account read its statistics; also while a"
    " server runs. It works where the data is, on the data directory or the database: there is no API for links.",
)

Filters = Annotated[
    tuple[str, ...] | None, Parameter(name="--filter", n_tokens=1, negative=(), metavar="TEXT", show_default=False)
]
Lists = Annotated[
    tuple[str, ...] | None, Parameter(name="--list", n_tokens=1, negative=(), metavar="LIST", show_default=False)
]
Day = Annotated[str | None, Parameter(metavar=f"YYYY-MM-DD|{NEVER}", show_default=False)]


@app.command(sort_key=1)
def create(  # noqa: PLR0913  # one an option
    name: str,
    /,
    *,
    expires: Day = None,
    password: FromInput | None = None,
    filters: Filters = None,
    lists: Lists = None,
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Create a shared link and print its id and its path on the server, with the secret, which is shown only now.

    Until the end of March, with a password, and only the pages of the blog:

        tallystick share create Bob --expires 2027-03-31 --password - --filter "page contains /blog" --list pages

    Args:
        name: Of the link, unique on the site.
        expires: The last day, with whose end in UTC the link ends; never unless given.
        password: Asked for by the link; read from the terminal or from the first line of standard input, where other
            programs cannot see it.
        filters: Which visits and hits it shows, as tallystick query takes them. May be repeated; all filters must hold.
        lists: What it shows, by the names in the addresses of lists, such as pages or entry-pages. May be repeated. All
            unless given, but for left-out.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    ends, locked, panels = _expiry(expires), filters_in(filters or ()), _panels(lists or ())
    digest = _digest() if password else None
    with changing(site, settings, **_OPTIONS) as (session, place):
        new = SharedLink(
            site=place.id, name=name, expires=ends, password=digest, filters=list(locked), panels=tuple(panels)
        )
        link, secret = create_shared_link(session, new, milliseconds())
    print_rows(("Id", "Path"), [(link.id, f"/share/{secret}")])


@app.command(name="list", sort_key=2)
def list_(*, site: SiteOfKept = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the shared links of a site, oldest first, also those that have expired. Their secrets are not stored.

    On a terminal a table, otherwise one link a line, separated by tabs: id, name, last day, whether it has a password,
    filter, lists, when it was created and last used.

    Args:
        site: The site's id, host or domain; not needed if there is only one site.
    """
    with reading(site, settings) as (session, place):
        links = shared_links_of(session, place.id)
    print_rows(
        ("Id", "Name", "Last day", "Password", "Filter", "Lists", "Created", "Used"),
        [
            (
                link.id,
                link.name,
                last_day(link),
                "yes" if link.password else "no",
                words_of(link.filters) if link.filters else None,
                ",".join(link.panels) or ALL,
                instant(link.created),
                instant(link.used),
            )
            for link in links
        ],
    )


@app.command(sort_key=3)
def change(  # noqa: PLR0913  # one an option
    which: str,
    /,
    *,
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    expires: Day = None,
    password: FromInput | None = None,
    no_password: Annotated[bool, Parameter(negative=())] = False,
    filters: Filters = None,
    lists: Lists = None,
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Change a shared link; its secret stays, and so does what is not given.

    A new password ends what was opened with the old one.

    Args:
        which: Id or name.
        name: A new one.
        expires: The last day, with whose end in UTC the link ends; or never.
        password: A new one, read from the terminal or from the first line of standard input.
        no_password: The link needs no password any more.
        filters: In place of all it had; all for no filter. May be repeated; all filters must hold.
        lists: In place of those it had; all for all lists. May be repeated.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    if password and no_password:
        msg = "--password and --no-password exclude each other"
        raise InputRefused(msg)
    changed: str | UnsetType | None = None if no_password else UNSET
    ends: int | UnsetType | None = UNSET if expires is None else _expiry(expires)
    locked: list[Any] | UnsetType = UNSET if filters is None else list(filters_in([] if filters == (ALL,) else filters))
    panels = UNSET if lists is None else _panels(() if lists == (ALL,) else lists)
    if password:
        changed = _digest()  # before the transaction: people type slowly
    with changing(site, settings, **{**_OPTIONS, "name": "--name"}) as (session, place):
        link = pick_named(shared_links_of(session, place.id), id_or_name(which), KIND)
        changes = SharedLinkChanges(
            name=UNSET if name is None else name, expires=ends, password=changed, filters=locked, panels=panels
        )
        change_shared_link(session, place.id, link.id, changes, milliseconds())


app.command(
    removal(KIND, shared_links_of, withdraw_shared_link),
    name="withdraw",
    help="Delete a shared link; its address shows nothing from then on.",
    sort_key=4,
)


def _digest() -> str:
    """The digest of a password that is typed or read."""
    with fields_are_options():
        return hash_password(new_password())


def _expiry(day: str | None) -> int | None:
    """The moment at which a link ends; None for never."""
    if day is None or day == NEVER:
        return None
    ends = end_of_day(day)
    if ends is None:
        msg = f"--expires accepts a day such as 2026-12-31, or {NEVER}, not {day[:50]!r}"
        raise InputRefused(msg)
    return ends


def _panels(lists: Sequence[str]) -> tuple[str, ...]:
    """The names of lists, which all exist."""
    from tallystick.surfaces.dashboard.sharing.form import OFFERED_LISTS  # noqa: PLC0415  # many modules, for few calls

    for each in lists:
        if each not in OFFERED_LISTS:
            msg = f"--list: there is no list {each[:50]!r}; they are {', '.join(OFFERED_LISTS)}"
            raise InputRefused(msg)
    return tuple(lists)
