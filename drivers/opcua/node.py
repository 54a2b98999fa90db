"""Node ids as a profile writes them: the standard's text, with the namespace by its URI.

    nsu=urn:acme:ess;s=Battery.SoC      string (i= number, g= GUID, b= base64); without nsu= the profile's own

Pure. It refuses `ns=2;...`: an index is the server's own and may be another after its next start.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote
from uuid import UUID

STANDARD = "http://opcfoundation.org/UA/"  # the namespace that every server has, with index 0
IDENTIFIER_MAX = 4096  # the standard's own bound
Kind = Literal["i", "s", "g", "b"]
_FORM = re.compile(r"(?:nsu=([^;]{1,1000});)?([isgb])=(.+)", re.DOTALL)
_HINT = "write it like s=Battery.SoC, i=1001, g=<GUID>, b=<base64>, or nsu=<URI>;s=Battery.SoC"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of some namespace. `identifier` is a str, an int, a UUID or bytes, by `kind`."""

    namespace: str
    kind: Kind
    identifier: str | int | UUID | bytes

    @property
    def text(self) -> str:
        """With its namespace, as `parse` reads it."""
        home = self.namespace.replace("%", "%25").replace(";", "%3B")
        known = self.identifier
        return f"nsu={home};{self.kind}={b64encode(known).decode() if isinstance(known, bytes) else known}"

    def __str__(self) -> str:
        if isinstance(self.identifier, bytes):
            return f"b={self.identifier.hex()}"
        return f"{self.kind}={self.identifier}"


def parse(text: str, namespace: str = "") -> Node:
    """The node that `text` means, in `namespace` if it names none. ValueError with what to write."""
    if text.startswith("ns="):
        raise ValueError(
            f"{text!r}: an index may change; name the namespace: nsu=<URI>;{text.partition(';')[2]}"
        )
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no node: {_HINT}")
    home = unquote(found[1]) if found[1] else namespace
    if not home:
        raise ValueError(
            f"{text!r} has no namespace: write nsu=<URI>;{text}, or namespace: for the whole file"
        )
    kind: Kind = found[2]  # type: ignore[assignment]
    return Node(home, kind, _identifier(kind, found[3]))


def _identifier(kind: Kind, text: str) -> str | int | UUID | bytes:
    try:
        if kind == "s":
            if len(text) > IDENTIFIER_MAX:
                raise ValueError
            return text
        if kind == "i":
            return _number(text)
        if kind == "g":
            return UUID(text)
        return b64decode(text, validate=True)
    except (ValueError, Error):
        raise ValueError(f"{kind}={text[:60]!r} is no node: {_HINT}") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) >= 2**32:
        raise ValueError
    return int(text)
