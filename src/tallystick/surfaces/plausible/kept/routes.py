"""The URLs of what is kept for a site."""

from functools import partial

from tallystick.surfaces.plausible.judging import StatsRoute
from tallystick.surfaces.plausible.kept import annotations, funnels, goals, older_goals, segments

_SITE = "/api/v2/sites/{domain}"
_reading = partial(StatsRoute, in_path=True)
_changing = partial(StatsRoute, in_path=True, changes=True)

KEPT_ROUTES = (
    _reading("GET", f"{_SITE}/goals", goals.list_goals),
    _changing("POST", f"{_SITE}/goals", goals.post_goal),
    _reading("GET", f"{_SITE}/goals/{{id}}", goals.get_goal),
    _changing("PATCH", f"{_SITE}/goals/{{id}}", goals.patch_goal),
    _changing("DELETE", f"{_SITE}/goals/{{id}}", goals.remove_goal),
    _reading("GET", f"{_SITE}/funnels", funnels.list_funnels),
    _changing("POST", f"{_SITE}/funnels", funnels.post_funnel),
    _reading("GET", f"{_SITE}/funnels/{{id}}", funnels.get_funnel),
    _changing("PATCH", f"{_SITE}/funnels/{{id}}", funnels.patch_funnel),
    _changing("DELETE", f"{_SITE}/funnels/{{id}}", funnels.remove_funnel),
    _reading("GET", f"{_SITE}/segments", segments.list_segments),
    _changing("POST", f"{_SITE}/segments", segments.post_segment),
    _reading("GET", f"{_SITE}/segments/{{id}}", segments.get_segment),
    _changing("PATCH", f"{_SITE}/segments/{{id}}", segments.patch_segment),
    _changing("DELETE", f"{_SITE}/segments/{{id}}", segments.remove_segment),
    _reading("GET", f"{_SITE}/annotations", annotations.list_annotations),
    _changing("POST", f"{_SITE}/annotations", annotations.post_annotation),
    _reading("GET", f"{_SITE}/annotations/{{id}}", annotations.get_annotation),
    _changing("PATCH", f"{_SITE}/annotations/{{id}}", annotations.patch_annotation),
    _changing("DELETE", f"{_SITE}/annotations/{{id}}", annotations.remove_annotation),
    # Plausible's; its clients create with PUT or POST
    StatsRoute("GET", "/api/v1/sites/goals", older_goals.list_older_goals),
    StatsRoute("PUT", "/api/v1/sites/goals", older_goals.put_older_goal, changes=True),
    StatsRoute("POST", "/api/v1/sites/goals", older_goals.put_older_goal, changes=True),
    StatsRoute("DELETE", "/api/v1/sites/goals/{id}", goals.remove_goal, changes=True),
)
