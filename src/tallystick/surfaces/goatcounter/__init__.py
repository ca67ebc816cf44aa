"""GoatCounter: the pixel, the API, the script and the visitor counter. See README.md."""

from tallystick.surfaces.goatcounter.api.calling import Services
from tallystick.surfaces.goatcounter.routes import SEGMENTS, GoatCounter

__all__ = ["SEGMENTS", "GoatCounter", "Services"]
