"""CAN link URLs: what a technician writes, checked once.

    can://can0      a network interface of the kernel (its bit rate is set by systemd-networkd or ip link)
    slcan:///dev/serial/by-id/...?bitrate=500000&baud=115200      a serial adapter with Lawicel commands
                    (500000 if not said; make_plan refuses another than the profile's)
    vbus://name     an in-process bus, for tests and the simulated site

It refuses unknown options and values with one ConfigError that says what to write; it opens nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers import linkurl
from gateway.errors import ConfigError

SCHEMES = frozenset({"can", "slcan", "vbus"})
# Bit rate -> Lawicel command. S7 is left out: adapters disagree whether it is 750 or 800 kbit/s.
BITRATES: Mapping[int, bytes] = {
    10_000: b"S0",
    20_000: b"S1",
    50_000: b"S2",
    100_000: b"S3",
    125_000: b"S4",
    250_000: b"S5",
    500_000: b"S6",
    1_000_000: b"S8",
}
BAUD_MIN, BAUD_MAX = 9_600, 4_000_000
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")  # IFNAMSIZ - 1
_BUS = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class CanUrl:
    """One checked URL. `place` is the interface, the device path or the name of the bus."""

    url: str
    scheme: str
    place: str
    bitrate: int | None = None  # None: not ours to set
    baud: int = 115_200


def parse(url: str) -> CanUrl:
    """Check a link URL. Raises ConfigError with one line that says what to write instead."""
    try:
        parts = urlsplit(url)
    except ValueError:  # "[" without "]"
        raise ConfigError(f"link {url!r}: write it like can://can0") from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"link {url!r}: scheme must be can, slcan or vbus")
    if parts.scheme == "slcan":
        if parts.netloc or not parts.path.startswith("/") or parts.fragment:
            raise ConfigError(
                f"link {url!r}: write the device path after three slashes, slcan:///dev/ttyACM0"
            )
        return _slcan(url, parts.path, parts.query)
    form, example = (_INTERFACE, "can://can0") if parts.scheme == "can" else (_BUS, "vbus://bench")
    if not form.fullmatch(parts.netloc) or parts.path not in ("", "/"):
        raise ConfigError(f"link {url!r}: write it like {example}")
    if parts.query or parts.fragment:
        raise ConfigError(f"link {url!r}: {parts.scheme} links take no options")
    return CanUrl(url, parts.scheme, parts.netloc)


def _slcan(url: str, path: str, query: str) -> CanUrl:
    options = linkurl.options(url, query)
    if unknown := sorted(options.keys() - {"bitrate", "baud"}):
        raise ConfigError(f"link {url!r}: unknown option {unknown[0]!r}, known are bitrate and baud")
    bitrate, baud = options.get("bitrate", "500000"), options.get("baud", "115200")
    if not _number(bitrate) or int(bitrate) not in BITRATES:
        raise ConfigError(f"link {url!r}: bitrate must be one of {', '.join(map(str, BITRATES))}")
    if not _number(baud) or not BAUD_MIN <= int(baud) <= BAUD_MAX:
        raise ConfigError(f"link {url!r}: baud must be a whole number from {BAUD_MIN} to {BAUD_MAX}")
    return CanUrl(url, "slcan", path, int(bitrate), int(baud))


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 8
