"""Cleans paths and event names, so that a page counts as one however it was requested (GoatCounter contract, 3.4).

Cleaning accepts any text and is idempotent.
"""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from tallystick.model.text import ESCAPES, storable

NO_EVENT_NAME = "(no event name)"
MAX_PATH = 2_048
"""Characters of a clean path or event name."""

_SAVED_OFFLINE = re.compile(r"/storage/emulated/0/Android/data/jonas\.tool\.saveForOffline/files/[^/]+(/.*)", re.DOTALL)
_ARCHIVED = re.compile(r"/web/20[0-9]{12}/(.+)", re.DOTALL)

_TRACKING_PARAMETERS = frozenset(
    (
        "fbclid",
        "ref",
        "mc_cid",
        "mc_eid",
        "gclid",
        "nsukey",
        "isappinstalled",
        "__cf_chl_captcha_tk__",
        "__cf_chl_jschl_tk__",
        "continueFlag",
        "_x_tr_sl",
        "_x_tr_hl",
        "_x_tr_pto",
        "_x_tr_tl",
    )
)
_UNESCAPED = "!$&'()*+,/:;=@[]^|"
"""Characters besides letters, digits and ``-._~`` that browsers do not escape in the path of a URL."""

_SHARED_WITH_WECHAT = frozenset(("singlemessage", "groupmessage"))


def clean_event(name: str) -> str:
    """An event's name: never empty and without a leading slash, so that it cannot be a page's path."""
    return storable(name).lstrip("/") or NO_EVENT_NAME


def clean_path(path: str) -> str:
    """A page's path with its query, without tracking parameters; an empty path stays empty."""
    path = storable(path)
    # A round may uncover what the next one removes (a slash, a copy of a copy). Each round but the first shortens.
    while (cleaner := _cleaned_once(path)) != path:
        path = cleaner
    return path


def spellings(name: str) -> tuple[str, ...]:
    """The names under which a page or event may be stored: as given, then percent-encoded, then decoded.

    Browsers report ``/de/%C3%BCber`` for a page that people write as ``/de/über``.
    """
    name = storable(name)
    before, mark, fragment = name.partition("#")
    page, query_mark, query = before.partition("?")
    rest = _with_kept_query(query_mark + query) + mark + _with_kept_query(fragment)
    encoded = quote(unquote(page, errors="surrogateescape"), _UNESCAPED, errors="surrogateescape")
    decoded = unquote(page, errors=ESCAPES)
    return tuple(dict.fromkeys((name, encoded + rest, decoded + rest, unquote(name, errors=ESCAPES))))


def is_ignored(path: str) -> bool:
    """Whether a clean path is never a page: an icon, markup sent by mistake, a redirect of a translation service."""
    return path == "/favicon.ico" or "<html>" in path or "<HTML>" in path or path.startswith("/servlet/redirect.srv/")


def _cleaned_once(path: str) -> str:
    path = _with_one_slash(path.strip())
    path = _original(path).rstrip("?&")
    page, _, fragment = path.partition("#")
    # Where pages are routed by their fragment, it has its own query. A link to "#" leaves an empty fragment.
    fragment = _with_kept_query(fragment)
    return _with_one_slash(_with_kept_query(page) + (f"#{fragment}" if fragment else ""))


def _with_kept_query(text: str) -> str:
    before, mark, query = text.partition("?")
    kept = _kept_query(query) if mark else ""
    return f"{before}?{kept}" if kept else before


def _with_one_slash(path: str) -> str:
    return "/" + path.strip("/") if path else ""


def _original(path: str) -> str:
    """The path of the original page, if the path is that of a saved or archived copy."""
    if path.startswith("/storage/") and (match := _SAVED_OFFLINE.fullmatch(path)):
        return match[1]
    if path.startswith("/web/20") and (match := _ARCHIVED.fullmatch(path)):
        return _path_of_url(match[1]) or path
    return path


def _path_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = _with_one_slash(parts.path) or "/"
    return path + (parts.query and f"?{parts.query}") + (parts.fragment and f"#{parts.fragment}")


def _kept_query(query: str) -> str:
    # Bytes that are not UTF-8 (of Latin-1 sites, for example) stay as they are.
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    kept = [(name, value) for name, value in pairs if not _is_tracking(name, value)]
    return urlencode(sorted(kept, key=lambda pair: pair[0]), errors="surrogateescape")


def _is_tracking(name: str, value: str) -> bool:
    return name in _TRACKING_PARAMETERS or name.startswith("utm_") or (name == "from" and value in _SHARED_WITH_WECHAT)
