"""Emails and names that people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.email import email_problems
from tallystick.model.line import line_problems

INVALID = ["must be a valid email address"]


@pytest.mark.parametrize(
    "email", ["a@b", "ada@example.com", "ada.lovelace+tag@mail.example.co.uk", "o'neil_1@x-y.nl", "jörg@bücher.example"]
)
def test_an_email_is_accepted(email: str) -> None:
    assert email_problems(email) == []


@pytest.mark.parametrize(
    ("email", "problems"),
    [
        ("", ["must be set"]),
        ("ada", INVALID),
        ("@example.com", INVALID),
        ("ada@", INVALID),
        ("ada@example..com", INVALID),
        ("ada@-example.com", INVALID),
        ("ada@example.com.", INVALID),
        ("ada@exa_mple.com", INVALID),
        (".ada@example.com", INVALID),
        ("ada..l@example.com", INVALID),
        ("ada@b@example.com", INVALID),
        ("ada lovelace@example.com", INVALID),
        ("ada@example.com\n", INVALID),
        ("ada\0@example.com", INVALID),
        ("Ada <ada@example.com>", INVALID),
        ("a" * 65 + "@example.com", INVALID),
        ("ada@" + "a." * 125 + "nl", ["must be shorter than 255 characters"]),
    ],
)
def test_what_is_wrong_with_an_email(email: str, problems: list[str]) -> None:
    assert email_problems(email) == problems


@given(st.text(st.characters(codec=None), max_size=260))
def test_any_email_can_be_judged_and_an_accepted_one_can_be_stored(text: str) -> None:
    if not email_problems(text):
        text.encode()
        assert "\0" not in text


@pytest.mark.parametrize("text", ["", "Ada", "Ada Lovelace 💙", "עדה", "a" * 10])
def test_a_line_is_accepted(text: str) -> None:
    assert line_problems(text, 10 + len("Lovelace")) == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a" * 11, ["must be shorter than 11 characters"]),
        ("a\nb", ["cannot contain control characters"]),
        ("a\0b", ["cannot contain control characters"]),
        ("a\x1b[31m", ["cannot contain control characters"]),
        ("a\u2028b", ["cannot contain control characters"]),
        ("a\ud800b", ["cannot contain control characters"]),
    ],
)
def test_what_is_wrong_with_a_line(text: str, problems: list[str]) -> None:
    assert line_problems(text, 10) == problems


SEEN = ["Ada 💙", "عده", "\u0645\u06cc\u200c\u062e", "👨\u200d👩\u200d👧", "क्\u200dष", "Jürgen ✌️", "名前"]
SEEN += [
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f Pub",
    *(
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    ),
    *("1\ufe0f\u20e3", "❤\ufe0f\u200d🔥", "葛\U000e0100", "a\u0301"),
]
UNSEEN = [
    *(
        "\u200b",
        "a\u200bb",
        "Ada\u200d",
        "\u200dAda",
        "a\u200db",
        "👨\u200d",
        "\u200c\u200d",
        "👨\u200d\u200d👩",
        "\ufeffAda",
    ),
    *("\u3164", "\u2800", "\u115f\u1160", "\uffa0", "Ada\u00ad", "a\u034fb", "\u180e", "\U000e0041"),
    *("\ufe0f" * 5, "Ada\ufe0f", "Ada \ufe0f", "✌\ufe0f\ufe0f", "\U000e0100" * 5, "\u180b", "\u180f", "Ada\U000e01ef"),
    *("\U0001d159", "\U00016fe4", "\u2065", "\ufff0", "\U000e0080", "\U000e0fff", "\u0301" * 5, "Ada \u0301"),
    *("🏴\U000e0067", "\U000e0067\U000e0062\U000e007f", "\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
    *("\u202eadA", "\u202aAda", "Ada\u202c", "\u2066Ada\u2069", "\u200eAda", "Ada\u200f", "\u061cAda"),
]


@pytest.mark.parametrize("text", SEEN)
def test_every_script_is_a_name(text: str) -> None:
    assert line_problems(text, 50) == []


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_sees_is_no_name(text: str) -> None:
    assert line_problems(text, 50) == [
        "cannot contain invisible characters, or marks that change the direction of text"
    ]
    assert email_problems(f"{text}@example.com")
