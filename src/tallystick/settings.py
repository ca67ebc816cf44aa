"""Every setting, as one value. Flags, ``TALLYSTICK_*`` variables and ``tallystick.toml`` all fill it."""

import socket
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from tallystick.web.address import Network


class Listen(NamedTuple):
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(_type: Any, tokens: tuple[Token, ...]) -> Listen:  # noqa: ANN401  # cyclopts hands the type in
    text = tokens[0].value
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104  # ":8080" asks for every address
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        msg = f"it accepts HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080, not {text!r}."
        raise ValueError(msg)
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"the host {host!r} is not known on this machine."
        raise ValueError(msg) from error
    return Listen(str(found[0][4][0]), int(port))


def _networks(_type: Any, tokens: tuple[Token, ...]) -> tuple[Network, ...]:  # noqa: ANN401
    networks = []
    for text in (part.strip() for token in tokens for part in token.value.split(",")):
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            msg = f"it accepts addresses and networks such as 127.0.0.1 or 10.0.0.0/8: {error}."
            raise ValueError(msg) from error
    return tuple(networks)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Where the numbers lie."""

    data: Path = Path("tallystick-data")
    """The data directory; created when missing."""

    database: Annotated[str | None, Parameter(name=("--database",), show_default=False)] = None
    """A postgresql:// URL; without it, SQLite in the data directory."""

    durability: Literal["full", "relaxed"] = "full"
    """full: a count is synced to disk before it is answered. relaxed: answered first, synced a moment later;
    a crash of the program loses nothing, a power cut or a crash of the machine can lose the last seconds."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(StorageSettings):
    """Everything a server can be told."""

    listen: Annotated[Listen, Parameter(converter=_listen, n_tokens=1, accepts_keys=False)] = Listen("127.0.0.1", 8080)
    """Address and port, HOST:PORT. Port 0 takes a free one."""

    trusted_proxy: Annotated[
        tuple[Network, ...], Parameter(converter=_networks, n_tokens=1, accepts_keys=False, negative=())
    ] = ()
    """Network of reverse proxies whose X-Forwarded-For is believed; may be repeated or separated by commas."""

    log_format: Literal["text", "json"] = "text"
    """How log lines look."""

    creation_limit: Annotated[int, Parameter(validator=Number(gte=0, lte=1_000_000))] = 20
    """New public counters a second and client address; 0 switches the limit off."""

    count_prefetch: bool = False
    """Also count requests that a browser makes ahead of time (Sec-Purpose: prefetch)."""
