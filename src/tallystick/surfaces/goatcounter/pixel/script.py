"""``/count.js``: the script that counts on a site's own pages."""

import gzip
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from tallystick.services.services import Services
from tallystick.web.compression import takes_gzip

SCRIPT = files("tallystick.surfaces.goatcounter").joinpath("static/count.js").read_bytes()

_COMPRESSED = gzip.compress(SCRIPT, mtime=0)
_HEADERS = {
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=604800",
    "cross-origin-resource-policy": "cross-origin",
    "etag": f'W/"{sha256(SCRIPT).hexdigest()[:16]}"',
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}


async def count_js(_services: Services, request: Request) -> Response:
    """The script; browsers cache it for a week, then revalidate it."""
    if _HEADERS["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=_HEADERS)
    compressed = takes_gzip(request.scope)
    headers = _HEADERS | ({"content-encoding": "gzip"} if compressed else {})
    return Response(_COMPRESSED if compressed else SCRIPT, headers=headers, media_type="text/javascript; charset=utf-8")
