"""One QEMU process and its two sockets: the monitor (QMP) and a console on which the guest runs jobs.

Owns the command line, freezing and thawing, and that every wait has an end. The machine is emulated (no KVM),
has no network, and writes to a disk of its own alone. It refuses to know what runs inside.
"""

import base64
import json
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SNAPSHOT = "ready"
START_S = 60.0  # until QEMU answers
BOOT_S = 400.0  # until the guest answers; 40 s on a quiet host
FREEZE_S = 300.0
ANSWER_MAX = 8_000_000
QEMU = (
    "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
    "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
    "-device", "qemu-xhci,id=usb", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
)  # fmt: skip


class Fallen(Exception):
    """The machine, or something in it, did not do what it was started for."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job that ended."""

    status: int
    said: str


class Lines:
    """A Unix socket, read until a mark, with a deadline."""

    def __init__(self, path: Path, limit_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._held = b""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                self._socket.connect(str(path))
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise Fallen(f"QEMU made no {path.name} within {limit_s:.0f} s") from None
                time.sleep(0.05)

    def send(self, data: bytes) -> None:
        self._socket.settimeout(START_S)
        try:
            self._socket.sendall(data)
        except ConnectionError:
            raise Fallen("the machine ended") from None

    def until(self, mark: bytes, limit_s: float) -> bytes:
        """What came before `mark`. TimeoutError with what was held when it does not come."""
        deadline = time.monotonic() + limit_s
        while mark not in self._held:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise Fallen("the machine ended")
            self._held += data
            if len(self._held) > ANSWER_MAX:
                raise Fallen("a job says too much")
        before, _, self._held = self._held.partition(mark)
        return before

    @property
    def held(self) -> str:
        return self._held.decode(errors="replace")

    def close(self) -> None:
        self._socket.close()


class Machine:
    """A machine that runs. `folder` is its own: sockets, console, disk. `boot` has vmlinuz and initrd."""

    def __init__(self, boot: Path, folder: Path, disk: Path, *, thaw: bool) -> None:
        self._folder = folder
        command = [
            *QEMU, "-kernel", str(boot / "vmlinuz"), "-initrd", str(boot / "initrd"),
            "-append", "root=/dev/vda rw console=ttyS0 panic=-1 net.ifnames=0 quiet",
            "-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe",
            "-chardev", f"socket,id=jobs,path={folder}/jobs,server=on,wait=off",
            "-device", "virtconsole,chardev=jobs",
            "-serial", f"file:{folder}/console", "-serial", "null",
            "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
            *(("-loadvm", SNAPSHOT) if thaw else ()),
        ]  # fmt: skip
        with (folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._jobs = Lines(folder / "jobs", START_S)
            self._monitor = Lines(folder / "qmp", START_S)
            self._monitor.until(b"\n", START_S)
            self.monitor("qmp_capabilities")
        except (Fallen, TimeoutError) as error:
            self._process.kill()
            said = (folder / "qemu.log").read_text(errors="replace").strip().splitlines()
            raise Fallen(f"QEMU does not run: {said[-1] if said else error}") from None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(START_S)
        self._jobs.close()
        self._monitor.close()

    def monitor(self, execute: str, limit_s: float = START_S, **arguments: Any) -> Any:
        """One QMP command. Fallen when QEMU refuses."""
        self._monitor.send(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._monitor.until(b"\n", limit_s))
            if "error" in answer:
                raise Fallen(f"QEMU: {execute}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def run(self, job: str, limit_s: float) -> Done:
        """Run a shell script in the guest, as root."""
        mark = secrets.token_hex(8)
        self._jobs.send(f"{mark} {base64.b64encode(job.encode()).decode()}\n".encode())
        try:
            self._jobs.until(f"{mark} begin\n".encode(), limit_s)
            said = self._jobs.until(f"\n{mark} ".encode(), limit_s)
            status = int(self._jobs.until(b"\n", limit_s))
        except TimeoutError:
            raise Fallen(
                f"not done within {limit_s:.0f} s: {job.strip()}\n{self._jobs.held[-2000:]}"
            ) from None
        return Done(status, said.decode(errors="replace").strip())

    def freeze(self) -> None:
        """Keep memory and devices in the disk's own file; the machine stands still from here."""
        self.monitor("stop")
        refused = self.monitor("human-monitor-command", FREEZE_S, **{"command-line": f"savevm {SNAPSHOT}"})
        if refused:
            raise Fallen(f"QEMU: savevm: {refused.strip()}")
        self.monitor("quit")
        self._process.wait(START_S)

    @property
    def console(self) -> str:
        """What the kernel and systemd wrote."""
        return (self._folder / "console").read_text(errors="replace")


def new_disk(image: Path, disk: Path) -> None:
    """A disk that begins as `image` and keeps what changes to itself."""
    _tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.resolve()), "-F", "raw", str(disk))


def copy_disk(frozen: Path, disk: Path) -> None:
    shutil.copyfile(frozen, disk)


def _tool(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    if done.returncode:
        raise Fallen(f"{command[0]}: {done.stderr.strip()}")


def missing(tools: Sequence[str]) -> list[str]:
    return [tool for tool in tools if shutil.which(tool) is None]
