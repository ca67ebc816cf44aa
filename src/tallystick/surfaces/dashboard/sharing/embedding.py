"""Which websites may show pages of a site in a frame."""

from contextlib import suppress

from starlette.responses import Response

from tallystick.model.origin import browser_origin
from tallystick.model.site import Site

_NO_FRAMES = "frame-ancestors 'none'"


def frame_ancestors(site: Site) -> str:
    """The directive of the Content-Security-Policy for pages of a site. Without any website in its settings: none."""
    origins = []
    for text in site.settings.allow_embed:
        with suppress(ValueError):
            origins.append(browser_origin(text))
    return f"frame-ancestors {' '.join(origins)}" if origins else _NO_FRAMES


def let_embed(response: Response, site: Site) -> Response:
    """Let the websites in a site's settings show a page in a frame."""
    policy = response.headers["content-security-policy"]
    response.headers["content-security-policy"] = policy.replace(_NO_FRAMES, frame_ancestors(site))
    return response
