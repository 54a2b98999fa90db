"""Where a key is kept, as people write it: a keystore's path, `credential:NAME`, or a `pkcs11:` URI.

Pure. Of the URI (RFC 7512) only what names one key in one module is taken: token, serial, object, id, and
module-path. It refuses everything else by name; a PIN above all, which has no place in a file that people
show around.
"""

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from gateway.site import Credential, KeySource, Keystore, TokenKey

TEXT_CHARS_MAX = 512
_CREDENTIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PATH = ("token", "serial", "object", "id")
_QUERY = ("module-path",)


def parse(text: str) -> KeySource:
    """ValueError, one line, when it is none of the three."""
    if not text or len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"a key is 1 to {TEXT_CHARS_MAX} characters: a path, credential:NAME or pkcs11:…")
    scheme, _, rest = text.partition(":")
    match scheme:
        case "credential":
            if not _CREDENTIAL.fullmatch(rest):
                raise ValueError(f"{text!r}: a credential's name is 1 to 64 letters, digits, dots and dashes")
            return Credential(rest)
        case "pkcs11":
            return _token(rest)
    return Keystore(Path(text))


def _token(text: str) -> TokenKey:
    path, _, query = text.partition("?")
    found = _attributes(path, ";", _PATH) | _attributes(query, "&", _QUERY)
    module = _text(found, "module-path")
    if not module.startswith("/"):
        raise ValueError("pkcs11: needs ?module-path=/…, the token's library (for example …/libsofthsm2.so)")
    if not (found.get("token") or found.get("serial")):
        raise ValueError("pkcs11: needs token=… or serial=…, to know the token by")
    if not (found.get("object") or found.get("id")):
        raise ValueError("pkcs11: needs object=… or id=…, to know the key by")
    return TokenKey(
        Path(module), _text(found, "token"), _text(found, "serial"), _text(found, "object"),
        found.get("id", b""),
    )  # fmt: skip


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name in ("pin-value", "pin-source"):
            raise ValueError("pkcs11: the PIN is not for the URI: name its file in `pin`")
        if name not in known or not equals:
            raise ValueError(f"pkcs11: {name!r} is none of {', '.join(known)} here")
        if name in found:
            raise ValueError(f"pkcs11: {name} is there twice")
        if re.search(r"%(?![0-9A-Fa-f]{2})", value):
            raise ValueError(f"pkcs11: {name} has a % that is not followed by two hex digits")
        found[name] = unquote_to_bytes(value)
    return found


def _text(found: dict[str, bytes], name: str) -> str:
    try:
        return found.get(name, b"").decode()
    except UnicodeDecodeError:
        raise ValueError(f"pkcs11: {name} is not UTF-8")
