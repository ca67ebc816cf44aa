"""Where addresses are."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from support.mmdb import write_mmdb
from tallystick.errors import InvalidSetting
from tallystick.services.ingest.countries import Countries, Location, location_of

TEXAS = {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "TX"}]}


@pytest.mark.parametrize(
    ("code", "location"),
    [
        ("NL", Location("NL", "")),
        ("us-tx", Location("US", "TX")),
        (" GB-ENG ", Location("GB", "ENG")),
        ("FR-75", Location("FR", "75")),
        ("US-", Location("US", "")),
        ("US-TEXAS", Location("US", "")),
        ("US-T X", Location("US", "")),
        ("USA", Location("", "")),
        ("", Location("", "")),
        ("-TX", Location("", "")),
        ("\N{LATIN SMALL LETTER SHARP S}", Location("", "")),
        ("N\0", Location("", "")),
    ],
)
def test_a_code(code: str, location: Location) -> None:
    assert location_of(code) == location


@pytest.mark.parametrize(
    ("address", "country"),
    [("8.8.8.8", "US"), ("193.0.6.139", "NL"), ("2001:67c:2e8:22::c100:68b", "NL"), ("127.0.0.1", ""), ("::1", "")],
)
def test_the_built_in_data_knows_countries(address: str, country: str) -> None:
    assert Countries().locate(ip_address(address)) == Location(country, "")


@pytest.fixture
def with_database(tmp_path: Path) -> Callable[[object], Countries]:
    def opened(record: object) -> Countries:
        write_mmdb(tmp_path / "city.mmdb", {"8.8.8.0/24": record, "2001:db8::/32": record})
        return Countries(tmp_path / "city.mmdb")

    return opened


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:db8::1"])
def test_a_database_knows_regions(with_database: Callable[[object], Countries], address: str) -> None:
    assert with_database(TEXAS).locate(ip_address(address)) == Location("US", "TX")


@pytest.mark.parametrize(
    ("record", "location"),
    [
        ({"country": {"iso_code": "CA"}}, Location("CA", "")),
        ({"registered_country": {"iso_code": "CA"}}, Location("CA", "")),
        ({"country": {"iso_code": "CA"}, "subdivisions": []}, Location("CA", "")),
        # What has no country in it, or another shape, is left to the built-in data.
        ({"country": {"geoname_id": 1}}, Location("US", "")),
        ({"country": "CA"}, Location("US", "")),
        ({"country": {"iso_code": 7}}, Location("US", "")),
        ("CA", Location("US", "")),
    ],
)
def test_records_of_every_shape(
    with_database: Callable[[object], Countries], record: object, location: Location
) -> None:
    assert with_database(record).locate(ip_address("8.8.8.8")) == location


def test_what_the_database_does_not_know_the_built_in_data_may(
    with_database: Callable[[object], Countries],
) -> None:
    assert with_database(TEXAS).locate(ip_address("193.0.6.139")) == Location("NL", "")


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "city.mmdb"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSetting, match="--geodb"):
        Countries(file)
