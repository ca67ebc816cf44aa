"""``tallystick segment``: manages the segments of a site; those of people are theirs alone."""

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from tallystick.cli.support.kept_access import SiteOfKept, changing, reading, removal
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.query_body import filters_in
from tallystick.ledger import Session
from tallystick.ledger.ledger import milliseconds
from tallystick.model.segment import Segment
from tallystick.services.analytics.kept.segments import create_segment, delete_segment, is_visible, segments_of
from tallystick.settings import StorageSettings

app = App(
    name="segment",
    help="Manage the segments of a site: filters with a name; also while a server runs. People's own are not shown.",
)

_encode = msgspec.json.Encoder().encode


@app.command(sort_key=1)
def add(
    name: str,
    /,
    *,
    filters: Annotated[
        tuple[str, ...], Parameter(name="--filter", n_tokens=1, negative=(), metavar="TEXT", show_default=False)
    ],
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Add a segment of the site and print its id.

    Readers of the blog in Germany:

        tallystick segment add "German readers" --filter "country is DE and page contains blog"

    Args:
        name: Of the segment.
        filters: Which visits and hits, as tallystick query takes them. May be repeated; all filters must hold.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    lists = filters_in(filters)
    with changing(site, settings, name="NAME", filters="--filter") as (session, place):
        segment = create_segment(session, Segment(site=place.id, name=name, filters=list(lists)), milliseconds())
    print(segment.id)


@app.command(name="list", sort_key=2)
def list_(*, site: SiteOfKept = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the segments of a site, oldest first.

    On a terminal a table, otherwise one segment a line, separated by tabs: id, name, filters as JSON, created.

    Args:
        site: The site's id, host or domain; not needed if there is only one site.
    """
    with reading(site, settings) as (session, place):
        segments = _of_site(session, place.id)
    print_rows(
        ("Id", "Name", "Filters", "Created"),
        [(each.id, each.name, _encode(each.filters).decode(), instant(each.created)) for each in segments],
    )


def _of_site(session: Session, site: int) -> list[Segment]:
    return [segment for segment in segments_of(session, site) if is_visible(segment, None)]


def _delete(session: Session, site: int, number: int, now: int) -> None:
    delete_segment(session, site, number, None, now)


app.command(removal("segment", _of_site, _delete), name="remove", help="Delete a segment of the site.", sort_key=3)
