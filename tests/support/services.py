"""Services and a kit over a ledger alone, for tests of one surface."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tallystick.app import SURFACES, kit_of
from tallystick.ledger import Ledger
from tallystick.services.services import Services, build_services
from tallystick.settings import Settings
from tallystick.warehouse import Warehouse
from tallystick.web.rate_limit import RateLimits
from tallystick.web.surface import Kit, default_rates

NO_DATA = Path("there-is-no-data")


def services_over(ledger: Ledger, warehouse: Warehouse | None = None, **options: Any) -> Services:
    """Every service; without a warehouse those of hits must not be called."""
    numbers = dict.fromkeys(("waiting", "unmoved", "sessions", "failures"), 0)
    nothing = SimpleNamespace(
        clock=time.time,
        exports=Path("there-are-no-exports"),
        failing=False,
        owned=True,
        shared=False,
        mover=None,
        node=None,
        carries_out_jobs=True,
        chores=None,
        **numbers,
    )
    return build_services(ledger, warehouse or cast("Warehouse", nothing), data=NO_DATA, **options)


def a_kit(**settings: Any) -> Kit:
    """What all surfaces of a server with these settings share."""
    return kit_of(Settings(**settings), SURFACES)


def limits(*rates: Any) -> RateLimits:
    """The limits of all surfaces, as far as they are not set."""
    return RateLimits(default_rates(SURFACES), rates)
