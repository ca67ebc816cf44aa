"""What the commands for goals, funnels, segments, annotations and links share. They work beside a running server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from tallystick.cli.site import site_of
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import fields_are_options
from tallystick.cli.support.prompts import confirm
from tallystick.ledger import Session
from tallystick.model.site import Site
from tallystick.services.accounts.audit import COMMAND_LINE, acting
from tallystick.settings import StorageSettings

SiteOfKept: TypeAlias = Annotated[str | None, Parameter(metavar="ID|HOST|DOMAIN", show_default=False)]
Words = Annotated[str, Parameter(show_default=False)]


@contextmanager
def changing(site: str | None, settings: StorageSettings, **options: str) -> Iterator[tuple[Session, Site]]:
    """A transaction of the ledger, and a site.

    Args:
        options: options by field, for messages.

    Raises:
        InputRefused: there is no such site, or a field is not valid.
    """
    with (
        fields_are_options(**options),
        acting(COMMAND_LINE),
        opened_ledger(settings) as (_, session),
        session.transaction(),
    ):
        yield session, site_of(session, site)


@contextmanager
def reading(site: str | None, settings: StorageSettings) -> Iterator[tuple[Session, Site]]:
    """A snapshot of the ledger, and a site.

    Raises:
        InputRefused: there is no such site.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        yield session, site_of(session, site)


def remove_one(  # noqa: PLR0913  # which, of what
    site: str | None,
    settings: StorageSettings,
    find: Callable[[Session, Site], Any],
    delete: Callable[[Session, Site, int], None],
    *,
    yes: bool,
    kind: str = "",
) -> None:
    """Ask, and delete an object.

    Args:
        find: the object, with an id and a name or a text.
        kind: what it is, in words; unless given, the name of its class.

    Raises:
        InputRefused: there is none, or it is used.
    """
    with acting(COMMAND_LINE), opened_ledger(settings) as (_, session):
        with session.snapshot():
            place = site_of(session, site)
            one = find(session, place)
        said = f"{kind or type(one).__name__.lower()} {one.id} ({getattr(one, 'name', '') or one.text})"
        confirm(f"Delete {said}?", f"{said} was not deleted", yes=yes)
        with session.transaction():
            delete(session, place, one.id)
