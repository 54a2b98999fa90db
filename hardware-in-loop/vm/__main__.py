"""`make vm`: what kernel, systemd, D-Bus and BlueZ make of the installed daemon, in an emulated machine.

    make vm                      every scenario
    make vm ARGS="can serial"    these

Builds the image when something in it changed, boots it once and freezes it, thaws a copy for each scenario,
prints what was seen and how long each took. Exit code 1 when a scenario failed. Root only.
"""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vm import image, on_bluetooth, on_can, on_serial, on_unit
from vm.guest import Guest
from vm.image import Image
from vm.machine import BOOT_S, Fallen, Machine, copy_disk, missing, new_disk

SCENARIOS = {"unit": on_unit, "can": on_can, "serial": on_serial, "bluetooth": on_bluetooth}
TOOLS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mke2fs", "tar", "chroot")
PROBE_S = 10.0


def boot(made: Image, folder: Path) -> None:
    """Once: until systemd has nothing more to start; then frozen beside the image."""
    disk = folder / "disk.qcow2"
    new_disk(made.disk, disk)
    with Machine(made.boot, folder, disk, thaw=False) as machine:
        try:
            wait(machine)
            machine.run("sync", PROBE_S)
        except Fallen as error:
            raise Fallen(f"the guest does not start: {error}\n{machine.console[-2000:]}") from None
        machine.freeze()
    shutil.move(disk, made.frozen)


def wait(machine: Machine) -> None:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(Fallen):  # nobody listens yet
            state = machine.run("systemctl is-system-running --wait", PROBE_S).said
            if state == "running":
                return
            raise Fallen(
                f"systemd says {state}:\n{machine.run('systemctl --failed --no-legend', PROBE_S).said}"
            )
    raise Fallen(f"not up within {BOOT_S:.0f} s")


def play(name: str, made: Image, folder: Path) -> tuple[Guest, str]:
    """One scenario in a machine of its own; what went wrong, or nothing."""
    disk = folder / "disk.qcow2"
    copy_disk(made.frozen, disk)
    with Machine(made.boot, folder, disk, thaw=True) as machine:
        guest = Guest(machine, folder)
        try:
            guest.sh(f"date --set=@{time.time():.0f}")
            SCENARIOS[name].run(guest)
        except Fallen as error:
            return guest, f"{error}\n{guest.account()}"
        return guest, ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vm", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--work", type=Path, default=image.PROJECT / "build/vm", help="where images are kept")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in SCENARIOS]:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    if os.geteuid():
        sys.exit("make vm: only root can make the image: it unpacks owners and device nodes")
    if absent := missing(TOOLS):
        sys.exit(
            f"make vm: missing: {', '.join(absent)} (hardware-in-loop/vm/README.md says in which packages)"
        )
    try:
        return run(given.names or list(SCENARIOS), given.work.resolve())
    except Fallen as error:
        sys.exit(f"make vm: {error}")


def run(names: Sequence[str], work: Path) -> int:
    screen = Console()
    began = time.monotonic()
    made = image.make(work)
    with tempfile.TemporaryDirectory(prefix="vm-", dir=work) as place:
        if not made.frozen.exists():
            boot(made, _folder(place, "boot"))
        screen.print(f"{made.boot.name}, made and booted where needed: {time.monotonic() - began:.0f} s")
        failed = [name for name in names if not _shown(screen, name, *play(name, made, _folder(place, name)))]
    screen.print(f"{len(names) - len(failed)} of {len(names)} scenarios, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _folder(place: str, name: str) -> Path:
    folder = Path(place) / name
    folder.mkdir()
    return folder


def _shown(screen: Console, name: str, guest: Guest, trouble: str) -> bool:
    table = Table(box=None, title=name, title_justify="left", pad_edge=False)
    table.add_column("s", justify="right")
    table.add_column("seen", overflow="fold")
    for what, seconds in guest.seen:
        table.add_row(f"{seconds:.1f}", what)
    table.add_row(f"{sum(s for _, s in guest.seen):.1f}", "[red]FAILED" if trouble else "[green]ok")
    screen.print(table)
    if trouble:
        screen.print(trouble, markup=False, highlight=False)
    return not trouble


if __name__ == "__main__":
    sys.exit(main())
