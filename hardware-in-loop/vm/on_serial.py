"""A serial adapter on USB: the hardened unit opens it by its name under by-id, loses it, has it back.

QEMU plays the adapter (an FTDI chip), the kernel and udev are real. The battery behind it is played from
here, on the other end of the adapter's wire, with recorded replies.
"""

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from drivers.bms.families import FAMILIES
from vm.guest import DAEMON, UNIT, Guest
from vm.image import PROJECT
from vm.machine import Fallen

BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_LAB1-if00-port0"
DEVICES = f"""\
  bms: {{profile: jbd_serial, link: "serial://{BY_ID}"}}
  own: {{profile: jbd_serial, link: "serial:///dev/ttyS1"}}
  foreign: {{profile: jbd_serial, link: "serial:///dev/hvc0"}}
"""
FAMILY = FAMILIES["jbd"]


def recording() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT / "tests/recorded/bms_jbd.yaml").read_text())[0]
    return found


def answers(replies: dict[str, str]) -> dict[bytes, bytes]:
    """What is asked, and what the board said to it."""
    asked = {request.name: request.data for request in FAMILY.requests(FAMILY.addresses[0])}
    return {asked[name]: bytes.fromhex(reply.replace(" ", "")) for name, reply in replies.items()}


class Adapter:
    """A USB adapter that can be plugged in and pulled, and the board on its far end."""

    def __init__(self, guest: Guest, folder: Path, replies: dict[bytes, bytes]) -> None:
        self._monitor, self._path, self._replies = guest.machine.monitor, folder / "wire", replies
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._board = threading.Thread(target=self._play, daemon=True)
        self._wire: socket.socket | None = None
        self._plugged = 0

    def __enter__(self) -> "Adapter":
        self._board.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def plug(self) -> None:
        self._plugged += 1  # QEMU lets go of the last one's wire in its own time
        wire = f"wire{self._plugged}"
        where = {"addr": {"type": "unix", "data": {"path": str(self._path)}}, "server": False}
        self._monitor("chardev-add", id=wire, backend={"type": "socket", "data": where})
        self._monitor(
            "device_add", driver="usb-serial", id="adapter", chardev=wire, serial="LAB1", bus="usb.0"
        )

    def pull(self) -> None:
        self._monitor("device_del", id="adapter")
        if self._wire is not None:
            self._wire.shutdown(socket.SHUT_RDWR)

    def _play(self) -> None:
        while True:
            try:
                self._wire, _ = self._listener.accept()
            except OSError:
                return
            with self._wire as wire:
                self._answer(wire)

    def _answer(self, wire: socket.socket) -> None:
        held = b""
        while data := wire.recv(256):
            held = (held + data)[-256:]
            for asked, reply in self._replies.items():
                if held.endswith(asked):
                    held = b""
                    wire.sendall(reply)


def run(guest: Guest) -> None:
    case = recording()
    with Adapter(guest, guest.folder, answers(case["replies"])) as adapter:
        guest.sh("chgrp dialout /dev/hvc0 && chmod g+rw /dev/hvc0")
        guest.serve(DEVICES)
        says(guest, "bms", "No such file", "without the adapter: said so")
        says(guest, "own", "no answer", "a port of the machine itself is opened")
        says(guest, "foreign", "not permitted", "a kind of terminal that is not in the unit's list is not")
        adapter.plug()
        guest.until("udev gives it its name under by-id", lambda: exists(guest), 60)
        guest.reads("bms", case["told"])
        adapter.pull()
        guest.none_good("bms")
        adapter.plug()
        guest.reads("bms", case["told"])
        scan(guest)


def says(guest: Guest, name: str, error: str, what: str) -> None:
    guest.until(what, lambda: error in guest.device(name).get("error", ""), 90)


def exists(guest: Guest) -> bool:
    return guest.try_sh(f"test -e {BY_ID}").status == 0


def scan(guest: Guest) -> None:
    guest.sh(f"systemctl stop {UNIT}")
    found = guest.sh(f"{DAEMON} scan serial $(readlink -f {BY_ID})")
    if "jbd_serial" not in found or BY_ID not in found:
        raise Fallen(f"gridseal scan serial says:\n{found}")
    guest.saw("gridseal scan serial recognises it and proposes the name that stays")
