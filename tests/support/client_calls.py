"""Arguments with which every method of the clients can be called."""

import inspect
from pathlib import Path
from typing import Any

USUAL: dict[str, Any] = {
    "additions": [],
    "amount": 3,
    "annotation_id": 10,
    "code": "a-code",
    "counter": "a-counter",
    "counters": [],
    "etag": '"1"',
    "export": 4,
    "filters": [],
    "funnel": "a-funnel",
    "funnel_id": 11,
    "goal_id": 12,
    "hits": [],
    "idempotency_key": "press-17",
    "invite": "an-invite",
    "key": "a-key",
    "metrics": ["visitors"],
    "name": "Visitors",
    "namespace": "a-namespace",
    "new_key": "another-key",
    "new_namespace": "another-namespace",
    "offset": 5,
    "operations": [],
    "page": "browsers",
    "path_id": 6,
    "role": "viewer",
    "row": "a-row",
    "segment_id": 13,
    "site": 7,
    "steps": [],
    "text": "A new design",
    "timezone": "Europe/Berlin",
    "to": Path("export.csv.gz"),
    "token": 8,
    "user": "a-user",
    "value": 9,
}
"""A value for each argument that has no default, and for those that could land in a path."""


def arguments_of(client: type[Any], name: str) -> dict[str, Any]:
    """Usual arguments of a method."""
    parameters = inspect.signature(getattr(client, name).__wrapped__).parameters.values()
    wanted = [p for p in parameters if p.name in USUAL or (p.default is p.empty and p.kind is not p.VAR_KEYWORD)]
    usual = {parameter.name: USUAL[parameter.name] for parameter in wanted if parameter.name != "self"}
    return usual | {p.name: "stats.example.com" for p in wanted if p.name == "site" and p.annotation is not int}
