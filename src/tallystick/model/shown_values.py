"""What filters and answers on the wire have in place of some values: words for none, and the usual names of systems."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from tallystick.model.dimensions import (
    BROWSER,
    CAMPAIGN,
    CHANNEL,
    DEVICE,
    HOST,
    REFERRING_PAGE,
    SOURCE,
    SYSTEM,
    UTM_CONTENT,
    UTM_MEDIUM,
    UTM_SOURCE,
    UTM_TERM,
    VERSION_OF_BROWSER,
    VERSION_OF_SYSTEM,
    Dimension,
)

DIRECT, NOT_SET, NONE = "Direct / None", "(not set)", "(none)"

_SHOWN: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        HOST.name: (("", NONE),),
        SOURCE.name: (("", DIRECT),),
        CHANNEL.name: (("", NOT_SET),),
        REFERRING_PAGE.name: (("", DIRECT),),
        UTM_SOURCE.name: (("", NOT_SET),),
        UTM_MEDIUM.name: (("", NOT_SET),),
        CAMPAIGN.name: (("", NOT_SET),),
        UTM_CONTENT.name: (("", NOT_SET),),
        UTM_TERM.name: (("", NOT_SET),),
        DEVICE.name: (("", NOT_SET),),
        BROWSER.name: (("", NOT_SET),),
        VERSION_OF_BROWSER.name: (("", NOT_SET),),
        SYSTEM.name: (("", NOT_SET), ("macOS", "Mac"), ("Linux", "GNU/Linux")),
        VERSION_OF_SYSTEM.name: (("", NOT_SET),),
    }
)


def with_shown_values(dimension: Dimension) -> Dimension:
    """The dimension as it is on the wire."""
    return replace(dimension, shown=_SHOWN.get(dimension.name, ()))
