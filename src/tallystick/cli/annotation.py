"""``tallystick annotation``: manages the annotations of a site; those of people are theirs alone."""

from typing import Annotated

from cyclopts import App, Parameter
from msgspec.structs import replace

from tallystick.cli.support.kept_access import SiteOfKept, changing, reading, remove_one
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.prompts import Yes
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.annotation import Annotation, AnnotationKind
from tallystick.model.kept_rules import is_date
from tallystick.services.analytics.kept.annotations import (
    MOST_AT_ONCE,
    AnnotationsAsked,
    annotation,
    annotations_of,
    create_annotation,
    delete_annotation,
)
from tallystick.services.annotating import moment_of
from tallystick.settings import StorageSettings, whole_number

LAST_ID = 2**53 - 1

app = App(
    name="annotation",
    help="Manage the annotations of a site: notes at a date or a minute; also while a server runs. People's own are not"
    " shown.",
)


@app.command(sort_key=1)
def add(
    text: str,
    /,
    *,
    at: Annotated[str | None, Parameter(metavar="DAY|MINUTE", show_default=False)] = None,
    link: Annotated[str, Parameter(metavar="URL", show_default=False)] = "",
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Add an annotation of the site and print its id.

    At a minute, with a link to more:

        tallystick annotation add "New design" --at "2026-03-10 14:30" --link https://example.com/news

    Args:
        text: What happened.
        at: A day (2026-03-10) or a minute (2026-03-10 14:30), by the clocks of the site's zone; now unless given.
        link: An http or https URL.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    now = milliseconds()
    with changing(site, settings, text="TEXT") as (session, place):
        moment = moment_of(now, place.user_defaults.timezone) if at is None else at
        made = create_annotation(session, Annotation(site=place.id, at=moment, text=text, link=link), now)
    print(made.id)


@app.command(name="list", sort_key=2)
def list_(
    *,
    first: Annotated[str, Parameter(name="--from", metavar="YYYY-MM-DD", show_default=False)] = "",
    last: Annotated[str, Parameter(name="--to", metavar="YYYY-MM-DD", show_default=False)] = "",
    kind: Annotated[AnnotationKind | None, Parameter(show_default=False)] = None,
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """List the annotations of a site, by time.

    On a terminal a table, otherwise one annotation a line, separated by tabs: id, time, kind, text, link.

    Args:
        first: Only from this day on.
        last: Only up to this day.
        kind: Only those of a kind; all but notes were made by the server.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    for option, value in (("--from", first), ("--to", last)):
        if value and not is_date(value):
            msg = f"{option} accepts a day such as 2026-03-10, not {value[:50]!r}"
            raise InputRefused(msg)
    asked, found = AnnotationsAsked(first=first, last=last, kind=kind), list[Annotation]()
    with reading(site, settings) as (session, place):
        while page := annotations_of(session, place.id, None, asked):
            found += page
            if len(page) < MOST_AT_ONCE:
                break
            asked = replace(asked, after=(page[-1].at, page[-1].id))
    print_rows(
        ("Id", "Time", "Kind", "Text", "Link"),
        [(each.id, each.at, each.kind, " ".join(each.text.split()), each.link) for each in found],
    )


@app.command(sort_key=3)
def remove(
    number: Annotated[int, whole_number(1, LAST_ID)],
    /,
    *,
    site: SiteOfKept = None,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete an annotation of the site.

    Args:
        number: Id.
        site: The site's id, host or domain; not needed if there is only one site.
        yes: Do not ask.
    """
    remove_one(
        site,
        settings,
        lambda session, place: annotation(session, place.id, number, None),
        lambda session, place, which: delete_annotation(session, place.id, which, None),
        yes=yes,
    )
