"""What the pixel answers: always the same image; status and ``X-Goatcounter`` say whether the hit counted."""

from ipaddress import IPv4Address, IPv6Address

from tallystick.services.ingest.ingest import Dropped, DropReason, InvalidHit, Result
from tallystick.web.cors import ANY_HEADER
from tallystick.web.pixel import PIXEL
from tallystick.web.refusals import Headers

LONGEST_REASON = 500
METHODS = b"GET, HEAD, OPTIONS, POST"

Reply = tuple[int, Headers]

IMAGE_HEADERS: Headers = (
    (b"content-type", b"image/gif"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Goatcounter"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"cache-control", b"no-store, no-cache, max-age=0"),
    (b"content-length", b"%d" % len(PIXEL)),
)
PREFLIGHT: Reply = (
    200,
    (
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", ANY_HEADER),
        (b"access-control-max-age", b"86400"),
        (b"allow", METHODS),
        (b"content-length", b"0"),
    ),
)
COUNTED: Reply = (200, IMAGE_HEADERS)
NOT_ALLOWED: Reply = (405, (*IMAGE_HEADERS, (b"allow", METHODS)))

_REASONS = {
    DropReason.OPTED_OUT: "ignored because the browser asks not to be tracked",
    DropReason.SPAM_REFERRER: "ignored because the referrer is known for spam",
    DropReason.IGNORED_PATH: "ignored because the path is not one of a page",
    DropReason.IGNORED_COUNTRY: "ignored because the site leaves out the country",
    DropReason.IGNORED_PAGE: "ignored because the site leaves out the path",
    DropReason.IGNORED_HOST: "ignored because the site leaves out the host",
    DropReason.IGNORED_CAMPAIGN: "ignored because the site leaves out the campaign",
}


def reply_to(result: Result, address: IPv4Address | IPv6Address | None) -> Reply:
    """The reply to a hit that was stored, dropped or invalid."""
    if isinstance(result, InvalidHit):
        return 400, with_reason(f"not valid: {result}")
    if not isinstance(result, Dropped) or result.reason is DropReason.PREFETCH:
        return COUNTED
    if result.reason is DropReason.IGNORED_ADDRESS:
        return 202, with_reason(f'ignored because "{address}" is in the IP ignore list')
    return 202, with_reason(_REASONS[result.reason])


def with_reason(reason: str) -> Headers:
    """Headers with a reason, which may have no line breaks, and only characters of Latin-1."""
    line = " ".join(reason.split())[:LONGEST_REASON]
    text = "".join(sign if sign.isprintable() else "?" for sign in line)
    return (*IMAGE_HEADERS, (b"x-goatcounter", text.encode("latin-1", "replace")))
