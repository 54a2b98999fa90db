"""A site as the daemon runs it: what site.yaml means, in canonical units, frozen.

Made by gateway.config from a file, or by a test directly; knows nothing of YAML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.model import Quantity, ServiceKind

# Whose word counts first, by the first part of a quantity's name.
_ROLES: Mapping[str, tuple[str, ...]] = {
    "battery": ("battery", "inverter", "meter"),
    "charge": ("battery", "inverter", "meter"),
    "discharge": ("battery", "inverter", "meter"),
    "grid": ("meter", "inverter", "battery"),
}
_OTHER_ROLES = ("inverter", "meter", "battery")


def preference(quantity: Quantity | None, role: str) -> int:
    """How good a source a device of this role is for a quantity: 0 is the best."""
    order = _ROLES.get(quantity.value.split("_", 1)[0] if quantity else "", _OTHER_ROLES)
    return order.index(role) if role in order else len(order)


@dataclass(frozen=True, slots=True)
class Curve:
    """A derating curve: what part of the power (bp) is left over the values of `over`, in its own unit.

    Points (value, part) by rising value; none: that direction is not derated.
    """

    over: Quantity
    charge: tuple[tuple[int, int], ...] = ()
    discharge: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the site. `profile` is the plugin's own plain table, already checked."""

    name: str
    profile_name: str
    kind: str  # plugin
    role: str  # inverter | battery | meter
    link: str  # URL
    profile: Any
    unit: int = 1
    poll_ms: int = 1000
    timeout_ms: int = 1000
    control: bool = True  # may be written to, if its profile can
    timer_s: int = 0  # measured reversion time at commissioning; 0: the profile's
    contact: bool = False  # an emergency contact hangs on it: nothing is commanded while it cannot be read
    of: str = ""  # of a battery: the inverter it hangs on, where there are several
    derating: tuple[Curve, ...] = ()
    cells: int = 0  # of a battery: in series; 0: not known
    serial: str = ""  # that it must say; empty: whichever device answers there
    find: tuple[str, ...] = ()  # addresses at which it may be looked for when it is not at its own
    profile_digest: bytes = bytes(32)  # of what the profile says, whatever its layout and comments


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """The static envelope, magnitudes in W (ramp in W/s)."""

    charge_w: int
    discharge_w: int
    import_w: int
    export_w: int
    ramp_w_per_s: int
    soc_min_bp: int = 1000
    soc_max_bp: int = 9500
    soc_hysteresis_bp: int = 100
    dwell_ms: int = 2000  # rest at zero before a change of direction
    temperature_min_cc: int = 0  # no charging below
    temperature_max_cc: int = 5000  # nothing above
    duration_max_s: int = 24 * 3600  # longest command accepted
    commands_per_minute: int = 30  # from each source


@dataclass(frozen=True, slots=True)
class StoreSettings:
    path: Path
    keep_s: int = 30 * 86400
    size_bytes: int = 2 * 2**30
    commit_ms: int = 1000  # the stated loss window at a power cut
    endurance_bytes: int = 0  # what the card bears to be written, by its maker; 0: not known


@dataclass(frozen=True, slots=True)
class Keystore:
    """An encrypted keystore file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that systemd decrypts for the unit, as LoadCredentialEncrypted= names it."""

    name: str

    def __str__(self) -> str:
        return f"credential:{self.name}"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key on a PKCS#11 token: the library that speaks to it, and what token and key are known by."""

    module: Path
    token: str = ""
    serial: str = ""
    object: str = ""
    id: bytes = b""

    def __str__(self) -> str:
        parts = [f"{name}={quote(getattr(self, name))}" for name in ("token", "serial", "object", "id")]
        return "pkcs11:" + ";".join(part for part in parts if not part.endswith("="))


KeySource = Keystore | Credential | TokenKey


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Where a key is, and the files of the words that open it; without those, the unit's credentials."""

    source: KeySource
    passphrase: Path | None = None  # of a keystore
    pin: Path | None = None  # of a token


@dataclass(frozen=True, slots=True)
class AttestSettings:
    every_s: int = 900
    key: KeySettings | None = None
    next: KeySettings | None = None  # to which `key` hands over, or has handed over
    identity: KeySettings | None = None  # a token's P-256 key that vouches for the site's key


@dataclass(frozen=True, slots=True)
class RestSettings:
    """A platform's REST: the URL above its paths, and the file with the token for it."""

    url: str
    token: Path | None = None


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """Amounts are in the chain's smallest unit: wei, or microSTX; the fee cap is for a gas, or for a byte."""

    chain_id: int
    rpc: tuple[str, ...]
    platform: str
    contracts: dict[str, str] = field(default_factory=dict)  # role -> address, or principal
    asset_id: int = 0  # of the site in the platform's contracts
    pool: int = 0  # there, whose prices count; 0: none
    leave: bool = False  # the pool
    rest: RestSettings | None = None  # the platform's, beside its contracts
    confirmations: int = 12
    fee_cap_wei: int = 100 * 10**9
    spend_per_day_wei: int = 10**16
    poll_ms: int = 4000
    patience_ms: int = 0  # how long a relayer may take to bring a record; 0: the site sends its own


@dataclass(frozen=True, slots=True)
class MqttSettings:
    host: str
    port: int
    tls: bool
    topic: str = "gridseal"
    username: str = ""
    password: Path | None = None
    home_assistant: bool = False


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the HTTP server listens. Without certificate and key it speaks plain HTTP."""

    token: Path
    bind: str = "127.0.0.1"
    port: int = 8470
    hosts: tuple[str, ...] = ()  # further names it is reached by
    certificate: Path | None = None
    key: Path | None = None
    pull: bool = False  # whether signed records are given to anybody (EIP-3668)
    relayer: Path | None = None  # the file of a token that opens the signed records only


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the site's schedule: what is ordered at a local time of day, on these days (Monday is 0)."""

    name: str
    at_min: int
    duration_s: int
    kind: ServiceKind
    parameters: Mapping[str, int]
    days: frozenset[int] = frozenset(range(7))
    shared: bool = False


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """What of the battery price signals may move, and what that costs it (services/prices.py)."""

    energy_wh: int
    efficiency_bp: int = 9000
    wear: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A load that may be switched off: a channel of a relay device. A higher `priority` goes off first."""

    name: str
    device: str
    channel: str
    power_w: int
    priority: int = 1
    min_on_ms: int = 0  # runs at least so long before it goes off (again)
    min_off_ms: int = 0  # and rests at least so long


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    limits: SiteLimits
    devices: tuple[Device, ...]
    store: StoreSettings
    attest: AttestSettings
    chain: ChainSettings | None = None
    mqtt: MqttSettings | None = None
    http: HttpSettings | None = None
    trust_host_clock: bool = False
    control_ms: int = 1000
    socket: Path = Path("/run/gridseal/control.sock")
    schedule: tuple[Entry, ...] = ()
    timezone: str = "UTC"  # of the schedule
    islanding: bool = False  # whether an order may part it from the grid
    prices: PriceSettings | None = None
    loads: tuple[Load, ...] = ()
    signers: frozenset[str] = frozenset()  # lower-case addresses whose signed orders count
    # Names of the devices of each battery (inverter and what measures it); empty where there is but one.
    batteries: tuple[frozenset[str], ...] = ()

    def battery_of(self, device: str) -> frozenset[str]:
        """The devices that speak for the battery this inverter commands."""
        everything = frozenset(d.name for d in self.devices)
        return next((names for names in self.batteries if device in names), everything)
