"""``tallystick path``: lists, renames, merges and deletes paths, also while a server runs."""

from cyclopts import App

from tallystick.cli.site import site_of
from tallystick.cli.support.jobs import write_and_do_jobs
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.audit import COMMAND_LINE, done_by
from tallystick.services.analytics import names, path_changes
from tallystick.settings import StorageSettings

PAGE = 1_000

app = App(name="path", help="Rename, merge and delete paths of a site; also while a server runs.")


@app.command(name="list", sort_key=1)
def list_(*, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the paths of a site, by id.

    On a terminal a table, otherwise one path a line, separated by tabs: id, path, title, and "event" for an event.

    Args:
        site: Id or host; not needed if there is only one site.
    """
    paths: list[names.Path] = []
    with opened_ledger(settings) as (_, session), session.snapshot():
        number = site_of(session, site).id
        while page := names.list_paths(session, number, paths[-1].id if paths else 0, PAGE):
            paths += page
    rows = [(path.id, path.path, path.title, "event" if path.event else None) for path in paths]
    print_rows(("Id", "Path", "Title", "Kind"), rows)


@app.command(sort_key=2)
def rename(path: int, name: str, /, *, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """Rename a path and keep its hits. Later hits of the old name create a new path.

    Args:
        path: Id of the path.
        name: The new name; for a page it begins with a slash.
        site: Id or host; not needed if there is only one site.
    """
    write_and_do_jobs(
        settings,
        lambda session: done_by(
            session, COMMAND_LINE, path_changes.rename_path, site_of(session, site).id, path, name, milliseconds()
        ),
    )


@app.command(sort_key=3)
def merge(
    *paths: int,
    into: int,
    site: str | None = None,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Move the hits of some paths to another one and delete their names. This cannot be undone.

    A session that visited several of them counts once.

    Args:
        paths: Ids of the paths to merge; they are deleted.
        into: Id of the path that gets their hits.
        site: Id or host; not needed if there is only one site.
        yes: Do not ask.
    """
    confirm(f"Merge {len(paths):,} paths into path {into}? Their names are lost.", "nothing was merged", yes=yes)
    write_and_do_jobs(
        settings,
        lambda session: done_by(
            session, COMMAND_LINE, path_changes.merge_paths, site_of(session, site).id, paths, into, milliseconds()
        ),
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
        site: Id or host; not needed if there is only one site.
        yes: Do not ask.
    """
    confirm(f"Delete {len(paths):,} paths with all their hits?", "nothing was deleted", yes=yes)
    write_and_do_jobs(
        settings,
        lambda session: done_by(
            session, COMMAND_LINE, path_changes.delete_paths, site_of(session, site).id, paths, milliseconds()
        ),
    )
