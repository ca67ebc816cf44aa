"""Several changes of values in one request."""

from typing import Literal

import httpx
from msgspec import Struct

from tallystick.client.calls import json_as

Verb = Literal["increment", "decrement", "set", "reset", "undo"]


class Operation(Struct, frozen=True, omit_defaults=True, rename={"verb": "operation", "counter": "counterId"}):
    """One change: ``Operation("increment", counter, amount=3)``.

    Attributes:
        counter: the counter's id.
        amount: of an increment or decrement.
        value: of a set.
        confirm: allow a set or a reset against the counter's mode.
        offset: number of the change to undo; the default is your last one.
        id: an id of your own: the operation is carried out once a day for it, also when it is sent in another batch.
    """

    verb: Verb
    counter: str
    amount: int = 1
    value: int | None = None
    confirm: bool = False
    offset: int | None = None
    id: str | None = None


class Problem(Struct, frozen=True):
    """Why an operation was refused."""

    message: str
    code: int | None = None
    name: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of one operation.

    Attributes:
        status: 200, or the status of the refusal.
        value, version: of the counter after the operation; None when it was refused.
        replayed: whether this is the stored result of an earlier operation with the same id.
        error: None when the operation was carried out.
    """

    status: int
    value: int | None = None
    version: int | None = None
    replayed: bool = False
    id: str | None = None
    error: Problem | None = None


class _Results(Struct):
    results: list[Outcome]


_results = json_as(_Results)


def outcomes_in(response: httpx.Response) -> list[Outcome]:
    """Decode the results of a batch, in the order of its operations."""
    return _results(response).results
