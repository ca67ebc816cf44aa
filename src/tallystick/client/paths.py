"""Paths of calls, built from what a program passes in."""

from urllib.parse import quote

from tallystick.client.errors import InvalidArgument

_DOTS = frozenset({"", ".", ".."})


def path_of(*parts: str | int) -> str:
    """A path of these segments, quoted. Each part stays one segment.

    Raises:
        InvalidArgument: a part is empty, ``.`` or ``..`` (which would make the path another one), or is neither a
            text nor a whole number.
    """
    return "".join(f"/{_segment(part)}" for part in parts)


def path_of_names(*parts: str | int) -> str:
    """The same for ids, keys and other names that never contain a slash.

    A slash is refused even though it would be quoted: proxies and servers differ in what they make of ``%2F``.

    Raises:
        InvalidArgument
    """
    for part in parts:
        if isinstance(part, str) and ("/" in part or "\\" in part):
            msg = f"{part!r} cannot be part of an address: it contains a slash"
            raise InvalidArgument(msg)
    return path_of(*parts)


def _segment(part: str | int) -> str:
    if isinstance(part, int) and not isinstance(part, bool):
        return str(part)
    if not isinstance(part, str):
        msg = f"{part!r} cannot be part of an address: it must be a text or a whole number"
        raise InvalidArgument(msg)
    if part in _DOTS:
        msg = f"{part!r} cannot be part of an address: it would stand for another one"
        raise InvalidArgument(msg)
    try:
        return quote(part, safe=":")
    except UnicodeEncodeError as error:
        msg = f"{part!r} cannot be part of an address: it is not valid Unicode"
        raise InvalidArgument(msg) from error
