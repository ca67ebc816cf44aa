"""Reads browser, system, kind of device and ``Bot`` code from a User-Agent. Names are those of ``model/product.py``.

Products are searched in the order of the tables below. Of the text itself only the digits of a version are kept.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from tallystick.model.product import EDITIONS, UNKNOWN, Named, known_browser, known_system
from tallystick.services.ingest import bot_rules

AGENTS_CACHED = 20_000
"""Cached User-Agents; at most about 20 MB."""


class Agent(NamedTuple):
    """What is kept of a User-Agent: a ``Bot`` code, browser and system with their versions, and a kind of device.

    What is unknown is empty.
    """

    bot: int
    browser: Named
    system: Named
    device: str


class ProductPattern(NamedTuple):
    """How a browser is recognised.

    Attributes:
        name: as in ``BROWSERS``.
        words: any of them, in lower case and not preceded by a letter or digit; a version may follow.
        version: the word before the version, if it is another one.
        numbered: whether the browser sends a version.
    """

    name: str
    words: tuple[str, ...]
    version: str = ""
    numbered: bool = True


_APPS = (
    ProductPattern("WeCom", ("wxwork/",)),
    ProductPattern("WeChat", ("micromessenger/",)),
    ProductPattern("Alipay", ("alipayclient/",)),
    ProductPattern("DingTalk", ("dingtalk/", "aliapp(dingtalk/")),
    ProductPattern("Taobao", ("aliapp(tb/", "aliapp(")),
    ProductPattern("Douyin", ("aweme/", "aweme_")),
    ProductPattern("Toutiao", ("newsarticle/", "toutiao/")),
    ProductPattern("Kuaishou", ("kwai/", "ksnebula/")),
    ProductPattern("Xiaohongshu", ("xhsdiscover/", "xiaohongshu")),
    ProductPattern("Weibo", ("weibo/", "__weibo__", "weibo (")),
    ProductPattern("Zhihu", ("zhihuhybrid", "zhihu/")),
    ProductPattern("Lark", ("lark/", "feishu/")),
    ProductPattern("QQ", ("qq/",)),
    ProductPattern("Baidu", ("baiduboxapp/", "baidubrowser/", "bidubrowser/")),
    ProductPattern("Instagram", ("instagram ", "instagram/")),
    ProductPattern("Threads", ("barcelona ", "barcelona/")),
    ProductPattern("Messenger", ("fban/messenger", "fb_iab/messenger", "fb_iab/orca", "fban/orca"), "fbav/"),
    ProductPattern("Facebook", ("fbav/", "fban/", "fb_iab/", "metaiab facebook")),
    ProductPattern("TikTok", ("musical_ly_", "musical_ly/", "trill_", "tiktok/", "tiktok ", "bytedancewebview/")),
    ProductPattern("LINE", ("line/",)),
    ProductPattern("Snapchat", ("snapchat/", "snapchat ")),
    ProductPattern("Pinterest", ("[pinterest/", "pinterest/", "pinterest for ")),
    ProductPattern("LinkedIn", ("linkedinapp]/", "linkedinapp/", "linkedinapp", "linkedin/")),
    ProductPattern("Google app", ("gsa/",)),
    ProductPattern("X", ("twitter for iphone/", "twitter for ipad/", "twitter for ", "twitterandroid", "twitter/")),
    ProductPattern("WhatsApp", ("whatsapp/", "whatsapp")),
    ProductPattern("Telegram", ("telegram-android/", "telegram/", "telegram ")),
    ProductPattern("Viber", ("viber/", "viber")),
    ProductPattern("Bluesky", ("bluesky/", "bluesky", "xyz.blueskyweb.app")),
    ProductPattern("Tumblr", ("tumblr/", "tumblr")),
    ProductPattern("Mastodon", ("mastodonandroid/", "mastodon/")),
    ProductPattern("Discord", ("discord/", "discord-android/", "com.discord")),
    ProductPattern("Slack", ("slack/", "slack_ssb/", "com.tinyspeck.chatlyio/")),
    ProductPattern("Microsoft Teams", ("teams/", "teamsmobile-", "microsoftteams")),
    ProductPattern("Reddit", ("reddit/", "redditandroid", "com.reddit")),
    ProductPattern("KakaoTalk", ("kakaotalk ", "kakaotalk/")),
    ProductPattern("NAVER", ("naver(inapp", "naver(higgs", "naver/")),
    ProductPattern("Daum", ("daumapps/", "daumdevice")),
    ProductPattern("Yahoo", ("yjapp-", "yahoomobile", "yahooapp")),
    ProductPattern("Zalo", ("zalo/", "zalo ")),
    ProductPattern("VK", ("vkandroidapp/", "vkclient/", "vk/")),
    ProductPattern("Flipboard", ("flipboard/", "flipboard-briefing/")),
    ProductPattern("Quora", ("quora ", "quora/")),
    ProductPattern("Spotify", ("spotify/",)),
    ProductPattern("Steam", ("valve steam", "steam/")),
    ProductPattern(
        "Outlook", ("outlook-ios", "outlook-android", "microsoft outlook ", "outlookmobile"), numbered=False
    ),
    ProductPattern("Thunderbird", ("thunderbird/",)),
)

_BROWSERS = (
    # Opera's own engine, also on consoles, televisions and as Internet Explorer.
    ProductPattern("Opera GX", ("opx/", "oprgx/", "opera gx/")),
    ProductPattern("Opera GX", ("(edition gx", "(edition std-gx", "opera gx"), "opr/"),
    ProductPattern("Opera Touch", ("opt/",)),
    ProductPattern("Opera Mini", ("opera mini/", "opios/")),
    ProductPattern("Opera", ("opr/", "opera mobi/", "opera tablet/")),
    ProductPattern("Opera", ("opera/9.80",), "version/"),
    ProductPattern("Opera", ("opera/", "opera ")),
    ProductPattern("PlayStation", ("playstation ", "playstation;", "psp ("), numbered=False),
    ProductPattern("Nintendo", ("nintendobrowser/",)),
    ProductPattern("Nintendo", ("nintendo ",), numbered=False),
    ProductPattern("Samsung Internet", ("samsungbrowser/",)),
    ProductPattern("Edge", ("edg/", "edga/", "edgios/", "edgw/", "edge/")),
    ProductPattern("Brave", ("brave/", "brave chrome/", "brave")),
    ProductPattern("Vivaldi", ("vivaldi/",)),
    ProductPattern("DuckDuckGo", ("duckduckgo/", "ddg/")),
    ProductPattern(
        "Yandex Browser", ("yabrowser/", "yowser/", "yandexsearch/", "yasearchbrowser/", "yaapp_android/", "yaapp_ios/")
    ),
    ProductPattern("UC Browser", ("ucbrowser/", "ubrowser/", "uc browser/", "ucweb/", "ucweb")),
    ProductPattern("Whale", ("whale/",)),
    ProductPattern("Silk", ("silk/", "silk-accelerated")),
    ProductPattern("Firefox Focus", ("focus/", "klar/", "firefox focus/")),
    ProductPattern("Huawei Browser", ("huaweibrowser/",)),
    ProductPattern("Mi Browser", ("miuibrowser/", "mintbrowser/", "mint browser/")),
    ProductPattern("Vivo Browser", ("vivobrowser/",)),
    ProductPattern("HeyTap Browser", ("heytapbrowser/", "oppobrowser/")),
    ProductPattern("Sogou Browser", ("sogoumobilebrowser/", "sogoumse", "sogousearch", "metasr ", "sogou")),
    ProductPattern("QQ Browser", ("mqqbrowser/", "qqbrowser/", "qqbrowserlite/", "tencenttraveler ")),
    ProductPattern(
        "360 Browser", ("360se", "360ee", "qihoobrowser/", "qhbrowser/", "360browser", "360 aphone browser", "360spdbr")
    ),
    ProductPattern("Quark", ("quark/",)),
    ProductPattern("Liebao", ("lbbrowser", "liebaofast/")),
    ProductPattern("Maxthon", ("maxthon/", "mxbrowser/", "mxios/", "maxthon ", "maxthon")),
    ProductPattern("Coc Coc", ("coc_coc_browser/", "coccocbrowser/")),
    ProductPattern("Ecosia", ("ecosia ios@", "ecosia android@", "ecosia/")),
    ProductPattern("Aloha", ("alohabrowser/",)),
    ProductPattern("Puffin", ("puffin/",)),
    ProductPattern("Avast Secure Browser", ("avast/",)),
    ProductPattern("AVG Secure Browser", ("avg/",)),
    ProductPattern("CCleaner Browser", ("ccleaner/",)),
    ProductPattern("Norton Browser", ("norton/",)),
    ProductPattern("Comodo Dragon", ("comodo_dragon/", "icedragon/", "dragon/")),
    ProductPattern("Dolphin", ("dolphin/", "dolphin http client/")),
    ProductPattern("Phoenix", ("phx/",)),
    ProductPattern("Epic", ("epic/",)),
    ProductPattern("Iron", ("iron/",)),
    ProductPattern("Sleipnir", ("sleipnir/",)),
    ProductPattern("Arc", ("arc/", "arcmobile2/")),
    ProductPattern("Orion", ("orion/",)),
    ProductPattern("GNOME Web", ("epiphany/60",), "version/"),  # the engine's number
    ProductPattern("GNOME Web", ("epiphany/", "gnome-web/")),
    ProductPattern("Falkon", ("falkon/", "qupzilla/")),
    ProductPattern("qutebrowser", ("qutebrowser/",)),
    ProductPattern("Konqueror", ("konqueror/", "konqueror")),
    ProductPattern("Midori", ("midori/",)),
    ProductPattern("Pale Moon", ("palemoon/",)),
    ProductPattern("SeaMonkey", ("seamonkey/", "iceape/")),
    ProductPattern("LibreWolf", ("librewolf/",)),
    ProductPattern("Waterfox", ("waterfox/",)),
    ProductPattern("Floorp", ("floorp/",)),
    ProductPattern("Zen", ("zen/",)),
    ProductPattern("IceCat", ("icecat/",)),
    ProductPattern("Basilisk", ("basilisk/",)),
    ProductPattern("K-Meleon", ("k-meleon/",)),
    ProductPattern("Camino", ("camino/",)),
    ProductPattern("Netscape", ("netscape/", "netscape6/", "navigator/")),
    ProductPattern("NetFront", ("netfront/",)),
    ProductPattern("NetSurf", ("netsurf/",)),
    ProductPattern("Dillo", ("dillo/",)),
    ProductPattern("ELinks", ("elinks/", "elinks (")),
    ProductPattern("Links", ("links (", "links/")),
    ProductPattern("Lynx", ("lynx/",)),
    ProductPattern("w3m", ("w3m/",)),
    ProductPattern("Ladybird", ("ladybird/",)),
    ProductPattern("Servo", ("servo/",)),
    ProductPattern("OmniWeb", ("omniweb/",)),
    ProductPattern("iCab", ("icab/", "icab ")),
    ProductPattern("Nokia Browser", ("nokiabrowser/", "s40ovibrowser/", "browserng/")),
    ProductPattern("BlackBerry Browser", ("bb10;", "rim tablet os", "playbook;", "blackberry;"), "version/"),
    ProductPattern("BlackBerry Browser", ("blackberry",), numbered=False),
    ProductPattern("Internet Explorer", ("msie ", "iemobile/")),
    ProductPattern("Internet Explorer", ("trident/",), "rv:"),
)

_PRODUCTS = (*_APPS, *_BROWSERS)
_ENGINES = (
    ProductPattern("Firefox", ("fxios/", "firefox/", "fennec/", "iceweasel/")),
    ProductPattern("Chrome", ("crios/", "chrome/", "chromium/", "headlesschrome/")),
)

_TELEVISIONS = (
    *("smart-tv", "smarttv", "smart_tv", "hbbtv", "web0s", "webos.tv", "netcast", "appletv", "apple tv", "roku"),
    *("bravia", "viera", "netrange", "nettv", "crkey", "googletv", "google tv", "tizen"),
)

_TABLETS = ("ipad", "tablet", "playbook", "kindle", "silk-accelerated")
_PHONES = ("mobile", "iphone", "ipod", "opera mini", "phone;")
_OF_PHONES = frozenset(
    ("Bada", "BlackBerry", "Firefox OS", "KaiOS", "MeeGo", "Sailfish OS", "Symbian", "Windows Phone", "iOS", "watchOS")
)

_VERSION = re.compile(r"[/ ]?v?([0-9]{1,3}(?:\.[0-9]{1,3})?)(?![0-9])")
_APPLE_VERSION = re.compile(r"os ([0-9]{1,2})[_.]([0-9]{1,2})")
_ANDROID_VERSION = re.compile(r"(?:android|adr)(?:[ /-]| \([0-9]{1,2}/)([0-9]{1,2}(?:\.[0-9]{1,2})?)(?![0-9])")
_FIREFOX_OS = re.compile(r"^mozilla/5\.0 \((?:mobile|tablet|tv);(?: [^;)]{1,40};)? rv:")
_OF_APPLE = frozenset(("macOS", "iOS", "iPadOS", "tvOS", "watchOS"))
_IPAD_OS_SINCE = 13


@lru_cache(AGENTS_CACHED)
def parse_agent(agent: str) -> Agent:
    """Read a User-Agent."""
    text = agent.lower()
    system = _system(text)
    return Agent(bot_rules.bot_code(agent), _browser(text, system[0]), system, _device(text, system[0]))


def load() -> None:
    """Load the patterns before the first hit needs them."""
    bot_rules.load()


def _device(text: str, system: str) -> str:
    """The kind of device. Televisions and consoles count as Desktop, as Plausible counts them; watches as Mobile."""
    if system == "Windows":  # "Tablet PC" is in the agents of desktops
        return "Desktop"
    if system == "iPadOS" or any(word in text for word in _TABLETS):
        return "Tablet"
    if system in _OF_PHONES or any(word in text for word in _PHONES):
        return "Mobile"
    if system == "Android":
        # Phones say "Mobile" in browsers, but not in the agents that apps make up.
        return "Desktop" if _is_television(text) else "Tablet" if text.startswith("mozilla/") else "Mobile"
    return "Desktop" if system else ""


def _is_television(text: str) -> bool:
    return any(word in text for word in _TELEVISIONS)


def _browser(text: str, system: str) -> Named:
    name, version = next(_matches(text, _PRODUCTS), UNKNOWN)
    if name:
        return known_browser(name, version)
    name, version = next(_matches(text, _ENGINES), UNKNOWN)
    if name == "Chrome" and "android" in text and ("; wv)" in text or " version/4.0 chrome/" in text):
        return known_browser("Android WebView", version)
    if name:
        return known_browser(name, version)
    return known_browser(*_of_webkit(text, system))


def _of_webkit(text: str, system: str) -> Named:
    """The browser of a User-Agent that has only its engine; on Apple's systems an app's web view is also Safari."""
    if system in _OF_APPLE and "applewebkit/" in text:
        return "Safari", _behind(text, "version/")
    if system == "Android" and "applewebkit/" in text:
        return "Android Browser", _behind(text, "version/")
    return ("Smart TV", "") if _is_television(text) else UNKNOWN


def _matches(text: str, patterns: tuple[ProductPattern, ...]) -> Iterator[Named]:
    for pattern in patterns:
        for word in pattern.words:
            if (end := _end_of(text, word)) >= 0:
                yield pattern.name, _version_of(pattern, text, end)
                break


def _version_of(pattern: ProductPattern, text: str, end: int) -> str:
    if not pattern.numbered:
        return ""
    return _behind(text, pattern.version) if pattern.version else _number_at(text, end)


def _end_of(text: str, word: str) -> int:
    """The end of the first ``word`` that is not preceded by a letter or digit; -1 without one."""
    start = text.find(word)
    while start > 0 and text[start - 1].isalnum() and word[0].isalnum():
        start = text.find(word, start + 1)
    return start + len(word) if start >= 0 else -1


def _behind(text: str, word: str) -> str:
    end = _end_of(text, word)
    return _number_at(text, end) if end >= 0 else ""


def _number_at(text: str, at: int) -> str:
    match = _VERSION.match(text, at)
    return match[1] if match else ""


def _system(text: str) -> Named:
    for words, named in _SYSTEMS:
        if any(word in text for word in words):
            return known_system(*named(text))
    return known_system("Firefox OS", "") if _FIREFOX_OS.match(text) else UNKNOWN


def _plain(name: str) -> Callable[[str], Named]:
    return lambda _: (name, "")


def _numbered(name: str, *words: str) -> Callable[[str], Named]:
    return lambda text: (name, next((version for word in words if (version := _behind(text, word))), ""))


def _edition(name: str, word: str) -> Callable[[str], Named]:
    """Reads the edition after the word; of two with the same beginning, the longer."""
    editions = sorted(EDITIONS[name], key=len, reverse=True)

    def read(text: str) -> Named:
        edition = next((edition for edition in editions if f"{word}{edition.lower()}" in text), "")
        return name, edition or _behind(text, word)

    return read


def _ipad(text: str) -> Named:
    match = _APPLE_VERSION.search(text)
    if match is None:
        return "iPadOS", ""
    return "iPadOS" if int(match[1]) >= _IPAD_OS_SINCE else "iOS", f"{match[1]}.{match[2]}"


def _iphone(text: str) -> Named:
    match = _APPLE_VERSION.search(text)
    return "iOS", f"{match[1]}.{match[2]}" if match else ""


def _mac(text: str) -> Named:
    # A tablet that requests desktop pages: no Mac sends these words.
    if any(word in text for word in ("crios/", "fxios/", "edgios/", " mobile/")):
        return "iPadOS", ""
    match = re.search(r"mac os x ([0-9]{1,2})[_.]([0-9]{1,2})", text)
    return "macOS", f"{match[1]}.{match[2]}" if match else _behind(text, "mac os x ")


def _android(text: str) -> Named:
    match = _ANDROID_VERSION.search(text)
    return "Android", match[1] if match else ""


_WINDOWS = {
    "nt 10": "10",
    "nt 6.4": "10",
    "nt 6.3": "8.1",
    "nt 6.2": "8",
    "nt 6.1": "7",
    "nt 6.0": "Vista",
    "nt 5.2": "XP",
    "nt 5.1": "XP",
    "nt 5.0": "2000",
    "nt 4": "NT",
    "windows xp": "XP",
    "windows 2000": "2000",
    "win 9x 4.90": "ME",
    "windows me": "ME",
    "windows 98": "98",
    "win98": "98",
    "windows 95": "95",
    "win95": "95",
    "windows ce": "CE",
    "windows 11": "10",  # some apps send it; browsers always send 10
    "windows 10": "10",
    "windows 8.1": "8.1",
    "windows 8": "8",
    "windows 7": "7",
}


def _windows(text: str) -> Named:
    return "Windows", next((version for word, version in _WINDOWS.items() if word in text), "")


_DISTRIBUTIONS = {
    "ubuntu": "Ubuntu",
    "fedora": "Fedora",
    "debian": "Debian",
    "mint/": "Mint",
    "linux mint": "Mint",
    "arch linux": "Arch",
    "archlinux": "Arch",
    "manjaro": "Manjaro",
    "suse": "SUSE",
    "red hat": "Red Hat",
    "redhat": "Red Hat",
    "centos": "CentOS",
    "gentoo": "Gentoo",
    "mandriva": "Mandriva",
    "mageia": "Mageia",
    "slackware": "Slackware",
    "raspbian": "Raspbian",
    "nixos": "NixOS",
    "alpine": "Alpine",
    "almalinux": "AlmaLinux",
    "rocky": "Rocky",
    "zorin": "Zorin",
    "elementary os": "Elementary",
    "pop!_os": "Pop!_OS",
    "deepin": "Deepin",
    "oracle linux": "Oracle",
}


def _linux(text: str) -> Named:
    return "Linux", next((name for word, name in _DISTRIBUTIONS.items() if word in text), "")


_SYSTEMS: tuple[tuple[tuple[str, ...], Callable[[str], Named]], ...] = (
    # Systems that claim to be another one come before that one.
    (("windows phone",), _numbered("Windows Phone", "windows phone os ", "windows phone ")),
    (("xbox",), _edition("Xbox", "xbox ")),
    (("playstation",), _edition("PlayStation", "playstation ")),
    (("nintendo wiiu",), lambda _: ("Nintendo", "Wii U")),
    (("nintendo",), _edition("Nintendo", "nintendo ")),
    (("harmonyos", "openharmony"), _numbered("HarmonyOS", "openharmony ", "harmonyos ", "harmonyos/")),
    (("kaios",), _numbered("KaiOS", "kaios/")),
    (("tizen",), _numbered("Tizen", "tizen ", "tizen/")),
    (("web0s", "webos", "hpwos", "netcast"), _numbered("webOS", "webos.tv-", "webos tv ", "webos/", "hpwos/")),
    (("appletv", "apple tv", "tvos"), _numbered("tvOS", "tvos ", "tvos/")),
    (("watchos", "apple watch"), _numbered("watchOS", "watchos ", "watchos/")),
    (("ipad",), _ipad),
    (("iphone", "ipod", "outlook-ios"), _iphone),
    (("cros ",), _plain("Chrome OS")),
    (("sailfish",), _numbered("Sailfish OS", "sailfish os ", "sailfish/")),
    (("bb10", "blackberry", "rim tablet"), _plain("BlackBerry")),
    (("bada",), _numbered("Bada", "bada/")),
    (("symbian", "symbos", "series60", "series 60"), _numbered("Symbian", "symbianos/", "symbian/")),
    (("meego",), _plain("MeeGo")),
    (("roku",), _numbered("Roku", "roku/dvp-")),
    (("fuchsia",), _plain("Fuchsia")),
    (("like android",), _linux),
    (("android", "; adr "), _android),
    (("windows", "win98", "win95", "win 9x"), _windows),
    (("mac os x", "macintosh", "mac_powerpc", "macos"), _mac),
    (("freebsd",), _plain("FreeBSD")),
    (("openbsd",), _plain("OpenBSD")),
    (("netbsd",), _plain("NetBSD")),
    (("dragonfly",), _plain("DragonFly BSD")),
    (("sunos",), _plain("SunOS")),
    (("haiku",), _plain("Haiku")),
    (("beos",), _plain("BeOS")),
    (("os/2",), _plain("OS/2")),
    (("irix",), _plain("IRIX")),
    (("hp-ux",), _plain("HP-UX")),
    ((" aix ", "(aix"), _plain("AIX")),
    (("amigaos", "morphos"), _plain("AmigaOS")),
    (("risc os",), _plain("RISC OS")),
    (("linux", "x11; ubuntu", "cygwin"), _linux),
)
