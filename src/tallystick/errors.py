"""All errors that this program raises on purpose, as one tree.

TallystickError
├── StartRefused                 the program cannot start; one clear line, exit 1
│   ├── InvalidSetting
│   ├── AddressUnavailable
│   ├── DataDirectoryUnusable
│   ├── DatabaseUnreachable
│   │   └── DatabaseAway         the database server does not answer now, but may answer later
│   ├── DatabaseUnsuitable       a proxy in front of the database removes guarantees that the server needs
│   ├── DatabaseSchemaRefused
│   └── StoresDisagree           one of the stores was lost, truncated, or restored from an older copy
├── StoreUnavailable             nothing was changed, or the change's outcome is unknown; never a success
│   ├── StoreBusy                the queue is full: try again
│   ├── StoreFull                the disk is full: try again later
│   ├── StoreAway                the database server does not answer: try again later
│   ├── AnalyticsElsewhere       another server counts pageviews for this database
│   ├── StoreFailed              the disk or the database failed
│   └── StoreClosed              the server is stopping
├── JobsFailed                   jobs failed; each is in the log, and tried again later
├── NoSuchSite                   no site has the host of a request
├── SharingRefused               an operation on a shared counter was refused; the reason says why
├── OwningRefused                a request about the owner of a public counter was refused; the reason says why
├── InviteRefused                an invite to sites or to the server cannot be used; the reason says why
├── KeyReused                    an idempotency key was used for another request
├── KeyInFlight                  the request with this idempotency key is being processed
└── InputRefused                 a person's input is invalid; the message says what is valid
    ├── NotPermitted             the person is not permitted to do that
    ├── NotThere                 there is no such goal, funnel, segment, annotation or import
    ├── Conflicting              what is there does not allow it: a name is taken, or an object is used by another
    └── InvalidFields            invalid fields, with messages for each
"""

from collections.abc import Mapping, Sequence
from enum import Enum


class TallystickError(Exception):
    """Base class of all errors that this program raises on purpose."""


class StartRefused(TallystickError):
    """The program cannot start; the message is printed as one line."""


class InvalidSetting(StartRefused):
    """A setting's value is not accepted; the message names the option and what it accepts."""


class AddressUnavailable(StartRefused):
    """The listen address is in use, or not an address of this machine."""


class DataDirectoryUnusable(StartRefused):
    """The data directory cannot be written, or another server holds it."""


class DatabaseUnreachable(StartRefused):
    """The database does not answer."""


class DatabaseAway(DatabaseUnreachable):
    """A database server does not answer or refuses the connection; trying again later may help."""


class DatabaseUnsuitable(StartRefused):
    """The connection to the database lacks guarantees that the server needs, for example behind a pooling proxy."""


class DatabaseSchemaRefused(StartRefused):
    """The database was written by a newer program, or its migrations were altered."""

    OF_NEWER = "it was written by a newer Tallystick; start that one, or restore a backup made before"
    OF_OTHER_TEXT = (
        "it was written by a Tallystick between two releases; start that one, or restore a backup made by a release"
    )


class StoresDisagree(StartRefused):
    """One of the stores of a data directory was lost, truncated, or restored from an older copy."""


class QuestionTooLong(TallystickError):
    """A question about visits and hits took longer than it may, and was given up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the question took longer than {seconds:g} seconds: ask for less time or fewer dimensions")


class StoreUnavailable(TallystickError):
    """A change was not acknowledged.

    Attributes:
        reason: the label of this kind in the metrics.
        retry_after: seconds after which trying again may help, or None.
    """

    reason = "failed"
    retry_after: int | None = None


class StoreBusy(StoreUnavailable):
    """The writer's queue is full."""

    reason = "busy"
    retry_after = 1


class StoreFull(StoreUnavailable):
    """The disk is full."""

    reason = "full"
    retry_after = 30


class StoreAway(StoreUnavailable):
    """The database server does not respond, or the connection to it broke.

    Clients may see the message; ``detail``, the driver's message, may name hosts and is only logged.
    """

    reason = "away"
    retry_after = 5

    def __init__(self, detail: str = "") -> None:
        super().__init__("the database cannot be reached")
        self.detail = detail or str(self)


def reason_of(error: Exception) -> str:
    """The text of an error for the log."""
    return error.detail if isinstance(error, StoreAway) else str(error)


class AnalyticsElsewhere(StoreUnavailable):
    """Another server on this ledger owns the analytics and its hits."""

    reason = "counted elsewhere"
    retry_after = 15

    def __init__(self) -> None:
        super().__init__("another server on this database counts pageviews and holds the statistics")


class StoreFailed(StoreUnavailable):
    """The disk or the database failed."""


class StoreClosed(StoreUnavailable):
    """The server is stopping."""

    reason = "closed"
    retry_after = 5


STORE_ERRORS = (StoreBusy, StoreFull, StoreAway, AnalyticsElsewhere, StoreFailed, StoreClosed)
"""All kinds of unavailability; surfaces count refusals by their reason."""


class InputRefused(TallystickError):
    """A person's input is invalid; the message says what is valid."""


class NotPermitted(InputRefused):
    """The person, or the token that acts for them, is not permitted to do that."""


class NotThere(InputRefused):
    """There is no such object, or the person may not know of it."""


class Conflicting(InputRefused):
    """What is there does not allow the change: a name is taken, or another object uses this one."""


class InvalidFields(InputRefused):
    """Some fields are invalid.

    Attributes:
        errors: messages by field.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{field}: {', '.join(messages)}" for field, messages in errors.items()))
        self.errors = errors


class JobsFailed(TallystickError):
    """Jobs failed; each is in the log, and tried again later."""


class NoSuchSite(TallystickError):
    """No site has the host of a request.

    Attributes:
        host: as requested.
        empty: whether the server has no site at all.
    """

    def __init__(self, host: str, *, empty: bool) -> None:
        super().__init__(f'no site at this domain ("{host}")')
        self.host, self.empty = host, empty


class SharingReason(Enum):
    """Why an operation on a shared counter was refused; surfaces have a name and a number for each."""

    NOT_FOUND = "not found"
    """Also for reads of a counter that the person may not see."""
    FORBIDDEN = "forbidden"
    INVALID_DATA = "invalid data"
    UNKNOWN_TYPE = "unknown counter type"
    INVALID_MODE = "invalid mode"
    INVALID_START_DATE = "invalid start date"
    INVALID_END_DATE = "invalid end date"
    NAME_LENGTH = "name length"
    WRONG_TYPE = "operation not for this type or mode"
    GOAL_EXCEEDED = "goal may not be exceeded"
    INVALID_AMOUNT = "invalid amount"
    OUT_OF_RANGE = "value out of range"
    NOTHING_TO_UNDO = "nothing to undo"
    LAST_ADMIN = "last admin"
    GONE = "gone"
    """An invite that was used or has expired."""
    CHANGED_MEANWHILE = "changed meanwhile"
    TOO_MANY = "too many"


class SharingRefused(TallystickError):
    """An operation on a shared counter was refused; the message is for a person.

    Attributes:
        reason: one of the fixed reasons.
    """

    def __init__(self, reason: SharingReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CounterReason(Enum):
    """Why a request about the owner of a public counter was refused."""

    NOT_FOUND = "not found"
    EXISTS = "exists"
    OUT_OF_RANGE = "out of range"
    LIMITED = "creation limited"
    TOO_MANY = "too many"
    NOT_OWNED = "not owned"
    NOT_OWNER = "not owner"
    ALREADY_OWNED = "already owned"
    NO_PROOF = "no proof"
    RESERVED = "namespace reserved"
    CLOSED = "namespace closed"
    FULL = "namespace full"
    FROZEN = "frozen"


class OwningRefused(TallystickError):
    """A request about the owner of a public counter was refused; the message is for a person.

    Attributes:
        reason: one of the fixed reasons.
    """

    def __init__(self, reason: CounterReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InviteReason(Enum):
    """Why an invite to sites or to the server cannot be used."""

    UNKNOWN = "unknown"
    SPENT = "spent"
    """It was used by as many people as it was for, has expired, or who made it may not invite any more."""
    OTHER_ACCOUNT = "other account"
    """The person shares the sites of another account, and one person shares those of one account only."""


class InviteRefused(TallystickError):
    """An invite to sites or to the server cannot be used; the message is for a person.

    Attributes:
        reason: one of the fixed reasons.
    """

    def __init__(self, reason: InviteReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyReused(TallystickError):
    """An idempotency key was used for another request before."""


class KeyInFlight(TallystickError):
    """The request with this idempotency key is being processed at this moment."""
