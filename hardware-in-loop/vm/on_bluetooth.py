"""BlueZ: the hardened unit reads a battery through the real bluetoothd and D-Bus, loses it, has it back.

The radio is the kernel's virtual controller with the library bumble behind it, in the guest; the battery
there plays recorded replies in pieces of 20 bytes (guest/jbd_ble.py).
"""

from vm.guest import DAEMON, UNIT, Guest
from vm.machine import Fallen
from vm.on_serial import recording

ADDRESS = "F0:F1:F2:F3:F4:01"
DEVICES = f'  bms: {{profile: jbd_ble, link: "ble://{ADDRESS}", poll: 2 s}}\n'
TROUBLES = {
    "bluetoothd was restarted": "systemctl restart bluetooth",
    "the daemon was killed, its connection left to BlueZ": f"systemctl kill --signal=KILL {UNIT}; sleep 1",
    "the adapter was pulled and plugged in again": "systemctl restart radio",
    "the adapter was switched off and on": "bluetoothctl power off; sleep 5; bluetoothctl power on",
}
PEER = "/opt/lab/venv/bin/python /opt/lab/jbd_ble.py"


def run(guest: Guest) -> None:
    told = recording()["told"]
    guest.sh("useradd --system --user-group --shell /usr/sbin/nologin gridseal")
    guest.sh("modprobe hci_vhci")
    guest.background("radio", PEER)
    guest.sh("systemctl start bluetooth")
    guest.until("bluetoothd has a controller, switched on", lambda: powered(guest), 120)
    guest.serve(DEVICES, "bluetooth.conf")
    guest.reads("bms", told, 180)
    dies(guest, told)
    for what, how in TROUBLES.items():
        guest.sh(how)
        guest.saw(what)
        guest.reads("bms", told, 240)
    guest.sh(f"systemctl stop {UNIT}")
    found = guest.sh(f"{DAEMON} scan ble --seconds 10")
    if "jbd_ble" not in found or f"ble://{ADDRESS}" not in found:
        raise Fallen(f"gridseal scan ble says:\n{found}")
    guest.saw("gridseal scan ble finds it")


def powered(guest: Guest) -> bool:
    return "Powered: yes" in guest.try_sh("timeout 10 bluetoothctl show").said


def dies(guest: Guest, told: dict[str, int]) -> None:
    """The board's battery: it hangs up and is not heard, until it is back."""
    guest.sh("systemctl kill --signal=USR1 radio")
    guest.none_good("bms", 120)
    guest.sh("systemctl kill --signal=USR2 radio")
    guest.reads("bms", told, 240)
