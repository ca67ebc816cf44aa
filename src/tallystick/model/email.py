"""Checks the form of email addresses. Whether an address exists is not checked."""

import re

from tallystick.model.line import has_invisible

LONGEST = 254

_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_EMAIL = re.compile(rf"[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def email_problems(email: str) -> list[str]:
    """Messages about an invalid email address; empty for a valid one."""
    if not email:
        return ["must be set"]
    if len(email) > LONGEST:
        return [f"must be shorter than {LONGEST + 1} characters"]
    local, _, _ = email.partition("@")
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    return (
        [] if _EMAIL.fullmatch(email) and not dots and not has_invisible(email) else ["must be a valid email address"]
    )
