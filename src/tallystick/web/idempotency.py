"""The header ``Idempotency-Key``, under which a request is carried out once."""

import re

from tallystick.errors import InputRefused
from tallystick.services.idempotency import LONGEST_KEY

_bare = re.compile(r"[!#-~][!-~]*").fullmatch
_quoted = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"').fullmatch
_escaped = re.compile(r'\\(["\\])')


def key_in(header: str, *, bare_texts: bool = False) -> str:
    """The key, written as a structured string in quotation marks (the draft's form) or bare; both mean the same.

    Args:
        bare_texts: whether any printable text may stand bare, also with spaces or letters beyond ASCII.

    Raises:
        InputRefused: it is empty, too long, or has characters that are not allowed.
    """
    text = header.strip(" \t")
    quoted = _quoted(text)
    key = _escaped.sub(r"\1", quoted[1]) if quoted else text if _bare(text) else ""
    if not key and bare_texts and text.isprintable():
        key = text
    if 0 < len(key) <= LONGEST_KEY:
        return key
    msg = f"Idempotency-Key must have 1 to {LONGEST_KEY} {'printable' if bare_texts else 'visible ASCII'} characters"
    raise InputRefused(msg)
