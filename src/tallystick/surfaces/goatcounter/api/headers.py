"""Headers of the API's responses: CORS, caching, the rate limit's state."""

from tallystick.web.cors import preflight_headers
from tallystick.web.rate_limit import Admission
from tallystick.web.refusals import Headers

EXPOSED = (
    b"X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset, X-Goatcounter-Filter, Idempotent-Replayed, "
    b"Retry-After, Content-Disposition"
)

COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-credentials", b"true"),  # the original's; browsers never honour it together with *
    (b"access-control-expose-headers", EXPOSED),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
PREFLIGHT = preflight_headers(COMMON, b"Content-Type, Idempotency-Key")


def limit_headers(admission: Admission) -> Headers:
    """The rate limit in whole numbers, as clients read them."""
    return (
        (b"x-rate-limit-limit", b"%d" % admission.limit),
        (b"x-rate-limit-remaining", b"%d" % admission.left),
        (b"x-rate-limit-reset", b"%d" % admission.wait),
    )
