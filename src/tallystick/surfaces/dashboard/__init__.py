"""Pages for people."""

from tallystick.surfaces.dashboard.routes import SEGMENTS, dashboard

__all__ = ["SEGMENTS", "dashboard"]
