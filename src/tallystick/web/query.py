"""Queries of URLs."""

from urllib.parse import parse_qsl


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
