"""Everything on a server, for its superusers. Functions of ``(session, ...)``."""

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import all_accounts
from tallystick.services.accounts.site_rows import active_sites


class ServerOverview(Struct, frozen=True):
    """All accounts and sites."""

    accounts: list[Account]
    sites: list[Site]


def server_overview(session: Session) -> ServerOverview:
    """Read the overview."""
    return ServerOverview(all_accounts(session), active_sites(session))
