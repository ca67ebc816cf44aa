"""The panels among which a shared link chooses. The numbers and the chart at the top are always shown."""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.surfaces.dashboard.support.language import N_

PANELS: Mapping[str, str] = MappingProxyType(
    {
        "pages": N_("Pages"),
        "sources": N_("Sources"),
        "places": N_("Places"),
        "devices": N_("Devices"),
        "goals": N_("Goals and events"),
    }
)
"""Their titles by name."""
