"""An inverter and a meter in the guest, by the rig: a site whose battery can be commanded.

What was written to the inverter, and what its battery then did, is the rig's account and not the daemon's.
"""

from typing import Any

from vm.guest import DAEMON, SITE, Guest

SOCKET = "/run/rig.sock"
RIG = f"/opt/gridseal/bin/python -m rig --device sunspec --tcp 5020 --control {SOCKET}"
DEVICES = """\
  inverter: {profile: sunspec, link: "tcp://127.0.0.1:5020", timeout: 3 s, poll: 2 s}
  meter: {profile: sunspec_meter, link: "tcp://127.0.0.1:5020", unit: 200, timeout: 3 s, poll: 2 s}
"""
POWER_W, NEAR_W = 1500, 50


def start(guest: Guest) -> None:
    guest.background("rig", RIG, "--setenv=PYTHONPATH=/opt/lab")
    guest.until("the rig answers", lambda: state(guest), 90)


def state(guest: Guest) -> dict[str, Any]:
    return guest.ask(SOCKET, do="state")


def order(guest: Guest) -> None:
    guest.sh(f"{DAEMON} setpoint {SITE} --power '{POWER_W} W' --for '20 min'")
    follows(guest, "an order of a person")


def follows(guest: Guest, why: str) -> None:
    guest.until(f"{why}: the battery gives {POWER_W} W", lambda: near(state(guest)), 240)


def near(told: dict[str, Any]) -> bool:
    measured_w: int | None = told.get("battery_ac_w")
    return measured_w is not None and abs(measured_w - POWER_W) < NEAR_W


def writes(guest: Guest) -> list[dict[str, Any]]:
    """What was written to the inverter, oldest first; no demand: its fallback."""
    entries: list[dict[str, Any]] = guest.ask(SOCKET, do="journal", last=100)["entries"]
    return entries
