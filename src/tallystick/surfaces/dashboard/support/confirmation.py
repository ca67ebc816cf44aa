"""Confirmation of deletions: the person types the name of what is deleted.

The macro ``confirm_deletion`` of ``fields.html`` shows the form.
"""

from tallystick.surfaces.dashboard.support.page_request import PageRequest


def confirmed(request: PageRequest, name: str) -> bool:
    """Whether the form's field ``confirm`` is ``name``, ignoring surrounding spaces."""
    return request.form.text("confirm") == name.strip()
