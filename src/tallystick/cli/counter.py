"""``tallystick counter``: manages public counters, also while a server runs."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Never

from cyclopts import App, Parameter

from tallystick.cli.counter_abuse import (
    Namespace,
    Prefix,
    close,
    delete_many,
    find,
    freeze,
    reopen,
    text_of,
    unfreeze,
)
from tallystick.cli.owned_counter import change, owner, release, reserve, reserved
from tallystick.cli.support.counter_names import Name
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.cli.transfer import export, import_
from tallystick.errors import InputRefused
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import (
    FOREVER,
    INT64_MAX,
    INT64_MIN,
    Counter,
    Create,
    Delete,
    Operation,
    Outcome,
    RefusalReason,
    Set,
    alive,
)
from tallystick.model.key import Key
from tallystick.services.counting.counter_files import row_of, to_json
from tallystick.settings import CounterSettings, StorageSettings, whole_number

LISTED_AT_MOST = 100_000

app = App(
    name="counter",
    help="Manage public counters; also while a server runs.",
    help_epilogue="NAME of a counter is NAMESPACE/KEY, or KEY alone in the default namespace.",
)
app.command(import_, name="import", sort_key=6)
app.command(export, sort_key=7)
app.command(find, sort_key=8)
app.command(freeze, sort_key=9)
app.command(unfreeze, sort_key=10)
app.command(close, sort_key=11)
app.command(reopen, sort_key=12)
app.command(owner, sort_key=13)
app.command(change, sort_key=14)
app.command(reserve, sort_key=15)
app.command(release, sort_key=16)
app.command(reserved, sort_key=17)


Json = Annotated[bool, Parameter(name="--json", negative=())]
Value = Annotated[int, whole_number(INT64_MIN, INT64_MAX)]


@app.command(name="list", sort_key=1)
def list_(
    *,
    namespace: Namespace = None,
    limit: Annotated[int, whole_number(1, LISTED_AT_MOST)] = 100,
    json: Json = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """List counters by name.

    On a terminal a table, otherwise one counter a line, separated by tabs: name, value, lower and upper bound
    of one update, whether it can be reset, created and expires in Unix milliseconds.

    Args:
        namespace: Only the counters of this namespace.
        limit: At most this many; export writes all of them.
        json: Print JSON lines, as export writes them.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        counters = session.listing(namespace, milliseconds(), limit + 1)
    shown = counters[:limit]
    if json:
        sys.stdout.write(to_json(row_of(*item) for item in shown).decode())
    elif sys.stdout.isatty():
        _print_table(shown, more=len(counters) > limit)
    else:
        for key, counter in shown:
            print(key, *_cells(counter), sep="\t")


@app.command(sort_key=2)
def get(name: Name, /, *, json: Json = False, settings: StorageSettings = StorageSettings()) -> None:
    """Print the value of a counter.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        json: Print all its fields as JSON.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        counter = alive(session.find([name]).get(name), milliseconds())
    if counter is None:
        _refuse(name, Outcome(None, None, RefusalReason.MISSING))
    print(to_json([row_of(name, counter)]).decode().rstrip() if json else counter.value)


@app.command(sort_key=3)
def create(  # noqa: PLR0913  # one an option
    name: Name,
    /,
    *,
    value: Value = 0,
    enable_reset: Annotated[bool, Parameter(negative=())] = False,
    update_lowerbound: Annotated[int, whole_number(INT64_MIN, 0)] = 0,
    update_upperbound: Annotated[int, whole_number(0, INT64_MAX)] = 1,
    settings: CounterSettings = CounterSettings(),
) -> None:
    """Create a counter and print its full name. By default it can only be incremented by one.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        value: Its first value.
        enable_reset: Allow everyone to set it.
        update_lowerbound: The least amount of one update; -1 allows everyone to count down, too.
        update_upperbound: The greatest amount of one update.
    """
    lifetime = settings.counter_lifetime
    operation = Create(value, update_lowerbound, update_upperbound, enable_reset, lifetime, authorized=True)
    _operate(name, operation, settings)
    print(name)


@app.command(name="set", sort_key=4)
def set_(name: Name, value: Value, /, *, settings: CounterSettings = CounterSettings()) -> None:
    """Set a counter, even if it is not resettable, and print its value.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        value: A whole number of 64 bits.
    """
    print(_operate(name, Set(value, forced=True, lifetime=settings.counter_lifetime), settings).value)


@app.command(sort_key=5)
def delete(
    name: Name | None = None,
    /,
    *,
    namespace: Namespace = None,
    prefix: Prefix = None,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete a counter, or many. A later hit creates it anew; close the namespace to prevent that.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        namespace: All counters of this namespace in its place; prints how many.
        prefix: All counters whose names begin with this text, for example spam or example.com/spam.
        yes: Do not ask.
    """
    if name is None or namespace is not None or prefix is not None:
        text = text_of(namespace, None if name is not None else prefix)
        confirm(f"Delete all counters whose names begin with {text}?", "nothing was deleted", yes=yes, names=(text,))
        delete_many(text, settings)
        return
    confirm(f"Delete {name}?", f"{name} was not deleted", yes=yes, names=(str(name), name.key))
    _operate(name, Delete(), settings)


def _operate(key: Key, operation: Operation, settings: StorageSettings) -> Outcome:
    with opened_ledger(settings) as (database, session):
        (outcome,) = operate(database, session, [CounterWrite(key, operation)], milliseconds())
    if outcome.refused:
        _refuse(key, outcome)
    return outcome


def _refuse(key: Key, outcome: Outcome) -> Never:
    if outcome.refused is RefusalReason.MISSING:
        msg = f"there is no counter {key}"
    elif outcome.refused is RefusalReason.EXISTS:
        msg = f"the counter {key} exists already, its value is {outcome.value}"
    else:
        msg = f"{key}: refused, {outcome.refused.value if outcome.refused else 'without a reason'}"
    raise InputRefused(msg)


def _cells(counter: Counter) -> tuple[int, ...]:
    return (
        counter.value,
        counter.lower,
        counter.upper,
        int(counter.resettable),
        counter.created,
        counter.expires,
    )


def _print_table(counters: list[tuple[Key, Counter]], *, more: bool) -> None:
    from rich.console import Console  # noqa: PLC0415  # scripts need not wait for it
    from rich.table import Table  # noqa: PLC0415

    table = Table(caption=f"The first {len(counters):,}; --limit shows more" if more else None)
    # On a narrow terminal names are wrapped; numbers are never cut.
    table.add_column("Counter", overflow="fold")
    for title in ("Value", "One update"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("Reset", "Expires"):
        table.add_column(title, no_wrap=True)
    for key, counter in counters:
        value, lower, upper, resettable, _, expires = _cells(counter)
        bounds = f"{lower} to {upper}"
        table.add_row(str(key), str(value), bounds, "yes" if resettable else "no", _day(expires))
    Console().print(table)


def _day(milliseconds: int) -> str:
    """A UTC date, or never; the milliseconds of an imported time that is beyond the calendar."""
    if milliseconds == FOREVER:
        return "never"
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)
