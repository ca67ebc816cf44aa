"""Pages for people. See README.md."""

from tallystick.surfaces.dashboard.routes import SEGMENTS, dashboard

__all__ = ["SEGMENTS", "dashboard"]
