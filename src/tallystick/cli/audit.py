"""``tallystick audit``: the log of administrative events."""

from typing import Annotated

from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.services.accounts.audit import events
from tallystick.settings import StorageSettings, whole_number


def audit(
    *, last: Annotated[int, whole_number(1, 1_000_000)] = 1_000, settings: StorageSettings = StorageSettings()
) -> None:
    """Show the log of logins and of changes of accounts, access, tokens and sites.

    On a terminal a table, otherwise one event a line, separated by tabs: time, event, the person who did it, its
    subject, details, and how often (refused logins of one hour are one line). The log is kept for good, is part of
    backups, and holds no addresses.

    Args:
        last: How many of the newest events to show, oldest first.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        newest = events(session, most=last)
    print_rows(
        ("When", "What", "By", "To", "Details", "Times"),
        [
            (instant(event.at), event.kind, event.actor, event.subject, event.detail, event.times)
            for event in reversed(newest)
        ],
    )
