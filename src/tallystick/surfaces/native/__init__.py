"""Our own API: health, metrics, the description of every surface. See README.md."""

from tallystick.surfaces.native.live_counters import LiveCounters
from tallystick.surfaces.native.openapi import Description
from tallystick.surfaces.native.routes import SEGMENTS, native

__all__ = ["SEGMENTS", "Description", "LiveCounters", "native"]
