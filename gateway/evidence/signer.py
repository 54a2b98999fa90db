"""Who signs: a small interface, and the signers behind it: keystore file, systemd credential, PKCS#11 token.

Signatures are 65 bytes r || s || v, v 27 or 28, s low. The secret never leaves the object, is in no repr and
no message. It refuses keys it cannot open with one line that says what to do; it never makes one weaker
than it found it.
"""

import json
import os
from pathlib import Path
from typing import Any, Protocol

import coincurve

from gateway.errors import ConfigError, LinkError
from gateway.evidence.address import address_of
from gateway.evidence.ethlibs import tamed
from gateway.evidence.token import SECP256K1, Token
from gateway.site import Credential, KeySettings, Keystore, TokenKey

PASSPHRASE, PIN = "gridseal-passphrase", "gridseal-pin"  # credentials, as the snippets in systemd/ name them
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEYSTORE_BYTES_MAX = 16_384  # a keystore is under 1 kB
PASSPHRASE_BYTES_MAX = 1024
SECRET_BYTES_MAX = 66  # of a credential: 64 hex digits and the end of a line
# A scrypt keystore with n = 2^18 takes 256 MiB for a moment, which a small Pi does not have.
SCRYPT_MEMORY_MAX = 64 * 2**20
PBKDF2_ROUNDS = 600_000  # a second or two on a Pi, once at each start
PBKDF2_ROUNDS_MAX = 20_000_000


class Signer(Protocol):
    """Signs 32-byte digests with one secp256k1 key: records, and transactions as well. `sign` may block for
    seconds and raise LinkError (a token); whoever runs a loop calls it in a thread."""

    @property
    def address(self) -> str:
        """0x…, EIP-55."""

    @property
    def public_key(self) -> bytes:
        """65 bytes, 04 || x || y."""

    def sign(self, digest: bytes) -> bytes:
        """65 bytes: r || s || v, v 27 or 28, s low."""


class KeySigner:
    """Signs with a secret in memory."""

    __slots__ = ("_sign", "address", "public_key")

    def __init__(self, secret: bytes) -> None:
        key = coincurve.PrivateKey(secret)
        self._sign = key.sign_recoverable
        self.public_key = key.public_key.format(compressed=False)
        self.address = address_of(self.public_key)

    def sign(self, digest: bytes) -> bytes:
        # libsecp256k1 always gives the low s, and a recovery id of 2 or 3 once in 2^127.
        raw = self._sign(digest, hasher=None)
        return bytes(raw[:64]) + (b"\x1c" if raw[64] else b"\x1b")

    def __repr__(self) -> str:
        return f"KeySigner({self.address})"


class TokenSigner:
    """Signs with a key on a token. Its signatures of one digest differ each time: none may leave the gateway
    before it is stored, and what is stored is never signed again."""

    __slots__ = ("_token", "address", "public_key")

    def __init__(self, token: Token) -> None:
        self._token = token
        self.public_key = token.public_key
        self.address = address_of(token.public_key)

    def sign(self, digest: bytes) -> bytes:
        raw = self._token.sign(digest)
        r, s = raw[:32], int.from_bytes(raw[32:], "big")
        compact = r + min(s, ORDER - s).to_bytes(32, "big")
        for recovery in (0, 1):
            if self._recovered(compact + bytes((recovery,)), digest) == self.public_key:
                return compact + bytes((27 + recovery,))
        raise LinkError(f"{self._token.place}: what the token signed is not by its key")

    @staticmethod
    def _recovered(signature: bytes, digest: bytes) -> bytes:
        try:
            key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
        except ValueError:
            return b""
        return key.format(compressed=False)

    def __repr__(self) -> str:
        return f"TokenSigner({self.address})"


def open_signer(key: KeySettings, *, by_hand: bool = False) -> Signer:
    """The signer of a site's key. ConfigError when it cannot be opened; LinkError when its token is away."""
    match key.source:
        case Keystore(path):
            return open_keystore(path, key.passphrase)
        case Credential(name):
            return open_credential(name)
        case TokenKey() as place:
            return TokenSigner(Token(place, read_pin(place, key.pin), SECP256K1, by_hand=by_hand))


def open_credential(name: str) -> KeySigner:
    """The signer of a secret that systemd decrypted for this unit."""
    path = _credentials(f"credential:{name}: no key") / name
    hint = "make one with: gridseal keys new credential:" + name
    return of_hex(str(path), _read(path, SECRET_BYTES_MAX, "key", hint))


def of_hex(place: str, text: bytes) -> KeySigner:
    """The signer of 64 hex digits, as a credential holds them. `place` is where they are from."""
    try:
        secret = bytes.fromhex(text.decode("ascii"))
        if len(secret) != 32:
            raise ValueError
        return KeySigner(secret)
    except ValueError:  # its message would show what is there
        raise ConfigError(f"{place}: does not hold 64 hex digits that are a secp256k1 key") from None


def open_keystore(path: Path, passphrase: Path | None) -> KeySigner:
    """The signer of an encrypted keystore (Keystore V3). ConfigError when it cannot be opened."""
    with tamed():
        from eth_keyfile.keyfile import decode_keyfile_json

    store = read_keystore(path)
    secret_words = read_passphrase(path, passphrase)
    try:
        secret = decode_keyfile_json(store, secret_words)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # eth-keyfile says "MAC mismatch" for a wrong passphrase; anything else is a malformed file.
        if "MAC" in str(error):
            raise ConfigError(f"{path}: the passphrase does not open this keystore")
        raise ConfigError(f"{path}: not a usable Keystore V3 file ({type(error).__name__})")
    try:
        signer = KeySigner(secret)
    except ValueError:
        raise ConfigError(f"{path}: what it holds is not a secp256k1 key")
    if claimed := store.get("address"):
        _same_key(path, str(claimed), signer.address)
    return signer


def _same_key(path: Path, claimed: str, real: str) -> None:
    if claimed.lower().removeprefix("0x") != real[2:].lower():
        raise ConfigError(f"{path}: says it is the key of 0x{claimed} but holds the key of {real}")


def read_keystore(path: Path) -> dict[str, Any]:
    """The JSON of a keystore, checked as far as can be without the passphrase. ConfigError otherwise."""
    raw = _read(path, KEYSTORE_BYTES_MAX, "keystore", "make one with: gridseal keys new " + str(path))
    try:
        store = json.loads(raw)
        crypto = store["crypto"]
        kdf, params = crypto["kdf"], crypto["kdfparams"]
        heavy = kdf == "scrypt" and 128 * params["n"] * params["r"] > SCRYPT_MEMORY_MAX
        slow = kdf == "pbkdf2" and params["c"] > PBKDF2_ROUNDS_MAX
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{path}: not a Keystore V3 file")
    if kdf not in ("scrypt", "pbkdf2") or store.get("version") != 3:
        raise ConfigError(f"{path}: not a Keystore V3 file with scrypt or pbkdf2")
    if heavy or slow:
        raise ConfigError(
            f"{path}: opening it takes more memory or time than a gateway has;"
            f" encrypt it with pbkdf2, c={PBKDF2_ROUNDS}, or scrypt, n=65536 or less"
        )
    return dict(store)


def read_passphrase(keystore: Path, path: Path | None) -> bytes:
    """The first line of the passphrase file, or of the systemd credential PASSPHRASE."""
    return _read_words(f"{keystore}: no passphrase", "attest.passphrase, or --passphrase", path, PASSPHRASE)


def read_pin(place: TokenKey, path: Path | None) -> bytes:
    """The first line of the PIN's file, or of the systemd credential PIN."""
    return _read_words(f"{place}: no PIN", "attest.pin, or --pin", path, PIN)


def _read_words(problem: str, option: str, path: Path | None, credential: str) -> bytes:
    what = credential.removeprefix("gridseal-")
    if path is None:
        path = (
            _credentials(f"{problem}: name its file ({option}), or the credential {credential}") / credential
        )
    raw = _read(path, PASSPHRASE_BYTES_MAX, what, f"put the {what} in its first line")
    words = raw.split(b"\n", 1)[0].rstrip(b"\r")
    if not words:
        raise ConfigError(f"{path}: the {what} is empty")
    return words


def _credentials(problem: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(f"{problem}; this process was given no credentials by systemd")
    return Path(folder)


def _read(path: Path, limit: int, what: str, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except PermissionError:
        raise ConfigError(f"{path}: cannot read the {what}: give the file to the user that gridseal runs as")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the {what}: {error.strerror}; {hint}")
    if len(raw) > limit:
        raise ConfigError(f"{path}: too long for a {what} (over {limit} bytes)")
    return raw


def make_keystore(secret: bytes, passphrase: bytes, rounds: int = PBKDF2_ROUNDS) -> bytes:
    """An encrypted keystore's bytes, ready to be written: pbkdf2, because scrypt needs memory a Pi lacks."""
    with tamed():
        from eth_keyfile.keyfile import create_keyfile_json

    store = create_keyfile_json(secret, passphrase, kdf="pbkdf2", iterations=rounds)
    return json.dumps(store, indent=1).encode() + b"\n"
