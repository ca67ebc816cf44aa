"""The description of the surface's APIs is what the server does: asked with generated requests."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from support.analytics import HOST, AnalyticsServer, analytics_server
from tallystick.model.metrics import DEFINITIONS
from tallystick.services.inquiries.names import vocabulary
from tallystick.surfaces import plausible
from tallystick.surfaces.plausible.events import EVENT
from tallystick.surfaces.plausible.judging import HEALTH
from tallystick.surfaces.plausible.routes import ROUTES
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([plausible.SURFACE])).document
WHOLE = schemathesis.openapi.from_dict(DESCRIBED)


@WHOLE.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Of a repeated parameter the first counts, which OpenAPI cannot say: such requests may be right or wrong."""
    return not any(isinstance(value, list | dict) for value in (query or {}).values())


@WHOLE.hook
def map_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most generated names are no site's."""
    return query | {"site_id": HOST} if query and len(query.get("site_id", "")) % 2 else query


@WHOLE.hook
def map_path_parameters(
    _context: schemathesis.HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Most generated names are no site's here either."""
    given = path_parameters or {}
    return given | {"domain": HOST} if len(str(given.get("domain", ""))) % 2 else path_parameters


@WHOLE.hook
def map_body(_context: schemathesis.HookContext, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("site_id"), str) and len(body["site_id"]) % 2:
        return body | {"site_id": HOST}
    return body


@pytest.fixture(scope="module")
def asked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("plausible-openapi") / "data") as server:
        server.pixel(p="/page")
        yield server


NOT_JUDGED = [
    allow_header_conformance,  # preflights allow the same for every path
    ignored_auth,  # it takes the key away where it finds it, and here it comes with every request
    unsupported_method,  # 404, as Plausible answers
    positive_data_acceptance,  # names of metrics, dimensions and sites are not in the schema
]


@WHOLE.parametrize()
@settings(max_examples=15, derandomize=True, database=None)
def test_generated_requests_are_answered_as_described(
    case: schemathesis.Case[Any], asked_server: AnalyticsServer
) -> None:
    # The older addresses ignore parameters that they do not know, as Plausible does.
    ignoring = [negative_data_rejection] if case.method == "GET" else []
    case.call_and_validate(
        base_url=asked_server.url,
        headers={"authorization": f"Bearer {asked_server.token}"},
        excluded_checks=[*NOT_JUDGED, *ignoring],
    )


def test_the_description_is_openapi() -> None:
    WHOLE.validate()


def test_every_url_is_described_and_nothing_else() -> None:
    expected = {(route.path, route.method) for route in ROUTES} | {(path, "GET") for path in HEALTH} | {(EVENT, "POST")}
    described = {(path, method.upper()) for path, item in DESCRIBED["paths"].items() for method in item}
    assert described == expected


def test_every_metric_has_its_definition() -> None:
    text = " ".join(DESCRIBED["tags"][0]["description"].split())
    for metric, definition in DEFINITIONS.items():
        assert f"- `{metric.value}`: {definition}" in text
    for name in vocabulary(extended=True).metrics:
        assert f"- `{name}`: " in text


def test_every_dimension_is_named() -> None:
    plain = DESCRIBED["components"]["schemas"]["Questions-Query"]["properties"]["dimensions"]["description"]
    whole = plain + DESCRIBED["paths"]["/api/query"]["post"]["description"]
    for text, extended in ((plain, False), (whole, True)):
        for name in vocabulary(extended=extended).dimensions:
            word = name.removeprefix("visit:") if f"`{name}`" not in text else name
            assert word in text.translate(str.maketrans(",;`", "   ")).split(), name


def test_the_server_serves_this_description(asked_server: AnalyticsServer) -> None:
    served = asked_server.server.get("/openapi.json").json()
    assert {path: served["paths"].get(path) for path in DESCRIBED["paths"]} == json.loads(
        json.dumps(DESCRIBED["paths"])
    )
