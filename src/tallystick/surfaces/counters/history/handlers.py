"""``/history/{namespace}/{key}``: by how much a counter changed in each interval of a period, and its milestones.

The last suffix of the path is the form (``.json``, ``.csv``, ``.svg``), as keys may hold dots; without one it is JSON.
"""

import asyncio
from collections.abc import Callable, Mapping
from hashlib import sha256

from tallystick.services.counting.history import CounterHistory, HistoryQuestion, HistoryRefused, counter_history
from tallystick.services.services import Services
from tallystick.surfaces.counters.errors import INVALID_FIELD, NO_SUCH_COUNTER, CounterRefused
from tallystick.surfaces.counters.history.forms import HistoryForm, as_csv, as_json, as_svg
from tallystick.surfaces.counters.judging import PublicCall, key_named
from tallystick.web.answers import ApiResponse
from tallystick.web.conditional import is_known
from tallystick.web.refusals import Headers, RateLimited

RATE = "counter-history"
FORMS: Mapping[str, Callable[[CounterHistory], HistoryForm]] = {"json": as_json, "csv": as_csv, "svg": as_svg}

_READ: Headers = ((b"cache-control", b"public, max-age=60"), (b"referrer-policy", b"no-referrer"))


async def of_counter(services: Services, call: PublicCall) -> ApiResponse:
    """The history of a counter."""
    name, form = _split(call.place["file"])
    key = key_named(call.place["namespace"], name)
    admission = call.kit.limits.admit_address(RATE, call.kit.addresses.of(call.scope), key.namespace)
    if not admission.admitted:
        raise RateLimited(admission)
    query = call.query
    question = HistoryQuestion(
        period=query.get("period"),
        first=query.get("from"),
        last=query.get("to"),
        interval=query.get("interval"),
        timezone=query.get("timezone", "UTC"),
    )
    try:
        history = await services.ledger.read(counter_history, key, question, call.now)
    except HistoryRefused as error:
        raise CounterRefused(400, INVALID_FIELD, str(error), field=error.field) from error
    if history is None:
        raise CounterRefused(404, NO_SUCH_COUNTER, f"there is no counter {key}")
    return _answer(await asyncio.to_thread(FORMS[form], history), call.headers.get(b"if-none-match", b""))


def _split(file: str) -> tuple[str, str]:
    """The name and the form of the last segment of a path."""
    name, _, suffix = file.rpartition(".")
    return (name, suffix) if suffix in FORMS else (file, "json")


def _answer(form: HistoryForm, known: bytes) -> ApiResponse:
    """The response, or 304 to a client that has it already.

    Args:
        known: the request's ``If-None-Match``.
    """
    etag = b'W/"%s"' % sha256(form.body).hexdigest()[:16].encode()
    headers: Headers = (*_READ, (b"content-security-policy", form.policy), (b"etag", etag), *form.headers)
    if is_known(known, etag):
        return ApiResponse(304, b"", headers)
    return ApiResponse(200, form.body, headers, form.content_type)
