"""Addresses of this server in a page, under ``--base-path``.

Templates write every address from the root, ``href="/sites"``, and know nothing of a base path. It is put into the HTML
when a page is rendered: values are escaped, so a quotation mark in front of an address is always an attribute's own.
"""

ATTRIBUTES = ("href", "src", "action", "data-arrived", "data-counters", "data-live", "data-values")
"""Attributes with addresses of this server; ``formaction`` ends like one of them."""


def under(base_path: str, html: str) -> str:
    """HTML whose addresses begin with the base path; as it is without one."""
    if base_path:
        for name in ATTRIBUTES:
            html = html.replace(f'{name}="/', f'{name}="{base_path}/')
    return html
