"""Names of public counters as arguments of commands."""

from typing import Annotated, Any

from cyclopts import Parameter, Token

from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name


def _name(_type: Any, tokens: tuple[Token, ...]) -> Key:  # noqa: ANN401  # cyclopts hands the type in
    namespace, slash, key = tokens[0].value.rpartition("/")
    name = Key(namespace if slash else DEFAULT_NAMESPACE, key)
    if not all(map(legal_name, name)):
        msg = (
            f"{tokens[0].value!r} is not a counter's name: write NAMESPACE/KEY or KEY, "
            "each 3 to 64 of the characters A-Z a-z 0-9 . _ -"
        )
        raise ValueError(msg)
    return name


Name = Annotated[Key, Parameter(converter=_name, n_tokens=1, accepts_keys=False, metavar="NAME")]
