"""Makes a key on this device, where its source says: in a keystore, sealed by systemd, or on a token.

The secret is written only encrypted, only into a new file of mode 0600, and never shown; a token's never
exists outside of it. It refuses to overwrite anything: a key that signed records is needed for ever. What
was made is opened again, so that a key that cannot be used is found now.
"""

import secrets
import subprocess
from pathlib import Path

from gateway.errors import ConfigError
from gateway.secretfile import write_new
from gateway.site import Credential, KeySettings, Keystore, TokenKey

PASSPHRASE_BYTES = 24  # of randomness: more than anybody can try
SYSTEMD_S = 60.0  # a TPM takes seconds


def make(key: KeySettings, file: Path | None, rounds: int | None = None) -> None:
    """`file`: where a credential is written. `rounds`: of a keystore's key derivation."""
    match key.source:
        case Keystore(path):
            make_keystore(path, key.passphrase, rounds)
        case Credential(name):
            make_credential(name, file)
        case TokenKey() as place:
            make_token_key(place, key.pin)


def make_keystore(path: Path, passphrase: Path | None, rounds: int | None) -> None:
    """A keystore, and its passphrase file when that does not exist yet."""
    from gateway.evidence import signer

    if path.exists():
        raise ConfigError(f"{path}: exists already; a key is never overwritten, choose another name")
    if passphrase is not None and not passphrase.exists():
        write_new(passphrase, secrets.token_urlsafe(PASSPHRASE_BYTES).encode() + b"\n")
    words = signer.read_passphrase(path, passphrase)
    write_new(path, signer.make_keystore(_secret(), words, rounds or signer.PBKDF2_ROUNDS))


def make_credential(name: str, file: Path | None) -> None:
    """A credential for LoadCredentialEncrypted=, bound to this machine (and to its TPM if there is one)."""
    if file is None:
        raise ConfigError(
            f"credential:{name}: name the file to write it to: --file /etc/gridseal/{name}.cred"
        )
    if file.exists():
        raise ConfigError(f"{file}: exists already; a key is never overwritten, choose another name")
    write_new(file, _systemd_creds("encrypt", name, _secret().hex().encode()))


def open_credential_file(name: str, file: Path) -> bytes:
    """What a credential's file holds; only on the machine that made it, and as root."""
    try:
        return _systemd_creds("decrypt", name, file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}")


def make_token_key(place: TokenKey, pin: Path | None) -> None:
    from gateway.evidence import signer, token

    token.make(place, signer.read_pin(place, pin), token.SECP256K1)


def _secret() -> bytes:
    import coincurve

    return coincurve.PrivateKey().secret  # from the kernel's random numbers


def _systemd_creds(verb: str, name: str, text: bytes) -> bytes:
    """Through pipes: the secret is never in a file or among the words of a command."""
    words = ["systemd-creds", verb, f"--name={name}", "-", "-"]
    try:
        done = subprocess.run(words, input=text, capture_output=True, timeout=SYSTEMD_S, check=False)
    except FileNotFoundError:
        raise ConfigError(f"credential:{name}: needs systemd-creds, of systemd 250 or later")
    except subprocess.TimeoutExpired:
        raise ConfigError(f"credential:{name}: systemd-creds did not end within {SYSTEMD_S:g} s") from None
    if done.returncode != 0:
        text_said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigError(f"credential:{name}: systemd-creds: {text_said[-1] if text_said else 'failed'}")
    return done.stdout
