"""All URLs of the dashboard, and the application that serves them."""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from tallystick.errors import QuestionTooLong, StoreUnavailable
from tallystick.services.accounts.logouts import Logouts
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.analytics.titles import Titles
from tallystick.services.services import Services
from tallystick.surfaces.dashboard.account.preferences import PreferencesPages
from tallystick.surfaces.dashboard.account.profile import ProfilePages
from tallystick.surfaces.dashboard.account.two_factor import TwoFactorPages
from tallystick.surfaces.dashboard.admin.counters import CounterFilePages
from tallystick.surfaces.dashboard.admin.log import LogPages
from tallystick.surfaces.dashboard.admin.namespaces import CounterAbusePages
from tallystick.surfaces.dashboard.admin.people import ServerPeoplePages
from tallystick.surfaces.dashboard.admin.state import StatePages
from tallystick.surfaces.dashboard.analytics.journeys import JourneyPages
from tallystick.surfaces.dashboard.analytics.notes import NotesPages
from tallystick.surfaces.dashboard.analytics.pages import AnalyticsPages
from tallystick.surfaces.dashboard.analytics.saved_views import SavedViewPages
from tallystick.surfaces.dashboard.analytics.segments import SegmentPages
from tallystick.surfaces.dashboard.analytics.values_page import ValuePages
from tallystick.surfaces.dashboard.analytics.viewer import Viewers, ViewerSource
from tallystick.surfaces.dashboard.analytics.week_page import WeekPages
from tallystick.surfaces.dashboard.badges.pages import BadgePages
from tallystick.surfaces.dashboard.counters.app import CounterApp
from tallystick.surfaces.dashboard.counters.pages import CounterPages
from tallystick.surfaces.dashboard.counters.people_pages import CounterPeoplePages
from tallystick.surfaces.dashboard.counters.settings_pages import CounterSettingsPages
from tallystick.surfaces.dashboard.counters.streams import CounterStreams
from tallystick.surfaces.dashboard.entry.login import LoginPages
from tallystick.surfaces.dashboard.entry.setup import SetupPages
from tallystick.surfaces.dashboard.first_minutes.pages import FirstMinutes
from tallystick.surfaces.dashboard.first_minutes.signs import SignReader
from tallystick.surfaces.dashboard.goals.funnel_pages import FunnelPages
from tallystick.surfaces.dashboard.goals.goal_pages import GoalPages
from tallystick.surfaces.dashboard.invites.made import MadeInvitePages
from tallystick.surfaces.dashboard.invites.pages import InvitePages
from tallystick.surfaces.dashboard.left_out.marking import MarkingPages
from tallystick.surfaces.dashboard.left_out.pages import LeftOutPages
from tallystick.surfaces.dashboard.live.pages import LivePages
from tallystick.surfaces.dashboard.live.streams import LiveStreams
from tallystick.surfaces.dashboard.moving.exports import ExportPages
from tallystick.surfaces.dashboard.moving.imports import ImportPages
from tallystick.surfaces.dashboard.paths.pages import PathPages
from tallystick.surfaces.dashboard.paths.rules import PathRulePages
from tallystick.surfaces.dashboard.people.pages import PeoplePages
from tallystick.surfaces.dashboard.public_counters.pages import PublicCounterPages
from tallystick.surfaces.dashboard.reference.pages import ApiDescription, ReferencePages
from tallystick.surfaces.dashboard.sharing.door import LinkDoor
from tallystick.surfaces.dashboard.sharing.pages import SharingPages
from tallystick.surfaces.dashboard.sharing.pictures import Pictures
from tallystick.surfaces.dashboard.sharing.site_door import SiteDoor
from tallystick.surfaces.dashboard.sites.collection import CollectionPages
from tallystick.surfaces.dashboard.sites.pages import SitePages
from tallystick.surfaces.dashboard.sites.privacy import PrivacyPages
from tallystick.surfaces.dashboard.support.error_pages import ErrorPages
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.language_choice import LanguageChoice
from tallystick.surfaces.dashboard.support.page_request import Endpoint, Handler, PageGuard
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.surfaces.dashboard.support.services import PageServices, Statistics
from tallystick.surfaces.dashboard.support.static_files import static_file
from tallystick.surfaces.dashboard.tokens.pages import TokenPages
from tallystick.surfaces.dashboard.welcome.pages import WelcomePages
from tallystick.warehouse import Warehouse
from tallystick.web.asgi import AsgiApp, CountedApp
from tallystick.web.bodies import BodyRefused
from tallystick.web.cors import Preflights
from tallystick.web.own_address import Located
from tallystick.web.surface import Kit, PublicCounters

NAME = "dashboard"
PREFIXES = (
    "/",
    "/index.json",
    "/docs",
    "/docs.json",
    "/language",
    "/static",
    "/favicon.ico",
    "/setup",
    "/login",
    "/logout",
    "/user",
    "/user.json",
    "/sites",
    "/sites.json",
    "/share",
    "/people",
    "/people.json",
    "/invites",
    "/join",
    "/join.json",
    "/counters",
    "/counters.json",
    "/badge",
    "/admin",
    "/admin.json",
)

Row = tuple[str, Handler, Handler | None]
"""A path, its handler for GET, and its handler for POST."""


def dashboard(services: Services, kit: Kit, streams: LiveStreams) -> AsgiApp:
    """The surface as an ASGI application."""
    languages = Languages.load()
    page_services = PageServices(
        ledger=services.ledger,
        renderer=Renderer(languages),
        setup=services.setup,
        passwords=Passwords(),
        seals=services.seals,
        sites=services.sites,
        tokens=services.tokens,
        sharing=services.sharing,
        statistics=Statistics(
            questions=services.questions,
            funnel_questions=services.funnel_questions,
            goals=services.goals,
            funnels=services.funnels,
            segments=services.segments,
            saved_views=services.saved_views,
            annotations=services.annotations,
            titles=Titles(services.ledger),
        ),
        rates=kit.limits,
        addresses=kit.addresses,
        join=kit.join,
    )
    guard = PageGuard(services.ledger, services.setup, services.superuser_logins, services.logouts, languages)
    choice = LanguageChoice(services.ledger, languages)
    errors = ErrorPages(page_services.renderer, guard)
    app = Starlette(
        routes=[
            *_public_routes(guard, page_services, services.logouts, kit.description, kit.public_counters),
            *_public_counter_routes(guard, page_services, services, kit),
            *_account_routes(guard, page_services, languages, services, kit.public_counters),
            *_admin_routes(guard, page_services, services, kit),
            *_privacy_routes(guard, page_services, services),
            *_left_out_routes(guard, page_services, services.warehouse),
            *_moving_routes(guard, page_services, services, kit.max_upload),
            *_path_routes(guard, page_services),
            *_goal_routes(guard, page_services),
            *_statistics_routes(guard, page_services, services, streams),
            Route("/language", guard.harmless(choice.choose), methods=["POST"]),
        ],
        exception_handlers={
            HTTPException: errors.refused,
            StoreUnavailable: errors.unavailable,
            BodyRefused: errors.body_refused,
            QuestionTooLong: errors.too_long,
            Exception: errors.failed,
        },
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy
    return Located(CountedApp(Preflights(app, _is_public), NAME, kit.traffic), kit.own)


def _is_public(path: str) -> bool:
    """Whether a path shows the same to everyone. CORS preflights of other paths are not answered."""
    return path in {"/docs", "/docs.json", "/favicon.ico"} or path.startswith(("/docs/", "/static/"))


def _public_routes(
    guard: PageGuard,
    services: PageServices,
    logouts: Logouts,
    description: ApiDescription,
    public_counters: PublicCounters,
) -> list[BaseRoute]:
    welcome = WelcomePages(services, public_counters)
    reference = ReferencePages(services.renderer, description)
    login = LoginPages(services, logouts)
    setup, invites = SetupPages(services, login), InvitePages(services, login)
    rows: list[Row] = [
        ("/", welcome.page, None),
        ("/index.json", welcome.as_json, None),
        ("/docs", reference.page, None),
        ("/docs/", reference.page, None),
        ("/docs.json", reference.as_json, None),
        ("/docs/{topic}.json", reference.topic, None),
        ("/docs/{topic}", reference.topic, None),
        ("/setup", setup.page, setup.set_up),
        ("/login", login.page, login.log_in),
        ("/login/code", login.page, login.take_code),
        ("/logout", login.page, None),
        ("/join", invites.free_page, invites.join_freely),
        ("/join.json", invites.free_json, None),
        ("/invites/{code}.json", invites.as_json, None),
        ("/invites/{code}", invites.page, invites.accept),
        ("/invites/{code}/join", invites.page, invites.join),
    ]
    return [
        Route("/favicon.ico", welcome.icon),
        Route("/static/{name}", static_file),
        Route("/logout", guard.logging_out(login.log_out), methods=["POST"]),
        *_routes(rows, guard.public),
    ]


def _public_counter_routes(
    guard: PageGuard, page_services: PageServices, services: Services, kit: Kit
) -> list[BaseRoute]:
    """They come before those of shared counters, whose ids are never ``public``."""
    counters = PublicCounterPages(page_services, services.many_counters, services.owned_counters, kit)
    counter = "/counters/public/{namespace}/{key}"
    rows: list[Row] = [
        ("/counters/public", counters.list_page, counters.create),
        ("/counters/public.json", counters.list_json, None),
        ("/counters/public/reserve", counters.list_page, counters.reserve),
        ("/counters/public/release", counters.list_page, counters.release),
        (counter, counters.page, counters.press),
        (f"{counter}/counter.json", counters.as_json, None),
        (f"{counter}/set", counters.page, counters.set_value),
        (f"{counter}/freeze", counters.page, counters.freeze),
        (f"{counter}/rules", counters.page, counters.change_rules),
        (f"{counter}/rename", counters.page, counters.rename),
        (f"{counter}/delete", counters.page, counters.delete),
    ]
    badges = BadgePages(page_services, kit.public_counters)
    return [
        *_routes(rows, guard.login_required),
        Route("/sites/{site}/badge", guard.login_required(badges.of_site)),
        Route("/sites/{site}/badge.json", guard.login_required(badges.of_site)),
        Route("/badge/{namespace}/{key}", guard.public(badges.of_counter)),
        Route("/badge/{namespace}/{key}/page", guard.public(badges.of_counter)),
        Route("/badge/{namespace}/{key}/badge.json", guard.public(badges.of_counter_as_json)),
    ]


def _account_routes(
    guard: PageGuard,
    services: PageServices,
    languages: Languages,
    all_services: Services,
    public_counters: PublicCounters,
) -> list[BaseRoute]:
    profile, two_factor, tokens = ProfilePages(services), TwoFactorPages(services), TokenPages(services)
    preferences, collection = PreferencesPages(services, languages), CollectionPages(services)
    sites, people = SitePages(services), PeoplePages(services)
    site_invites = MadeInvitePages(services, to_server=False)
    sharing, notes = SharingPages(services), NotesPages(services)
    segments, views = SegmentPages(services), SavedViewPages(services)
    counters = CounterPages(services, all_services.owned_counters, public_counters)
    counter_people, counter_settings = CounterPeoplePages(services), CounterSettingsPages(services)
    counter_streams = CounterStreams(services.ledger, all_services.following, guard)
    counter_app = CounterApp(services.ledger)
    rows: list[Row] = [
        ("/user", profile.page, None),
        ("/user.json", profile.data, None),
        ("/user/name", profile.page, profile.rename),
        ("/user/password", profile.page, profile.change_password),
        ("/user/logins", profile.page, profile.end_login),
        ("/user/preferences", preferences.page, preferences.change),
        ("/user/preferences.json", preferences.data, None),
        ("/user/two-factor", two_factor.page, None),
        ("/user/two-factor.json", two_factor.data, None),
        ("/user/two-factor/on", two_factor.page, two_factor.turn_on),
        ("/user/two-factor/off", two_factor.page, two_factor.turn_off),
        ("/user/two-factor/codes", two_factor.page, two_factor.renew_codes),
        ("/user/tokens", tokens.page, tokens.create),
        ("/user/tokens.json", tokens.data, None),
        ("/user/tokens/delete", tokens.page, tokens.delete),
        ("/sites", sites.list_page, sites.create),
        ("/sites.json", sites.list_json, None),
        ("/sites/{site}/settings", sites.page, sites.change),
        ("/sites/{site}/settings.json", sites.page_json, None),
        ("/sites/{site}/collection", collection.page, collection.change),
        ("/sites/{site}/collection.json", collection.data, None),
        ("/sites/{site}/settings/hosts", sites.page, sites.release_host),
        ("/sites/{site}/delete", sites.page, sites.delete),
        ("/sites/{site}/pin", sites.page, sites.pin),
        ("/sites/{site}/sharing", sharing.page, sharing.create),
        ("/sites/{site}/sharing.json", sharing.page, None),
        ("/sites/{site}/sharing/withdraw", sharing.page, sharing.withdraw),
        ("/sites/{site}/sharing/{link}.json", sharing.link_page, None),
        ("/sites/{site}/sharing/{link}", sharing.link_page, sharing.change),
        ("/sites/{site}/segments", segments.page, segments.create),
        ("/sites/{site}/segments.json", segments.page, None),
        ("/sites/{site}/segments/change", segments.page, segments.change),
        ("/sites/{site}/segments/delete", segments.page, segments.delete),
        ("/sites/{site}/views", views.page, views.create),
        ("/sites/{site}/views.json", views.page, None),
        ("/sites/{site}/views/change", views.page, views.change),
        ("/sites/{site}/views/delete", views.page, views.delete),
        ("/sites/{site}/notes", notes.page, notes.create),
        ("/sites/{site}/notes.json", notes.page, None),
        ("/sites/{site}/notes/{note}.json", notes.note_page, None),
        ("/sites/{site}/notes/{note}", notes.note_page, notes.change),
        ("/sites/{site}/notes/{note}/delete", notes.note_page, notes.delete),
        ("/people", people.page, people.add),
        ("/people.json", people.as_json, None),
        ("/people/invites", site_invites.page, site_invites.create),
        ("/people/invites.json", site_invites.as_json, None),
        ("/people/invites/withdraw", site_invites.page, site_invites.withdraw),
        ("/people/access", people.page, people.change_access),
        ("/people/password", people.page, people.new_password),
        ("/people/remove", people.page, people.remove),
        ("/counters", counters.list_page, counters.create),
        ("/counters.json", counters.list_json, None),
        ("/counters/live", counter_streams.stream, None),
        ("/counters/worker.js", counter_app.worker, None),
        ("/counters/{counter}", counters.page, counters.press),
        ("/counters/{counter}/app.webmanifest", counter_app.manifest, None),
        ("/counters/{counter}/log", counters.log, None),
        ("/counters/{counter}/log.json", counters.log, None),
        ("/counters/{counter}/log.csv", counters.log, None),
        ("/counters/{counter}/people", counter_people.page, None),
        ("/counters/{counter}/people.json", counter_people.as_json, None),
        ("/counters/{counter}/people/role", counter_people.page, counter_people.set_role),
        ("/counters/{counter}/people/remove", counter_people.page, counter_people.remove),
        ("/counters/{counter}/people/leave", counter_people.page, counter_people.leave),
        ("/counters/{counter}/invites", counter_people.page, counter_people.invite),
        ("/counters/{counter}/invites/withdraw", counter_people.page, counter_people.withdraw),
        ("/counters/{counter}/settings", counter_settings.page, counter_settings.change),
        ("/counters/{counter}/settings.json", counter_settings.as_json, None),
        ("/counters/{counter}/settings/set", counter_settings.page, counter_settings.set_value),
        ("/counters/{counter}/settings/reset", counter_settings.page, counter_settings.reset),
        ("/counters/{counter}/settings/delete", counter_settings.page, counter_settings.delete),
    ]
    return _routes(rows, guard.login_required)


def _moving_routes(
    guard: PageGuard, page_services: PageServices, services: Services, max_upload: int
) -> list[BaseRoute]:
    exports = ExportPages(page_services, services.exports)
    imports = ImportPages(page_services, services.uploads, services.aggregates, max_upload)
    rows: list[Row] = [
        ("/sites/{site}/exports", exports.page, exports.create),
        ("/sites/{site}/exports.json", exports.page, None),
        ("/sites/{site}/exports/{export}/file", exports.download, None),
        ("/sites/{site}/exports/delete", exports.page, exports.delete),
        ("/sites/{site}/imports", imports.page, None),
        ("/sites/{site}/imports.json", imports.page, None),
        ("/sites/{site}/imports/remove", imports.page, imports.remove),
        ("/sites/{site}/imports/begin", imports.page, imports.begin),
        ("/sites/{site}/imports/stop", imports.page, imports.stop),
        ("/sites/{site}/imports/{upload}", imports.one, None),
    ]
    sending = Route("/sites/{site}/imports", guard.upload(imports.send), methods=["POST"])
    return [*_routes(rows, guard.login_required), sending]


def _privacy_routes(guard: PageGuard, services: PageServices, all_services: Services) -> list[BaseRoute]:
    sheet = PrivacyPages(services, all_services.operating, all_services.ingest)
    rows: list[Row] = [
        ("/sites/{site}/privacy", sheet.page, None),
        ("/sites/{site}/privacy.json", sheet.data, None),
    ]
    return _routes(rows, guard.login_required)


def _admin_routes(guard: PageGuard, services: PageServices, all_services: Services, kit: Kit) -> list[BaseRoute]:
    """Pages for superusers; others get 404."""
    state = StatePages(services.renderer, all_services.operating, kit.traffic, kit.connections)
    files = CounterFilePages(services, all_services.counter_uploads, kit.max_upload)
    people, log = ServerPeoplePages(services), LogPages(services)
    invites, abuse = MadeInvitePages(services, to_server=True), CounterAbusePages(services)
    while_down: list[Row] = [("/admin", state.page, None), ("/admin.json", state.as_json, None)]
    rows: list[Row] = [
        ("/admin/people", people.page, None),
        ("/admin/people.json", people.as_json, None),
        ("/admin/people/grant", people.page, people.grant),
        ("/admin/invites", invites.page, invites.create),
        ("/admin/invites.json", invites.as_json, None),
        ("/admin/invites/withdraw", invites.page, invites.withdraw),
        ("/admin/counters", files.page, None),
        ("/admin/counters.json", files.as_json, None),
        ("/admin/counters/namespaces", abuse.page, None),
        ("/admin/counters/namespaces.json", abuse.as_json, None),
        ("/admin/counters/namespaces/close", abuse.page, abuse.close),
        ("/admin/counters/namespaces/reopen", abuse.page, abuse.reopen),
        ("/admin/counters/namespaces/freeze", abuse.page, abuse.freeze),
        ("/admin/counters/namespaces/unfreeze", abuse.page, abuse.unfreeze),
        ("/admin/counters/namespaces/delete", abuse.page, abuse.delete),
        ("/admin/counters/import", files.page, files.begin),
        ("/admin/counters/discard", files.page, files.discard),
        ("/admin/counters/export.csv", files.as_csv, None),
        ("/admin/counters/export.jsonl", files.as_jsonl, None),
        ("/admin/log", log.page, None),
        ("/admin/log.json", log.as_json, None),
        ("/admin/log.csv", log.as_csv, None),
    ]
    sending = Route("/admin/counters", guard.upload(files.send), methods=["POST"])
    return [*_routes(while_down, guard.superusers_always), *_routes(rows, guard.login_required), sending]


def _left_out_routes(guard: PageGuard, services: PageServices, warehouse: Warehouse) -> list[BaseRoute]:
    viewers = Viewers(services.sites)
    left_out, marking = LeftOutPages(services, warehouse, viewers), MarkingPages(services, warehouse, viewers)
    shared = LeftOutPages(services, warehouse, LinkDoor(services))
    pages: list[Row] = [
        row
        for base, of in (("/sites/{site}", left_out), ("/share/{site}", shared))
        for row in (
            (f"{base}/left-out", of.page, None),
            (f"{base}/left-out.json", of.as_json, None),
            (f"{base}/left-out.csv", of.as_csv, None),
        )
    ]
    forms: list[Row] = [
        ("/sites/{site}/left-out/count", left_out.count_page, left_out.count),
        ("/sites/{site}/left-out/count.json", left_out.count_page, None),
        ("/sites/{site}/left-out/mark", marking.mark_page, marking.mark),
        ("/sites/{site}/left-out/mark.json", marking.mark_page, None),
        ("/sites/{site}/left-out/relabel", marking.relabel_page, marking.relabel),
        ("/sites/{site}/left-out/relabel.json", marking.relabel_page, None),
        ("/sites/{site}/left-out/rules", left_out.rules_page, left_out.add),
        ("/sites/{site}/left-out/rules.json", left_out.rules_page, None),
        ("/sites/{site}/left-out/rules/remove", left_out.rules_page, left_out.remove),
    ]
    return [*_routes(pages, guard.public, services.limited_for_guests), *_routes(forms, guard.login_required)]


def _path_routes(guard: PageGuard, services: PageServices) -> list[BaseRoute]:
    paths, rules, base = PathPages(services), PathRulePages(services), "/sites/{site}/paths"
    rows: list[Row] = [
        (base, paths.page, None),
        (f"{base}.json", paths.page, None),
        (f"{base}/rename", paths.rename_page, paths.rename),
        (f"{base}/rename.json", paths.rename_page, None),
        (f"{base}/merge", paths.merge_page, paths.merge),
        (f"{base}/merge.json", paths.merge_page, None),
        (f"{base}/delete", paths.delete_page, paths.delete),
        (f"{base}/delete.json", paths.delete_page, None),
        (f"{base}/rules", rules.page, rules.put),
        (f"{base}/rules.json", rules.page, None),
        (f"{base}/rules/remove", rules.page, rules.remove),
        (f"{base}/rules/apply", rules.apply_page, rules.apply),
        (f"{base}/rules/apply.json", rules.apply_page, None),
    ]
    return _routes(rows, guard.login_required)


def _goal_routes(guard: PageGuard, services: PageServices) -> list[BaseRoute]:
    goals, funnels, base = GoalPages(services), FunnelPages(services), "/sites/{site}/settings"
    rows: list[Row] = [
        (f"{base}/goals", goals.page, goals.create),
        (f"{base}/goals.json", goals.page, None),
        (f"{base}/goals/{{goal}}.json", goals.goal_page, None),
        (f"{base}/goals/{{goal}}", goals.goal_page, goals.change),
        (f"{base}/goals/{{goal}}/delete", goals.goal_page, goals.delete),
        (f"{base}/funnels", funnels.page, funnels.create),
        (f"{base}/funnels.json", funnels.page, None),
        (f"{base}/funnels/{{funnel}}.json", funnels.funnel_page, None),
        (f"{base}/funnels/{{funnel}}", funnels.funnel_page, funnels.change),
        (f"{base}/funnels/{{funnel}}/delete", funnels.funnel_page, funnels.delete),
    ]
    return _routes(rows, guard.login_required)


def _statistics_routes(
    guard: PageGuard, page_services: PageServices, services: Services, streams: LiveStreams
) -> list[BaseRoute]:
    """Pages of statistics, which guests may see of public sites. They come last: names of lists are any names."""
    first_minutes = FirstMinutes(
        page_services,
        Viewers(services.sites),
        SignReader(services.ledger, services.warehouse, services.sites, services.questions, services.ingest.dropped),
    )
    rows: list[Row] = [
        ("/sites/{site}/install", first_minutes.install, None),
        ("/sites/{site}/install.json", first_minutes.install, None),
    ]
    others: list[BaseRoute] = []
    links = LinkDoor(page_services)
    doors: list[tuple[str, ViewerSource, ViewerSource, Handler | None]] = [
        ("/sites/{site}", SiteDoor(page_services), Viewers(services.sites), None),
        ("/share/{site}", links, links, links.enter),
    ]
    for base, viewers, viewers_of_pictures, enter in doors:
        analytics = AnalyticsPages(page_services, viewers, first_minutes)
        journeys = JourneyPages(page_services, viewers, first_minutes)
        live = LivePages(page_services, guard, viewers, services.presence, first_minutes, streams)
        week = WeekPages(page_services, viewers, first_minutes)
        values = ValuePages(page_services, viewers, first_minutes)
        rows += [
            (base, analytics.page, enter),
            (f"{base}/now", live.now, None),
            (f"{base}/now.json", live.now_json, None),
            (f"{base}/now.csv", live.now_csv, None),
            (f"{base}/page", journeys.one_page, None),
            (f"{base}/page.json", journeys.one_page, None),
            (f"{base}/page.csv", journeys.one_page, None),
            (f"{base}/week", week.week, None),
            (f"{base}/week.json", week.week, None),
            (f"{base}/week.csv", week.week, None),
            (f"{base}/values.json", values.values, None),
            (f"{base}/funnels", journeys.funnels, None),
            (f"{base}/funnels.json", journeys.funnels, None),
            (f"{base}/funnels.csv", journeys.funnels, None),
            (f"{base}/{{listing}}", analytics.listing, None),
        ]
        drawn = Pictures(page_services, viewers_of_pictures)
        limited = page_services.limited_for_guests
        others += [
            Route(f"{base}/chart.svg", guard.without_cookies(limited(drawn.chart))),
            Route(f"{base}/number.svg", guard.without_cookies(limited(drawn.number))),
            Route(f"{base}/live", guard.public(live.stream)),  # streams are limited by how many are open
        ]
    return [*others, *_routes(rows, guard.public, page_services.limited_for_guests)]


def _unlimited(handler: Handler) -> Handler:
    return handler


def _routes(
    rows: Iterable[Row], guarded: Callable[[Handler], Endpoint], limited: Callable[[Handler], Handler] = _unlimited
) -> list[BaseRoute]:
    """The routes of a table. A path with a form also answers GET, for a reload after a refused form.

    Args:
        limited: makes a handler for GET one that is called only so often.
    """
    routes: list[BaseRoute] = []
    for path, get, post in rows:
        routes.append(Route(path, guarded(limited(get)), name=get.__qualname__))
        if post:
            routes.append(Route(path, guarded(post), methods=["POST"]))
    return routes
