"""What may be decided about a site, in the contract's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.site import COLLECT, Collect, SiteSettings
from tallystick.model.site_rules import (
    RESERVED,
    code_problems,
    host_problems,
    link_problems,
    normal_host,
    normal_settings,
    settings_problems,
    site_problems,
)

DOMAIN = "must be a fully qualified domain name, such as stats.example.com"


@pytest.mark.parametrize("code", ["ab", "serve-1x9", "a" * 50, "xn--bcher-kva"])
def test_a_code_is_one_label(code: str) -> None:
    assert code_problems(code) == []


@pytest.mark.parametrize(
    ("code", "problems"),
    [
        ("", ["must be set", "must be longer than 2 characters"]),
        ("a", ["must be longer than 2 characters"]),
        ("a" * 51, ["must be shorter than 50 characters"]),
        ("a€b", ["must be a valid hostname: invalid character: '€'"]),
        ("a.b", ["cannot contain '.'"]),
        ("a_b", ["cannot contain '_'"]),
        ("a b", ["must be a valid hostname: invalid character: ' '"]),
        ("a\0b", [r"must be a valid hostname: invalid character: '\x00'"]),
        ("-ab", ["must be a valid hostname: cannot start or end with '-'"]),
        ("www", ["cannot be ‘www’"]),  # noqa: RUF001  # the contract's text
        ("stats", ["cannot be ‘stats’"]),  # noqa: RUF001
    ],
)
def test_what_is_wrong_with_a_code(code: str, problems: list[str]) -> None:
    assert code_problems(code) == problems


def test_every_reserved_word_is_refused() -> None:
    assert len(RESERVED) == 25
    assert all(code_problems(word) for word in RESERVED)


@pytest.mark.parametrize(
    "host", ["a.nl", "stats.example.com", "x" * 63 + ".example.com", "192.0.2.7", "xn--bcher-kva.example"]
)
def test_a_host_has_two_labels_or_more(host: str) -> None:
    assert host_problems(host) == []


@pytest.mark.parametrize(
    ("host", "problems"),
    [
        ("a.b", ["must be longer than 4 characters"]),
        ("localhost", [DOMAIN]),
        (".".join(["a" * 60] * 5), ["must be shorter than 255 characters"]),
        ("stats..example.com", ["must be a valid hostname: each label has 1 to 63 characters"]),
        ("x" * 64 + ".example.com", ["must be a valid hostname: each label has 1 to 63 characters"]),
        ("stats.example.com:8080", ["must be a valid hostname: invalid character: ':'"]),
        ("https://example.com", ["must be a valid hostname: invalid character: '/'"]),
        ("my_stats.example.com", ["must be a valid hostname: invalid character: '_'"]),
        ("-a.example.com", ["must be a valid hostname: cannot start or end with '-'"]),
    ],
)
def test_what_is_wrong_with_a_host(host: str, problems: list[str]) -> None:
    assert host_problems(host) == problems


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        (" Stats.Example.COM ", "stats.example.com"),
        ("stats.example.com.", "stats.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("..é", "..é"),
    ],
)
def test_hosts_are_compared_in_one_form(host: str, normal: str) -> None:
    assert normal_host(host) == normal


@given(st.text(max_size=30))
def test_the_form_of_a_host_is_final(text: str) -> None:
    normal = normal_host(text)
    if not host_problems(normal):
        assert normal_host(normal) == normal


@pytest.mark.parametrize("link", ["", "example.com", "https://example.com/blog", "http://example.com:8080"])
def test_a_link_is_an_address_on_the_web(link: str) -> None:
    assert link_problems(link) == []


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)//example.com",
        "javascript://example.com/%0aalert(1)",
        "https://",
        "https://localhost",
        "https://user@example.com",
        "https://example.com/ space",
        'https://example.com/"><script>',
        "https://[example.com",
        "https://exa\0mple.com",
    ],
)
def test_what_is_no_link(link: str) -> None:
    assert link_problems(link) == ["must be a valid url"]


def test_a_link_is_short() -> None:
    assert link_problems("https://example.com/" + "a" * 255) == ["must be shorter than 255 characters"]


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        (SiteSettings(), {}),
        (SiteSettings(public="secret", secret="abcDEF12"), {}),
        (SiteSettings(public="secret"), {"secret": ["must be 8 to 40 letters and digits"]}),
        (SiteSettings(secret="short"), {"secret": ["must be 8 to 40 letters and digits"]}),
        (SiteSettings(secret="a" * 41), {"secret": ["must be 8 to 40 letters and digits"]}),
        (
            SiteSettings(public="open"),  # type: ignore[arg-type]  # what a client may send
            {"public": ["must be one of ‘private, secret, public’"]},  # noqa: RUF001
        ),
        (SiteSettings(data_retention=31), {}),
        (SiteSettings(data_retention=1825), {}),
        (SiteSettings(data_retention=30), {"data_retention": ["must be 0, or 31 to 1825"]}),
        (SiteSettings(data_retention=1826), {"data_retention": ["must be 0, or 31 to 1825"]}),
        (SiteSettings(data_retention=-31), {"data_retention": ["must be 0, or 31 to 1825"]}),
        (SiteSettings(ignore_ips=("192.0.2.1", "2001:db8::1", "10.0.0.0/8", "10.1.2.3/8")), {}),
        (
            SiteSettings(ignore_ips=("1.2.3", "example.com", "1.2.3.4/33")),
            {"ignore_ips": ["must be a valid IPv4 or IPv6 address"]},
        ),
        (SiteSettings(ignore_ips=("1.1.1.1",) * 1001), {"ignore_ips": ["cannot have more than 1000 entries"]}),
        (SiteSettings(ignore_countries=("NL",), ignore_paths=("/a", "/b/*"), ignore_hosts=("*.example.com",)), {}),
        (
            SiteSettings(
                ignore_countries=("USA",), ignore_paths=("a*b",), ignore_hosts=("a b",), ignore_campaigns=("",)
            ),
            {
                "ignore_countries": ["must be country codes of two letters, such as NL"],
                "ignore_paths": ["can have * at the beginning and at the end only"],
                "ignore_hosts": [
                    "must be host names, such as test.example.com, or *.example.com for all below example.com"
                ],
                "ignore_campaigns": ["must be names of campaigns, such as spring-letter"],
            },
        ),
        (SiteSettings(ignore_paths=("/a",) * 101), {"ignore_paths": ["cannot have more than 100 entries"]}),
        (SiteSettings(collect=1), {}),
        (SiteSettings(collect=511), {}),
        (SiteSettings(collect=512), {"collect": ["must be a sum of the bits 1 to 256"]}),
        (SiteSettings(collect=-1), {"collect": ["must be a sum of the bits 1 to 256"]}),
        (SiteSettings(collect_regions=("USA",)), {"collect_regions": ["must be country codes of two letters"]}),
        (SiteSettings(collect_regions=()), {}),
        (SiteSettings(allow_embed=("https://example.com", "*.example.org", "example.net:8080")), {}),
        (SiteSettings(allow_embed=("*",)), {"allow_embed": ["'*' is not allowed"]}),
        (
            SiteSettings(allow_embed=("https://a.b; script-src *",)),
            {"allow_embed": ["must be domains, such as https://example.com"]},
        ),
    ],
)
def test_settings(settings: SiteSettings, problems: dict[str, list[str]]) -> None:
    assert {field: found for field, found in settings_problems(settings).items() if found} == problems


def test_everything_wrong_is_told_at_once_by_field() -> None:
    assert site_problems("a.b", "localhost", "ftp://example.com", SiteSettings(data_retention=1)) == {
        "code": ["cannot contain '.'"],
        "cname": [DOMAIN],
        "link_domain": ["must be a valid url"],
        "settings.data_retention": ["must be 0, or 31 to 1825"],
    }


def test_nothing_collected_means_the_default_and_a_region_needs_its_country() -> None:
    assert normal_settings(SiteSettings(collect=0)).collect == COLLECT
    assert normal_settings(SiteSettings(collect=int(Collect.REGION))).collect == Collect.REGION | Collect.LOCATION
    assert normal_settings(SiteSettings(collect=1)).collect == 1


def test_lists_are_stored_without_spaces_and_regions_in_capitals() -> None:
    settings = normal_settings(SiteSettings(collect_regions=(" nl",), ignore_ips=(" 1.2.3.4 ",)))
    assert (settings.collect_regions, settings.ignore_ips) == (("NL",), ("1.2.3.4",))


def test_rules_to_leave_out_are_stored_in_one_spelling_and_once() -> None:
    given = SiteSettings(
        ignore_countries=(" nl", "NL"),
        ignore_paths=(" admin/ ", "/admin", "/Admin/*", "*.PHP"),
        ignore_hosts=("WWW.Example.com.", "*.Example.com", "b\u00fccher.example"),
        ignore_campaigns=(" Spring", "Spring ", "spring"),
    )
    settings = normal_settings(given)
    assert settings.ignore_countries == ("NL",)
    assert settings.ignore_paths == ("/admin", "/Admin/*", "*.PHP")
    assert settings.ignore_hosts == ("example.com", "*.example.com", "xn--bcher-kva.example")
    assert settings.ignore_campaigns == ("Spring", "spring")
    assert normal_settings(settings) == settings
    assert not any(settings_problems(settings).values())


def test_the_default_bits_are_the_designs() -> None:
    assert COLLECT == 446
