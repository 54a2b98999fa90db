"""`gridseal keys`: makes the gateway's key on the device and shows its public half.

It never shows a secret. What handles keys needs the `chain` extra, so it is imported by who makes or shows
one and not by who only asks for help.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import keylife, keymaking
from gateway.errors import ConfigError
from gateway.evidence import keysource
from gateway.site import Credential, KeySettings, Keystore

if TYPE_CHECKING:
    from gateway.evidence.signer import Signer

NAME = "keys"
HELP = """\
the gateway's signing key: make it on this device, show it, have it bound, hand over, revoke

The key signs records and pays for its transactions. KEY says where it is kept, as attest.key does:

  /etc/gridseal/key.json       an encrypted keystore; --passphrase FILE holds its passphrase
  credential:gridseal-key      sealed by systemd for this machine, and its TPM: --file FILE
  "pkcs11:token=T;object=K?module-path=/usr/lib/…/libsofthsm2.so"
                               on a token, which it cannot leave; --pin FILE holds its PIN

  gridseal keys new /etc/gridseal/key.json --passphrase /etc/gridseal/passphrase
  gridseal keys new credential:gridseal-key --file /etc/gridseal/gridseal-key.cred
  gridseal keys show /etc/gridseal/key.json                        the address, without the passphrase
  gridseal keys show /etc/gridseal/key.json --passphrase FILE      opens it: address and public key
  gridseal keys prove site.yaml --owner 0x…                        the owner's call that binds the key
  gridseal keys rotate site.yaml                                   attest.key hands over to attest.next
  gridseal keys revoke site.yaml --reason compromised              nothing more is signed by attest.key

A contract binds a key only with the key's own consent to the owner who binds it: `prove` prints it. To
replace a key, make the new one, write it into site.yaml as `attest: {key: …, next: {key: …}}`, `rotate`
(the daemon may run): under systemd the daemon begins anew with it once no order runs, elsewhere restart it.
Some day `next` takes the place of `key`.
Nothing here ever prints a secret; keep a copy of keystore and passphrase, apart from each other. The
daemon reads passphrase and PIN from the files in site.yaml, or as the systemd credentials
gridseal-passphrase and gridseal-pin. `new` makes the passphrase file as well when there is none. What
root makes belongs to whom the folder belongs to: in /var/lib/gridseal that is the daemon, once it was
started there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="keys_verb", required=True, metavar="new|show|prove|rotate|revoke")
    for name, help_text in (("new", "make a key"), ("show", "address and public key of a key")):
        add_key(verbs.add_parser(name, help=help_text, description=help_text))
    prove = verbs.add_parser("prove", help="a site's key agrees to be bound by the owner of its asset")
    prove.add_argument("site", type=Path, help="the site.yaml")
    prove.add_argument(
        "--owner", required=True, metavar="ADDRESS", help="who sends the call: 0x… (on Stacks: SP…)"
    )
    rotate = verbs.add_parser("rotate", help="attest.key hands over to attest.next")
    rotate.add_argument("site", type=Path, help="the site.yaml, with both keys")
    revoke = verbs.add_parser("revoke", help="nothing more is signed by attest.key")
    revoke.add_argument("site", type=Path, help="the site.yaml")
    revoke.add_argument("--reason", required=True, choices=("retired", "compromised"))
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="print one JSON object")


def add_key(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("key", help="a keystore's path, credential:NAME, or pkcs11:…")
    verb.add_argument("--passphrase", type=Path, metavar="FILE", help="of a keystore: its first line is it")
    verb.add_argument("--pin", type=Path, metavar="FILE", help="of a token: its first line is it")
    verb.add_argument("--file", type=Path, metavar="FILE", help="of a credential: where it is sealed")


def run(args: argparse.Namespace) -> int:
    facts = DOES[args.keys_verb](args)
    if args.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name + ':':<12} {value}" for name, value in facts.items()))
    return 0


def new(args: argparse.Namespace) -> dict[str, Any]:
    key = settings(args)
    keymaking.make(key, args.file)
    facts = _facts(key, opened(key, args.file))  # what cannot be opened again is found now
    if isinstance(key.source, Credential):
        facts["unit"] = f"LoadCredentialEncrypted={key.source.name}:{args.file}"
    return facts


def show(args: argparse.Namespace) -> dict[str, Any]:
    """What may be known of a key. Without the passphrase of a keystore it is only what the file claims."""
    key = settings(args)
    if not isinstance(key.source, Keystore) or key.passphrase is not None:
        return _facts(key, opened(key, args.file))
    from gateway.evidence import signer
    from gateway.evidence.address import checksum

    claimed = signer.read_keystore(key.source.path).get("address")
    if not claimed:
        raise ConfigError(f"{key.source}: does not say its address; give --passphrase to open it")
    return {"key": str(key.source), "address": checksum(str(claimed))}


def settings(args: argparse.Namespace) -> KeySettings:
    try:
        return KeySettings(keysource.parse(args.key), args.passphrase, args.pin)
    except ValueError as error:
        raise ConfigError(str(error))


def opened(key: KeySettings, file: Path | None) -> "Signer":
    from gateway.evidence import signer

    if isinstance(key.source, Credential) and file is not None:
        return signer.of_hex(str(file), keymaking.open_credential_file(key.source.name, file))
    return signer.open_signer(key, by_hand=True)


def _facts(key: KeySettings, signer: "Signer") -> dict[str, Any]:
    return {"key": str(key.source), "address": signer.address, "public key": "0x" + signer.public_key.hex()}


DOES = {
    "new": new,
    "show": show,
    "prove": keylife.prove,
    "rotate": keylife.rotate,
    "revoke": keylife.revoke,
}
