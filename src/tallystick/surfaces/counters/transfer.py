"""Files of the counters of an account."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from itertools import islice
from typing import Literal

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.model.account import Permission
from tallystick.services.counting.counter_files import BadCounterLine, Format, Line, from_csv, from_json
from tallystick.services.counting.counter_import import Imported
from tallystick.services.counting.owned.files import ROWS_AT_ONCE, note_import, own_counters
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.services import Services
from tallystick.surfaces.counters.asking import account_asker
from tallystick.surfaces.counters.errors import (
    BAD_LINE,
    CREATION_OFF,
    CREATION_OFF_MESSAGE,
    INVALID_FIELD,
    UNCACHED,
    CounterRefused,
)
from tallystick.surfaces.counters.judging import PublicCall
from tallystick.surfaces.counters.wire import as_json
from tallystick.web.answers import ApiResponse

LARGEST = 2 * 1024 * 1024
"""Bytes of a file: more than all counters of an account."""

TYPES: dict[str, bytes] = {"csv": b"text/csv; charset=utf-8", "jsonl": b"application/x-ndjson"}


async def exported(services: Services, call: PublicCall) -> ApiResponse:
    """All counters of the token's account, as ``tallystick counter export`` writes them."""
    form = _format(call)
    asker = await account_asker(services, call, Permission.COUNTERS_READ, "a file")
    body = await services.owned_counters.ask(own_counters, asker.account, form)
    name = b'attachment; filename="counters.%s"' % form.encode()
    return ApiResponse(200, body, (*UNCACHED, (b"content-disposition", name)), TYPES[form])


async def imported(services: Services, call: PublicCall) -> ApiResponse:
    """Store the counters of a file; new ones belong to the token's account."""
    form, existing = _format(call), _existing(call)
    asker = await account_asker(services, call, Permission.COUNTERS_WRITE, "a file")
    if call.kit.public_counters == "existing" and not asker.is_superuser:
        raise CounterRefused(403, CREATION_OFF, CREATION_OFF_MESSAGE)
    lines = (from_csv if form == "csv" else from_json)(BytesIO(call.body), call.now)
    done = Imported()
    try:
        while batch := await asyncio.to_thread(lambda: list(islice(lines, ROWS_AT_ONCE))):
            await _store(services, call, asker, batch, existing, done)
    except InputRefused as error:
        raise CounterRefused(400, BAD_LINE, f"{error}. {_stored(done)}") from error
    except StoreUnavailable as error:
        msg = f"{error}. {_stored(done)}"
        raise type(error)(msg) from error
    finally:
        if done.created or done.replaced:
            await services.owned_counters.act(asker, note_import, done, call.now)
    members = {"created": done.created, "replaced": done.replaced, "kept": done.kept, "expired": done.expired}
    return as_json({"lines": done.through, **members})


async def _store(  # noqa: PLR0913, PLR0917  # whose lines, and what becomes of them
    services: Services,
    call: PublicCall,
    asker: Asker,
    batch: Sequence[Line | BadCounterLine],
    existing: Literal["keep", "replace"],
    done: Imported,
) -> None:
    """Store lines up to the first that is not valid.

    Raises:
        InputRefused: there is one.
    """
    good: list[Line] = []
    bad: BadCounterLine | None = None
    for line in batch:
        if isinstance(line, BadCounterLine):
            bad = line
            break
        good.append(line)
    stored = await services.owned_counters.store(asker, good, existing, call.now)
    done.add(good[: stored.through], stored.outcomes)
    if stored.refused:
        bad = BadCounterLine(good[stored.through].number, stored.refused)
    if bad is not None:
        msg = f"line {bad.number}: {bad.reason}"
        raise InputRefused(msg)


def _stored(done: Imported) -> str:
    if not done.through:
        return "Nothing was stored"
    return f"Lines 1 to {done.through} are stored; the whole file can be sent again"


def _format(call: PublicCall) -> Format:
    return "csv" if _choice(call, "format", ("csv", "jsonl")) == "csv" else "jsonl"


def _existing(call: PublicCall) -> Literal["keep", "replace"]:
    return "keep" if _choice(call, "existing", ("keep", "replace")) == "keep" else "replace"


def _choice(call: PublicCall, name: str, among: tuple[str, str]) -> str:
    """The value of a parameter, the first one without it."""
    value = call.query.get(name, among[0])
    if value not in among:
        raise CounterRefused(400, INVALID_FIELD, f"{name} has to be {' or '.join(among)}", field=name)
    return value
