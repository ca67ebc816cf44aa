"""The CountAPI surface: public counters without accounts. See README.md."""

from tallystick.surfaces.countapi.routes import SEGMENTS, CountApi

__all__ = ["SEGMENTS", "CountApi"]
