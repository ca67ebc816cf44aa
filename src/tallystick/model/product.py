"""Names of browsers, systems and kinds of devices: closed lists, and the text form of a name with its version.

Reports use names of these lists only, whether a name comes from a User-Agent, a request or an import.
"""

import re
from functools import lru_cache

from tallystick.model.text import storable

LONGEST = 200
"""Characters of a browser or system in a request or a file; the rest is cut off."""
_CACHED = 5_000

Named = tuple[str, str]
"""A name of the list and a version; both empty if unknown."""

UNKNOWN: Named = ("", "")

APPS = (
    *("Alipay", "Baidu", "Bluesky", "Daum", "DingTalk", "Discord", "Douyin", "Facebook", "Flipboard", "Google app"),
    *("Instagram", "KakaoTalk", "Kuaishou", "LINE", "Lark", "LinkedIn", "Mastodon", "Messenger", "Microsoft Teams"),
    *("NAVER", "Outlook", "Pinterest", "QQ", "Quora", "Reddit", "Slack", "Snapchat", "Spotify", "Steam", "Taobao"),
    *("Telegram", "Threads", "Thunderbird", "TikTok", "Toutiao", "Tumblr", "VK", "Viber", "WeChat", "WeCom", "Weibo"),
    *("WhatsApp", "X", "Xiaohongshu", "Yahoo", "Zalo", "Zhihu"),
)
"""Apps that show pages in a built-in browser and identify themselves."""

BROWSERS = frozenset(
    (
        *APPS,
        *("360 Browser", "AVG Secure Browser", "Aloha", "Android Browser", "Android WebView", "Arc"),
        *("Avast Secure Browser", "Basilisk", "BlackBerry Browser", "Brave", "CCleaner Browser", "Camino", "Chrome"),
        *("Coc Coc", "Comodo Dragon", "Dillo", "Dolphin", "DuckDuckGo", "ELinks", "Ecosia", "Edge", "Epic", "Falkon"),
        *("Firefox", "Firefox Focus", "Floorp", "GNOME Web", "HeyTap Browser", "Huawei Browser", "IceCat"),
        *("Internet Explorer", "Iron", "K-Meleon", "Konqueror", "Ladybird", "LibreWolf", "Liebao", "Links", "Lynx"),
        *("Maxthon", "Mi Browser", "Midori", "NetFront", "NetSurf", "Netscape", "Nintendo", "Nokia Browser"),
        *(
            "Norton Browser",
            "OmniWeb",
            "Opera",
            "Opera GX",
            "Opera Mini",
            "Opera Touch",
            "Orion",
            "Pale Moon",
            "Phoenix",
        ),
        *("PlayStation", "Puffin", "QQ Browser", "Quark", "Safari", "Samsung Internet", "SeaMonkey", "Servo", "Silk"),
        *("Sleipnir", "Smart TV", "Sogou Browser", "UC Browser", "Vivaldi", "Vivo Browser", "Waterfox", "Whale"),
        *("Yandex Browser", "Zen", "iCab", "qutebrowser", "w3m"),
    )
)
"""All names of browsers in reports."""

DEVICES = frozenset(("Desktop", "Mobile", "Tablet"))
"""All kinds of devices by the User-Agent."""

SYSTEMS = frozenset(
    (
        *("AIX", "AmigaOS", "Android", "Bada", "BeOS", "BlackBerry", "Chrome OS", "DragonFly BSD", "Firefox OS"),
        *("FreeBSD", "Fuchsia", "HP-UX", "Haiku", "HarmonyOS", "IRIX", "KaiOS", "Linux", "MeeGo", "NetBSD", "Nintendo"),
        *("OS/2", "OpenBSD", "PlayStation", "RISC OS", "Roku", "Sailfish OS", "SunOS", "Symbian", "Tizen"),
        *("Windows", "Windows Phone", "Xbox", "iOS", "iPadOS", "macOS", "tvOS", "watchOS", "webOS"),
    )
)
"""All names of systems in reports. The version of Linux is its distribution."""

EDITIONS = {
    "Linux": frozenset(
        (
            *("AlmaLinux", "Alpine", "Arch", "CentOS", "Debian", "Deepin", "Elementary", "Fedora", "Gentoo", "Mageia"),
            *("Mandriva", "Manjaro", "Mint", "NixOS", "Oracle", "Pop!_OS", "Raspbian", "Red Hat", "Rocky", "SUSE"),
            *("Slackware", "Ubuntu", "Zorin"),
        )
    ),
    "Nintendo": frozenset(("3DS", "DSi", "Switch", "Wii", "Wii U")),
    "PlayStation": frozenset(("Portable", "Vita")),
    "Windows": frozenset(("2000", "95", "98", "CE", "ME", "NT", "Vista", "XP")),
    "Xbox": frozenset(("360", "One", "Series S", "Series X")),
}
"""Versions that are words, by system; all other versions are numbers."""

WITH_MINOR = frozenset(("Android Browser", "GNOME Web", "Opera", "Opera Mini", "Safari"))
"""Browsers whose version includes the second number."""

_OTHER_BROWSERS = {
    "android webview": "Android WebView",
    "brave browser": "Brave",
    "chrome headless": "Chrome",
    "chrome ios": "Chrome",
    "chrome mobile": "Chrome",
    "chrome mobile ios": "Chrome",
    "chrome mobile webview": "Android WebView",
    "chrome webview": "Android WebView",
    "chromium": "Chrome",
    "duckduckgo mobile": "DuckDuckGo",
    "duckduckgo privacy browser": "DuckDuckGo",
    "edge chromium": "Edge",
    "edge mobile": "Edge",
    "edgehtml": "Edge",
    "epiphany": "GNOME Web",
    "firefox ios": "Firefox",
    "firefox klar": "Firefox Focus",
    "firefox mobile": "Firefox",
    "ginstagram": "Instagram",
    "google": "Google app",
    "google search app": "Google app",
    "headlesschrome": "Chrome",
    "ie": "Internet Explorer",
    "ie mobile": "Internet Explorer",
    "iemobile": "Internet Explorer",
    "microsoft edge": "Edge",
    "miui browser": "Mi Browser",
    "mobile safari": "Safari",
    "mobile safari ui/wkwebview": "Safari",
    "msie": "Internet Explorer",
    "opera mobile": "Opera",
    "opera next": "Opera",
    "oppo browser": "HeyTap Browser",
    "safari (in-app)": "Safari",
    "samsung browser": "Samsung Internet",
    "samsung internet browser": "Samsung Internet",
    "silk browser": "Silk",
    "amazon silk": "Silk",
    "sogou explorer": "Sogou Browser",
    "sogou mobile": "Sogou Browser",
    "twitter": "X",
    "uc": "UC Browser",
    "ucbrowser": "UC Browser",
    "webkit": "Safari",
    "whale browser": "Whale",
    "yandex": "Yandex Browser",
}
_OTHER_SYSTEMS = {
    "blackberry os": "BlackBerry",
    "chromeos": "Chrome OS",
    "chromium os": "Chrome OS",
    "dragonfly": "DragonFly BSD",
    "gnu/linux": "Linux",
    "harmony": "HarmonyOS",
    "harmony os": "HarmonyOS",
    "ipad os": "iPadOS",
    "lg webos": "webOS",
    "mac": "macOS",
    "mac os": "macOS",
    "mac os x": "macOS",
    "openharmony": "HarmonyOS",
    "os x": "macOS",
    "sailfish": "Sailfish OS",
    "solaris": "SunOS",
    "symbianos": "Symbian",
    "windows mobile": "Windows Phone",
    "windows nt": "Windows",
}

_BROWSER_NAMES = {name.lower(): name for name in BROWSERS} | _OTHER_BROWSERS
_SYSTEM_NAMES = {name.lower(): name for name in SYSTEMS} | _OTHER_SYSTEMS
_DISTRIBUTIONS = {name.lower(): name for name in EDITIONS["Linux"]}
_UNDIVIDED = frozenset(name.lower() for name in (*_BROWSER_NAMES, *_SYSTEM_NAMES) if " " in name)
"""Names of several words; other programs write them without the trailing space that stands for a missing version."""

_NUMBERS = re.compile(r"([0-9]{1,3})(?:[._]([0-9]{1,3}))?(?![0-9])")


def named_version(text: str) -> Named:
    """Split a text at its last space into name and version; a trailing space stands for no version."""
    return _named_version(text[:LONGEST])


@lru_cache(_CACHED)
def _named_version(text: str) -> Named:
    text = storable(text)
    if text.strip().lower() in _UNDIVIDED:
        return text.strip(), ""
    name, space, version = text.rpartition(" ")
    return (name.strip(), version) if space else (text, "")


def with_version(name: str, version: str) -> str:
    """Join name and version to the text that ``named_version`` splits; empty without a name."""
    return f"{name} {version}" if name else ""


def known_browser(name: str, version: str) -> Named:
    """A browser's name and version as reports show them; ``UNKNOWN`` if the name is not in the list."""
    return _known_browser(name[:LONGEST], version[:LONGEST])


@lru_cache(_CACHED)
def _known_browser(name: str, version: str) -> Named:
    known = _BROWSER_NAMES.get(name.strip().lower())
    return (known, _numbers(version, 2 if known in WITH_MINOR else 1)) if known else UNKNOWN


def known_system(name: str, version: str) -> Named:
    """A system's name and version as reports show them; ``UNKNOWN`` if the name is not in the list."""
    return _known_system(name[:LONGEST], version[:LONGEST])


@lru_cache(_CACHED)
def _known_system(name: str, version: str) -> Named:
    name = name.strip().lower()
    if distribution := _DISTRIBUTIONS.get(name.removesuffix(" linux").removeprefix("linux ")):
        return "Linux", distribution
    known = _SYSTEM_NAMES.get(name)
    if not known:
        return UNKNOWN
    editions = EDITIONS.get(known, frozenset())
    if edition := next((edition for edition in editions if edition.lower() == version.strip().lower()), None):
        return known, edition
    if known in ("Linux", "Chrome OS"):  # their versions are a kernel's and a build number
        return known, ""
    numbers = _numbers(version, 2)
    return known, numbers.removesuffix(".0") if known in ("Android", "Windows") else numbers


def known_device(kind: str) -> str:
    """A kind of device as reports show it; empty if it is not in the list."""
    name = kind.strip().capitalize()
    return name if name in DEVICES else ""


def _numbers(version: str, most: int) -> str:
    match = _NUMBERS.match(version.strip())
    return ".".join(part for part in match.groups()[:most] if part) if match else ""
