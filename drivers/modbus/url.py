"""Modbus link URLs: what a technician writes, checked once and turned into numbers.

    tcp://host[:502]      Modbus TCP
    rtu:///dev/serial/by-id/...?baud=9600&parity=N&stop=1&echo=0      RS-485 at this computer
    rtutcp://host:port?baud=9600      RTU frames through a serial server (baud: of the wire behind it)

Everywhere `gap=ms` (least pause between requests) and `settle=ms` (pause after connecting). It refuses
unknown options and values out of range with one ConfigError that names the option; it opens nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from math import ceil
from urllib.parse import SplitResult, urlsplit, urlunsplit

from drivers.linkurl import options_of
from gateway.errors import ConfigError

MODBUS_PORT = 502
CHAR_BITS = 11  # start, eight data, parity or second stop, stop: what the Modbus serial line standard counts
SILENCE_CHARS = 3.5
SILENCE_MS_MIN = 1.75  # the standard's fixed value above 19,200 baud

# Option -> (least, most, default). Longer pauses than these would be a mistake, not a setting.
_NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "gap": (0, 5_000, 0),
    "settle": (0, 30_000, 0),
    "baud": (300, 921_600, 9_600),
    "stop": (1, 2, 1),
    "echo": (0, 1, 0),
}
_OPTIONS: Mapping[str, frozenset[str]] = {
    "tcp": frozenset({"gap", "settle"}),
    "rtutcp": frozenset({"gap", "settle", "baud"}),
    "rtu": frozenset({"gap", "settle", "baud", "parity", "stop", "echo"}),
}
SCHEMES = frozenset(_OPTIONS)


@dataclass(frozen=True, slots=True)
class LinkUrl:
    """One checked link URL. `host` is the device path for rtu, whose `port` is 0."""

    url: str
    scheme: str  # tcp | rtu | rtutcp
    host: str
    port: int
    gap_ms: int = 0
    settle_ms: int = 0
    baud: int = 9_600
    parity: str = "N"
    stop: int = 1
    echo: bool = False

    @property
    def rtu(self) -> bool:
        """RTU framing: no transaction ids, so order and silence are all there is."""
        return self.scheme != "tcp"

    @property
    def char_ms(self) -> float:
        return CHAR_BITS * 1000 / self.baud

    @property
    def silence_ms(self) -> float:
        """The pause that ends a frame on the wire, 0 for Modbus TCP."""
        return max(SILENCE_CHARS * self.char_ms, SILENCE_MS_MIN) if self.rtu else 0.0

    @property
    def pause_ms(self) -> int:
        """What the link keeps between two requests: the asked gap, never less than the silence."""
        return max(self.gap_ms, ceil(self.silence_ms))


def parse(url: str) -> LinkUrl:
    """Check a link URL. Raises ConfigError with one line that says what to write instead."""
    if not url.isprintable() or " " in url:
        raise ConfigError(f"link {url!r}: neither spaces nor control characters belong in it")
    try:
        parts = urlsplit(url)
    except ValueError:  # of brackets only
        raise ConfigError(f"link {url!r}: an IPv6 address is written in brackets, tcp://[::1]:502") from None
    if parts.scheme not in _OPTIONS:
        raise ConfigError(f"link {url!r}: scheme must be tcp, rtu or rtutcp")
    options = options_of(url, parts.query, _OPTIONS[parts.scheme])
    parity = options.pop("parity", "N").upper()
    if parity not in ("N", "E", "O"):
        raise ConfigError(f"link {url!r}: parity must be N, E or O")
    host, port = _place(url, parts)
    n = {name: _number(url, name, options) for name in _NUMBERS}
    return LinkUrl(
        url, parts.scheme, host, port, n["gap"], n["settle"], n["baud"], parity, n["stop"], bool(n["echo"])
    )


def elsewhere(url: str, host: str) -> str:
    """The same link at another host."""
    parts = urlsplit(url)
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=shown + port))


def _place(url: str, parts: SplitResult) -> tuple[str, int]:
    if parts.username is not None or parts.fragment:
        raise ConfigError(f"link {url!r}: neither user names nor '#' belong in a Modbus link")
    if parts.scheme == "rtu":
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigError(f"link {url!r}: write the device path after three slashes, rtu:///dev/ttyUSB0")
        return parts.path, 0
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"link {url!r}: the port must be 1 to 65535") from None
    if not parts.hostname or parts.path not in ("", "/"):
        raise ConfigError(f"link {url!r}: write {parts.scheme}://host:port")
    if port is None and parts.scheme == "rtutcp":
        raise ConfigError(f"link {url!r}: a serial server has no usual port, write rtutcp://host:port")
    if port == 0:
        raise ConfigError(f"link {url!r}: the port must be 1 to 65535")
    return _host(url, parts.hostname), port or MODBUS_PORT


def _host(url: str, host: str) -> str:
    """What a resolver would fail on in its own way, or take for something else, is a slip of the pen."""
    try:
        host.encode("idna")
        if set(host) <= set("0123456789."):
            IPv4Address(host)
    except ValueError:
        raise ConfigError(f"link {url!r}: {host!r} is neither a host name nor an address") from None
    return host


def _number(url: str, name: str, options: Mapping[str, str]) -> int:
    least, most, default = _NUMBERS[name]
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise ConfigError(f"link {url!r}: {name} must be a whole number from {least} to {most}")
    return int(text)
