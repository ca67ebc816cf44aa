"""Who may see the pages of the server as a whole."""

from starlette.exceptions import HTTPException

from tallystick.services.accounts.audit import is_superuser
from tallystick.surfaces.dashboard.support.page_request import PageRequest


def require_superuser(request: PageRequest) -> None:
    """Let superusers pass.

    Raises:
        HTTPException: 404 for others, to whom these pages do not exist.
    """
    if not is_superuser(request.account):
        raise HTTPException(404)
