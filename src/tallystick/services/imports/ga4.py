"""Reads the events of Google Analytics 4 as BigQuery exports them, a JSON object a line.

What becomes of them is in docs/moving-from-umami-and-ga4.md.

Page views are hits, and so are the events that a site sends itself. Of the events that Google's script sends by itself,
those that say what somebody did become events; the others are skipped.
"""

import re
from functools import cache
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.hit import WEB_BEGAN
from tallystick.services.analytics.display_names import countries
from tallystick.services.imports.export_files import Gathered
from tallystick.services.imports.lines import ReadLine
from tallystick.services.imports.parsed import BadLine, ParsedLine
from tallystick.services.imports.texts import without_padding
from tallystick.services.imports.visit_table import HitRow, ImportedHit, ImportedVisitor, VisitTable, hashed
from tallystick.services.ingest.sources import host_of_url

PAGE_VIEW = "page_view"
EVENTS = {"click": "Outbound Link: Click", "file_download": "File Download", "form_submit": "Form: Submission"}
"""Events of Google's script that say what somebody did, by the names that count.js uses."""
URL_PARAMETERS = ("link_url", "form_destination")
"""The property ``url`` of those events."""
AUTOMATIC = frozenset(
    (
        *("ad_click", "ad_exposure", "ad_impression", "ad_query", "ad_reward", "adunit_exposure", "app_background"),
        *("app_clear_data", "app_exception", "app_remove", "app_store_refund", "app_store_subscription_cancel"),
        *("app_store_subscription_convert", "app_store_subscription_renew", "app_update", "dynamic_link_app_open"),
        *(
            "dynamic_link_app_update",
            "dynamic_link_first_open",
            "error",
            "firebase_campaign",
            "firebase_in_app_message_action",
        ),
        *("firebase_in_app_message_dismiss", "firebase_in_app_message_impression", "first_open", "first_visit"),
        *("form_start", "notification_dismiss", "notification_foreground", "notification_open", "notification_receive"),
        *(
            "notification_send",
            "os_update",
            "screen_view",
            "scroll",
            "session_start",
            "user_engagement",
            "video_complete",
        ),
        *("video_progress", "video_start", "view_search_results"),
    )
)
"""Events of Google's scripts that are no hits."""
PARAMETERS_OF_GOOGLE = frozenset(
    (
        *("batch_ordering_id", "batch_page_id", "campaign", "campaign_id", "content", "debug_mode", "dclid"),
        *("engaged_session_event", "engagement_time_msec", "entrances", "event_origin", "gclid", "gclsrc"),
        *("ignore_referrer", "language", "medium", "page_location", "page_path", "page_referrer", "page_title"),
        *("percent_scrolled", "session_engaged", "source", "srsltid", "synthetic_bundle", "term", "tracking_id"),
    )
)
"""Parameters that Google's script adds to events, besides ``ga_...``: no properties."""
_UTM = (
    ("utm_source", "manual_source"),
    ("utm_medium", "manual_medium"),
    ("utm_campaign", "manual_campaign_name"),
    ("utm_content", "manual_content"),
    ("utm_term", "manual_term"),
)
_SYSTEMS = {"Macintosh": "macOS"}
_BROWSERS = {"Android Webview": "Android WebView"}
_DEVICES = {"desktop": "Desktop", "mobile": "Mobile", "tablet": "Tablet"}
_COUNTRIES = {
    "czech republic": "CZ",
    "hong kong": "HK",
    "macao": "MO",
    "macau": "MO",
    "macedonia (fyrom)": "MK",
    "palestine": "PS",
    "swaziland": "SZ",
    "turkey": "TR",
}
"""Names that Google uses or used, besides those of the CLDR."""
LINES_TRIED = 1_000
"""Lines without an event after which a file is refused."""

_VERSION = re.compile(r"\d+(?:\.\d+)*")

Number = int | float | str
"""BigQuery writes 64-bit numbers as texts."""


class _Value(Struct):
    string_value: str | None = None
    int_value: Number | None = None
    float_value: Number | None = None
    double_value: Number | None = None

    def text(self) -> str:
        """The value as a text; empty without one."""
        numbers = (self.int_value, self.float_value, self.double_value)
        value = self.string_value or next((number for number in numbers if number is not None), "")
        return value if isinstance(value, str) else f"{value:.15g}" if isinstance(value, float) else str(value)


class _Parameter(Struct):
    key: str
    value: _Value | None = None


class _WebInfo(Struct):
    browser: str | None = None
    browser_version: str | None = None
    hostname: str | None = None


class _DeviceInfo(Struct):
    category: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    language: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    web_info: _WebInfo | None = None


class _Geo(Struct):
    country: str | None = None


class _Event(Struct):
    """An event, as far as it is read."""

    event_name: str
    event_timestamp: int | str
    event_params: list[_Parameter] = []
    user_pseudo_id: str | None = None
    device: _DeviceInfo | None = None
    geo: _Geo | None = None
    collected_traffic_source: dict[str, Number | bool | None] | None = None
    platform: str | None = None


class Ga4Reader:
    """Understands events of the BigQuery export."""

    suffixes = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
    quoted = False
    options = "ga4"

    def __init__(self) -> None:
        self._lines = self._events = 0

    def begin(self, _name: str, before: int, gathered: Gathered) -> ReadLine:
        """A function that reads the lines of a file."""
        decode = msgspec.json.Decoder(_Event).decode

        def item(number: int, raw: bytes) -> ParsedLine | None:
            text = without_padding(raw).strip()
            if not text:
                return None
            self._lines += 1
            try:
                event = decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if self._lines == LINES_TRIED and not self._events:
                    self.check()
                return BadLine(number, f"it is no event of BigQuery's export: {error}")
            self._events += 1
            try:
                _add(before + number, event, gathered)
            except ValueError as error:
                return BadLine(number, str(error))
            return None

        return item

    def check(self, _table: VisitTable | None = None) -> None:
        """Check that there were events."""
        if self._lines and not self._events:
            msg = (
                "no line is an event of BigQuery's export: export tables events_YYYYMMDD as newline-delimited JSON; a"
                " report as CSV needs a name that ends in .csv"
            )
            raise InputRefused(msg)


def _add(line: int, event: _Event, gathered: Gathered) -> None:
    name = event.event_name
    if event.platform not in (None, "", "WEB"):
        gathered.skipped["of apps"] += 1
        return
    if name in AUTOMATIC:
        gathered.skipped[name] += 1
        return
    parameters = {item.key: item.value.text() for item in event.event_params if item.value}
    session, visitor = parameters.get("ga_session_id", ""), event.user_pseudo_id or ""
    created = _moment(str(event.event_timestamp))
    gathered.add_hit(
        HitRow(
            line=line,
            visit=hashed("visit", visitor, session) if visitor else hashed("line", str(line)),
            event=None,
            visitor=None,
            created=created,
            hit=_hit(event, parameters, followed=bool(visitor)),
        )
    )


def _moment(microseconds: str) -> int:
    seconds = int(microseconds) // 1_000_000 if re.fullmatch(r"[0-9]{1,18}", microseconds) else 0
    if seconds < WEB_BEGAN:
        msg = f"event_timestamp must be in microseconds and after 1991-08-06, not {microseconds[:50]!r}"
        raise ValueError(msg)
    return seconds


def _hit(event: _Event, parameters: dict[str, str], *, followed: bool) -> ImportedHit:
    address = parameters.get("page_location", "")
    try:
        url = urlsplit(address)
    except ValueError as error:
        msg = f"page_location is no URL: {address[:50]!r}"
        raise ValueError(msg) from error
    is_event = event.event_name != PAGE_VIEW
    if not address and not is_event:
        msg = "page_location is missing"
        raise ValueError(msg)
    return ImportedHit(
        path=EVENTS.get(event.event_name, event.event_name) if is_event else url.path or "/",
        visitor=_visitor(event, address),
        followed=followed,
        title="" if is_event else parameters.get("page_title", ""),
        event=is_event,
        page=(url.path or "/") if is_event and address else "",
        ref=parameters.get("page_referrer", ""),
        query=_query(url.query, event),
        props=_props(event.event_name, parameters) if is_event else {},
    )


def _query(query: str, event: _Event) -> str:
    """The query of the page's URL, with the campaign that Google has read of it if it has none itself."""
    if "utm_" in query or not event.collected_traffic_source:
        return query
    manual = event.collected_traffic_source
    utm = {name: str(manual[column]) for name, column in _UTM if manual.get(column)}
    click = {"gclid": "1"} if manual.get("gclid") and "gclid" not in query else {}
    return "&".join(filter(None, (query, urlencode({**utm, **click}))))


def _props(name: str, parameters: dict[str, str]) -> dict[str, str]:
    if name in EVENTS:
        url = next((parameters[key] for key in URL_PARAMETERS if parameters.get(key)), "")
        return {"url": url} if url else {}
    return {
        key: value
        for key, value in parameters.items()
        if value and key not in PARAMETERS_OF_GOOGLE and not key.startswith("ga_")
    }


def _visitor(event: _Event, address: str) -> ImportedVisitor:
    device = event.device or _DeviceInfo()
    web = device.web_info or _WebInfo()
    browser = web.browser or device.browser or ""
    system = device.operating_system or ""
    version = _VERSION.search(device.operating_system_version or "")
    return ImportedVisitor(
        host=host_of_url(address) or (host_of_url(f"//{web.hostname}") if web.hostname else ""),
        browser=(_BROWSERS.get(browser, browser), web.browser_version or device.browser_version or ""),
        system=(_SYSTEMS.get(system, system), version[0] if version else ""),
        device=_DEVICES.get(device.category or "", ""),
        language=device.language or "",
        location=country_code(event.geo.country if event.geo else None),
    )


def country_code(name: str | None) -> str:
    """The ISO 3166-1 code of a country's English name; empty if it is unknown."""
    return _codes().get(_plain(name), "") if name else ""


@cache
def _codes() -> dict[str, str]:
    return {_plain(name): code for code, name in countries().items()} | _COUNTRIES


def _plain(name: str) -> str:
    return name.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("&", "and").removeprefix("the ").strip()
