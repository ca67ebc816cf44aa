"""Who is no person, by the User-Agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.hit import Bot
from tallystick.services.bots import judge

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
        (ANDROID.format("M bot 60"), Bot.BOTY_WORD),
        ("facebookexternalhit/1.1 (facebook)", Bot.KNOWN),
    ],
)
def test_an_agent(agent: str, code: Bot) -> None:
    assert judge(agent) == code


@given(st.text())
def test_any_text_is_judged(agent: str) -> None:
    assert judge(agent) in Bot
