"""SocketCAN: the hardened unit hears a battery on can0, loses the bus, has it back.

The battery is a published recording, sent by can-utils on a virtual bus; systemd-networkd sets the interface
up by the project's own file.
"""

from itertools import pairwise
from typing import Any

import yaml

from vm.guest import DAEMON, Guest
from vm.image import PROJECT
from vm.machine import Fallen

RECORDING = "Pylontech US5000, CAN version 1.3"
DEVICES = '  bms: {profile: pylontech_can, link: "can://can0"}\n'
LOG = "/run/bms.log"
LIMITS = ("charge_limit_ma", "discharge_limit_ma")


def recording() -> dict[str, Any]:
    cases = yaml.safe_load((PROJECT / "tests/recorded/can_pylontech_family.yaml").read_text())
    found: dict[str, Any] = next(case for case in cases if case["name"] == RECORDING)
    return found


def replayed(frames: dict[int, str]) -> str:
    """One second of the bus in candump's format: frames 20 ms apart, then a pause."""
    sent = [(20 * place, frame) for place, frame in enumerate(frames.items())]
    sent.append((1000, next(iter(frames.items()))))
    return "".join(f"({ms / 1000:f}) can0 {identifier:03X}#{data}\n" for ms, (identifier, data) in sent)


def run(guest: Guest) -> None:
    case = recording()
    guest.sh("modprobe vcan && modprobe can-raw && ip link add can0 type vcan")
    guest.until("systemd-networkd has can0 up, by 25-can0.network", lambda: "UP" in state(guest), 30)
    guest.put(LOG, replayed(case["frames"]))
    guest.background("bms", f"canplayer -l i -I {LOG}", "-p Restart=always", "-p RestartSec=1")
    guest.serve(DEVICES)
    guest.reads("bms", case["good"])
    keep_alive(guest)
    guest.sh("ip link set can0 down")
    guest.none_good("bms")
    limits_are_nothing(guest)
    guest.sh("ip link set can0 up")
    guest.reads("bms", case["good"])
    guest.sh("systemctl stop bms")
    guest.none_good("bms")
    guest.sh("ip link delete can0")
    guest.until(
        "the interface is gone: said so",
        lambda: "no such interface" in guest.device("bms").get("error", ""),
        60,
    )
    guest.sh("ip link add can0 type vcan")
    guest.background("bms", f"canplayer -l i -I {LOG}", "-p Restart=always", "-p RestartSec=1")
    guest.reads("bms", case["good"])
    found = guest.sh(f"{DAEMON} scan can can0 --seconds 5")
    if "pylontech_can" not in found or "can://can0" not in found:
        raise Fallen(f"gridseal scan can can0 says:\n{found}")
    guest.saw("gridseal scan can can0 recognises it, beside the daemon")


def state(guest: Guest) -> str:
    return guest.try_sh("ip -br link show can0").said


def keep_alive(guest: Guest) -> None:
    """Two of them, and their distance."""
    heard = guest.sh("candump -t a -n 3 -T 20000 can0,305:7FF")
    times = [float(line.split()[0].strip("()")) for line in heard.splitlines()]
    apart = [after - before for before, after in pairwise(times)]
    if len(apart) < 2 or not all(0.5 < s < 2.0 for s in apart):
        raise Fallen(f"keep-alives 0x305 are not a second apart:\n{heard}")
    guest.saw("candump sees keep-alive 0x305 each second")


def limits_are_nothing(guest: Guest) -> None:
    told = guest.points("bms")
    if not all(told[point][1] in ("STALE", "ABSENT") for point in LIMITS):
        raise Fallen(f"limits of a battery that is not heard: {told}")
    guest.saw("its limits are STALE: nothing is allowed")
