"""Paths as JSON: what the pages show."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tallystick.services.analytics.gathered_paths import Gathering
from tallystick.services.analytics.stored_paths import StoredPath
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import UNPROCESSABLE, Problems


def json_with(values: Mapping[str, Any], problems: Problems) -> Response:
    """A response of JSON that says what is wrong with what was asked, too; 422 then."""
    return as_json({**values, "problems": dict(problems)}, UNPROCESSABLE if problems else 200)


def data_address(request: PageRequest) -> str:
    """Where what a page shows is as JSON; empty for a form that was refused, whose fields are not in the address."""
    url = request.http.url
    page = url.path.removesuffix("/remove")  # the address of a form that shows the page above it
    return f"{page}.json{'?' if url.query else ''}{url.query}" if request.http.method == "GET" else ""


def plain_path(path: StoredPath) -> dict[str, Any]:
    """A path."""
    return {
        "id": path.id,
        "path": path.path,
        "title": path.title,
        "event": path.event,
        "hits": path.hits,
        "hits_of_bots": path.bots,
    }


def plain_gathering(gathering: Gathering) -> dict[str, Any]:
    """What a rule would gather."""
    return {
        "rule": gathering.rule,
        "paths": gathering.paths,
        "hits": gathering.hits,
        "hits_of_bots": gathering.bots,
        "examples": list(map(plain_path, gathering.examples)),
    }
