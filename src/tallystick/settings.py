"""All settings as one value, filled from flags, ``TALLYSTICK_*`` variables and the settings file."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from tallystick.model.counter import LIFETIME_MS, NEVER
from tallystick.model.origin import browser_origin
from tallystick.server.limits import ConnectionLimits
from tallystick.server.listening import Listen, ListenAddress, UnixListen
from tallystick.web.address import FORWARDED_FOR, Network
from tallystick.web.bodies import LARGEST_BODY, LARGEST_STREAMED, WITHIN_S
from tallystick.web.rate_limit import Rate

LEAST_WAREHOUSE_MEMORY_MB = 64
DAY_MS = 86_400_000
LONGEST_LIFETIME_DAYS = 36_500
MOST_CREATIONS = 1_000_000
MOST_KEYS = 1_000_000_000
LONGEST_WAIT_S = 86_400
LONGEST_STOP_DELAY_S = 600
MOST_CONNECTIONS = 1_000_000

_plain_path = re.compile(r"(?:/[A-Za-z0-9._~-]{1,60}){1,8}").fullmatch


def _listen(_type: Any, tokens: tuple[Token, ...]) -> tuple[ListenAddress, ...]:  # noqa: ANN401  # cyclopts passes the type
    texts = [text.strip() for token in tokens for text in token.value.split(",")]
    return tuple(dict.fromkeys(listen_address(text) for text in texts))


def listen_address(text: str) -> ListenAddress:
    """An address in the option's format.

    Raises:
        ValueError: it is none; the message says what is accepted.
    """
    kind, colon, path = text.partition("unix:")
    if colon and not kind:
        if not path or "\0" in path:
            msg = f"it accepts unix:PATH, for example unix:/run/tallystick/http.sock, not {text!r}."
            raise ValueError(msg)
        return UnixListen(Path(path).absolute())
    return _tcp_address(text)


def _tcp_address(text: str) -> Listen:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104  # ":8080" means all addresses
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        msg = f"it accepts HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080, and unix:PATH, not {text!r}."
        raise ValueError(msg)
    try:
        addresses = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"the host {host!r} is not known on this machine."
        raise ValueError(msg) from error
    return Listen(str(addresses[0][4][0]), int(port))


def listen_text(addresses: Sequence[ListenAddress]) -> str:
    """Addresses in the option's format."""
    return ", ".join(map(str, addresses))


def _socket_mode(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
    text = tokens[0].value
    # With these rights at least, an octal number of TOML, which arrives here as a decimal one, is never accepted.
    if re.fullmatch(r"0?[67][0-7]{2}", text) is None:
        msg = f"it accepts the three octal digits of chmod, with reading and writing for the owner, not {text!r}."
        raise ValueError(msg)
    return int(text, 8)


def _own_origin(_type: Any, tokens: tuple[Token, ...]) -> str:  # noqa: ANN401
    text = tokens[0].value
    try:
        return browser_origin(text)
    except ValueError as error:
        accepted = (
            "it accepts http:// or https:// and a host (a path is --base-path), for example https://count.example.com"
        )
        msg = f"{accepted}, not {text!r}."
        raise ValueError(msg) from error


def _base_path(_type: Any, tokens: tuple[Token, ...]) -> str:  # noqa: ANN401
    text = tokens[0].value.strip()
    segments = text.split("/")[1:]
    if _plain_path(text) is None or not {".", ".."}.isdisjoint(segments):
        msg = f"it accepts a path such as /stats or /tools/stats, without a slash at its end, not {text!r}."
        raise ValueError(msg)
    return text


def _networks(_type: Any, tokens: tuple[Token, ...]) -> tuple[Network, ...]:  # noqa: ANN401
    networks = []
    for text in (part.strip() for token in tokens for part in token.value.split(",")):
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            msg = f"it accepts addresses and networks such as 127.0.0.1 or 10.0.0.0/8: {error}."
            raise ValueError(msg) from error
    return tuple(networks)


def _header(_type: Any, tokens: tuple[Token, ...]) -> str:  # noqa: ANN401
    name = tokens[0].value.strip()
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", name):
        msg = f"it accepts the name of a header, for example X-Real-IP, not {tokens[0].value!r}."
        raise ValueError(msg)
    return name


def _rates(_type: Any, tokens: tuple[Token, ...]) -> tuple[Rate, ...]:  # noqa: ANN401
    return tuple(_rate(text.strip()) for token in tokens for text in token.value.split(",") if text.strip())


def _rate(text: str) -> Rate:
    if text == "off":
        return Rate("", None, 0)
    name, _, rate = text.partition(":")
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,6})", rate)
    if name and rate in {"none", "off"}:
        return Rate(name, None, 0)
    if name and match and int(match[1]) and int(match[2]):
        return Rate(name, int(match[1]), int(match[2]))
    msg = f"it accepts NAME:N/SECONDS, for example api:60/120, NAME:off, or off, not {text!r}."
    raise ValueError(msg)


def _size(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
    match = re.fullmatch(r"([0-9]{1,6})(MB|GB)", tokens[0].value.strip().upper())
    size = int(match[1]) * (1000 if match[2] == "GB" else 1) if match else 0
    if size < LEAST_WAREHOUSE_MEMORY_MB:
        msg = f"it accepts {LEAST_WAREHOUSE_MEMORY_MB}MB and more, for example 512MB or 2GB, not {tokens[0].value!r}."
        raise ValueError(msg)
    return size


def whole_number(least: int, most: int) -> Parameter:
    """An option that accepts whole numbers only; cyclopts would also read 1.5 as 2 and 0x10 as 16."""

    def convert(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
        text = tokens[0].value
        # A text with more digits than a 64-bit number is not even converted.
        if re.fullmatch(r"[+-]?[0-9]{1,20}", text) is None or not least <= int(text) <= most:
            msg = f"it accepts whole numbers from {least} to {most}, not {text!r}."
            raise ValueError(msg)
        return int(text)

    return Parameter(converter=convert, n_tokens=1, accepts_keys=False, metavar="N")


def _seconds(_type: Any, tokens: tuple[Token, ...]) -> float:  # noqa: ANN401
    text = tokens[0].value
    seconds = float(text) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) else 0.0
    if not 0 < seconds <= LONGEST_WAIT_S:
        msg = f"it accepts seconds up to {LONGEST_WAIT_S}, for example 30 or 0.5, not {text!r}."
        raise ValueError(msg)
    return seconds


def _creations(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
    return _number_or_off(tokens[0].value, MOST_CREATIONS)


def _keys(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
    return _number_or_off(tokens[0].value, MOST_KEYS)


def _number_or_off(text: str, most: int) -> int:
    """A limit; 0 for none."""
    if text == "off":
        return 0
    if re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > most:
        msg = f"it accepts whole numbers from 1 to {most}, or off for no limit, not {text!r}"
        raise ValueError(msg)
    return int(text)


def _lifetime(_type: Any, tokens: tuple[Token, ...]) -> int:  # noqa: ANN401
    text = tokens[0].value
    if text == "never":
        return NEVER
    days = float(text) if re.fullmatch(r"[0-9]{1,5}(\.[0-9])?", text) else 0.0
    if not 1 <= days <= LONGEST_LIFETIME_DAYS:
        msg = f"it accepts 1 to {LONGEST_LIFETIME_DAYS} days, for example 365, or never, not {text!r}"
        raise ValueError(msg)
    return LIFETIME_MS if text == lifetime_text(LIFETIME_MS) else round(days * DAY_MS)


def lifetime_text(lifetime: int) -> str:
    """A lifetime in the option's format: days, or never."""
    return "never" if lifetime == NEVER else f"{lifetime / DAY_MS:.1f}".removesuffix(".0")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Where the data is stored."""

    data: Annotated[Path, Parameter(env_var="TALLYSTICK_DATA")] = Path("tallystick-data")
    """The data directory; serve creates it."""

    database: Annotated[str | None, Parameter(env_var="TALLYSTICK_DATABASE", metavar="URL", show_default=False)] = None
    """A postgresql:// URL; without it, SQLite in the data directory."""

    lake: Annotated[
        str | None, Parameter(env_var="TALLYSTICK_LAKE", metavar="DIR|s3://BUCKET/PREFIX", show_default=False)
    ] = None
    """Where any number of servers on one PostgreSQL database keep hits: a directory that all of them mount, or object
    storage. Without it, hits are in the data directory of one server."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CounterSettings(StorageSettings):
    """Settings of public counters, for the server and the command line."""

    counter_lifetime: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_COUNTER_LIFETIME",
            converter=_lifetime,
            n_tokens=1,
            accepts_keys=False,
            metavar="DAYS|never",
            show_default=lifetime_text,
        ),
    ] = LIFETIME_MS
    """Days after its last change when a public counter is removed; never: counters are not removed."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AnalyticsSettings(StorageSettings):
    """Settings of analytics, for the server and the command line."""

    geodb: Annotated[Path | None, Parameter(env_var="TALLYSTICK_GEODB", metavar="FILE.mmdb", show_default=False)] = None
    """A MaxMind database with cities, for regions. Countries are known without it."""

    spam_referrers: Annotated[
        tuple[Path, ...],
        Parameter(env_var="TALLYSTICK_SPAM_REFERRERS", n_tokens=1, negative=(), metavar="FILE", show_default=False),
    ] = ()
    """A file of hosts, one a line, whose referrals are not counted. Read again when it changes. May be repeated."""

    warehouse_memory: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_WAREHOUSE_MEMORY",
            converter=_size,
            n_tokens=1,
            accepts_keys=False,
            metavar="SIZE",
            show_default=lambda megabytes: f"{megabytes}MB",
        ),
    ] = 512
    """How much memory analytics may use, for example 512MB or 2GB."""


LISTEN = Parameter(
    converter=_listen,
    n_tokens=1,
    accepts_keys=False,
    json_list=False,  # [::1]:8080 is no list
    negative=(),
    metavar="HOST:PORT|unix:PATH",
    show_default=listen_text,
)
DEFAULT_LISTEN: tuple[ListenAddress, ...] = (Listen("127.0.0.1", 8080),)

BASE_PATH = Parameter(converter=_base_path, n_tokens=1, accepts_keys=False, metavar="PATH", show_default=False)
SECONDS = Parameter(converter=_seconds, n_tokens=1, accepts_keys=False, metavar="SECONDS", show_default="{:g}".format)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """What one connection may cost, and when connections end."""

    max_connections: Annotated[
        int | None,
        Parameter(env_var="TALLYSTICK_MAX_CONNECTIONS", show_default=False),
        whole_number(1, MOST_CONNECTIONS),
    ] = None
    """Connections open at one time; more get 503. Without it, as many as the limit of open files leaves room for."""

    max_head: Annotated[int, Parameter(env_var="TALLYSTICK_MAX_HEAD"), whole_number(1_024, 1_048_576)] = (
        ConnectionLimits.head_bytes
    )
    """Bytes of a request line with its headers; more get 431."""

    max_headers: Annotated[int, Parameter(env_var="TALLYSTICK_MAX_HEADERS"), whole_number(8, 10_000)] = (
        ConnectionLimits.head_count
    )
    """Headers of a request; more get 431."""

    head_timeout: Annotated[float, Parameter(env_var="TALLYSTICK_HEAD_TIMEOUT"), SECONDS] = (
        ConnectionLimits.head_within_s
    )
    """Seconds in which a request line and its headers must arrive; else 408."""

    max_body: Annotated[int, Parameter(env_var="TALLYSTICK_MAX_BODY"), whole_number(1_024, LARGEST_BODY)] = LARGEST_BODY
    """Bytes of a request body; more get 413. Most URLs have a lower limit of their own."""

    max_upload: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_MAX_UPLOAD",
            converter=_size,
            n_tokens=1,
            accepts_keys=False,
            metavar="SIZE",
            show_default=lambda megabytes: f"{megabytes}MB",
        ),
    ] = LARGEST_STREAMED // 1_000_000
    """The size of a file that can be uploaded on the pages, for an import, for example 1000MB or 4GB."""

    body_timeout: Annotated[float, Parameter(env_var="TALLYSTICK_BODY_TIMEOUT"), SECONDS] = WITHIN_S
    """Seconds in which a body must arrive; else 408. Bodies up to 64 KiB have a third of it."""

    idle_timeout: Annotated[float, Parameter(env_var="TALLYSTICK_IDLE_TIMEOUT"), SECONDS] = ConnectionLimits.idle_s
    """Seconds after which a connection without a request is closed. Keep it above the idle time of a proxy."""

    stop_delay: Annotated[
        int,
        Parameter(env_var="TALLYSTICK_STOP_DELAY"),
        whole_number(0, LONGEST_STOP_DELAY_S),
        Parameter(metavar="SECONDS"),
    ] = 0
    """Seconds for which a server that was told to stop still accepts requests, while /health/ready answers 503, so that
    a balancer sends them to other servers before this one closes its connections."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(ConnectionSettings, AnalyticsSettings, CounterSettings):
    """All settings of a server."""

    durability: Annotated[Literal["full", "relaxed"], Parameter(env_var="TALLYSTICK_DURABILITY")] = "full"
    """When a count is acknowledged. full: once it is synced to disk. relaxed: earlier; a crash of the program loses
    nothing, but a power cut or a crash of the machine can lose the last seconds."""

    listen: Annotated[
        tuple[ListenAddress, ...],
        LISTEN,
        Parameter(
            env_var="TALLYSTICK_LISTEN",
            env_var_split=lambda _type, text, **_: [text],  # a path may have spaces
        ),
    ] = DEFAULT_LISTEN
    """Address and port, or the path of a Unix socket for a proxy on this machine. [::]:PORT takes IPv4 as well; port 0
    chooses a free one. May be repeated or separated by commas."""

    socket_mode: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_SOCKET_MODE",
            converter=_socket_mode,
            n_tokens=1,
            accepts_keys=False,
            metavar="MODE",
            show_default="{:o}".format,
        ),
    ] = 0o660
    """Permissions of Unix sockets. Whoever may write to one is trusted as a proxy."""

    trusted_proxy: Annotated[
        tuple[Network, ...],
        Parameter(
            env_var="TALLYSTICK_TRUSTED_PROXY",
            converter=_networks,
            n_tokens=1,
            accepts_keys=False,
            negative=(),
            metavar="NETWORK",
            show_default=False,
        ),
    ] = ()
    """Network of reverse proxies whose X-Forwarded-For, -Proto, -Host and Forwarded headers are trusted, for example
    10.0.0.0/8. May be repeated or separated by commas."""

    public_url: Annotated[
        str | None,
        Parameter(
            env_var="TALLYSTICK_PUBLIC_URL",
            converter=_own_origin,
            n_tokens=1,
            accepts_keys=False,
            metavar="URL",
            show_default=False,
        ),
    ] = None
    """The URL under which people reach this server, for example https://count.example.com; used for links, invites and
    cookies. Needed behind a proxy that forwards neither the scheme nor the host. A path is given by --base-path."""

    base_path: Annotated[str, BASE_PATH, Parameter(env_var="TALLYSTICK_BASE_PATH")] = ""
    """The path under which this server is reached on its host, for example /stats; everything it serves is below it. A
    proxy passes the path on as it is."""

    client_address_header: Annotated[
        str,
        Parameter(
            env_var="TALLYSTICK_CLIENT_ADDRESS_HEADER",
            converter=_header,
            n_tokens=1,
            accepts_keys=False,
            metavar="NAME",
        ),
    ] = FORWARDED_FOR
    """The header with the client's address from trusted proxies, for example X-Real-IP or CF-Connecting-IP."""

    log_format: Annotated[Literal["text", "json"], Parameter(env_var="TALLYSTICK_LOG_FORMAT")] = "text"
    """The format of log lines."""

    public_counters: Annotated[Literal["open", "existing", "off"], Parameter(env_var="TALLYSTICK_PUBLIC_COUNTERS")] = (
        "open"
    )
    """Who may create counters without an account. open: everyone who reaches the port. existing: nobody; existing
    counters and those created on the command line count. off: there are no public counters."""

    join: Annotated[Literal["invited", "anyone"], Parameter(env_var="TALLYSTICK_JOIN")] = "invited"
    """Who may make an account without an invite. invited: nobody. anyone: everyone who reaches the port, on the page
    /join; such people may have counters, and a superuser may let them add sites."""

    creation_limit: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_CREATION_LIMIT",
            converter=_creations,
            n_tokens=1,
            accepts_keys=False,
            metavar="N|off",
        ),
    ] = 20
    """New public counters per second and client address. off: no limit (0 means the same)."""

    namespace_keys: Annotated[
        int,
        Parameter(
            env_var="TALLYSTICK_NAMESPACE_KEYS", converter=_keys, n_tokens=1, accepts_keys=False, metavar="N|off"
        ),
    ] = 10_000
    """Public counters to which people without an account may bring one namespace. off: any number (0 means the same).
    The default namespace, of those who name none, has no limit."""

    count_prefetch: Annotated[bool, Parameter(env_var="TALLYSTICK_COUNT_PREFETCH")] = False
    """Also count prefetch requests of browsers (Sec-Purpose: prefetch)."""

    default_site: Annotated[str, Parameter(env_var="TALLYSTICK_DEFAULT_SITE", metavar="SITE", show_default=False)] = ""
    """The site (id, code or host) that counts requests for hosts that no site has. Without it such requests are
    refused once a second site was created."""

    hide_foreign_counters: Annotated[bool, Parameter(env_var="TALLYSTICK_HIDE_FOREIGN_COUNTERS")] = False
    """Answer 404 instead of 403 to changes of shared counters of which the sender is not a member."""

    rate_limit: Annotated[
        tuple[Rate, ...],
        Parameter(
            env_var="TALLYSTICK_RATE_LIMIT",
            converter=_rates,
            n_tokens=1,
            accepts_keys=False,
            negative=(),
            metavar="NAME:N/SECONDS",
            show_default=False,
        ),
    ] = ()
    """A limit of N requests in a window of SECONDS for what NAME stands for. NAME:off lifts that limit, off lifts all.
    May be repeated. Names and defaults are at the end of tallystick serve --help."""
