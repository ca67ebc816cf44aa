"""What the HTTP server refuses, in this surface's two forms: the pixel's image, and the API's JSON."""

from tallystick.server.hot_lane import Answer, header_lines
from tallystick.server.refusals import Refusal
from tallystick.surfaces.goatcounter.api.headers import COMMON
from tallystick.surfaces.goatcounter.errors import response_to
from tallystick.surfaces.goatcounter.pixel.replies import with_reason
from tallystick.web.answers import answer_of
from tallystick.web.pixel import PIXEL
from tallystick.web.refusals import refused_by_server


def refuse(path: str, refusal: Refusal) -> Answer:
    """Encode a refusal for a path."""
    error = refused_by_server(refusal)
    if path.removesuffix("/") == "/count":
        return error.status, header_lines((*with_reason(str(error)), *error.headers)), PIXEL
    return answer_of(response_to(error), header_lines(COMMON))
