"""OPC UA link URLs: what a technician writes, checked once.

    opc.tcp://192.168.1.50:4840/ua         not encrypted, nobody is authenticated: readings only
    opc.tcp://192.168.1.50:4840/ua?mode=encrypt&server=sha256:9f86…&user=gridseal&password=/etc/gridseal/opcua-password

mode      encrypt or sign (Basic256Sha256, SignAndEncrypt or Sign)
server    the server's certificate: sha256:<fingerprint>, or its file (PEM or DER)
user, password    a user name, and the file that holds the password
client    this gateway's certificate and key, <client>.der and <client>.key; made when they are not there

Files by their whole path: a URL means the same wherever site.yaml lies. It refuses what would send a password
in the clear or trust whoever answers, with one ConfigError that says what to write; it opens nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from drivers import linkurl
from gateway.errors import ConfigError

SCHEMES = frozenset({"opc.tcp"})
PORT = 4840
CLIENT = Path("/var/lib/gridseal/opcua-client")
OPTIONS = ("mode", "server", "user", "password", "client")
_EXAMPLE = "write it like opc.tcp://192.168.1.50:4840"
_FINGERPRINT = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class OpcUaUrl:
    """One checked URL. `endpoint` is what the server is asked for. `mode`: none, sign, encrypt. The pinned
    certificate is a fingerprint (hex) or a file."""

    url: str
    host: str
    port: int
    path: str
    mode: str = "none"
    fingerprint: str = ""
    certificate: Path | None = None
    user: str = ""
    password: Path | None = None
    client: Path = CLIENT

    @property
    def endpoint(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"opc.tcp://{host}:{self.port}{self.path}"

    @property
    def trusted(self) -> bool:
        """Whether both ends know whom they speak to: only then anything is written."""
        return self.mode != "none"


def parse(url: str) -> OpcUaUrl:
    """Check a link URL. Raises ConfigError with one line that says what to write instead."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # "[" without "]", a port that is no number
        raise ConfigError(f"link {url!r}: {_EXAMPLE}") from None
    if parts.scheme != "opc.tcp" or not parts.hostname or port == 0 or parts.fragment:
        raise ConfigError(f"link {url!r}: {_EXAMPLE}")
    if "@" in parts.netloc:
        raise ConfigError("an opc.tcp link has no user in front of the host: write ?user=…&password=<file>")
    options = _options(url, parts)
    mode = options.get("mode", "none")
    if mode not in ("none", "sign", "encrypt"):
        raise ConfigError(f"link {url!r}: mode must be encrypt or sign (or none, for readings only)")
    if mode == "none" and (extra := sorted(options.keys() - {"mode"})):
        raise ConfigError(f"link {url!r}: {extra[0]} needs mode=encrypt or mode=sign")
    if mode != "none" and "server" not in options:
        raise ConfigError(
            f"link {url!r}: mode={mode} needs the server's certificate, server=sha256:… or server=<file>; "
            "`gridseal scan opcua` shows its fingerprint: compare it with the device's own display"
        )
    if ("user" in options) != ("password" in options):
        raise ConfigError(f"link {url!r}: user and password (a file) go together")
    fingerprint, certificate = _server(url, options.get("server", ""))
    return OpcUaUrl(
        url,
        parts.hostname,
        port or PORT,
        parts.path,
        mode,
        fingerprint,
        certificate,
        options.get("user", ""),
        _file(url, "password", options["password"]) if "password" in options else None,
        _file(url, "client", options["client"]) if "client" in options else CLIENT,
    )


def _options(url: str, parts: SplitResult) -> dict[str, str]:
    options = linkurl.options(url, parts.query)
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise ConfigError(f"link {url!r}: unknown option {unknown[0]!r}, known are {', '.join(OPTIONS)}")
    if empty := sorted(name for name, value in options.items() if not value):
        raise ConfigError(f"link {url!r}: {empty[0]} says nothing")
    return options


def _server(url: str, said: str) -> tuple[str, Path | None]:
    if not said:
        return "", None
    if said.startswith("sha256:"):
        found = _FINGERPRINT.fullmatch(said.replace(":", "").lower().replace("sha256", "sha256:", 1))
        if found is None:
            raise ConfigError(f"link {url!r}: a fingerprint is sha256: and 64 hexadecimal digits")
        return found[1], None
    return "", _file(url, "server", said)


def _file(url: str, name: str, text: str) -> Path:
    if not text.startswith("/"):
        raise ConfigError(f"link {url!r}: {name} is a file by its whole path, like /etc/gridseal/{text}")
    return Path(text)
