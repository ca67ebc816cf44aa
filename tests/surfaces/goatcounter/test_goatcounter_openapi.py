"""The description of the analytics surface is what the server does: asked with generated requests."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import allow_header_conformance, ignored_auth, positive_data_acceptance

from support.analytics import HOST, AnalyticsServer, analytics_server
from tallystick.model.dimensions import SIZES, filters, pages
from tallystick.surfaces import goatcounter
from tallystick.surfaces.goatcounter.api.judging import PREFIX
from tallystick.surfaces.goatcounter.routes import API, PAGES
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([goatcounter.SURFACE])).document
WHOLE = schemathesis.openapi.from_dict(DESCRIBED)


@WHOLE.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Of a repeated parameter the first counts, which OpenAPI cannot say: such requests may be right or wrong."""
    return not any(isinstance(value, list | dict) for value in (query or {}).values())


@pytest.fixture(scope="module")
def asked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """One server for all requests that leave its sites as they are: what else they leave is part of the test."""
    with analytics_server(tmp_path_factory.mktemp("goatcounter-openapi") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def changed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """One server whose sites are created and changed."""
    with analytics_server(tmp_path_factory.mktemp("goatcounter-sites") / "data") as server:
        yield server


NOT_JUDGED = [
    allow_header_conformance,  # preflights allow the same for every path
    ignored_auth,  # it takes the token away where it finds it, and here it comes with every request
]
RULED = frozenset(
    f"{PREFIX}{path}" for path in ("/count", "/export", "/sites", "/sites/{id}", "/bots", "/stats/{page}/{id}")
)
"""Requests of the right shape may still be refused: names are unique, hits need a session, campaigns have numbers."""


@WHOLE.parametrize()
@settings(max_examples=8, derandomize=True, database=None)
def test_generated_requests_are_answered_as_described(
    case: schemathesis.Case[Any], asked_server: AnalyticsServer, changed_server: AnalyticsServer
) -> None:
    server = changed_server if case.path.startswith(f"{PREFIX}/sites") else asked_server
    headers = {"host": HOST}
    if case.path.startswith(PREFIX):
        headers["authorization"] = f"Bearer {server.token}"
    ruled = [positive_data_acceptance] if case.path in RULED else []
    case.call_and_validate(
        base_url=server.url, headers=headers, allow_redirects=False, excluded_checks=[*NOT_JUDGED, *ruled]
    )


def test_the_description_is_openapi() -> None:
    WHOLE.validate()


def test_every_url_is_described_and_nothing_else() -> None:
    expected = {(f"{PREFIX}{route.path.replace('*', '')}", route.method) for route in API}
    expected |= {(path, "GET") for path in PAGES if not path.startswith("/counter/")}
    expected |= {(f"/counter/{{path}}.{extension}", "GET") for extension in ("json", "html", "svg", "png")}
    expected |= {("/count", "GET"), ("/count", "POST")}
    described = {
        (path, method.upper()) for path, item in DESCRIBED["paths"].items() for method in item if method != "parameters"
    }
    assert described == expected


def parameters_of(path: str) -> dict[str, Any]:
    """The schemas of a path's parameters."""
    item = DESCRIBED["paths"][f"{PREFIX}{path}"]
    parameters = [*item.get("parameters", ()), *item["get"]["parameters"]]
    resolved = [
        DESCRIBED["components"]["parameters"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in parameters
    ]
    return {parameter["name"]: parameter["schema"] for parameter in resolved}


def test_every_dimension_is_described() -> None:
    reports = [path.removeprefix(PREFIX) for path in DESCRIBED["paths"] if path.startswith(f"{PREFIX}/stats/")]
    usual = {"start", "end", "timezone", "include_paths", "path_by_name", "metrics", "limit", "offset"}
    usual |= {"exclude_paths", "group", "daily", "cursor", "path_id", "page", "id"}
    assert len(reports) == 5
    for path in reports:
        assert parameters_of(path).keys() - usual == filters().keys(), path
    assert parameters_of("/stats/{page}")["page"]["enum"] == list(pages())
    with_details = [page for page, dimension in pages().items() if dimension.details]
    assert parameters_of("/stats/{page}/{id}")["page"]["enum"] == with_details
    assert parameters_of("/stats/total")["size"]["enum"] == [*(size.name for size in SIZES), ""]


def test_the_server_serves_this_description(asked_server: AnalyticsServer) -> None:
    served = asked_server.server.get("/api.json").json()
    for part in ("tags", "paths", "components"):
        assert served[part] == json.loads(json.dumps(DESCRIBED[part]))
