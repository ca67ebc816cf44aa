"""A website made with Django that passes on what its pages tell, by ``django-plausible-proxy``; prints its answers.

Arguments: the server's address, and a JSON list of ``[method, path, body, headers]``. The path ``/buy`` is a view of
the website's own, which tells an event itself.
"""

import json
import sys
from typing import Any

# Installed by the test, in a folder of their own.
import django  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]

SERVER, REQUESTS = sys.argv[1], json.loads(sys.argv[2])
HEADERS = ("content-type", "cache-control")

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["plausible_proxy"],
    PLAUSIBLE_BASE_URL=SERVER,
    PLAUSIBLE_DOMAIN="stats.example.com",
    PLAUSIBLE_REQUEST_TIMEOUT=20,
)
django.setup()

from django.http import HttpRequest, HttpResponse  # type: ignore[import-not-found]  # noqa: E402  # needs settings
from django.test import Client  # type: ignore[import-not-found]  # noqa: E402
from django.urls import include, path  # type: ignore[import-not-found]  # noqa: E402
from plausible_proxy import send_custom_event  # type: ignore[import-not-found]  # noqa: E402


def buy(request: HttpRequest) -> HttpResponse:
    """Tell an event."""
    accepted = send_custom_event(request, name="Purchase", props={"plan": "pro", "seats": 3})
    return HttpResponse(f"{accepted}")


urlpatterns = [path("buy", buy), path("", include("plausible_proxy.urls"))]


def answered(method: str, target: str, body: str, headers: dict[str, str]) -> dict[str, Any]:
    """The answer to one request."""
    client = Client(raise_request_exception=False)
    answer = client.generic(method, target, body, content_type="text/plain", headers=headers, REMOTE_ADDR="203.0.113.9")
    return {
        "status": answer.status_code,
        "text": answer.content.decode(),
        "headers": {name: answer.headers.get(name, "") for name in HEADERS},
    }


sys.stdout.write(json.dumps([answered(*request) for request in REQUESTS]))
