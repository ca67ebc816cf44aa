"""All URLs of the dashboard, and the application that serves them."""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Route

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.tokens import Tokens
from tallystick.services.sharing.service import Sharing
from tallystick.surfaces.dashboard.account.profile import ProfilePages
from tallystick.surfaces.dashboard.account.two_factor import TwoFactorPages
from tallystick.surfaces.dashboard.entry.login import LoginPages
from tallystick.surfaces.dashboard.entry.setup import SetupPages
from tallystick.surfaces.dashboard.invites.pages import InvitePages
from tallystick.surfaces.dashboard.people.pages import PeoplePages
from tallystick.surfaces.dashboard.reference.pages import ApiDescription, ReferencePages
from tallystick.surfaces.dashboard.server.pages import ServerPages
from tallystick.surfaces.dashboard.sites.pages import SitePages
from tallystick.surfaces.dashboard.support.error_pages import ErrorPages
from tallystick.surfaces.dashboard.support.page_request import Endpoint, Handler, PageGuard
from tallystick.surfaces.dashboard.support.rendering import STATIC, Renderer
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.surfaces.dashboard.tokens.pages import TokenPages
from tallystick.surfaces.dashboard.welcome.pages import WelcomePages
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import CountedApp
from tallystick.web.bodies import BodyRefused
from tallystick.web.cors import Preflights
from tallystick.web.rate_limit import RateLimits
from tallystick.web.traffic import Traffic

SEGMENTS = frozenset(
    {
        "",
        "docs",
        "static",
        "favicon.ico",
        "setup",
        "login",
        "logout",
        "user",
        "sites",
        "people",
        "invites",
        "counters",
        "server",
    }
)


Row = tuple[str, Handler, Handler | None]
"""A path, its handler for GET, and its handler for POST."""


def dashboard(  # noqa: PLR0913  # what app shares among surfaces
    ledger: Ledger,
    traffic: Traffic,
    description: ApiDescription,
    *,
    setup: Setup | None = None,
    seals: Seals | None = None,
    sites: Sites | None = None,
    tokens: Tokens | None = None,
    sharing: Sharing | None = None,
    rates: RateLimits | None = None,
    addresses: ClientAddresses | None = None,
    public_counters: str = "open",
) -> CountedApp:
    """The surface as an ASGI application.

    Args:
        description: of every surface's API, for the page that explains it.
        public_counters: open, existing or off.
        seals: with the key of this data; without them codes of an app are good until the server stops.
        setup, sites, tokens, sharing, rates, addresses: shared with other surfaces where there are any.
    """
    services = PageServices(
        ledger=ledger,
        renderer=Renderer(),
        setup=setup or Setup(ledger),
        passwords=Passwords(),
        seals=seals or Seals.new(),
        sites=sites or Sites(ledger),
        tokens=tokens or Tokens(ledger),
        sharing=sharing or Sharing(ledger, lambda: None),
        rates=rates or RateLimits(),
        addresses=addresses or ClientAddresses(),
    )
    guard = PageGuard(ledger, services.setup)
    errors = ErrorPages(services.renderer, guard)
    app = Starlette(
        routes=[
            *_public_routes(guard, services, description, public_counters),
            *_account_routes(guard, services),
        ],
        exception_handlers={
            HTTPException: errors.refused,
            StoreUnavailable: errors.unavailable,
            BodyRefused: errors.body_refused,
            Exception: errors.failed,
        },
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy
    return CountedApp(Preflights(app, _is_public), "dashboard", traffic)


def _is_public(path: str) -> bool:
    """Whether a path shows the same to everyone. CORS preflights of other paths are not answered."""
    return path in {"/docs", "/docs/", "/favicon.ico"} or path.startswith("/static/")


def _public_routes(
    guard: PageGuard, services: PageServices, description: ApiDescription, public_counters: str
) -> list[BaseRoute]:
    welcome = WelcomePages(services.ledger, services.renderer, public_counters)
    reference = ReferencePages(services.renderer, description)
    login = LoginPages(services)
    setup = SetupPages(services, login)
    rows: list[Row] = [
        ("/", welcome.page, None),
        ("/docs", reference.page, None),
        ("/docs/", reference.page, None),
        ("/setup", setup.page, setup.set_up),
        ("/login", login.page, login.log_in),
        ("/login/code", login.page, login.take_code),
        ("/logout", login.page, login.log_out),
    ]
    return [Route("/favicon.ico", welcome.icon), Mount("/static", STATIC), *_routes(rows, guard.public)]


def _account_routes(guard: PageGuard, services: PageServices) -> list[BaseRoute]:
    profile, two_factor, tokens = ProfilePages(services), TwoFactorPages(services), TokenPages(services)
    sites, people, invites = SitePages(services), PeoplePages(services), InvitePages(services)
    server = ServerPages(services)
    rows: list[Row] = [
        ("/user", profile.page, None),
        ("/user/name", profile.page, profile.rename),
        ("/user/password", profile.page, profile.change_password),
        ("/user/logins", profile.page, profile.end_login),
        ("/user/two-factor", two_factor.page, None),
        ("/user/two-factor/on", two_factor.page, two_factor.turn_on),
        ("/user/two-factor/off", two_factor.page, two_factor.turn_off),
        ("/user/two-factor/codes", two_factor.page, two_factor.renew_codes),
        ("/user/tokens", tokens.page, tokens.create),
        ("/user/tokens/delete", tokens.page, tokens.delete),
        ("/sites", sites.list_page, sites.create),
        ("/sites/{site}", sites.page, sites.change),
        ("/sites/{site}/hosts", sites.page, sites.release_host),
        ("/sites/{site}/delete", sites.page, sites.delete),
        ("/people", people.page, people.add),
        ("/people/access", people.page, people.change_access),
        ("/people/password", people.page, people.new_password),
        ("/people/remove", people.page, people.remove),
        ("/server", server.page, None),
        ("/server/grant", server.page, server.grant),
        ("/invites/{code}", invites.page, invites.accept),
        ("/counters/{counter}", invites.counter, None),
    ]
    return _routes(rows, guard.login_required)


def _routes(rows: Iterable[Row], guarded: Callable[[Handler], Endpoint]) -> list[BaseRoute]:
    """The routes of a table. A path with a form also answers GET, for a reload after a refused form."""
    routes: list[BaseRoute] = []
    for path, get, post in rows:
        routes.append(Route(path, guarded(get)))
        if post:
            routes.append(Route(path, guarded(post), methods=["POST"]))
    return routes
