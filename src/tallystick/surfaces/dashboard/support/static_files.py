"""Style sheets, scripts and images: read once when the server starts, some joined to one file."""

import gzip
from collections.abc import Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tallystick.web.compression import WORTH_COMPRESSING, takes_gzip

STATIC_FOLDER = Path(__file__).parent.parent / "static"

BUNDLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "statistics.css": (
            *("style.css", "charts.css", "analytics.css", "bars.css", "map.css", "left-out.css"),
            "print.css",  # changes what the others say
        ),
        "counters.css": ("style.css", "charts.css", "people.css", "counters.css"),
        "statistics.js": ("live.js", "keys.js", "values.js", "swap.js"),
    }
)
"""Files that are sent as one, so that a page of statistics takes few requests."""

_IMMUTABLE = "public, max-age=31536000, immutable"
_COMPRESSED = frozenset({"text/css", "text/javascript", "image/svg+xml"})


class StaticFile(Struct, frozen=True):
    """A file as it is sent.

    Attributes:
        version: a hash of its content.
        gzipped: None where compression is not worth it.
    """

    content: bytes
    kind: str
    version: str
    gzipped: bytes | None


def static_address(name: str) -> str:
    """The address of a file. It has the hash of the content, so browsers may keep the file for good."""
    return f"/static/{name}?v={FILES[name].version}"


async def static_file(request: Request) -> Response:
    """Send a file: immutable when the address has the hash of its content, else revalidated each time."""
    file = FILES.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    current = request.scope["query_string"] == f"v={file.version}".encode()
    headers = {
        "cache-control": _IMMUTABLE if current else "no-cache",
        "etag": f'"{file.version}"',
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(None, 304, headers)
    if file.gzipped is not None and takes_gzip(request.scope):
        return Response(file.gzipped, 200, headers | {"content-encoding": "gzip"}, file.kind)
    return Response(file.content, 200, headers, file.kind)


def _read(name: str, content: bytes) -> StaticFile:
    kind = guess_type(name)[0] or "application/octet-stream"
    worth = kind in _COMPRESSED and len(content) >= WORTH_COMPRESSING
    return StaticFile(
        content, kind, sha256(content).hexdigest()[:12], gzip.compress(content, 9, mtime=0) if worth else None
    )


def _files() -> Mapping[str, StaticFile]:
    found = {file.name: file.read_bytes() for file in STATIC_FOLDER.iterdir() if file.is_file()}
    found |= {bundle: b"\n".join(found[name] for name in names) for bundle, names in BUNDLES.items()}
    return MappingProxyType({name: _read(name, content) for name, content in found.items()})


FILES = _files()
"""All files, by name."""
