"""What the commands for goals, funnels, segments, annotations and links share. They work beside a running server."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from tallystick.cli.site import site_of
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import fields_are_options
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.ledger import Session
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import Site
from tallystick.services.accounts.audit import COMMAND_LINE, acting
from tallystick.services.analytics.kept.keeping import NamedOne, id_or_name, pick_named
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


def removal(
    kind: str, listed: Callable[[Session, int], Collection[NamedOne]], delete: Callable[[Session, int, int, int], None]
) -> Callable[..., None]:
    """The command that deletes one of the objects of a site which have names; its help is given where it is added.

    Args:
        kind: what they are, in words.
        listed: all of a site that may be deleted.
        delete: deletes the one with an id, as of a time in milliseconds.
    """

    def remove(
        which: str,
        /,
        *,
        site: SiteOfKept = None,
        yes: Yes = False,
        settings: StorageSettings = StorageSettings(),
    ) -> None:
        """Delete one.

        Args:
            which: Id or name.
            site: The site's id, host or domain; not needed if there is only one site.
            yes: Do not ask.
        """
        remove_one(
            site,
            settings,
            lambda session, place: pick_named(listed(session, place.id), id_or_name(which), kind),
            lambda session, place, number: delete(session, place.id, number, milliseconds()),
            yes=yes,
            kind=kind,
        )

    return remove
