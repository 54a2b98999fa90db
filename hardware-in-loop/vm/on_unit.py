"""The unit itself, on a site that controls a battery: confinement, clock, watchdog, start and stop.

The inverter and the meter are the rig's, in the guest, with their own fallback; its account of what was
written is what counts here. The site's key is a credential that systemd encrypts and hands over.
"""

from vm import inverter
from vm.guest import DAEMON, UNIT, Guest
from vm.machine import Fallen

ATTEST = 'attest: {every: 10 s, key: "credential:gridseal-key"}\n'
EXPOSURE_MAX = 22  # tenths, as in tests/test_systemd.py


def run(guest: Guest) -> None:
    inverter.start(guest)
    guest.sh(f"{DAEMON} keys new credential:gridseal-key --file /etc/gridseal/gridseal-key.cred")
    guest.saw("gridseal keys new: a key that systemd-creds encrypted")
    guest.serve(inverter.DEVICES + ATTEST, "key.conf")
    confined(guest)
    clock(guest)
    inverter.order(guest)
    hangs(guest)
    inverter.order(guest)
    stops(guest)


def confined(guest: Guest) -> None:
    """What the kernel says of the process, and systemd of the unit as it is loaded."""
    told = guest.sh(f"cat /proc/$(systemctl show -P MainPID {UNIT})/status")
    facts = {name: value.split() for name, _, value in (line.partition(":") for line in told.splitlines())}
    wanted = {"Seccomp": ["2"], "NoNewPrivs": ["1"], "CapEff": ["0" * 16]}
    if any(facts[name] != value for name, value in wanted.items()) or "0" in facts["Uid"]:
        raise Fallen(f"the process is not confined:\n{told}")
    guest.saw("no capability, seccomp, a user of its own")
    guest.sh(f"systemd-analyze security --no-pager --threshold={EXPOSURE_MAX} {UNIT}")
    guest.saw(f"systemd-analyze security: at most {EXPOSURE_MAX / 10}")


def clock(guest: Guest) -> None:
    """A Pi has no clock at boot: nothing is signed until the kernel knows that it is held."""
    guest.until("some periods have passed", lambda: guest.ask(do="status")["uptime_s"] > 40, 90)
    told = guest.ask(do="status")
    if told["clock"] != "UNTRUSTED" or told["records"]["signed"]:
        raise Fallen(f"before the clock is synchronised: {told['clock']}, {told['records']}")
    guest.saw("clock UNTRUSTED: nothing signed")
    guest.sh("python3 -IS /opt/lab/synchronised.py")
    guest.until("clock TRUSTED: signed", lambda: guest.ask(do="status").get("records", {}).get("signed"), 90)


def hangs(guest: Guest) -> None:
    """A daemon that stands still while an order is carried out."""
    before = inverter.writes(guest)[-1]["at_ms"]
    guest.sh(f"systemctl kill --kill-whom=main --signal=STOP {UNIT}")
    guest.until("hung: systemd ends it and starts it again", lambda: restarts(guest) == 1, 180)
    if "Watchdog timeout" not in guest.sh(f"journalctl --no-pager -u {UNIT}"):
        raise Fallen("it was not the watchdog")
    guest.saw("it was the watchdog")
    guest.until("it serves again", lambda: guest.ask(do="status"), 180)
    first = next((write for write in inverter.writes(guest) if write["at_ms"] > before), None)
    if first is None or first["demand_w"] is not None or inverter.state(guest)["order"] != "self":
        raise Fallen(f"its first write is not the fallback: {first}")
    guest.saw("its first write was the fallback, and the order is not taken up again")


def stops(guest: Guest) -> None:
    """In the middle of an order."""
    memory = int(guest.sh(f"systemctl show -P MemoryPeak {UNIT}")) / 2**20
    guest.sh(f"systemctl stop {UNIT}")
    if inverter.writes(guest)[-1]["demand_w"] is not None or inverter.state(guest)["order"] != "self":
        raise Fallen(f"a stop left {inverter.writes(guest)[-1]}")
    result = guest.sh(f"systemctl show -P Result {UNIT}")
    if result != "success":
        raise Fallen(f"the stop ended with {result}")
    guest.saw(f"a stop writes the fallback and ends well; memory peak {memory:.0f} MiB")


def restarts(guest: Guest) -> int:
    return int(guest.sh(f"systemctl show -P NRestarts {UNIT}"))
