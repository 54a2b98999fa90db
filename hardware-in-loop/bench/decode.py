"""Decoding 100 points (50 uint16, 50 int32 in 150 registers) against pymodbus' convert_from_registers.

Two of ours: `plain` integers, and `checked`, where every point has a scale, a sentinel and a plausible
range, which the library does not do at all. The library starts from the list of registers that its own
PDU made; ours starts from the bytes, so the library's first loop is counted apart.
"""

import asyncio
import struct
from fractions import Fraction

from pymodbus.client.mixin import ModbusClientMixin

from bench.common import Result, compare, cost_us, main, ratio
from drivers.modbus.codec import Decoder, Field

POINTS = 50  # of each type
_convert = ModbusClientMixin.convert_from_registers
_UINT16, _INT32 = ModbusClientMixin.DATATYPE.UINT16, ModbusClientMixin.DATATYPE.INT32
# Two requests, as 150 registers are more than one reply carries: 50 registers, then 100.
_SHORTS = struct.pack(f">{POINTS}H", *range(1000, 1000 + POINTS))
_LONGS = struct.pack(f">{POINTS}i", *range(-100_000, -100_000 + POINTS))


def decoders(*, checked: bool) -> tuple[Decoder, Decoder]:
    """For the two replies."""
    made = []
    for type_, size, low, high, absent in (
        ("u16", 1, 0, 650_000, 0xFFFF),
        ("s32", 2, -(10**9), 10**9, 0x80000000),
    ):
        fields = [
            Field(f"p{n}_w", n * size, type_, scale=Fraction(10), absent=(absent,), low=low, high=high)
            if checked
            else Field(f"p{n}_w", n * size, type_)
            for n in range(POINTS)
        ]
        made.append(Decoder(fields, 0, POINTS * size))
    return made[0], made[1]


def registers(data: bytes) -> list[int]:
    """What the library's PDU does with a reply's bytes."""
    return [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]


async def measure(loops: int, rounds: int) -> Result:
    plain, checked = decoders(checked=False), decoders(checked=True)
    shorts, longs = registers(_SHORTS), registers(_LONGS)

    async def ours() -> None:
        for _ in range(loops):
            plain[0].decode(_SHORTS)
            plain[1].decode(_LONGS)

    async def ours_checked() -> None:
        for _ in range(loops):
            checked[0].decode(_SHORTS)
            checked[1].decode(_LONGS)

    async def library() -> None:
        for _ in range(loops):
            _convert(shorts, _UINT16)
            _convert(longs, _INT32)

    async def library_by_point() -> None:
        for _ in range(loops):
            for n in range(POINTS):
                _convert(shorts[n : n + 1], _UINT16)
                _convert(longs[2 * n : 2 * n + 2], _INT32)

    async def library_registers() -> None:
        for _ in range(loops):
            registers(_SHORTS)
            registers(_LONGS)

    works = {
        "gridseal": ours,
        "gridseal_checked": ours_checked,
        "pymodbus": library,
        "pymodbus_by_point": library_by_point,
        "pymodbus_registers": library_registers,
    }
    spent = await compare(rounds, works)
    return {
        "points": 2 * POINTS,
        "cpu_us": cost_us(spent, loops),
        "ratio_to_pymodbus": ratio(spent, "gridseal", "pymodbus"),
        "ratio_checked_to_pymodbus": ratio(spent, "gridseal_checked", "pymodbus"),
        "ratio_to_pymodbus_by_point": ratio(spent, "gridseal", "pymodbus_by_point"),
    }


def bench(quick: bool) -> Result:
    """CPU of decoding 100 points."""
    loops, rounds = (20, 2) if quick else (1000, 11)
    return asyncio.run(measure(loops, rounds))


if __name__ == "__main__":
    main("decode", bench)
