"""Requests for what the client has already."""


def is_known(if_none_match: bytes, etag: bytes) -> bool:
    """Whether a client has a response already, so that 304 says it all.

    Args:
        if_none_match: the request's header: entity tags, or ``*`` for any; empty without one.
        etag: of the response; whether a tag is weak makes no difference.
    """
    tags = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
    return not tags.isdisjoint({b"*", etag.removeprefix(b"W/")})
