"""The address under which a person reached this server, for examples and links."""

import re
from collections.abc import Mapping
from typing import Any

_legal_host = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?").fullmatch


def own_origin(scope: Mapping[str, Any]) -> str:
    """Scheme and host as the browser would write them.

    The host is what the client claims, so it is only shown, and only when it is a host. Behind a proxy
    that ends TLS the scheme is wrong here; ``origin.js`` puts the one that the browser sees.
    """
    claimed = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    scheme = "https" if scope.get("scheme") == "https" else "http"
    return f"{scheme}://{claimed if _legal_host(claimed) else 'localhost'}"
