"""The disk of the emulated Pi: Debian 13 with the daemon installed as an installer does it.

Owns what is in it and when it is made anew: the root file system when its list of packages changes, the rest
when the wheel, the locked requirements, the units or the lab's own files change. The guest has no network:
wheels are fetched here, for its Python, and installed there with their hashes. Root only: it unpacks device
nodes and owners.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from vm.machine import Fallen

PROJECT = Path(__file__).parents[2]
LAB = Path(__file__).parent / "guest"
SUITE = "trixie"
PYTHON = "3.13"  # of that suite
PACKAGES = (
    "systemd,systemd-sysv,udev,dbus,iproute2,kmod,procps,python3,python3-venv,can-utils,bluez,"
    "initramfs-tools,zstd,linux-image-amd64"
)
QUIET = (
    "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
    "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)  # fmt: skip
# What the peers import, and their own.
PEERS = ("bumble", "pyee", "cryptography", "cffi", "pycparser", "typing-extensions", "pyyaml")
TAGS = (
    "manylinux_2_34_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "any",
)
SIZE = "2500M"
STEP_S = 900.0


@dataclass(frozen=True, slots=True)
class Image:
    """`boot` holds vmlinuz, initrd, disk.img and, once it was frozen, frozen.qcow2."""

    boot: Path
    made: bool  # just now

    @property
    def disk(self) -> Path:
        return self.boot / "disk.img"

    @property
    def frozen(self) -> Path:
        return self.boot / "frozen.qcow2"


def make(work: Path) -> Image:
    """The image of this checkout, made when it is not there. Older ones are thrown away."""
    work.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(work / "wheel")
    boot = work / f"image-{digest(wheel)}"
    if (boot / "disk.img").exists():
        return Image(boot, made=False)
    for old in work.glob("image-*"):
        shutil.rmtree(old)
    wheels = fetch(work / "wheels")
    root, part = work / "root", work / "image-part"
    for folder in (root, part):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    run("tar", "--extract", "--numeric-owner", "--file", str(base(work)), "--directory", str(root))
    install(root, wheel, wheels)
    furnish(root)
    pack(root, part)
    shutil.rmtree(root)
    part.rename(boot)
    return Image(boot, made=True)


def base(work: Path) -> Path:
    """Debian with the packages, as a tar file."""
    name = hashlib.sha256(" ".join((SUITE, PACKAGES, *QUIET)).encode()).hexdigest()[:12]
    tar = work / f"{SUITE}-{name}.tar"
    if not tar.exists():
        part = tar.with_suffix(".part.tar")
        run(
            "mmdebstrap",
            "--variant=minbase",
            "--arch=amd64",
            f"--include={PACKAGES}",
            *QUIET,
            SUITE,
            str(part),
        )
        part.rename(tar)
    return tar


def build_wheel(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(PROJECT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def fetch(folder: Path) -> Path:
    """The locked wheels of the daemon and of the peers, for the guest's Python."""
    folder.mkdir(exist_ok=True)
    for name, chosen in (("run", None), ("dev", PEERS)):
        wanted = folder / f"{name}.txt"
        wanted.write_text("".join(lines(lock(name).read_text(), chosen)))
        tags = [option for tag in TAGS for option in ("--platform", tag)]
        which = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", PYTHON, *tags)
        pip("download", *which, "--requirement", str(wanted), "--dest", str(folder))
    return folder


def lock(name: str) -> Path:
    return PROJECT / "config/requirements" / f"{name}.txt"


def lines(locked: str, chosen: Collection[str] | None) -> Iterator[str]:
    """Of a locked list the parts that the guest needs, without their conditions: pip judges these by the
    Python that it runs on, not by the one that it fetches for. `chosen`: only these."""
    there = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    for part in locked.replace(" \\\n", " ").splitlines():
        head, *hashes = part.split(" --hash=")
        requirement = Requirement(head)
        if chosen is not None and requirement.name not in chosen:
            continue
        if requirement.marker is None or requirement.marker.evaluate(there):
            yield (
                f"{requirement.name}{requirement.specifier} "
                + " ".join(f"--hash={h.strip()}" for h in hashes)
                + "\n"
            )


def digest(wheel: Path) -> str:
    """Of everything that goes into the image."""
    total = hashlib.sha256(" ".join((SUITE, PACKAGES, *QUIET)).encode())
    files = [wheel, lock("run"), lock("dev"), Path(__file__), *sorted((PROJECT / "systemd").iterdir())]
    for file in [*files, *sorted(LAB.iterdir()), *sorted(rig())]:
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:12]


def rig() -> list[Path]:
    """Simulated devices and recorded replies: what the peers in the guest play."""
    here = PROJECT / "hardware-in-loop/rig"
    recorded = PROJECT / "tests/recorded"
    return [
        *here.glob("*.py"),
        *here.glob("data/*.csv"),
        *recorded.glob("bms_*.yaml"),
        *recorded.glob("can_*.yaml"),
    ]


def install(root: Path, wheel: Path, wheels: Path) -> None:
    """The daemon, by the steps of docs/installing.md; the peers in an environment of their own."""
    shutil.copytree(wheels, root / "wheels")
    shutil.copy(wheel, root / "wheels")
    shutil.copy(lock("run"), root / "wheels/requirements.txt")
    offline = "--no-index --find-links /wheels"
    script = f"""
        set -e
        python3 -m venv /opt/gridseal
        /opt/gridseal/bin/pip install --quiet {offline} --require-hashes -r /wheels/requirements.txt
        /opt/gridseal/bin/pip install --quiet --no-index --no-deps /wheels/{wheel.name}
        python3 -m venv /opt/lab/venv
        /opt/lab/venv/bin/pip install --quiet {offline} --no-deps --require-hashes -r /wheels/dev.txt
    """
    chroot(root, script)
    shutil.rmtree(root / "wheels")
    units = root / "etc/systemd/system"
    shutil.copy(PROJECT / "systemd/gridseal.service", units)
    shutil.copytree(PROJECT / "systemd", root / "opt/lab/systemd")
    (root / "etc/gridseal").mkdir()
    network = root / "etc/systemd/network"
    shutil.copy(PROJECT / "systemd/25-can0.network", network)


def furnish(root: Path) -> None:
    """What is the lab's own: the console that runs jobs, the peers, and no waiting for a network."""
    lab, units = root / "opt/lab", root / "etc/systemd/system"
    for file in LAB.iterdir():
        if file.is_file():
            shutil.copy(file, lab)
    for file in rig():
        target = lab / file.relative_to(
            PROJECT / ("tests" if "recorded" in file.parts else "hardware-in-loop")
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (lab / "lab-shell").chmod(0o755)
    (lab / "lab-shell.service").rename(units / "lab-shell.service")
    (root / "etc/systemd/journald.conf.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/journald.conf.d/lab.conf").write_text("[Journal]\nStorage=volatile\n")
    (root / "etc/hostname").write_text("gridseal\n")
    off = "systemd-networkd-wait-online serial-getty@hvc0 serial-getty@ttyS0"
    chroot(root, f"systemctl -q enable lab-shell systemd-networkd && systemctl -q mask {off}")


def pack(root: Path, boot: Path) -> None:
    """Kernel, a small initrd, and the file system as one file, without a loop device."""
    settings = root / "etc/initramfs-tools"
    (settings / "conf.d/lab").write_text("MODULES=list\nCOMPRESS=zstd\n")
    (settings / "modules").write_text("virtio_pci\nvirtio_blk\next4\n")
    kernel = max((root / "boot").glob("vmlinuz-*"))
    version = kernel.name.removeprefix("vmlinuz-")
    chroot(root, f"mkinitramfs -o /boot/initrd.lab {version}")
    shutil.copy(kernel, boot / "vmlinuz")
    shutil.move(root / "boot/initrd.lab", boot / "initrd")
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root), str(boot / "disk.img"), SIZE)


def chroot(root: Path, script: str) -> None:
    clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")
    run("chroot", str(root), *clean, "sh", "-c", script)


def pip(*arguments: str) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    """Fallen with the last that a failed program said."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=STEP_S, check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
    if done.returncode:
        raise Fallen(f"{command[0]} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
