"""What every contract system does alike with the site's records and its key, on whatever kind of chain.

It owns which records fit, what follows a confirmed one, and the words about a key that is not the site's.
The calls themselves are a system's own.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import Call, NotEncodable
from gateway.model import Record

Calls = Sequence[tuple[str, Call]]  # each with a name unique for its record


class Carrier(ABC):
    """The part of a gateway.chain.platforms.Platform that its systems share."""

    @abstractmethod
    def record_call(self, record: Record) -> Call: ...

    @abstractmethod
    def _after_interval(self, record: Record, figures: Performance | None) -> Calls: ...

    @abstractmethod
    def _after_delivery(self, command: str, reference: str) -> Calls: ...

    def fits(self, record: Record) -> bool:
        try:
            self.record_call(record)
        except NotEncodable:
            return False
        return True

    def command_id(self, record: Record) -> str:
        if record.kind != "delivery":
            return ""
        return str(json.loads(record.body)["command_id"]).removeprefix("0x")

    def follow_ups(self, record: Record, reference: str, figures: Performance | None) -> Calls:
        if record.kind == "interval":
            return self._after_interval(record, figures)
        if record.kind != "delivery" or not reference:
            return ()
        return self._after_delivery(self.command_id(record), reference)


def bound_elsewhere(word: bytes, address: str, asset: str, number: int, function: str) -> str:
    """See Platform.key_problem; the asset `number` is bound by its owner, who calls `function`."""
    bound = "0x" + word[-20:].hex()
    if not any(word) or bound == address.lower():
        return ""
    return (
        f"chain.{asset}: {asset} {number} is bound to the key {bound}, but attest.key is"
        f" {address}: correct one of them, or have the {asset}'s owner bind this key ({function})"
    )
