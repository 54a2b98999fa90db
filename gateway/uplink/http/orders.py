"""Orders over HTTP: the emergency stop, signed orders, and what became of the newest ones.

The token lets somebody in; what an order may do is decided by its signature and by control. It refuses to
release anything: what a stop latched, a person at the site ends.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.store import Store, commands
from gateway.uplink.http.spec import Answer, Ask, Refused

Signed = Callable[[bytes], Awaitable[Mapping[str, Any]]]
Stop = Callable[[str], Awaitable[Mapping[str, Any]]]

RECENT = 50
_ID = re.compile(r"0x[0-9a-fA-F]{64}")


class Orders:
    """`signed` is None where site.yaml lists no signers."""

    def __init__(self, store: Store, stop: Stop, signed: Signed | None) -> None:
        self._store = store
        self._stop = stop
        self._signed = signed

    async def stop(self, ask: Ask) -> Answer:
        """The id makes a repeat the same stop; without one, each is its own."""
        return Answer(dict(await self._stop(_stop_id(ask.body))))

    async def submit(self, ask: Ask) -> Answer:
        if self._signed is None:
            raise Refused(409, "this site takes no signed orders: site.yaml has no remote.signers")
        answer = await self._signed(ask.body)
        if answer["id"] is None:
            raise Refused(422, str(answer["reason"]))
        return Answer(dict(answer))

    async def recent(self, _: Ask) -> Answer:
        found = await self._store.call(commands.recent, RECENT)
        return Answer({"orders": [_shown(order) for order in found]})


def _stop_id(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, 'the body must be a JSON object: {} or {"id": "0x…"}') from None
    if not isinstance(said, dict) or said.keys() - {"id"}:
        raise Refused(400, 'the body must be {} or {"id": "0x…"}')
    if "id" not in said:
        return ""
    found = said["id"]
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Refused(400, "an id is 0x and 64 hex digits")
    return found.lower().removeprefix("0x")


def _shown(order: commands.Order) -> dict[str, Any]:
    command = order.command
    return {
        "id": f"0x{command.id}",
        "service": command.kind.value,
        "source": command.source.name.lower(),
        "origin": command.origin,
        "not_before_ms": command.not_before_ms,
        "not_after_ms": command.not_after_ms,
        "shared": command.shared,
        "parameters": dict(command.parameters),
        "state": order.state.value,
        "reason": order.reason,
        "received_ms": order.received_ms,
        "began_ms": order.began_ms,
        "ended_ms": order.ended_ms,
    }
