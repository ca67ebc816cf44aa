"""Public sites are everyone's to read, secret ones of those who have the secret."""

import pytest
from msgspec.structs import replace

from support.people import a_person, a_site
from tallystick.ledger import Ledger
from tallystick.model.site import Public, Site
from tallystick.services.accounts.proofs import PROOF_MS, is_proof, make_proof
from tallystick.services.accounts.site_readers import is_public, is_reader, is_site_secret, site_proof

NOW = 1_772_000_000_000
SECRET = "abcdefgh12"


@pytest.fixture
async def site(ledger: Ledger) -> Site:
    return with_settings(await a_site(ledger, await a_person(ledger)), "secret", SECRET)


def with_settings(site: Site, public: Public, secret: str) -> Site:
    return replace(site, settings=replace(site.settings, public=public, secret=secret))


@pytest.mark.parametrize("text", ["", SECRET[:-1], SECRET + "x", SECRET.upper(), "ä" * 10, "\ud800"])
async def test_another_text_is_not_the_secret(site: Site, text: str) -> None:
    assert is_site_secret(site, SECRET)
    assert not is_site_secret(site, text)


async def test_a_site_without_a_secret_has_no_empty_one(site: Site) -> None:
    bare = with_settings(site, "secret", "")
    assert not is_site_secret(bare, "")
    assert not is_reader(bare, site_proof(bare, NOW), NOW)


async def test_the_secret_of_a_private_site_opens_nothing(site: Site) -> None:
    for public in ("private", "public"):
        other = with_settings(site, public, SECRET)
        assert not is_site_secret(other, SECRET)
        assert not is_reader(other, site_proof(site, NOW), NOW)
        assert is_public(other) == (public == "public")


async def test_a_proof_ends_by_time_and_with_the_secret(site: Site) -> None:
    proof = site_proof(site, NOW)
    assert is_reader(site, proof, NOW + PROOF_MS - 1)
    assert not is_reader(site, proof, NOW + PROOF_MS)
    assert not is_reader(with_settings(site, "secret", "another123"), proof, NOW)
    assert not is_reader(replace(site, id=site.id + 1), proof, NOW)
    assert not is_reader(site, "", NOW)


def test_a_proof_is_of_one_subject_and_its_time() -> None:
    proof = make_proof("s", "a", NOW)
    assert is_proof(proof, "s", "a", NOW)
    assert not is_proof(proof, "s", "b", NOW)
    assert not is_proof(proof, "t", "a", NOW)
    later = f"{NOW + PROOF_MS + 1}.{proof.partition('.')[2]}"
    for text in ("", ".", "x.y", later, proof + "0", proof.upper(), f"٣{proof}"):
        assert not is_proof(text, "s", "a", NOW), text
