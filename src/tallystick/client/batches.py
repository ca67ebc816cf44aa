"""Many changes of values in one request."""

from typing import Literal

import httpx
from msgspec import Struct

from tallystick.client.calls import json_as

Verb = Literal["increment", "decrement", "set", "reset", "undo"]


class Operation(Struct, frozen=True, omit_defaults=True, rename={"verb": "operation", "counter": "counterId"}):
    """One change: ``Operation("increment", counter, amount=3)``.

    Attributes:
        counter: its id.
        amount: of an increment or decrement.
        value: of a set.
        confirm: a set or a reset may go against the counter's mode.
        offset: of the change that an undo takes back.
        id: a name of your own: carried out once a day under it, in whatever batch it is sent again.
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
    """What became of an operation.

    Attributes:
        status: 200, or that of the refusal.
        value, version: right after it; None when it was refused.
        replayed: an operation of this id had been carried out before.
        error: None when it was carried out.
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
    """The results of a batch, in the order of its operations."""
    return _results(response).results
