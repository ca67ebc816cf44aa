"""Queries of URLs."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from tallystick.web.refusals import ApiRefused


def first_values(raw: bytes, errors: str, most: int | None = None) -> dict[str, str]:
    """The parameters of a query, percent-decoded; of a repeated one the first value, also where it is empty.

    Args:
        errors: what becomes of bytes that are no UTF-8, as ``bytes.decode`` takes it.
        most: parameters that are decoded at most.

    Raises:
        ValueError: there are more than ``most``.
    """
    values: dict[str, str] = {}
    for name, value in parse_qsl(
        raw.decode("utf-8", errors), keep_blank_values=True, errors=errors, max_num_fields=most
    ):
        values.setdefault(name, value)
    return values


def parameters_of(raw: bytes, longest: int, most: int) -> Mapping[str, str]:
    """The parameters of a request to an API, of a repeated one the first.

    Args:
        longest: bytes of the query.
        most: parameters.

    Raises:
        ApiRefused: there is more than that.
    """
    if len(raw) > longest:
        msg = f"the query is longer than {longest} bytes"
        raise ApiRefused(msg, 414)
    try:
        return first_values(raw, "replace", most)
    except ValueError as error:
        msg = f"the query has more than {most} parameters"
        raise ApiRefused(msg) from error
