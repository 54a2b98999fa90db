"""Serial link URLs: what a technician writes, checked once.

    serial:///dev/serial/by-id/...?baud=9600&parity=N&stop=1      8N1 at the usual rate if not said

The name under by-id stays with the adapter; ttyUSB0 is whichever was found first. It refuses unknown options
and values out of range with one ConfigError that says what to write; it opens nothing.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers.linkurl import options_of
from gateway.errors import ConfigError

SCHEMES = frozenset({"serial"})
BAUD_MIN, BAUD_MAX = 300, 921_600
CHAR_BITS = 10  # start, eight data, stop; a parity or second stop bit is one more
_DEFAULTS = {"baud": "", "parity": "N", "stop": "1"}


@dataclass(frozen=True, slots=True)
class SerialUrl:
    """One checked URL."""

    url: str
    path: str
    baud: int | None = None  # None: the usual one of whoever is on it
    parity: str = "N"
    stop: int = 1

    def char_ms(self, baud: int) -> float:
        return (CHAR_BITS + (self.parity != "N") + self.stop - 1) * 1000 / baud


def parse(url: str) -> SerialUrl:
    """Check a link URL. Raises ConfigError with one line that says what to write instead."""
    if not url.isprintable() or " " in url:
        raise ConfigError(f"link {url!r}: neither spaces nor control characters belong in it")
    try:
        parts = urlsplit(url)
    except ValueError:  # "[" without "]"
        raise ConfigError(f"link {url!r}: write it like serial:///dev/serial/by-id/...") from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"link {url!r}: scheme must be serial")
    if parts.netloc or not parts.path.startswith("/") or parts.fragment:
        raise ConfigError(
            f"link {url!r}: write the device path after three slashes, serial:///dev/serial/by-id/..."
        )
    given = options_of(url, parts.query, _DEFAULTS)
    options = _DEFAULTS | given
    baud, parity, stop = options["baud"], options["parity"].upper(), options["stop"]
    if "baud" in given and not _rate(baud):
        raise ConfigError(f"link {url!r}: baud must be a whole number from {BAUD_MIN} to {BAUD_MAX}")
    if parity not in ("N", "E", "O"):
        raise ConfigError(f"link {url!r}: parity must be N, E or O")
    if stop not in ("1", "2"):
        raise ConfigError(f"link {url!r}: stop must be 1 or 2")
    return SerialUrl(url, parts.path, int(baud) if baud else None, parity, int(stop))


def _rate(baud: str) -> bool:
    return baud.isascii() and baud.isdigit() and len(baud) < 8 and BAUD_MIN <= int(baud) <= BAUD_MAX
