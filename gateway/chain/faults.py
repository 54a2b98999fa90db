"""What went wrong at an RPC endpoint, decided in one table and nowhere else.

Nodes agree on neither codes nor words; the rows below are the texts of geth, reth, Nethermind, Besu, Erigon,
anvil, hardhat and the rig, first match wins. It refuses to guess: what matches no row is REFUSED, which is
never a reason to raise a fee.
"""

import re
from enum import StrEnum

from gateway.errors import ChainError


class Fault(StrEnum):
    """The kinds of trouble that are handled differently."""

    UNDERPRICED = "fee too low"  # bump
    NONCE_TOO_LOW = "nonce already used"  # look for what was mined
    NONCE_TOO_HIGH = "nonce ahead of the chain"  # an earlier one was dropped: wait for its resend
    ALREADY_KNOWN = "already known"  # as good as published
    INSUFFICIENT_FUNDS = "the account has too little to pay for gas"
    REVERTED = "the contract refuses it"
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "not reachable"
    REFUSED = "refused"


# (JSON-RPC code or None for any, pattern in the message) -> what it means. Codes: EIP-1474, EIP-838.
TABLE: tuple[tuple[int | None, str, Fault], ...] = (
    (None, r"already ?known|known transaction|already imported|already in (the )?pool", Fault.ALREADY_KNOWN),
    (None, r"underpriced|fee too low|replacement.*(fee|price)|feetoolow", Fault.UNDERPRICED),
    (None, r"max ?fee ?per ?gas.*(too low|less)|(below|less than).*base ?fee", Fault.UNDERPRICED),
    (None, r"insufficient (funds|balance)|exceeds.*balance|enough (funds|balance)", Fault.INSUFFICIENT_FUNDS),
    (None, r"nonce.*too[ _](low|old)|oldnonce|expected nonce to be .* but got", Fault.NONCE_TOO_LOW),
    (None, r"nonce.*too[ _]high|nonce gap|gapped", Fault.NONCE_TOO_HIGH),
    (None, r"rate limit|too many requests|exceeded.*(quota|capacity|limit)|throttl", Fault.RATE_LIMITED),
    (3, r"", Fault.REVERTED),
    (None, r"revert|out of gas|invalid opcode|gas required exceeds allowance|vm exception", Fault.REVERTED),
    (-32005, r"", Fault.RATE_LIMITED),
    (429, r"", Fault.RATE_LIMITED),
    (None, r"header not found|unknown block|missing trie node|not synced|time(d )?out", Fault.UNAVAILABLE),
    (-32603, r"", Fault.UNAVAILABLE),
)  # fmt: skip
_COMPILED = tuple((code, re.compile(text, re.IGNORECASE), fault) for code, text, fault in TABLE)
MESSAGE_MAX = 300  # of a node's own words; the rest is cut before anything looks at it


class RpcError(ChainError):
    """An endpoint did not answer, or answered with an error of its own."""

    def __init__(self, endpoint: str, fault: Fault, said: str) -> None:
        super().__init__(f"RPC {endpoint}: {fault}" + (f": {said}" if said else ""))
        self.fault = fault


def classify(code: int, message: str) -> Fault:
    """The fault of a JSON-RPC error object."""
    text = message[:MESSAGE_MAX]
    for row_code, pattern, fault in _COMPILED:
        if row_code in (None, code) and pattern.search(text):
            return fault
    return Fault.REFUSED


def printable(message: str) -> str:
    """A node's words, safe for a log line: no control characters, no URLs (they carry keys), bounded."""
    clean = "".join(c if c.isprintable() else " " for c in message[:MESSAGE_MAX])
    return re.sub(r"\w+://\S+", "<url>", clean)[:120].strip()
