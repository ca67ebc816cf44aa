"""Tables of routes."""

import pytest

from tallystick.web.routing import NoRoute, Route, Table

TABLE = Table(
    [
        Route("GET", "/things"),
        Route("POST", "/things"),
        Route("GET", "/things/all"),
        Route("GET", "/things/{id}"),
        Route("PUT", "/things/{id}"),
        Route("POST", "/things/{id}/go/{where}"),
        Route("GET", "/things/{kind}/{rest*}"),
    ]
)

FOUND = [
    ("GET", "/things", "GET /things", {}),
    ("HEAD", "/things", "GET /things", {}),
    ("POST", "/things", "POST /things", {}),
    ("GET", "/things/all", "GET /things/all", {}),
    ("PUT", "/things/all", "PUT /things/{id}", {"id": "all"}),
    ("GET", "/things/7", "GET /things/{id}", {"id": "7"}),
    ("POST", "/things/7/go/home", "POST /things/{id}/go/{where}", {"id": "7", "where": "home"}),
    ("GET", "/things/7/go/home", "GET /things/{kind}/{rest*}", {"kind": "7", "rest": "go/home"}),
    ("GET", "/things/a//b", "GET /things/{kind}/{rest*}", {"kind": "a", "rest": "/b"}),
]


@pytest.mark.parametrize(("method", "path", "route", "place"), FOUND)
def test_a_request_finds_its_route(method: str, path: str, route: str, place: dict[str, str]) -> None:
    found = TABLE.find(method, path)
    assert (f"{found.route.method} {found.route.path}", found.place) == (route, place)


MISSED = [
    ("GET", "/nothing", []),
    ("GET", "", []),
    ("GET", "/things/", []),
    ("GET", "/things/7/", []),
    ("DELETE", "/things", ["GET", "HEAD", "OPTIONS", "POST"]),
    ("DELETE", "/things/all", ["GET", "HEAD", "OPTIONS", "PUT"]),
    ("DELETE", "/things/7/go/home", ["GET", "HEAD", "OPTIONS", "POST"]),
    ("get", "/things", ["GET", "HEAD", "OPTIONS", "POST"]),
]


@pytest.mark.parametrize(("method", "path", "methods"), MISSED)
def test_what_is_missing_is_told_with_the_methods_there_are(method: str, path: str, methods: list[str]) -> None:
    with pytest.raises(NoRoute) as missed:
        TABLE.find(method, path)
    assert missed.value.methods == methods
