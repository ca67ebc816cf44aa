"""Pages for tools and robots: the status, the API description and robots.txt."""

import asyncio
import platform
import time
from functools import cache
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tallystick import __version__
from tallystick.services.services import Services
from tallystick.web.openapi import parsed

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_FOR_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "no-cache"}
_started = time.monotonic()


async def status(services: Services, _request: Request) -> Response:
    """The server's uptime, version and platform; the names are the contract's (1.14)."""
    status = {
        "uptime": f"{int(time.monotonic() - _started)}s",
        "version": __version__,
        "database": services.ledger.database.name,
        "go": "",
        "GOOS": platform.system().lower(),
        "GOARCH": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "race": False,
        "cgo": False,
    }
    return JSONResponse(status, headers=_FOR_ANY_PAGE | {"cache-control": "no-store"})


async def api_json(_services: Services, _request: Request) -> Response:
    """This surface's API as OpenAPI."""
    return Response(await asyncio.to_thread(_description), headers=_FOR_ANY_PAGE, media_type="application/json")


async def api_html(_services: Services, _request: Request) -> Response:
    """Redirect to the API reference; relative, because behind a proxy the scheme is unknown."""
    return RedirectResponse("docs", 302)


async def robots(_services: Services, _request: Request) -> Response:
    """Disallow all paths."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n", headers={"cache-control": "public, max-age=86400"})


@cache
def _description() -> bytes:
    text = files("tallystick.surfaces.goatcounter").joinpath("openapi.yaml").read_text("utf-8")
    document = {name: part for name, part in parsed(text).items() if not name.startswith("x-")}
    document["info"]["version"] = __version__
    return msgspec.json.encode(document)
