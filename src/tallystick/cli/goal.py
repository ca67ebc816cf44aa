"""``tallystick goal``: manages the goals of a site."""

from typing import Annotated

from cyclopts import App, Parameter

from tallystick.cli.support.kept_access import SiteOfKept, changing, reading, removal
from tallystick.cli.support.listing import instant, print_rows
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.goal import Goal
from tallystick.services.analytics.kept.goals import create_goal, delete_goal, goals_of
from tallystick.settings import StorageSettings

app = App(
    name="goal",
    help="Manage the goals of a site: pages and events that visitors should reach; also while a server runs.",
)


@app.command(sort_key=1)
def add(  # noqa: PLR0913  # one an option
    name: str | None = None,
    /,
    *,
    page: Annotated[str, Parameter(show_default=False)] = "",
    event: Annotated[str, Parameter(show_default=False)] = "",
    prop: Annotated[tuple[str, ...], Parameter(negative=(), metavar="NAME=VALUE", show_default=False)] = (),
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Add a goal and print its id. It has either a page or an event.

    A page of the blog, and an event with a property:

        tallystick goal add "Reads the blog" --page "/blog/**"
        tallystick goal add Upgrade --event Purchase --prop plan=pro

    Args:
        name: Of the goal, unique on the site; the event's name, or Visit and the page, unless given.
        page: A path, in which * stands for anything but /, and ** for anything.
        event: The name of an event.
        prop: A property that the hit must have. May be repeated.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    props = tuple(map(_prop, prop))
    with changing(site, settings, props="--prop", name="NAME") as (session, place):
        new = Goal(site=place.id, name=name or "", page=page, event=event, props=props)
        goal = create_goal(session, new, milliseconds())
    print(goal.id)


@app.command(name="list", sort_key=2)
def list_(*, site: SiteOfKept = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the goals of a site, oldest first.

    On a terminal a table, otherwise one goal a line, separated by tabs: id, name, page, event, properties, created.

    Args:
        site: The site's id, host or domain; not needed if there is only one site.
    """
    with reading(site, settings) as (session, place):
        goals = goals_of(session, place.id)
    print_rows(
        ("Id", "Name", "Page", "Event", "Properties", "Created"),
        [
            (
                goal.id,
                goal.name,
                goal.page,
                goal.event,
                ", ".join(f"{name}={value!r}" for name, value in goal.props),
                instant(goal.created),
            )
            for goal in goals
        ],
    )


app.command(
    removal("goal", goals_of, delete_goal),
    name="remove",
    help="Delete a goal that no funnel and no segment of the site uses.",
    sort_key=3,
)


def _prop(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        msg = f"--prop accepts NAME=VALUE, not {text[:100]!r}"
        raise InputRefused(msg)
    return name, value
