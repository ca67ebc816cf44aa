"""Browser and system, named by the closed list."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.agent_lines import agents_of
from tallystick.model.hit import is_bot
from tallystick.model.product import BROWSERS, DEVICES, SYSTEMS, UNKNOWN, known_browser, known_system
from tallystick.services.ingest.agents import parse_agent

PEOPLE = list(agents_of("people.txt"))
LEAST_PEOPLE = 450

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
        (WINDOWS.format("6.1", "Chrome/90.0 Safari/537.36 Edg/90.0"), ("Edge", "90"), ("Windows", "7")),
        (WINDOWS.format("5.1", "Chrome/77.0 Safari/537.36 OPR/64.0"), ("Opera", "64.0"), ("Windows", "XP")),
        (WINDOWS.format("6.0", "Chrome/94.0 Safari/537.36 Vivaldi/4.3"), ("Vivaldi", "4"), ("Windows", "Vista")),
        (ANDROID.format("13", "SamsungBrowser/20.0 Chrome/106.0.5249"), ("Samsung Internet", "20"), ("Android", "13")),
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
        (SAFARI.format("PlayStation; PlayStation 5/2.26", "13.0"), ("PlayStation", ""), ("PlayStation", "5")),
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
    found = parse_agent(agent)
    assert (found.browser, found.system) == (browser, system)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("", ""),
        ("something else", ""),
        ("curl/8.0", ""),
        (WINDOWS.format("10.0; Win64; x64", "Chrome/120.0.0.0 Safari/537.36"), "Desktop"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)", "Desktop"),
        (FIREFOX.format("X11; Linux x86_64"), "Desktop"),
        (SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", "17.2"), "Desktop"),
        (CHROMEBOOK, "Desktop"),
        (SAFARI.format("PlayStation; PlayStation 5/2.26", "13.0"), "Desktop"),
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0/6.0 TV Safari/537",
            "Desktop",
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0 Safari/537",
            "Desktop",
        ),
        (IPHONE.format("Version/17.2 Mobile/15E148"), "Mobile"),
        (ANDROID.format("13", "Chrome/120.0"), "Mobile"),
        ("WhatsApp/2.24.1.6 A", ""),
        ("Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.0", "Mobile"),
        ("Opera/9.80 (J2ME/MIDP; Opera Mini/7.1; U; en) Presto/2.8.119 Version/11.10", "Mobile"),
        (
            "Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "Tablet",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 (KHTML, like Gecko) CriOS/120.0 Safari/604",
            "Tablet",
        ),
        (ANDROID.format("13", "Chrome/120.0").replace(" Mobile", ""), "Tablet"),
        ("Mozilla/5.0 (Android 9; Tablet; rv:128.0) Gecko/128.0 Firefox/128.0", "Tablet"),
    ],
)
def test_devices(agent: str, device: str) -> None:
    assert parse_agent(agent).device == device


def test_nearly_all_people_have_a_device() -> None:
    devices = Counter(parse_agent(agent).device for agent, *_ in PEOPLE)
    assert devices.keys() - {""} == DEVICES
    assert devices[""] < 3


def test_people_are_counted_by_the_right_names() -> None:
    wrong = []
    for agent, *names in PEOPLE:
        found = parse_agent(agent)
        if is_bot(found.bot) or [*found.browser, *found.system] != names:
            wrong.append((agent, found, names))
    assert not wrong


def test_the_corpus_of_people_shows_every_system_that_has_browsers_today() -> None:
    assert len({agent for agent, *_ in PEOPLE}) >= LEAST_PEOPLE
    shown = {names[2] for _, *names in PEOPLE}
    assert SYSTEMS - shown <= {
        *("AIX", "AmigaOS", "Bada", "BeOS", "HP-UX", "IRIX", "MeeGo", "OS/2", "RISC OS", "watchOS"),
    }


def is_closed(named: tuple[str, str], names: frozenset[str]) -> bool:
    name, version = named
    words = r"|[A-Z][A-Za-z!_0-9]{1,9}( [A-Z])?|3DS|DSi|Red Hat|Wii U|Series [SX]"
    return (name in names and re.fullmatch(rf"[0-9]{{0,3}}([.][0-9]{{1,3}})?{words}", version) is not None) or (
        named == UNKNOWN
    )


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [word for agent, *_ in PEOPLE for word in agent.split(" ")]
            + ["Zq7Privbot/1", "Chrome/", "Zq7Chrome/5", "Android", "Linux/", "; wv)", "Version/99999", "Opera", "("]
        ),
        st.text(max_size=20),
    ),
    max_size=20,
).map(" ".join)


@given(st.one_of(st.text(), PIECES))
def test_no_text_of_an_agent_becomes_a_name(agent: str) -> None:
    found = parse_agent(agent)
    assert is_closed(found.browser, BROWSERS)
    assert is_closed(found.system, SYSTEMS)


@pytest.mark.parametrize(
    "agent",
    [
        "Zq7Privbot/1",
        "Zq7Privbot/1 (Zq7System 5)",
        "Zq7Private/1.0 (X11; Zq7System; rv:3) Zq7Engine/4",
        "jane.doe@example.com/1.0 (compatible)",
        "Mozilla/5.0 (Zq7Phone; U; Zq7OS 4) AppleWebKit/537.36 Zq7Browser/4",
    ],
)
def test_an_invented_name_is_none(agent: str) -> None:
    found = parse_agent(agent)
    assert (found.browser, found.system) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("name", "version", "right"),
    [
        ("Chrome", "120", ("Chrome", "120")),
        ("chrome", "120.0.6099.71", ("Chrome", "120")),
        ("Safari", "17.2.1", ("Safari", "17.2")),
        ("Mobile Safari", "17.2", ("Safari", "17.2")),
        ("Microsoft Edge", "131.0", ("Edge", "131")),
        ("Samsung Browser", "27", ("Samsung Internet", "27")),
        ("Chrome", "jane", ("Chrome", "")),
        ("Chrome", "123456", ("Chrome", "")),
        ("jane.doe@example.com", "1", UNKNOWN),
        ("Zq7Privbot", "1", UNKNOWN),
        ("", "5", UNKNOWN),
    ],
)
def test_a_browser_that_others_named(name: str, version: str, right: tuple[str, str]) -> None:
    assert known_browser(name, version) == right


@pytest.mark.parametrize(
    ("name", "version", "right"),
    [
        ("Windows", "10", ("Windows", "10")),
        ("Windows", "xp", ("Windows", "XP")),
        ("Windows", "10.0", ("Windows", "10")),
        ("Mac OS X", "10.15.7", ("macOS", "10.15")),
        ("Mac", "14", ("macOS", "14")),
        ("GNU/Linux", "6.1.0", ("Linux", "")),
        ("Ubuntu", "22.04", ("Linux", "Ubuntu")),
        ("Linux", "Ubuntu", ("Linux", "Ubuntu")),
        ("Linux Ubuntu", "", ("Linux", "Ubuntu")),
        ("Linux", "jane", ("Linux", "")),
        ("Android", "8.0", ("Android", "8")),
        ("ChromeOS", "15000.1", ("Chrome OS", "")),
        ("PlayStation", "Vita", ("PlayStation", "Vita")),
        ("iOS", "17_2", ("iOS", "17.2")),
        ("Zq7OS", "3", UNKNOWN),
    ],
)
def test_a_system_that_others_named(name: str, version: str, right: tuple[str, str]) -> None:
    assert known_system(name, version) == right


@given(st.sampled_from(PEOPLE))
def test_a_name_of_the_list_stays_as_it_is(person: list[str]) -> None:
    _, browser, browser_version, system, system_version = person
    assert known_browser(browser, browser_version) == (browser, browser_version)
    assert known_system(system, system_version) == (system, system_version)
