"""The description of our API of public counters is what the server does: asked with generated requests."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    positive_data_acceptance,
    unsupported_method,
)

from support.analytics import AnalyticsServer, analytics_server
from tallystick.surfaces import counters
from tallystick.surfaces.counters.routes import ROUTES
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([counters.SURFACE])).document
WHOLE = schemathesis.openapi.from_dict(DESCRIBED)
NOT_JUDGED = [
    allow_header_conformance,  # preflights allow the same for every path
    ignored_auth,  # it takes the token away where it finds it, and here it comes with every request
    unsupported_method,
    # What an origin or a label may be is not in the schema, nor what is there already, nor which periods, zones and
    # intervals of a history go together.
    positive_data_acceptance,
]
NAMED = {"namespace": "known", "key": "counter", "file": "counter.csv"}


@schemathesis.serializer("text/csv", "application/x-ndjson")
def file_as_it_is(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """The text of a file."""
    return str(value).encode("utf-8", "surrogatepass")


@WHOLE.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Of a repeated parameter the first counts, which OpenAPI cannot say: such requests may be right or wrong."""
    return not any(isinstance(value, list | dict) for value in (query or {}).values())


@WHOLE.hook
def map_path_parameters(
    _context: schemathesis.HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Most generated names are no counter's."""
    given = path_parameters or {}
    is_known = len(str(given.get("key", given.get("file", "")))) % 2
    return {name: NAMED[name] for name in given} if is_known else path_parameters


@pytest.fixture(scope="module")
def asked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("counters-openapi") / "data") as server:
        server.server.get("/hit/known/counter")
        yield server


@WHOLE.parametrize()
@settings(max_examples=8, derandomize=True, database=None)
def test_generated_requests_are_answered_as_described(
    case: schemathesis.Case[Any], asked_server: AnalyticsServer
) -> None:
    case.call_and_validate(
        base_url=asked_server.url,
        headers={"authorization": f"Bearer {asked_server.token}"},
        excluded_checks=NOT_JUDGED,
    )


def test_every_url_is_described_and_nothing_else() -> None:
    WHOLE.validate()
    described = {
        (path, method.upper()) for path, item in DESCRIBED["paths"].items() for method in item if method != "parameters"
    }
    assert described == {(route.path, route.method) for route in ROUTES}
