"""The longest prefix of a path decides, in whole segments."""

from typing import Any

import pytest

from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.dispatch import dispatcher

PREFIXES = ("/", "/hit", "/v1", "/v1/things", "/v1/things/of/mine", "/api/send", "/deep/er")


def named(name: str) -> Any:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["answered_by"] = name

    return app


async def nothing(*_: object) -> Any:
    """Neither sends nor receives."""


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/", "/"),
        ("/hit", "/hit"),
        ("/hit/", "/hit"),
        ("/hit/v1/things", "/hit"),
        ("/hits", ""),
        ("//hit", ""),
        ("*", ""),
        ("", ""),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/v1/thing", "/v1"),
        ("/v1/thingsy", "/v1"),
        ("/v1//things", "/v1"),
        ("/v1/things", "/v1/things"),
        ("/v1/things/", "/v1/things"),
        ("/v1/things/of", "/v1/things"),
        ("/v1/things/of/yours", "/v1/things"),
        ("/v1/things/of/mine", "/v1/things/of/mine"),
        ("/v1/things/of/mine/too", "/v1/things/of/mine"),
        ("/v2", ""),
        ("/api", ""),
        ("/api/", ""),
        ("/api/v0", ""),
        ("/api/send", "/api/send"),
        ("/api/send/x", "/api/send"),
        ("/deep", ""),
        ("/deep/er", "/deep/er"),
    ],
)
async def test_the_longest_prefix_decides(path: str, prefix: str) -> None:
    scope: dict[str, Any] = {"path": path}
    await dispatcher({prefix: named(prefix) for prefix in PREFIXES}, named(""))(scope, nothing, nothing)
    assert scope["answered_by"] == prefix
