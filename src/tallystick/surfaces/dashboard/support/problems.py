"""Messages about a form's fields, shown beside them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tallystick.errors import InputRefused, InvalidFields
from tallystick.surfaces.dashboard.support.language import N_

UNPROCESSABLE = 422

Problems = Mapping[str, Sequence[str]]
"""Messages by field, in English; the empty name is the form as a whole. Templates translate them."""

NO_PROBLEMS: Problems = MappingProxyType({})
WRONG_PASSWORD: Problems = MappingProxyType({"current": [N_("is not right")]})

PASSWORD_NEEDED: Problems = MappingProxyType(
    {"current": [N_("is needed: it was last given more than ten minutes ago")]}
)

NOT_CONFIRMED: Problems = MappingProxyType({"confirm": [N_("is not the name that has to be typed")]})


def problems_of(error: InputRefused, **renamed: str) -> Problems:
    """The messages of refused input, by form field. ``settings.NAME`` becomes ``NAME``.

    Args:
        renamed: the form's field for a field of the error, where they differ.
    """
    if isinstance(error, InvalidFields):
        return {
            renamed.get(field, field.removeprefix("settings.")): messages for field, messages in error.errors.items()
        }
    return {"": [str(error)]}
