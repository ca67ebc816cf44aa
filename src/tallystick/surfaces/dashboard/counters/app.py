"""What makes a counter's page an app that can be installed: its manifest, and the worker that keeps pages."""

import msgspec
from starlette.responses import Response

from tallystick.ledger import Ledger
from tallystick.services.sharing.access import readable_counter
from tallystick.surfaces.dashboard.counters.pages import found_or_404
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import NOT_STORED
from tallystick.surfaces.dashboard.support.static_files import FILES, static_address
from tallystick.web.own_address import own_base

WORKER = "counters-worker.js"

_encode = msgspec.json.Encoder().encode


class CounterApp:
    """Sends manifest and worker."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def manifest(self, request: PageRequest) -> Response:
        """The manifest of a counter (W3C Web Application Manifest)."""
        uid = request.http.path_params["counter"]
        counter = await found_or_404(self._ledger, readable_counter, request.account.id, uid)
        base = own_base(request.http.scope)
        address = f"{base}/counters/{counter.uid}"
        manifest = {
            "id": address,
            "name": counter.name,
            "short_name": counter.name,
            "lang": request.language.code,
            "start_url": address,
            "scope": f"{base}/counters",
            "display": "standalone",
            "background_color": "#fdfcf8",
            "theme_color": "#7c3f0c",
            "icons": [{"src": base + static_address("icon.svg"), "type": "image/svg+xml", "sizes": "any"}],
        }
        return Response(_encode(manifest), 200, {"cache-control": NOT_STORED}, "application/manifest+json")

    async def worker(self, request: PageRequest) -> Response:
        """The worker. Its address is above those of the pages that it keeps."""
        base = own_base(request.http.scope)
        headers = {
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "service-worker-allowed": f"{base}/counters",  # the list of counters is above the worker's own folder
        }
        return Response(FILES[WORKER].content, 200, headers, "text/javascript; charset=utf-8")
