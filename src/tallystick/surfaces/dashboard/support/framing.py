"""Which websites may show pages in a frame."""

from collections.abc import Iterable
from contextlib import suppress

from starlette.responses import Response

from tallystick.model.origin import browser_origin
from tallystick.model.site import Site

NO_FRAMES = "frame-ancestors 'none'"
"""A directive of the Content-Security-Policy, as all pages have it."""


def frame_ancestors(sites: Iterable[Site]) -> str:
    """The directive for a page about sites: websites that the settings of all of them name."""
    allowed = [_origins(site) for site in sites]
    common = [origin for origin in allowed[0] if all(origin in each for each in allowed)]
    return f"frame-ancestors {' '.join(common)}" if common else NO_FRAMES


def with_frames(response: Response, directive: str) -> Response:
    """Let the websites of a directive show a page in a frame."""
    policy = response.headers.get("content-security-policy", "")
    if directive != NO_FRAMES and policy:
        response.headers["content-security-policy"] = policy.replace(NO_FRAMES, directive)
    return response


def _origins(site: Site) -> list[str]:
    origins = []
    for text in site.settings.allow_embed:
        with suppress(ValueError):
            origins.append(browser_origin(text))
    return origins
