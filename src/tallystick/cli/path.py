"""``tallystick path``: lists, renames, merges and deletes paths, and rules for them, also while a server runs."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tallystick.cli.site import site_of
from tallystick.cli.support.jobs import do_jobs, write_and_do_jobs
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import fields_are_options
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.audit import COMMAND_LINE, done_by
from tallystick.services.accounts.path_rules import put_path_rule, remove_path_rule
from tallystick.services.analytics import names, path_changes
from tallystick.services.analytics.gathered_paths import batched_ids, gathered_ids
from tallystick.services.analytics.path_changes import gather_by_rule
from tallystick.settings import StorageSettings

PAGE = 1_000

app = App(name="path", help="Rename, merge and delete paths of a site; also while a server runs.")
rules = App(name="rules", help="Rules that count many pages under one path, such as /orders/*.", sort_key=5)
app.command(rules)


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


@rules.command(name="list", sort_key=1)
def list_rules(*, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the rules of a site in their order, with the number of stored paths that each would gather.

    Args:
        site: Id or host; not needed if there is only one site.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        place = site_of(session, site)
        found = gathered_ids(session, place.id, place.settings.path_rules)
    print_rows(("Rule", "Paths"), [(rule, len(ids)) for rule, ids in found.items()])


@rules.command(name="add", sort_key=2)
def add_rule(
    rule: str,
    /,
    *,
    place: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    site: str | None = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Count pages under one path from now on; the first rule that fits applies. Stored paths stay until apply.

    Args:
        rule: A path with * for any text without a slash, such as /orders/*, or with ** at its end for everything
            below, such as /docs/**.
        place: Of the rule among the others, from 1; the last one by default. A rule that is there already is moved.
        site: Id or host; not needed if there is only one site.
    """
    with opened_ledger(settings) as (_, session), session.transaction(), fields_are_options(rule="RULE"):
        before = None if place is None else place - 1
        number = site_of(session, site).id
        done_by(session, COMMAND_LINE, put_path_rule, number, rule, milliseconds(), before)


@rules.command(name="remove", sort_key=3)
def remove_rule(rule: str, /, *, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """Count pages under their own paths again from now on.

    Args:
        rule: As it is listed.
        site: Id or host; not needed if there is only one site.
    """
    with opened_ledger(settings) as (_, session), session.transaction():
        place = site_of(session, site)
        if rule not in place.settings.path_rules:
            msg = f"site {place.id} has no rule {rule}; tallystick path rules list has them"
            raise InputRefused(msg)
        done_by(session, COMMAND_LINE, remove_path_rule, place.id, rule, milliseconds())


@rules.command(name="apply", sort_key=4)
def apply_rules(*, site: str | None = None, yes: Yes = False, settings: StorageSettings = StorageSettings()) -> None:
    """Merge the stored paths that the rules of a site gather. This cannot be undone.

    Args:
        site: Id or host; not needed if there is only one site.
        yes: Do not ask.
    """
    with opened_ledger(settings) as (_, session):
        with session.snapshot():
            place = site_of(session, site)
            found = gathered_ids(session, place.id, place.settings.path_rules)
        count = sum(map(len, found.values()))
        if count:
            confirm(f"Merge {count:,} paths as the rules say? Their names are lost.", "nothing was merged", yes=yes)
        for rule, ids in found.items():
            for some in batched_ids(ids):
                with session.transaction():
                    done_by(session, COMMAND_LINE, gather_by_rule, place.id, some, rule, milliseconds())
    do_jobs(settings)
