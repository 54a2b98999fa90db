"""What the CAN tests share: the profile and its table, recorded sets, and a battery on a virtual bus."""

from functools import cache
from pathlib import Path

import yaml

from drivers.can import PLUGIN
from drivers.can.codec import Table
from drivers.can.profile import CanProfile, compile_table
from gateway import yamlfile
from gateway.driver import CanFrame
from gateway.model import Quality
from gateway.site import Device

RECORDED = Path(__file__).parent.parent / "recorded"
SETS = yaml.safe_load((RECORDED / "can_pylontech_family.yaml").read_text())
JK = yaml.safe_load((RECORDED / "can_jk.yaml").read_text())


@cache
def profile() -> CanProfile:
    text = (PLUGIN.profiles / "pylontech_can.yaml").read_text()
    return yamlfile.validate(yamlfile.parse(text, "pylontech_can.yaml"), CanProfile)


@cache
def table() -> Table:
    return compile_table(profile())


def frame(id: int, text: str, *, extended: bool = False) -> CanFrame:
    return CanFrame(id, bytes.fromhex(text), extended)


def frames(name: str) -> list[CanFrame]:
    """The recorded set whose name contains `name`."""
    (found,) = [s for s in SETS if name in s["name"]]
    return [frame(id, text) for id, text in found["frames"].items()]


def device(link: str = "vbus://bench", poll_ms: int = 1000, own: CanProfile | None = None) -> Device:
    return Device("bms", "pylontech_can", "can", "battery", link, own or profile(), poll_ms=poll_ms)


def as_dict(points, values, qualities) -> dict[str, tuple[int, str]]:
    """Point name to (value, quality name); names may be Points or strings."""
    return {
        getattr(p, "name", p): (v, Quality(q).name) for p, v, q in zip(points, values, qualities, strict=True)
    }
