"""Browser and system, named and counted together as the contract does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.services.agents import understood

WINDOWS = "Mozilla/5.0 (Windows NT {}) AppleWebKit/537.36 (KHTML, like Gecko) {}"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) {} Safari/604.1"
)
ANDROID = "Mozilla/5.0 (Linux; Android {}; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) {} Mobile Safari/537.36"
SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{} Safari/605.1.15"
CHROMEBOOK = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537"
FIREFOX = "Mozilla/5.0 ({}; rv:109.0) Gecko/20100101 Firefox/118.0"


@pytest.mark.parametrize(
    ("agent", "browser", "system"),
    [
        ("", ("", ""), ("", "")),
        ("something else", ("", ""), ("", "")),
        (WINDOWS.format("10.0; Win64; x64", "Chrome/120.0.0.0 Safari/537.36"), ("Chrome", "120"), ("Windows", "10")),
        (WINDOWS.format("10.0", "HeadlessChrome/119.0 Safari/537.36"), ("Chrome", "119"), ("Windows", "10")),
        (WINDOWS.format("6.3", "Chrome/64.0 Safari/537.36 Edge/18.17763"), ("Edge", "18"), ("Windows", "8.1")),
        (WINDOWS.format("6.1", "Chrome/90.0 Safari/537.36 Edg/90.0"), ("Chrome", "90"), ("Windows", "7")),
        (WINDOWS.format("5.1", "Chrome/77.0 Safari/537.36 OPR/64.0"), ("Chrome", "77"), ("Windows", "XP")),
        (WINDOWS.format("6.0", "Chrome/94.0 Safari/537.36 Vivaldi/4.3"), ("Chrome", "94"), ("Windows", "Vista")),
        (ANDROID.format("13", "SamsungBrowser/20.0 Chrome/106.0.5249"), ("Chrome", "106"), ("Android", "13")),
        (ANDROID.format("8.1.0", "Chrome/80.0"), ("Chrome", "80"), ("Android", "8.1")),
        (ANDROID.format("8.0.0", "Chrome/80.0"), ("Chrome", "80"), ("Android", "8")),
        (FIREFOX.format("X11; Linux x86_64"), ("Firefox", "118"), ("Linux", "")),
        (FIREFOX.format("X11; Ubuntu; Linux x86_64"), ("Firefox", "118"), ("Linux", "Ubuntu")),
        (FIREFOX.format("X11; Fedora; Linux x86_64"), ("Firefox", "118"), ("Linux", "Fedora")),
        (FIREFOX.format("X11; OpenBSD amd64"), ("Firefox", "118"), ("OpenBSD", "")),
        (FIREFOX.format("X11; DragonFly x86_64"), ("Firefox", "118"), ("DragonFly BSD", "")),
        (FIREFOX.format("X11; SunOS i86pc"), ("Firefox", "118"), ("SunOS", "")),
        (FIREFOX.format("Macintosh; Intel Mac OS X 10.15"), ("Firefox", "118"), ("macOS", "10.15")),
        ("Mozilla/5.0 (Android 13; Mobile; rv:109.0) Gecko/118.0 Firefox/118.0", ("Firefox", "118"), ("Android", "13")),
        (IPHONE.format("Version/17.2 Mobile/15E148"), ("Safari", "17.2"), ("iOS", "17.2")),
        (IPHONE.format("CriOS/120.0.6099.119 Mobile/15E148"), ("Chrome", "120"), ("iOS", "17.2")),
        (IPHONE.format("FxiOS/120.0 Mobile/15E148"), ("Firefox", "120"), ("iOS", "17.2")),
        (SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", "17.2"), ("Safari", "17.2"), ("macOS", "10.15")),
        (SAFARI.format("X11; Linux x86_64", "13.0"), ("", ""), ("Linux", "")),
        (SAFARI.format("PlayStation; PlayStation 5/2.26", "13.0"), ("", ""), ("PlayStation", "5")),
        ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", ("Opera", "12.18"), ("Windows", "7")),
        (
            "Mozilla/5.0 (Windows NT 6.2; Trident/7.0; rv:11.0) like Gecko",
            ("Internet Explorer", "11"),
            ("Windows", "8"),
        ),
        (
            WINDOWS.format("10.0", "Chrome/52.0 Mobile Safari/537.36 Edge/15.14977").replace("NT", "Phone"),
            ("Edge", "15"),
            ("Windows Phone", "10.0"),
        ),
        (CHROMEBOOK, ("Chrome", "120"), ("Chrome OS", "")),
        ("Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.0", ("Firefox", "48"), ("KaiOS", "2.0")),
    ],
)
def test_an_agent(agent: str, browser: tuple[str, str], system: tuple[str, str]) -> None:
    found = understood(agent)
    assert (found.browser, found.system) == (browser, system)


@given(st.text())
def test_any_text_is_understood(agent: str) -> None:
    found = understood(agent)
    assert all(isinstance(part, str) for part in (*found.browser, *found.system))
