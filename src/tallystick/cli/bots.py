"""``tallystick bots``: hits that were taken for no person's."""

from typing import Annotated

from cyclopts import App, Parameter

from tallystick.cli.asking import Yes, confirm
from tallystick.cli.jobs import decide, read_hits
from tallystick.cli.listing import instant, print_rows
from tallystick.cli.opening import opened_ledger
from tallystick.cli.site import site_of
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.hit import Bot, is_bot
from tallystick.services.jobs import Relabel, ask_for
from tallystick.settings import StorageSettings
from tallystick.warehouse.changes import EVERY_ID, labels

PERSON = "person"
LABELS = {PERSON: Bot.KNOWN_NOT} | {label.name.lower().replace("_", "-"): label for label in Bot if is_bot(label)}

Label = Annotated[str, Parameter(metavar="LABEL")]

app = App(
    name="bots",
    help="Look after hits that were taken for bots': they are kept, and in no statistic.",
    help_epilogue=f"Labels: {', '.join(LABELS)}.",
)


@app.command(name="list", sort_key=1)
def list_(*, site: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List why hits of a site were taken for bots', and how many.

    A table on a terminal. Elsewhere one label a line, separated by tabs: label, hits, first id, last id, newest.
    A running server has the hits open: ask its API instead (GET /api/v0/bots).

    Args:
        site: Id or Host; the only site of a server does not need it.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        number = site_of(session, site).id
    rows = [
        (_name(code), hits, first, last, instant(newest * 1000))
        for code, hits, first, last, newest in read_hits(settings, labels, number)
    ]
    print_rows(("Label", "Hits", "First id", "Last id", "Newest"), rows)


@app.command(sort_key=2)
def relabel(  # noqa: PLR0913  # one an option
    old: Label,
    new: Label,
    /,
    *,
    site: str | None = None,
    first: Annotated[int, Parameter(show_default=False)] = EVERY_ID[0],
    last: Annotated[int, Parameter(show_default=False)] = EVERY_ID[1],
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Give hits another label: "person" brings them into the statistics, any other one takes them out.

    Where other hits have the new label already, the two can be told apart by their ids only.

    Args:
        old: The label they have.
        new: The label they get.
        site: Id or Host; the only site of a server does not need it.
        first: Only hits with this id or a higher one.
        last: Only hits with this id or a lower one.
        yes: Do not ask.
    """
    codes = _code(old), _code(new)
    confirm(f"Relabel hits from {old} to {new}?", "no hit was relabelled", yes=yes)
    decide(
        settings,
        lambda session: ask_for(session, Relabel(site_of(session, site).id, *codes, (first, last)), milliseconds()),
    )


def _code(label: str) -> int:
    if label not in LABELS:
        msg = f"there is no label {label}; it is one of {', '.join(LABELS)}"
        raise InputRefused(msg)
    return int(LABELS[label])


def _name(code: int) -> str:
    return next((name for name, label in LABELS.items() if label == code), str(code))
