"""Every URL of this surface."""

from tallystick.model.account import Permission
from tallystick.surfaces.plausible import funnels, imports, queries, sites
from tallystick.surfaces.plausible.judging import StatsRoute
from tallystick.surfaces.plausible.kept.routes import KEPT_ROUTES
from tallystick.surfaces.plausible.v1 import handlers as v1

_IMPORTS = "/api/v2/sites/{domain}/imports"
_WRITING = Permission.SITE_UPDATE

IMPORT_ROUTES = (
    StatsRoute("GET", _IMPORTS, imports.listed, in_path=True),
    StatsRoute("POST", _IMPORTS, imports.begin, _WRITING, in_path=True, changes=True),
    StatsRoute("GET", f"{_IMPORTS}/{{id}}", imports.one, in_path=True),
    StatsRoute("DELETE", f"{_IMPORTS}/{{id}}", imports.remove, _WRITING, in_path=True, changes=True),
    StatsRoute(
        "POST",
        f"{_IMPORTS}/{{id}}/rows",
        imports.add,
        _WRITING,
        in_path=True,
        changes=True,
        largest_body=imports.LARGEST_PART,
    ),
    StatsRoute("POST", f"{_IMPORTS}/{{id}}/finish", imports.finish, _WRITING, in_path=True, changes=True),
)
ROUTES = (
    # each with or without a slash at the end
    StatsRoute("POST", "/api/v2/query", queries.plausible_query),
    StatsRoute("POST", "/api/query", queries.extended_query, several=True),
    StatsRoute("POST", "/api/query/funnel", funnels.funnel_query, several=True),
    StatsRoute("GET", "/api/v1/stats/realtime/visitors", v1.realtime_visitors),
    StatsRoute("GET", "/api/v1/stats/aggregate", v1.aggregate),
    StatsRoute("GET", "/api/v1/stats/timeseries", v1.timeseries),
    StatsRoute("GET", "/api/v1/stats/breakdown", v1.breakdown),
    StatsRoute("GET", "/api/v1/sites", sites.sites, Permission.SITE_READ, of_site=False),
    StatsRoute("GET", "/api/v1/sites/{domain}", sites.site, Permission.SITE_READ, of_site=False),
    *KEPT_ROUTES,
    *IMPORT_ROUTES,
)
PREFIXES = ("/api/v1", "/api/v2", "/api/query", "/api/event", "/api/health", "/api/system")
