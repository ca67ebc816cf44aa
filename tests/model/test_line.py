"""Names are lines of text that people can see."""

import pytest

from tallystick.model.line import line_problems

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    "name",
    [
        "Steps",
        "1",
        "!",
        "\u00fc",
        "\u4f8b\u3048",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        FAMILY,
        "\u2764\ufe0f",
        "e\u0301",
    ],
)
def test_names_that_people_see(name: str) -> None:
    assert line_problems(name, 40) == []


@pytest.mark.parametrize(
    "name",
    [
        "\u200b",
        "\u3164",
        "\u202e",
        "a\u202eb",
        "a\u200bb",
        "\u2066a\u2069",
        "\ufe0f" * 5,
        "\u0301" * 5,
        "\u2003",
        "\u00ad",
        "\u200d",
    ],
)
def test_names_that_nobody_sees_or_that_turn_direction(name: str) -> None:
    assert line_problems(name, 40)
