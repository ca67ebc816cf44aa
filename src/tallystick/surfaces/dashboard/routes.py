"""Every page."""

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
from tallystick.surfaces.dashboard.account.profile import OwnAccount
from tallystick.surfaces.dashboard.account.two_factor import SecondStep
from tallystick.surfaces.dashboard.entry.login import Entrance
from tallystick.surfaces.dashboard.invites.pages import InvitePages
from tallystick.surfaces.dashboard.people.pages import PeoplePages
from tallystick.surfaces.dashboard.server.pages import ServerPages
from tallystick.surfaces.dashboard.sites.pages import SitePages
from tallystick.surfaces.dashboard.support.error_pages import ErrorPages
from tallystick.surfaces.dashboard.support.page_request import Door, Endpoint, Handler
from tallystick.surfaces.dashboard.support.rendering import STATIC, Renderer
from tallystick.surfaces.dashboard.support.services import Parts
from tallystick.surfaces.dashboard.tokens.pages import ApiTokens
from tallystick.surfaces.dashboard.welcome.pages import ApiDescription, Pages
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
"""An address, what shows it, and what takes its form."""


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
    parts = Parts(
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
    door = Door(ledger, parts.setup)
    errors = ErrorPages(parts.renderer, door)
    app = Starlette(
        routes=[
            *_guest_routes(door, parts, Pages(ledger, parts.renderer, description, public_counters)),
            *_people_routes(door, parts),
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
    """Whether an address shows the same to everyone. Others have no preflight: they are for our own pages alone."""
    return path in {"/docs", "/docs/", "/favicon.ico"} or path.startswith("/static/")


def _guest_routes(door: Door, parts: Parts, pages: Pages) -> list[BaseRoute]:
    entrance = Entrance(parts)
    rows: list[Row] = [
        ("/", pages.welcome, None),
        ("/docs", pages.docs, None),
        ("/docs/", pages.docs, None),
        ("/setup", entrance.setup_page, entrance.set_up),
        ("/login", entrance.login_page, entrance.log_in),
        ("/login/code", entrance.login_page, entrance.take_code),
        ("/logout", entrance.login_page, entrance.log_out),
    ]
    return [Route("/favicon.ico", pages.icon), Mount("/static", STATIC), *_routes(rows, door.for_anyone)]


def _people_routes(door: Door, parts: Parts) -> list[BaseRoute]:
    own, second, tokens = OwnAccount(parts), SecondStep(parts), ApiTokens(parts)
    sites, people, invites = SitePages(parts), PeoplePages(parts), InvitePages(parts)
    server = ServerPages(parts)
    rows: list[Row] = [
        ("/user", own.page, None),
        ("/user/name", own.page, own.rename),
        ("/user/password", own.page, own.change_password),
        ("/user/logins", own.page, own.end_login),
        ("/user/two-factor", second.page, None),
        ("/user/two-factor/on", second.page, second.turn_on),
        ("/user/two-factor/off", second.page, second.turn_off),
        ("/user/two-factor/codes", second.page, second.renew_codes),
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
    return _routes(rows, door.for_people)


def _routes(rows: Iterable[Row], guarded: Callable[[Handler], Endpoint]) -> list[BaseRoute]:
    """Where a form was refused, its page can be read again: a reload asks by GET for the same address."""
    routes: list[BaseRoute] = []
    for path, shown, sent in rows:
        routes.append(Route(path, guarded(shown)))
        if sent:
            routes.append(Route(path, guarded(sent), methods=["POST"]))
    return routes
