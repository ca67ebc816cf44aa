"""``tallystick funnel``: manages the funnels of a site."""

from collections.abc import Collection
from typing import Annotated

from cyclopts import App, Parameter

from tallystick.cli.funnel_show import show
from tallystick.cli.support.kept_access import SiteOfKept, changing, reading, removal
from tallystick.cli.support.listing import instant, print_rows
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.services.analytics.kept.funnels import create_funnel, delete_funnel, funnels_of
from tallystick.services.analytics.kept.goals import goals_of
from tallystick.services.analytics.kept.step_words import step_of, step_text
from tallystick.settings import StorageSettings

app = App(
    name="funnel",
    help="Manage the funnels of a site: steps that visitors take one after the other; also while a server runs.",
)


@app.command(sort_key=1)
def add(  # one an option
    name: str,
    /,
    *steps: str,
    optional: Annotated[tuple[int, ...], Parameter(negative=(), metavar="NUMBER", show_default=False)] = (),
    strict: Annotated[bool, Parameter(negative=())] = False,
    site: SiteOfKept = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Add a funnel of 2 to 8 steps and print its id.

    From the prices to a goal, with or without a look into the cart:

        tallystick funnel add Buys "/pricing" Cart "goal:Bought" --optional 2

    Args:
        name: Of the funnel, unique on the site.
        steps: A page (/pricing, /blog/**), the name of an event, or goal: and the name or id of a goal.
        optional: The number of a step that visitors may leave out, not the first or the last. May be repeated.
        strict: Let nothing lie between a step and the next.
        site: The site's id, host or domain; not needed if there is only one site.
    """
    unknown = [number for number in optional if not 1 <= number <= len(steps)]
    if unknown:
        msg = f"--optional accepts the number of a step, from 1 to {len(steps)}, not {unknown[0]}"
        raise InputRefused(msg)
    names = {f"steps/{number}": f"step {number + 1}" for number in range(len(steps))}
    with changing(site, settings, name="NAME", steps="steps", **names) as (session, place):
        goals = goals_of(session, place.id)
        made = tuple(step_of(text, goals, optional=number in optional) for number, text in enumerate(steps, start=1))
        new = Funnel(site=place.id, name=name, steps=made, strict=strict)
        funnel = create_funnel(session, new, milliseconds())
    print(funnel.id)


@app.command(name="list", sort_key=2)
def list_(*, site: SiteOfKept = None, settings: StorageSettings = StorageSettings()) -> None:
    """List the funnels of a site, oldest first.

    On a terminal a table, otherwise one funnel a line, separated by tabs: id, name, steps, whether it is strict,
    created. Optional steps are in brackets.

    Args:
        site: The site's id, host or domain; not needed if there is only one site.
    """
    with reading(site, settings) as (session, place):
        funnels = funnels_of(session, place.id)
        goals = goals_of(session, place.id)
    print_rows(
        ("Id", "Name", "Steps", "Strict", "Created"),
        [
            (
                funnel.id,
                funnel.name,
                " > ".join(_shown(step, goals) for step in funnel.steps),
                "strict" if funnel.strict else None,
                instant(funnel.created),
            )
            for funnel in funnels
        ],
    )


app.command(removal("funnel", funnels_of, delete_funnel), name="remove", help="Delete a funnel.", sort_key=3)
app.command(show, sort_key=4)


def _shown(step: FunnelStep, goals: Collection[Goal]) -> str:
    text = step_text(step, goals)
    return f"[{text}]" if step.optional else text
