"""Addresses of this server in a page, under ``--base-path``.

Templates write every address from the root, ``href="/sites"``, and know nothing of a base path. It is put into the HTML
when a page is rendered: values are escaped, so a quotation mark in front of an address is always an attribute's own.
"""

import re

_put = re.compile(
    r'(\s(?:href|src|action|formaction|data-(?:arrived|counters|live|values))=")(?=/(?!/))'  # //host is elsewhere
).sub


def under(base_path: str, html: str) -> str:
    """HTML whose addresses begin with the base path; as it is without one."""
    return _put(rf"\1{base_path}", html) if base_path else html
