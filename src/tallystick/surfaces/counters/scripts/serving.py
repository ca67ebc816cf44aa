"""``/countapi.js``, ``/tally.js`` and ``/busuanzi.js``."""

from hashlib import sha256
from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.counters.judging import PublicCall
from tallystick.web.answers import ApiResponse
from tallystick.web.conditional import is_known
from tallystick.web.refusals import Headers

NAMES = ("countapi.js", "countapi.mjs", "tally.js", "busuanzi.js")
CONTENT_TYPE = b"text/javascript; charset=utf-8"


async def script(_services: Services, call: PublicCall) -> ApiResponse:
    """The script that the path names; browsers keep it for an hour, then ask whether it has changed."""
    body, headers = _SERVED[call.scope["path"].strip("/")]
    if is_known(call.headers.get(b"if-none-match", b""), dict(headers)[b"etag"]):
        return ApiResponse(304, headers=headers)
    return ApiResponse(200, body, headers, CONTENT_TYPE)


def _served(name: str) -> tuple[bytes, Headers]:
    body = files(__package__).joinpath("static", name).read_bytes()
    return body, (
        (b"cache-control", b"public, max-age=3600"),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"etag", f'W/"{sha256(body).hexdigest()[:16]}"'.encode()),
    )


_SERVED = {name: _served(name) for name in NAMES}
