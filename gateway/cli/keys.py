"""`gridseal keys`: makes the gateway's key on the device and shows its public half.

The secret is written only encrypted, only into a new file of mode 0600, and never shown. It refuses to
overwrite anything: a key that signed records is needed for ever. What handles keys needs the `chain` extra,
so it is imported by who makes or shows one and not by who only asks for help.
"""

import argparse
import json
import os
import secrets
from pathlib import Path
from typing import Any

from gateway.errors import ConfigError

NAME = "keys"
HELP = """\
make the gateway's signing key on this device, or show its address

The key signs records and pays for its transactions. It is kept in an encrypted keystore; its passphrase
is the first line of a file only the gateway may read (with systemd: the credential gridseal-passphrase).
Nothing here ever prints the secret; keep a copy of keystore and passphrase, apart from each other.

  gridseal keys new /etc/gridseal/key.json --passphrase /etc/gridseal/passphrase
  gridseal keys show /etc/gridseal/key.json                        the address, without the passphrase
  gridseal keys show /etc/gridseal/key.json --passphrase FILE      opens it: address and public key

`new` makes the passphrase file as well when there is none. What root makes belongs to whom the folder
belongs to: in /var/lib/gridseal that is the daemon, once it was started there."""

PASSPHRASE_BYTES = 24  # of randomness: more than anybody can try


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="keys_verb", required=True, metavar="new|show")
    for name, help_text in (("new", "make a key"), ("show", "address and public key of a keystore")):
        verb = verbs.add_parser(name, help=help_text, description=help_text)
        verb.add_argument("keystore", type=Path, help="the keystore file")
        verb.add_argument("--passphrase", type=Path, metavar="FILE", help="file whose first line it is")
        verb.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    facts = new(args.keystore, args.passphrase) if args.keys_verb == "new" else show(args)
    if args.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name + ':':<12} {value}" for name, value in facts.items()))
    return 0


def new(path: Path, passphrase: Path | None, rounds: int | None = None) -> dict[str, Any]:
    """Make a keystore, and its passphrase file when that does not exist yet."""
    import coincurve

    from gateway.evidence import signer

    if path.exists():
        raise ConfigError(f"{path}: exists already; a key is never overwritten, choose another name")
    if passphrase is not None and not passphrase.exists():
        _write_new(passphrase, secrets.token_urlsafe(PASSPHRASE_BYTES).encode() + b"\n")
    words = signer.read_passphrase(path, passphrase)
    secret = coincurve.PrivateKey().secret  # from the kernel's random numbers
    _write_new(path, signer.make_keystore(secret, words, rounds or signer.PBKDF2_ROUNDS))
    made = signer.open_keystore(path, passphrase)  # what cannot be opened again is found now
    return _facts(path, made.address, made.public_key)


def show(args: argparse.Namespace) -> dict[str, Any]:
    """What may be known of a key. Without the passphrase the address is only what the file claims."""
    from gateway.evidence import signer
    from gateway.evidence.address import checksum

    if args.passphrase is not None:
        opened = signer.open_keystore(args.keystore, args.passphrase)
        return _facts(args.keystore, opened.address, opened.public_key)
    claimed = signer.read_keystore(args.keystore).get("address")
    if not claimed:
        raise ConfigError(f"{args.keystore}: does not say its address; give --passphrase to open it")
    return {"keystore": str(args.keystore), "address": checksum(str(claimed))}


def _facts(path: Path, address: str, public_key: bytes) -> dict[str, Any]:
    return {"keystore": str(path), "address": address, "public key": "0x" + public_key.hex()}


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, readable by its owner alone, and make it durable. Root makes it for
    the folder's owner: the daemon runs as another, and could not read its own key."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; it is not overwritten")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}")
    with os.fdopen(handle, "wb") as file:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
