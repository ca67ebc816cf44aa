"""Restores texts that programs have padded or encoded in files."""

from urllib.parse import unquote

BOM = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
LOOKED_AT = 64
"""Bytes at a file's beginning by which its encoding is recognised."""
TWO_CHARACTERS = 8
"""Bytes of two characters in UTF-32."""
BLANKS_DECODED_AT_MOST = 2
"""CloudFront encodes blanks once or twice (%2520)."""


def without_padding(raw: bytes) -> bytes:
    """A line without the NULs and byte order marks around it.

    NULs come from logs that were truncated while a server kept writing at its old position (copytruncate), or from a
    machine that lost power. Byte order marks inside a file come from joined files.
    """
    if raw[:1] not in (b"\0", b"\xef", b"\xff", b"") and b"\0" not in raw[-2:]:
        return raw
    end = b"\n" if raw.endswith(b"\n") else b""
    before, raw = raw, raw.removesuffix(b"\n").strip(b"\0").removeprefix(BOM)
    while raw != before:
        before, raw = raw, raw.strip(b"\0").removeprefix(BOM)
    return raw + end


def is_utf_16(head: bytes) -> bool:
    """Whether a file with this beginning is UTF-16 or UTF-32, with or without a byte order mark."""
    if head.startswith(UTF_16_MARKS):
        return True
    text = head[:LOOKED_AT].lstrip(b"\0")
    return len(text) >= TWO_CHARACTERS and not any(text[1::2]) and bool(text[4])


def with_blanks(agent: str) -> str:
    """A User-Agent as the browser sent it: IIS writes ``+`` for its blanks, CloudFront ``%20`` or ``%2520``."""
    if " " in agent:
        return agent
    for _ in range(BLANKS_DECODED_AT_MOST):
        if "%20" not in agent and "%25" not in agent:
            break
        agent = unquote(agent)
    return agent if " " in agent else agent.replace("+", " ")
