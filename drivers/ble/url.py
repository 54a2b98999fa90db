"""What a Bluetooth link URL means: `ble://AA:BB:CC:DD:EE:FF`, on a certain adapter with `?adapter=hci1`.
Pure.

It refuses names instead of addresses: two batteries of one make are called the same.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers import linkurl
from gateway.errors import ConfigError

SCHEMES = frozenset({"ble"})
ADAPTER = "hci0"  # the one of a Pi itself
EXAMPLE = "ble://A4:C1:38:00:11:22"
_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_ADAPTER = re.compile(r"hci\d{1,2}")


@dataclass(frozen=True, slots=True)
class BleUrl:
    """One checked URL. `address` is in capitals. The adapter has a name also where none is written: two links
    on one adapter must be known to be so."""

    url: str
    address: str
    adapter: str = ADAPTER


def parse(url: str) -> BleUrl:
    """Check a link URL. Raises ConfigError with one line that says what to write instead."""
    try:
        parts = urlsplit(url)
    except ValueError:  # "[" without "]"
        raise ConfigError(f"link {url!r}: write it like {EXAMPLE}") from None
    if parts.scheme != "ble":
        raise ConfigError(f"link {url!r}: scheme must be ble")
    if not _ADDRESS.fullmatch(parts.netloc) or parts.path not in ("", "/") or parts.fragment:
        raise ConfigError(f"link {url!r}: write the device's address, like {EXAMPLE}")
    options = linkurl.options(url, parts.query)
    if unknown := sorted(options.keys() - {"adapter"}):
        raise ConfigError(f"link {url!r}: unknown option {unknown[0]!r}, known is adapter")
    adapter = options.get("adapter", ADAPTER)
    if not _ADAPTER.fullmatch(adapter):
        raise ConfigError(f"link {url!r}: adapter is a name like hci1")
    return BleUrl(url, parts.netloc.upper(), adapter)
