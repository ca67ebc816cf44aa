"""Who may read a site's statistics without an account: everyone, or those who have its secret, as its settings say."""

from hmac import compare_digest

from tallystick.model.site import Site
from tallystick.services.accounts.proofs import is_proof, make_proof


def is_public(site: Site) -> bool:
    """Whether everyone may read a site's statistics."""
    return site.settings.public == "public"


def is_secret(site: Site) -> bool:
    """Whether those who have a site's secret may read its statistics."""
    return site.settings.public == "secret" and site.settings.secret != ""


def is_site_secret(site: Site, text: str) -> bool:
    """Whether a text is the secret with which a site's statistics may be read. Takes the same time for any text."""
    secret = site.settings.secret if site.settings.public == "secret" else ""
    return compare_digest(text.encode("utf-8", "replace"), secret.encode()) and secret != ""


def site_proof(site: Site, now: int) -> str:
    """A text that proves that a browser was given a site's secret; a new secret invalidates it."""
    return make_proof(site.settings.secret, _subject(site), now)


def is_reader(site: Site, proof: str, now: int) -> bool:
    """Whether a text proves that a browser was given the secret that the site has now."""
    secret = site.settings.secret if site.settings.public == "secret" else ""
    return secret != "" and is_proof(proof, secret, _subject(site), now)


def _subject(site: Site) -> str:
    return f"site {site.id}"
