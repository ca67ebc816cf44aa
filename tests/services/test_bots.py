"""Who is no person, by the User-Agent."""

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from support.agent_lines import agents_of
from tallystick.model.hit import Bot, is_bot
from tallystick.services.ingest.bot_rules import PEOPLE_PATTERNS, bot_code

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)
ANDROID = "Mozilla/5.0 (Linux; Android 10; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "code"),
    [
        (CHROME, Bot.NO_MATCH),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Bot.NO_MATCH),
        # Apps with a browser inside, whose makers run bots too.
        (CHROME + " [Pinterest/Android]", Bot.NO_MATCH),
        (CHROME + " YandexSearch/8.05 YandexSearchBrowser/8.05", Bot.NO_MATCH),
        ("Instagram 128.0.0.19.119 (iPhone12,3; iOS 13_3_1; en_US) AppleWebKit/420+", Bot.NO_MATCH),
        ("Outlook-iOS/719.3750190.prod.iphone (4.23.0)", Bot.NO_MATCH),
        ("", Bot.SHORT),
        ("A/1 short", Bot.SHORT),
        ("Mozilla/5.0", Bot.SHORT),
        ("no slash in this one", Bot.SHORT),
        ("curl/8.5.0", Bot.SHORT),
        ("GoogleBot/1.0", Bot.SHORT),
        ("é" * 5 + "/ ", Bot.NO_MATCH),
        (ANDROID.format("CUBOT_X18"), Bot.KNOWN_NOT),
        (ANDROID.format("CUBOT MAX"), Bot.KNOWN_NOT),
        # Words inside of words, and words that makers and apps chose for something else.
        (ANDROID.format("CUBOT"), Bot.NO_MATCH),
        (ANDROID.format("Cubot X30"), Bot.NO_MATCH),
        (ANDROID.format("M bot 60"), Bot.NO_MATCH),
        (ANDROID.format("FOSSiBOT F102"), Bot.NO_MATCH),
        (ANDROID.format("HTC Butterfly s"), Bot.NO_MATCH),
        (ANDROID.format("X1 Build/AP3A.240617.008; wv"), Bot.NO_MATCH),
        (CHROME + " ForwardRuby/1.0", Bot.NO_MATCH),
        (CHROME + " Rubyist/1.0", Bot.NO_MATCH),
        (CHROME + " Botim/3.1", Bot.NO_MATCH),
        (CHROME + " [FBAN/FBIOS;FBDV/Cubot P80;FBSV/1]", Bot.NO_MATCH),
        ("Mozilla/5.0 (iPhone) StudoBrowser/3.1 (https://studo.example)", Bot.KNOWN_NOT),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Bot.LINK),
        ("Some Reader 1/2 (https://reader.example)", Bot.LINK),
        ("curl/8.5.0 (x86_64-pc-linux-gnu)", Bot.CLIENT_LIBRARY),
        ("python-requests/2.31 CPython/3.11", Bot.CLIENT_LIBRARY),
        ("Ruby on something/1.0", Bot.CLIENT_LIBRARY),
        ("CURL/8.5.0 (x86_64-pc-linux-gnu)", Bot.NO_MATCH),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), Bot.KNOWN),
        (CHROME + " Chrome-Lighthouse", Bot.KNOWN),
        (CHROME + " AlexaToolbar/alxg-3.1", Bot.KNOWN),
        ("Mozilla/5.0 (compatible; Wappalyzer)", Bot.KNOWN),
        ("Mozilla/5.0 (compatible; SomeBot/1.0)", Bot.BOTY_WORD),
        ("Mozilla/5.0 (compatible; my crawler)", Bot.BOTY_WORD),
        ("Mozilla/5.0 (compatible; 360Spider)", Bot.BOTY_WORD),
        (ANDROID.format("MyBot/1.0"), Bot.BOTY_WORD),
        ("facebookexternalhit/1.1 (facebook)", Bot.KNOWN),
    ],
)
def test_an_agent(agent: str, code: Bot) -> None:
    assert bot_code(agent) == code


def test_programs_are_no_people() -> None:
    judged = [(agent, bot_code(agent).name, reason) for agent, reason in agents_of("programs.txt")]
    assert [line for line in judged if line[1] != line[2]] == []


def test_every_example_of_the_list_is_a_program_but_for_those_of_people() -> None:
    people = {
        crawler["pattern"]
        for crawler in CRAWLER_USER_AGENTS_DATA
        for agent in crawler.get("instances", ())
        if not is_bot(bot_code(agent))
    }
    assert people == PEOPLE_PATTERNS


APPS = (
    *("WhatsApp", "Viber", "Bluesky", "Tumblr", "Notion", "Sonic", "Yeti", "Instapaper", "Overcast", "PocketCasts"),
    *("PayPal", "Asana", "Goodreads", "Flipboard", "Feedly", "Mastodon", "Blackboard", "Code", "Make", "Operator"),
    *(
        "Grammarly",
        "Snipcart",
        "Trove",
        "Fever",
        "Current",
        "Disqus",
        "Hatena",
        "Daum",
        "Y!J",
        "Stripe",
        "RED",
        "Nessus",
    ),
)


@pytest.mark.parametrize(
    "form",
    [
        (
            "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36 {}/1.2.3"
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Mobile/15E148 {}/1.2.3"
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) {}/1.2.3 "
            "Chrome/130.0.0.0 Electron/33.0.0 Safari/537.36"
        ),
        "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
        (
            "Mozilla/5.0 (Linux; U; Android 13; en-us; {} Build/TP1A) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Version/4.0 Chrome/112.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.9.1-gn"
        ),
    ],
)
def test_the_browser_of_an_app_or_a_device_is_a_persons_whatever_its_name(form: str) -> None:
    assert [name for name in APPS if is_bot(bot_code(form.format(name)))] == []


@given(st.text())
def test_any_text_is_judged(agent: str) -> None:
    assert bot_code(agent) in Bot
