"""CountTogether: counters that people share and change together, live. See README.md."""

from tallystick.surfaces.counttogether.api.calling import Services
from tallystick.surfaces.counttogether.authorization import Gate
from tallystick.surfaces.counttogether.routes import SEGMENTS, CountTogether

__all__ = ["SEGMENTS", "CountTogether", "Gate", "Services"]
