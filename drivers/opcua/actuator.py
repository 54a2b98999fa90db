"""An OPC UA device that takes setpoints: how its sequences are written, and what is read for them.

In a new session the fallback comes first: the device may have restarted unseen.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from drivers import commanded
from drivers.command import Setpoint
from drivers.opcua import codec
from drivers.opcua.codec import Field
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.sequence import quantise, step_w, writes
from drivers.opcua.table import Step
from gateway.errors import LinkError
from gateway.model import Quality
from gateway.site import Device

if TYPE_CHECKING:
    from drivers.opcua.link import OpcUaLink


class Commanded(commanded.Commanded[Step, Field]):
    """Between sessions it says that nothing is known, until it was handed back or connected again."""

    place = "node"

    def __init__(
        self, device: Device, model: Setpoint[Step, Field], link: "OpcUaLink", reads: OpcUaDriver
    ) -> None:
        super().__init__(device, model, reads, step_w(model.write))
        self._link, self._timeout_s = link, device.timeout_ms / 1000
        self._driver = reads
        self._count = 0  # of the heartbeat
        self._session = 0  # the last in which it was handed back to itself, or connected

    @property
    def dropped(self) -> int:
        return self._driver.dropped

    async def connect(self) -> Mapping[str, str]:
        found = await super().connect()
        self._session = self._link.counters.sessions
        return found

    def quantise(self, power_w: int) -> int:
        return quantise(self._model.write, power_w)

    async def release(self) -> None:
        await self._send(self._model.release, 0, 0, opens=True)
        self._session = self._link.counters.sessions

    async def _values(self, fields: tuple[Field, ...]) -> dict[str, int | None]:
        if not fields:
            return {}
        heard = await self._link.read([field.node for field in fields], timeout_s=self._timeout_s)
        return {field.name: _good(field, said) for field, said in zip(fields, heard, strict=True)}

    async def _run(self, steps: tuple[Step, ...], power_w: int, timeout_s: int) -> None:
        if steps is self._model.write:
            self._count += 1
        await self._send(steps, power_w, timeout_s)

    async def _send(
        self, steps: tuple[Step, ...], power_w: int, timeout_s: int, *, opens: bool = False
    ) -> None:
        for write in writes(steps, power_w, timeout_s, self._count):
            await self._link.write(
                write.node, write.type, write.value, timeout_s=self._timeout_s, opens=opens
            )

    def _check(self) -> None:
        if self._link.counters.sessions != self._session:
            raise LinkError(f"{self._device.name}: connected anew, what it holds is not known")


def _good(field: Field, said: codec.Heard) -> int | None:
    try:
        value, quality = codec.decode(field, said)
    except TypeError:
        return None
    return value if quality == Quality.GOOD else None
