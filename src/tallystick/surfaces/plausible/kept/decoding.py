"""Reads bodies and ids of what is kept, and writes times."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from tallystick.errors import NotThere
from tallystick.model.account import Permission
from tallystick.services.analytics.kept.keeping import changed_fields
from tallystick.surfaces.plausible.errors import NOT_CHANGING, REFUSED
from tallystick.surfaces.plausible.judging import CHANGING, StatsCall
from tallystick.surfaces.plausible.misfits import body_as
from tallystick.web.refusals import Unauthorized

Body = TypeVar("Body", bound=Struct)

_id = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


def decoded(call: StatsCall, kind: type[Body]) -> Body:
    """The body of a request as a struct.

    Raises:
        ApiRefused: a key is missing, unknown or of another type; the message has a pointer.
    """
    return body_as(kind, call.body)


def number_of(call: StatsCall, kind: str) -> int:
    """The id of the path.

    Raises:
        NotThere: it is none.
    """
    text = call.place["id"]
    if not _id.fullmatch(text):
        msg = f"the site has no {kind} {text[:40]!r}"
        raise NotThere(msg)
    return int(text)


def person_of(call: StatsCall) -> int | None:
    """The account whose own objects the key reaches: its own, with the permission for statistics."""
    return call.principal.account.id if call.may(Permission.STATS) else None


def require_changing(call: StatsCall, owner: int | None) -> None:
    """Refuse a key that may not change an object.

    Args:
        owner: of the object; None for the site.

    Raises:
        Unauthorized
    """
    if owner is None and not call.may(Permission.SITE_UPDATE, CHANGING):
        raise Unauthorized(NOT_CHANGING)
    if owner is not None and person_of(call) != owner:
        raise Unauthorized(REFUSED)


def owned_changes(call: StatsCall, body: Struct, owner: int | None) -> dict[str, Any]:
    """The fields that a body changes of an object that a person may own, with ``owner`` in place of ``personal``.

    Args:
        owner: of the object until now.

    Raises:
        Unauthorized: the key may not change it, or not give it to another owner.
    """
    said = changed_fields(body)
    if "personal" in said:
        said["owner"] = call.principal.account.id if said.pop("personal") else None
    for each in {owner, said.get("owner", owner)}:
        require_changing(call, each)
    return said


def moment(milliseconds: int) -> str:
    """A time in ISO 8601, of UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def times(one: Any) -> Mapping[str, str]:  # noqa: ANN401  # one of four structs
    """When an object was created and changed."""
    return {"created_at": moment(one.created), "updated_at": moment(one.updated)}
