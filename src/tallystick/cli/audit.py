"""``tallystick audit``: the log of administrative events."""

from typing import Annotated

from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.services.accounts.audit import events
from tallystick.settings import StorageSettings, whole_number


def audit(
    *, last: Annotated[int, whole_number(1, 1_000_000)] = 1_000, settings: StorageSettings = StorageSettings()
) -> None:
    """Show who did what: logins, and changes of accounts, access, tokens and sites.

    A table on a terminal. Elsewhere one event a line, separated by tabs: when it happened, what, who did it, what it
    was done to, details, and how often (refused logins of one hour are one line). The log is kept for good, is part of
    backups, and holds no addresses.

    Args:
        last: So many of the newest events, the oldest of them first.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        found = events(session, most=last)
    print_rows(
        ("When", "What", "By", "To", "Details", "Times"),
        [
            (instant(event.at), event.kind, event.actor, event.subject, event.detail, event.times)
            for event in reversed(found)
        ],
    )
