"""``tallystick path``: names of pages and events, also while a server counts them."""

from cyclopts import App

from tallystick.cli.site import site_of
from tallystick.cli.support.asking import Yes, confirm
from tallystick.cli.support.jobs import decide
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.ledger.ledger import milliseconds
from tallystick.services.analytics import names, path_changes
from tallystick.settings import StorageSettings

PAGE = 1_000

app = App(name="path", help="Look after the paths of a site, also while a server counts for them.")


@app.command(name="list", sort_key=1)
def list_(*, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the paths of a site, by id.

    A table on a terminal. Elsewhere one path a line, separated by tabs: id, path, title, and "event" for an event.

    Args:
        site: Id or Host; the only site of a server does not need it.
    """
    found: list[names.Path] = []
    with opened_ledger(settings) as (_, session), session.snapshot():
        number = site_of(session, site).id
        while page := names.list_paths(session, number, found[-1].id if found else 0, PAGE):
            found += page
    rows = [(path.id, path.path, path.title, "event" if path.event else None) for path in found]
    print_rows(("Id", "Path", "Title", "Kind"), rows)


@app.command(sort_key=2)
def rename(path: int, name: str, /, *, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """Give a path another name; its hits stay with it. Later hits of the old name make a new path.

    Args:
        path: Id of the path.
        name: The new name; that of a page begins with a slash.
        site: Id or Host; the only site of a server does not need it.
    """
    decide(
        settings,
        lambda session: path_changes.rename_path(session, site_of(session, site).id, path, name, milliseconds()),
    )


@app.command(sort_key=3)
def merge(
    *paths: int,
    into: int,
    site: str | None = None,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Give the hits of some paths to another one, and forget their names. This cannot be undone.

    A session that visited several of them counts once.

    Args:
        paths: Ids of the paths that go.
        into: Id of the path that stays.
        site: Id or Host; the only site of a server does not need it.
        yes: Do not ask.
    """
    confirm(f"Merge {len(paths):,} paths into path {into}? Their names are lost.", "nothing was merged", yes=yes)
    decide(
        settings,
        lambda session: path_changes.merge_paths(session, site_of(session, site).id, paths, into, milliseconds()),
    )


@app.command(sort_key=4)
def delete(
    *paths: int,
    site: str | None = None,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete paths with all their hits.

    Args:
        paths: Ids of the paths.
        site: Id or Host; the only site of a server does not need it.
        yes: Do not ask.
    """
    confirm(f"Delete {len(paths):,} paths with all their hits?", "nothing was deleted", yes=yes)
    decide(
        settings,
        lambda session: path_changes.delete_paths(session, site_of(session, site).id, paths, milliseconds()),
    )
