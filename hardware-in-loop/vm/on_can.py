"""SocketCAN: the hardened unit hears a battery on can0, loses the bus under an order, has it back.

The battery is a published recording, sent by can-utils on a virtual bus; systemd-networkd sets the interface
up by the project's own file.
"""

from itertools import pairwise
from typing import Any

import yaml

from vm import inverter
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
    told = recording()["good"]
    guest.sh("modprobe vcan && modprobe can-raw && ip link add can0 type vcan")
    guest.until("systemd-networkd has can0 up, by 25-can0.network", lambda: "UP" in state(guest), 30)
    guest.put(LOG, replayed(recording()["frames"]))
    speak(guest)
    inverter.start(guest)
    guest.serve(inverter.DEVICES + DEVICES)
    guest.reads("bms", told)
    keep_alive(guest)
    inverter.order(guest)
    down(guest, told)
    vanishes(guest, told)
    found = guest.sh(f"{DAEMON} scan can can0 --seconds 5")
    if "pylontech_can" not in found or "can://can0" not in found:
        raise Fallen(f"gridseal scan can can0 says:\n{found}")
    guest.saw("gridseal scan can can0 recognises it, beside the daemon")


def speak(guest: Guest) -> None:
    guest.background(
        "bms", f"canplayer -l i -I {LOG}", "-p Restart=always -p RestartSec=1 -p StartLimitIntervalSec=0"
    )


def down(guest: Guest, told: dict[str, int]) -> None:
    """In the middle of an order: what is allowed is what the battery says, and it says nothing."""
    guest.sh("ip link set can0 down")
    guest.none_good("bms")
    guest.until("its limits are unknown: 0 W commanded", lambda: held(guest), 60)
    guest.sh("ip link set can0 up")
    guest.reads("bms", told)
    inverter.follows(guest, "can0 is up: the order goes on")


def held(guest: Guest) -> bool:
    control = guest.ask(do="status")["control"]
    limits = [guest.points("bms")[point][1] for point in LIMITS]
    return control["commanded_w"] == 0 and "limit unknown" in control["causes"] and "GOOD" not in limits


def vanishes(guest: Guest, told: dict[str, int]) -> None:
    """An adapter on USB that is pulled takes its interface with it."""
    guest.sh("systemctl stop bms && ip link delete can0")
    guest.none_good("bms")
    gone = "no such interface"
    guest.until("the interface is gone: said so", lambda: gone in guest.device("bms").get("error", ""), 60)
    guest.sh("ip link add can0 type vcan")
    speak(guest)
    guest.reads("bms", told)


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
