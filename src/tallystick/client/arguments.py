"""Checks the arguments of a call against the function's annotations, when it is made.

Unknown and missing arguments raise Python's ``TypeError``. A value of the wrong kind raises ``InvalidArgument``, whose
message names the argument and does not show the value, which may be a secret. Iterators are read once, into lists.
"""

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, wraps
from types import MappingProxyType, NoneType, UnionType
from typing import (
    Any,
    Literal,
    NamedTuple,
    NewType,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from msgspec import UnsetType

from tallystick.client.errors import InvalidArgument

T = TypeVar("T")
P = ParamSpec("P")

SMALLEST, LARGEST = -(2**63), 2**64 - 1

Given: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional arguments and those with names."""


class Misfit(Exception):
    """A value is not of a kind.

    Args:
        near: whether its outer kind is right, and something in it is not.
    """

    def __init__(self, problem: str, *, place: str = "", near: bool = False) -> None:
        self.problem, self.place, self.near = problem, place, near

    def inside(self, place: str) -> "Misfit":
        """The same, seen from the value that holds this one."""
        return Misfit(self.problem, place=f"{place}{self.place}", near=True)


class Kind(NamedTuple):
    """What an annotation allows.

    Attributes:
        wanted: for messages.
        take: returns the value to use; raises ``Misfit``.
    """

    wanted: str
    take: Callable[[Any], Any]


class Arguments:
    """The arguments that a function takes. Members of ``Unpack[...]`` are left out where they are None."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature, with the members of ``Unpack[...]`` as arguments."""
        plain = inspect.signature(self._function)
        parameters = list(plain.parameters.values())
        if self._members:
            parameters.pop()
            parameters += [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
                for name, annotation in self._members.items()
            ]
        return plain.replace(parameters=parameters)

    @cached_property
    def of_method(self) -> inspect.Signature:
        """The signature without ``self``."""
        return self.signature.replace(parameters=list(self.signature.parameters.values())[1:])

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self._function)

    @cached_property
    def _members(self) -> dict[str, Any]:
        unpacked = [hint for hint in self._hints.values() if get_origin(hint) is Unpack]
        return get_type_hints(get_args(unpacked[0])[0]) if unpacked else {}

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        hints = self._hints | self._members
        return {name: kind_of(hints.get(name, object)) for name in self.signature.parameters}

    def checked(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Given:
        """The arguments as they are to be passed on.

        Raises:
            TypeError: one is unknown or missing.
            InvalidArgument: one is of a wrong kind.
        """
        try:
            bound = self.signature.bind(*arguments, **named)
        except TypeError as error:
            msg = f"{self._function.__name__}() {error}"
            raise TypeError(msg) from None
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._taken(name, value)
        left_out = {name for name in self._members if bound.arguments.get(name) is None}
        return bound.args, {name: value for name, value in bound.kwargs.items() if name not in left_out}

    def _taken(self, name: str, value: Any) -> Any:  # noqa: ANN401  # an argument
        if value is None and name in self._members:
            return None
        kind = self._kinds[name]
        try:
            if self.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                return tuple(kind.take(each) for each in value)
            return kind.take(value)
        except Misfit as error:
            msg = f"{name}{error.place} {error.problem}"
        raise InvalidArgument(msg)


def with_checked_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator of a function whose arguments are checked."""
    expected = Arguments(function)

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        positional, keywords = expected.checked(arguments, named)
        return function(*positional, **keywords)

    return call


def refused_if_empty(name: str, value: str | Sequence[Any] | None) -> None:
    """Refuse an empty text or list, which would be the same as none on the wire.

    Raises:
        InvalidArgument
    """
    if value is not None and (not value or (not isinstance(value, str) and "" in value)):
        msg = f"{name} must not be empty: leave it out instead"
        raise InvalidArgument(msg)


def kind_of(annotation: Any) -> Kind:  # noqa: ANN401  # of any kind
    """What an annotation allows; a ``Literal`` allows any value of its type: the server knows the names."""
    if isinstance(annotation, NewType):
        return kind_of(annotation.__supertype__)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if is_typeddict(annotation):
        return _members_of(get_type_hints(annotation))
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in _INSIDE:
        return _INSIDE[origin](inner)
    wanted = f"of type {annotation.__name__}"
    return Kind(wanted, lambda value: _if(isinstance(value, annotation), value, wanted))


def _if(fits: bool, value: T, wanted: str) -> T:  # noqa: FBT001  # the condition
    if not fits:
        msg = f"must be {wanted}, not {type(value).__name__}"
        raise Misfit(msg)
    return value


def _text(value: Any) -> str:  # noqa: ANN401  # an argument
    text: str = _if(isinstance(value, str), value, "a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = "is not valid Unicode"
        raise Misfit(msg, near=True) from None
    return text


def _whole_number(value: Any) -> int:  # noqa: ANN401  # an argument
    _if(hasattr(value, "__index__") and not isinstance(value, bool), value, "a whole number")
    try:
        number = operator.index(value)
    except TypeError:  # arrays of NumPy
        return int(_if(fits=False, value=value, wanted="a whole number"))
    if not SMALLEST <= number <= LARGEST:
        msg = "must be a whole number of at most 64 bits"
        raise Misfit(msg, near=True)
    return number


def _number(value: Any) -> float:  # noqa: ANN401  # an argument
    number: float = _if(isinstance(value, int | float) and not isinstance(value, bool), value, "a number")
    return number


def _items(value: Any, wanted: str) -> Iterable[Any]:  # noqa: ANN401  # an argument
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping)
    items: Iterable[Any] = _if(several, value, wanted)
    return items


def _each(kinds: Iterable[Kind], items: Iterable[Any]) -> list[Any]:
    taken = []
    for place, (kind, item) in enumerate(zip(kinds, items, strict=False)):
        try:
            taken.append(kind.take(item))
        except Misfit as error:
            outer = error.inside(f"[{place}]")
            raise outer from None
    return taken


def _list_of(inner: tuple[Any, ...]) -> Kind:
    kind = kind_of(inner[0])

    def take(value: Any) -> list[Any]:  # noqa: ANN401  # an argument
        items = list(_items(value, "a list"))
        return _each([kind] * len(items), items)

    return Kind("a list", take)


def _tuple_of(inner: tuple[Any, ...]) -> Kind:
    kinds, wanted = [kind_of(each) for each in inner], "a pair" if len(inner) == 2 else f"{len(inner)} values"  # noqa: PLR2004  # a pair

    def take(value: Any) -> tuple[Any, ...]:  # noqa: ANN401  # an argument
        items = list(_items(value, wanted))
        if len(items) != len(kinds):
            msg = f"must be {wanted}, not {len(items)} values"
            raise Misfit(msg, near=True)
        return tuple(_each(kinds, items))

    return Kind(wanted, take)


def _mapping_of(inner: tuple[Any, ...]) -> Kind:
    key, kind = kind_of(inner[0]), kind_of(inner[1])

    def take(value: Any) -> dict[Any, Any]:  # noqa: ANN401  # an argument
        members = dict(_if(isinstance(value, Mapping), value, "a mapping"))
        return dict(
            zip(_each([key] * len(members), members), _each([kind] * len(members), members.values()), strict=True)
        )

    return Kind("a mapping", take)


def _members_of(hints: Mapping[str, Any]) -> Kind:
    kinds = {name: kind_of(hint) for name, hint in hints.items()}

    def take(value: Any) -> dict[str, Any]:  # noqa: ANN401  # an argument
        taken = {}
        for name, member in _if(isinstance(value, Mapping), value, "a mapping").items():
            if name not in kinds:
                msg = f"has an unknown member; there are {', '.join(kinds)}"
                raise Misfit(msg, near=True)
            try:
                taken[name] = kinds[name].take(member)
            except Misfit as error:
                outer = error.inside(f".{name}")
                raise outer from None
        return taken

    return Kind("a mapping", take)


def _lazily(inner: tuple[Any, ...]) -> Kind:  # noqa: ARG001  # items are read later, as many as there are
    return Kind("a list or an iterator", lambda value: _items(value, "a list or an iterator"))


def _callable(inner: tuple[Any, ...]) -> Kind:  # noqa: ARG001  # what it takes cannot be seen
    return Kind("a function", lambda value: _if(callable(value), value, "a function"))


def _one_of(inner: tuple[Any, ...]) -> Kind:
    kinds = [kind_of(each) for each in inner]
    wanted = " or ".join(dict.fromkeys(kind.wanted for kind in kinds))

    def take(value: Any) -> Any:  # noqa: ANN401  # an argument
        for kind in kinds:
            try:
                return kind.take(value)
            except Misfit as error:
                if error.near:
                    raise
        return _if(fits=False, value=value, wanted=wanted)

    return Kind(wanted, take)


_PLAIN: Mapping[Any, Kind] = MappingProxyType(
    {
        object: Kind("anything", lambda value: value),
        Any: Kind("anything", lambda value: value),
        str: Kind("a text", _text),
        int: Kind("a whole number", _whole_number),
        bool: Kind("True or False", lambda value: _if(isinstance(value, bool), value, "True or False")),
        float: Kind("a number", _number),
        UnsetType: Kind("left out", lambda value: _if(isinstance(value, UnsetType), value, "left out")),
        NoneType: Kind("None", lambda value: _if(value is None, value, "None")),
    }
)
_INSIDE: Mapping[Any, Callable[[tuple[Any, ...]], Kind]] = MappingProxyType(
    {
        Union: _one_of,
        UnionType: _one_of,
        Literal: lambda inner: kind_of(type(inner[0])),
        Sequence: _list_of,
        tuple: _tuple_of,
        Mapping: _mapping_of,
        Iterable: _lazily,
        Callable: _callable,
    }
)
