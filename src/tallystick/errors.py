"""Everything that can be refused or go wrong, as one tree.

TallystickError
├── StartRefused                 the program cannot start; one clear line, exit 1
│   ├── InvalidSetting
│   ├── AddressUnavailable
│   ├── DataDirectoryUnusable
│   ├── DatabaseUnreachable
│   │   └── DatabaseAway         a database server that does not answer now, and may answer again
│   ├── DatabaseUnsuitable       what stands between us and the database takes away what promises rest on
│   ├── DatabaseSchemaRefused
│   └── StoresDisagree           one of the stores was lost, cut, or put back from an older copy
├── StoreUnavailable             nothing was changed, or it is unknown that it was; never a success
│   ├── StoreBusy                the queue is full: try again
│   ├── StoreFull                the disk is full: try again later
│   ├── StoreAway                the database server does not answer: try again later
│   ├── AnalyticsElsewhere       another server counts pageviews for this database
│   ├── StoreFailed              the disk or the database failed
│   └── StoreClosed              the server is stopping
├── NoSuchSite                   no site of ours at the Host of a request
├── SharingRefused               something that cannot be done with a shared counter; the reason says which
├── KeyReused                    a key of the sender's that stands for another request
├── KeyInFlight                  a key of the sender's whose request is being carried out
└── InputRefused                 a person's input makes no sense; the message says what would
    ├── NotPermitted             the person may not do that
    └── InvalidFields            several fields, with messages for each
"""

from collections.abc import Mapping, Sequence
from enum import Enum


class TallystickError(Exception):
    """Base of all errors this program raises on purpose."""


class StartRefused(TallystickError):
    """The program cannot start; the message is the one line that is printed."""


class InvalidSetting(StartRefused):
    """A setting's value is not accepted; the message names the option and what it accepts."""


class AddressUnavailable(StartRefused):
    """The listen address is taken or not ours."""


class DataDirectoryUnusable(StartRefused):
    """The data directory cannot be written, or another server holds it."""


class DatabaseUnreachable(StartRefused):
    """The database does not answer."""


class DatabaseAway(DatabaseUnreachable):
    """A database server does not answer, or does not let us in; trying again later may help."""


class DatabaseUnsuitable(StartRefused):
    """The way to the database takes away what promises rest on."""


class DatabaseSchemaRefused(StartRefused):
    """The database was written by a newer program, or its migrations were altered."""


class StoresDisagree(StartRefused):
    """One of the stores of a data directory was lost, cut, or put back from an older copy."""


class StoreUnavailable(TallystickError):
    """A change was not acknowledged.

    Attributes:
        reason: a word for it, as the metrics tell it.
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
    """The database server does not answer, or the connection to it broke.

    The message is for anyone; what the driver says, which may name hosts, is only logged: ``detail``.
    """

    reason = "away"
    retry_after = 5

    def __init__(self, detail: str = "") -> None:
        super().__init__("the database cannot be reached")
        self.detail = detail or str(self)


class AnalyticsElsewhere(StoreUnavailable):
    """Another server counts the pageviews of this ledger, and holds its hits."""

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
"""Every kind of unavailability; surfaces count their refusals by its reason."""


class InputRefused(TallystickError):
    """A person's input makes no sense; the message says what would."""


class NotPermitted(InputRefused):
    """The person, or the token that acts for them, may not do that."""


class InvalidFields(InputRefused):
    """Fields that are wrong.

    Attributes:
        errors: field -> messages.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{field}: {', '.join(messages)}" for field, messages in errors.items()))
        self.errors = errors


class NoSuchSite(TallystickError):
    """No site at the Host of a request.

    Attributes:
        host: as it was asked for.
        empty: whether the server has no site at all.
    """

    def __init__(self, host: str, *, empty: bool) -> None:
        super().__init__(f'no site at this domain ("{host}")')
        self.host, self.empty = host, empty


class SharingReason(Enum):
    """Why something was not done with a shared counter; surfaces have a name and a number for each."""

    NOT_FOUND = "not found"
    """Also: not visible, for reads."""
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
    """An invite that is spent or over."""
    CHANGED_MEANWHILE = "changed meanwhile"
    TOO_MANY = "too many"


class SharingRefused(TallystickError):
    """Something cannot be done with a shared counter; the message is for a person.

    Attributes:
        reason: which of the fixed reasons it is.
    """

    def __init__(self, reason: SharingReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyReused(TallystickError):
    """A key of the sender's stands for another request already."""


class KeyInFlight(TallystickError):
    """The request that a key of the sender's stands for is being carried out at this moment."""
