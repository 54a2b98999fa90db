"""A register-map device in memory behind a RegisterLink: what the driver, reader and actuator tests share.

It serves and takes any register and logs every exchange; what it refuses or fails, a test says. It knows
nothing of profiles.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from drivers.modbus import PLUGIN
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Table
from gateway.driver import Driver
from gateway.errors import DeviceRefused, LinkError
from gateway.model import ClockTrust, Stamp
from gateway.site import Device


class HandClock:
    ms = 1000

    def mono_ms(self) -> int:
        return self.ms

    def now(self) -> Stamp:
        return Stamp(self.ms, self.ms, ClockTrust.TRUSTED)


class Memory:
    """A RegisterLink that is its own device: (unit, address) -> register, one table. `log` is the bus."""

    url = "tcp://memory"

    def __init__(self, registers: Mapping[tuple[int, int], int], *, sparse: bool = False) -> None:
        self.registers = dict(registers)
        self.sparse = sparse  # refuse reads that touch a register it does not have
        self.log: list[tuple] = []
        self.fail_write_at = -1

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        self.log.append(("read", unit, address, count))
        places = [(unit, address + n) for n in range(count)]
        if self.sparse and any(p not in self.registers for p in places):
            raise DeviceRefused("illegal data address", 2)
        return b"".join(self.registers.get(p, 0).to_bytes(2, "big") for p in places)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        self.log.append(("write", unit, address, tuple(registers), single))
        if address == self.fail_write_at:
            raise LinkError("no answer")
        self.registers |= {(unit, address + n): r for n, r in enumerate(registers)}

    async def close(self) -> None:
        pass

    def put(self, unit: int, address: int, *values: int) -> None:
        self.registers |= {(unit, address + n): v & 0xFFFF for n, v in enumerate(values)}

    @property
    def written(self) -> list[int]:
        return [entry[2] for entry in self.log if entry[0] == "write"]


def shipped(name: str) -> Table:
    text = (PLUGIN.profiles / f"{name}.yaml").read_text("utf-8")
    return ModbusProfile.model_validate(yaml.safe_load(text)).table()


def made(profile: Table, link: Memory, clock: HandClock | None = None, **more: Any) -> Driver:
    device = Device("inv", "small", "modbus", "inverter", "tcp://memory", profile, **more)
    return PLUGIN.driver(device, profile, link, clock or HandClock())
