"""The one way to confirm what cannot be taken back: type the name of what goes.

The macro ``sure`` of ``fields.html`` shows it.
"""

from tallystick.surfaces.dashboard.support.page_request import PageRequest


def confirmed(asked: PageRequest, name: str) -> bool:
    """Whether the form's field ``confirm`` has the name of what goes; spaces around it make no difference."""
    return asked.form.text("confirm") == name.strip()
