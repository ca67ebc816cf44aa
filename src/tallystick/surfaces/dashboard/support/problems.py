"""What is wrong with a form, told beside its fields."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tallystick.errors import InputRefused, InvalidFields

UNPROCESSABLE = 422

Problems = Mapping[str, Sequence[str]]
"""Messages by field; the empty name is the form as a whole."""

NO_PROBLEMS: Problems = MappingProxyType({})
WRONG_PASSWORD: Problems = MappingProxyType({"current": ["is not right"]})

PASSWORD_NEEDED: Problems = MappingProxyType({"current": ["is needed: it was last given more than ten minutes ago"]})

NOT_CONFIRMED: Problems = MappingProxyType({"confirm": ["is not the name that is asked for"]})


def problems_of(error: InputRefused, **renamed: str) -> Problems:
    """Messages of a refusal. A site's settings are fields like its others.

    Args:
        renamed: what a field of the refusal is called in the form.
    """
    if isinstance(error, InvalidFields):
        return {
            renamed.get(field, field.removeprefix("settings.")): messages for field, messages in error.errors.items()
        }
    text = str(error)
    return {"": [f"{text[:1].upper()}{text[1:]}."]}
