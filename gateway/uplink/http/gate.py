"""Who may ask: what each request is held against before anything of it is read.

A browser is led here by strangers' pages, so the Host must be one of ours (or a name that resolves to us
could be anybody's), the Origin must be that host, and there are no cookies: the token comes in a header that
no other page can set. It refuses to trust an address: the token alone opens changes, also at the machine
itself. A right token is never held up by the wrong ones of others: a stop must get through.
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.clock import Clock
from gateway.uplink.http.spec import JSON, Access, Refused

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
WRONG_MAX = 10  # wrong tokens of one address in
WRONG_MS = 60_000
PEERS_MAX = 256  # addresses remembered; when there are more, all are forgotten


@dataclass(frozen=True, slots=True)
class Headers:
    """What the gate looks at. A header that was not sent, or more than once, is empty."""

    method: str = "GET"
    host: str = ""
    origin: str = ""
    site: str = ""  # Sec-Fetch-Site
    mode: str = ""  # Sec-Fetch-Mode
    authorization: str = ""
    content_type: str = ""
    peer: str = ""  # address of the other end
    local: str = ""  # address of ours that it reached


def name_of(host: str) -> str:
    """The name or address in a Host header, without port and brackets, in lower case; empty if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    odd = parts.path or parts.query or parts.fragment or "@" in host or any(c.isspace() for c in host)
    return "" if odd else (parts.hostname or "").rstrip(".")


class Gate:
    """`token` is the text of the device's token; `hosts` are further names that the site is reached by;
    `relayer` is the text of a token that opens signed records only, empty: there is none."""

    def __init__(self, token: str, hosts: Collection[str], clock: Clock, relayer: str = "") -> None:
        self._digest = hashlib.sha256(token.encode()).digest()
        self._relayer = hashlib.sha256(relayer.encode()).digest() if relayer else b""
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._clock = clock
        self._wrong: dict[str, list[int]] = {}  # peer -> when its wrong tokens came
        self.refused = 0
        self.wrong_tokens = 0

    def admit(self, headers: Headers, access: Access) -> bool:
        """Whether its sender may see everything. Refused when the request may not be answered at all."""
        try:
            self._same_site(headers)
            return self._known(headers, access)
        except Refused:
            self.refused += 1
            raise

    def _same_site(self, headers: Headers) -> None:
        name = name_of(headers.host)
        if not name or (name not in self._hosts and name != headers.local):
            raise Refused(421, "this host is not served here: list its name in http.hosts of site.yaml")
        if headers.origin and headers.origin.lower() not in (
            f"http://{headers.host.lower()}",
            f"https://{headers.host.lower()}",
        ):
            raise Refused(403, "requests from other sites are not answered")
        navigated = headers.method == "GET" and headers.mode == "navigate"  # somebody followed a link
        if headers.site not in ("", "none", "same-origin") and not navigated:
            raise Refused(403, "requests from other sites are not answered")
        if headers.method == "POST" and headers.content_type.partition(";")[0].strip().lower() != JSON:
            raise Refused(415, f"the content type must be {JSON}")

    def _known(self, headers: Headers, access: Access) -> bool:
        if access is Access.OPEN:
            return False
        token = self._token(headers, access)
        local = headers.peer in LOOPBACK and name_of(headers.host) in LOOPBACK
        if access is Access.CHANGE and not token:
            raise Refused(
                401, "a change needs the header Authorization: Bearer, with the token of this device"
            )
        if access in (Access.FULL, Access.RECORDS) and not (token or local):
            raise Refused(401, "this needs the header Authorization: Bearer, with the token of this device")
        return token or local

    def _token(self, headers: Headers, access: Access) -> bool:
        """Whether a right token came; none is no attempt, a wrong one is refused and counted."""
        if not headers.authorization:
            return False
        scheme, _, given = headers.authorization.partition(" ")
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        right = hmac.compare_digest(digest, self._digest)
        right |= hmac.compare_digest(digest, self._relayer) and access is Access.RECORDS
        if right and scheme.lower() == "bearer":
            return True
        self.wrong_tokens += 1
        if self._too_many(headers.peer):
            raise Refused(429, "too many wrong tokens: wait a minute")
        raise Refused(401, "the token is wrong")

    def _too_many(self, peer: str) -> bool:
        now_ms = self._clock.mono_ms()
        if peer not in self._wrong and len(self._wrong) >= PEERS_MAX:
            self._wrong.clear()
        recent = [at for at in self._wrong.get(peer, ()) if now_ms - at < WRONG_MS][-WRONG_MAX:]
        self._wrong[peer] = [*recent, now_ms]
        return len(recent) >= WRONG_MAX
