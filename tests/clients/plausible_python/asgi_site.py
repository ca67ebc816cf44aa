"""An ASGI website that passes on what its pages tell, by ``asgi-plausible``; prints its answers as JSON.

Arguments: the server's address, and a JSON list of ``[method, path, body, headers]``.

The package knows no other address than Plausible's; its requests are sent to the server instead.
"""

import asyncio
import json
import sys
from typing import Any

# Installed by the test, in a folder of their own.
import asgi_plausible  # type: ignore[import-not-found]
import httpx

SERVER, REQUESTS = sys.argv[1], json.loads(sys.argv[2])
PLAUSIBLE = "https://plausible.io"


class Client(httpx.AsyncClient):
    """Reaches the server where the package names Plausible's."""

    def stream(self, method: str, url: Any, **options: Any) -> Any:
        """See ``httpx.AsyncClient``."""
        assert url.startswith(PLAUSIBLE)
        return super().stream(method, SERVER + url.removeprefix(PLAUSIBLE), **options)


asgi_plausible.httpx.AsyncClient = Client


async def website(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers what the package leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"website"})


async def answered(method: str, target: str, body: str, headers: dict[str, str]) -> dict[str, Any]:
    """The answer to one request."""
    scope = {"type": "http", "method": method, "path": target}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]  # type: ignore[assignment]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await asgi_plausible.plausible(website)(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": sent[0]["status"], "text": text, "headers": told}


async def main() -> list[dict[str, Any]]:
    """The answers, in order."""
    return [await answered(*request) for request in REQUESTS]


sys.stdout.write(json.dumps(asyncio.run(main())))
