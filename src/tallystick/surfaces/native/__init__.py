"""Our own API: health, metrics, the description of every surface."""

from tallystick.surfaces.native.routes import SEGMENTS, native

__all__ = ["SEGMENTS", "native"]
