"""Languages of browsers as ISO 639-3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.services.ingest.languages import language_of


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "eng"),
        ("en-GB", "eng"),
        ("en_US", "eng"),
        ("EN-us", "eng"),
        ("en-GB,en;q=0.9,de;q=0.8", "eng"),
        ("de;q=0.9", "deu"),
        (" nl ", "nld"),
        ("zh-Hans-CN", "zho"),
        ("fr", "fra"),
        ("sr-Latn", "srp"),
        ("nb", "nob"),
        ("no", "nor"),
        ("fil", "fil"),
        ("gsw-CH", "gsw"),
        ("eng", "eng"),
        ("ger", "deu"),
        ("iw", "heb"),
        ("in", "ind"),
        ("", ""),
        ("*", ""),
        ("xx", ""),
        ("zzz", ""),
        ("x-klingon", ""),
        ("e", ""),
        ("english", ""),
        ("12", ""),
        ("en\0", ""),
        ("en-" + "x" * 200, ""),
    ],
)
def test_a_tag(tag: str, code: str) -> None:
    assert language_of(tag) == code


@given(st.text() | st.from_regex(r"[a-z]{2,3}", fullmatch=True))
def test_any_text_is_a_code_or_none(tag: str) -> None:
    code = language_of(tag)
    assert code == "" or (len(code) == 3 and code.isascii() and code.islower())
    assert language_of(code) == code
