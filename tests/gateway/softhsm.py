"""A SoftHSM2 token in a folder of its own: the independent PKCS#11 module that signers are tested against."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from gateway.site import TokenKey
from tests.tools import missing, need

PIN, SO_PIN = "246810", "12345678"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


def module() -> Path:
    for name in _MODULES:
        if Path(name).exists():
            return Path(name)
    missing("softhsm2")


@contextlib.contextmanager
def token(folder: Path, label: str = "gridseal") -> Iterator["Token"]:
    """An initialised token, known to this process and its children until the end of the block."""
    path = module()
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before, os.environ["SOFTHSM2_CONF"] = os.environ.get("SOFTHSM2_CONF"), str(conf)
    made = Token(folder, path, label)
    try:
        made.initialise()
        yield made
    finally:
        made.forget()
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


class Token:
    def __init__(self, folder: Path, module: Path, label: str) -> None:
        self.folder, self.module, self.label = folder, module, label
        self.pin = folder / "pin"
        self.pin.write_text(PIN + "\n")

    def initialise(self) -> None:
        words = ["--init-token", "--free", "--label", self.label, "--pin", PIN, "--so-pin", SO_PIN]
        subprocess.run([need("softhsm2-util"), *words], check=True, capture_output=True, timeout=30)
        self.forget()  # the module lists its tokens once

    def forget(self) -> None:
        import pkcs11

        pkcs11.lib(str(self.module)).reinitialize()

    def place(self, name: str, **more) -> TokenKey:
        return TokenKey(self.module, self.label, object=name, **more)

    def uri(self, name: str) -> str:
        return f"pkcs11:token={self.label};object={name}?module-path={self.module}"

    def pull(self) -> None:
        """Unplugged: its objects are gone, and whoever has a session finds nothing behind it."""
        (self.folder / "tokens").rename(self.folder / "pulled")
        (self.folder / "tokens").mkdir()

    def plug(self) -> None:
        (self.folder / "tokens").rmdir()
        (self.folder / "pulled").rename(self.folder / "tokens")
