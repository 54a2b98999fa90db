"""Where people's orders come in: over the socket on the machine, or signed from a distance.

It makes commands of requests and answers with control's verdict. It decides nothing: a person at the socket
is the operator, for the socket's permission is the authority; from a distance only a signature is.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway import services
from gateway.clock import Clock
from gateway.control import Control
from gateway.errors import ServiceRefused
from gateway.model import Command, ServiceKind, Source
from gateway.site import Site

if TYPE_CHECKING:
    from gateway.evidence.typed import Domain


LATCHED = ("stopped", "fault")  # modes of control


class Desk:
    """`domain` says where signed orders count; it is asked when one comes."""

    def __init__(self, site: Site, clock: Clock, control: Control, domain: "Callable[[], Domain]") -> None:
        self._site = site
        self._clock = clock
        self._control = control
        self._domain = domain

    async def submit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """An order from a person at the machine. ValueError, TypeError or KeyError for what is none."""
        now, kind = self._clock.now().wall_ms, ServiceKind(request["kind"])
        begin = int(request.get("begin_ms", now + int(request.get("delay_ms", 0))))
        scheduled = request.get("source") == "schedule"  # a person may stand back, never come forward
        given = {str(name): int(value) for name, value in dict(request["parameters"]).items()}
        command = Command(
            id=str(request["id"]),
            source=Source.SCHEDULE if scheduled else Source.OPERATOR,
            kind=kind,
            not_before_ms=begin,
            not_after_ms=begin + int(request["duration_ms"]),
            parameters=services.complete(kind, given),
            origin=f"operator {request['who']}",
            shared=bool(request.get("shared", False)),
        )
        verdict = await self._control.submit(command)
        message = f"refused: {verdict.reason}" if not verdict.admitted else f"admitted as {command.id[:8]}"
        if verdict.admitted and kind is not ServiceKind.STOP:
            message += self._held()
        return {"admitted": verdict.admitted, "reason": verdict.reason, "id": command.id, "message": message}

    def _held(self) -> str:
        """Why nothing will come of an order before somebody releases the site; empty if it will."""
        status = self._control.status
        latched = status.fault or status.stop
        return f", but it waits until the site is released: {latched}" if status.mode in LATCHED else ""

    async def release(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """End a stop, clear a fault."""
        return {"admitted": True, "message": f"released: {self._control.clear()}"}

    async def stop(self, command_id: str) -> dict[str, Any]:
        """An emergency stop from a distance, by somebody who was let in: the one order that needs no
        signature. Without an id it gets one of its moment: so many in one ms are one stop."""
        now = self._clock.now()
        seed = f"{self._site.id}\n{now.wall_ms}\n{now.mono_ms}\nstop"
        name = command_id or hashlib.sha256(seed.encode()).hexdigest()
        command = Command(
            name, Source.REMOTE, ServiceKind.STOP, now.wall_ms, now.wall_ms, origin="emergency stop over HTTP"
        )
        verdict = await self._control.submit(command)
        return {"id": f"0x{name}", "admitted": verdict.admitted, "reason": verdict.reason}

    async def signed(self, text: bytes) -> dict[str, Any]:
        """A signed order, whatever carried it."""
        from gateway import signed_order  # only sites that list signers load what checks them

        try:
            command = signed_order.read(text, self._domain(), self._site.id, self._site.signers)
        except ServiceRefused as error:
            return {"id": None, "admitted": False, "reason": str(error)}
        verdict = await self._control.submit(command)
        return {"id": f"0x{command.id}", "admitted": verdict.admitted, "reason": verdict.reason}
