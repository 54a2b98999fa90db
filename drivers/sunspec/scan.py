"""Finding the model chain of a SunSpec device: the marker, then header after header up to the end.

Owns the walk and its bounds. It refuses maps that do not begin with the common model, chains that never
end, and models beyond the address space; it never assumes an address.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drivers.sunspec.models import HEADER
from gateway.errors import DeviceRefused, FrameError, LinkError

BASES = (40000, 0, 50000)  # in the order of the SunSpec Modbus interface specification
MARKER = b"SunS"
END_MODEL = 0xFFFF
COMMON_MODEL = 1
MODELS_MAX = 64  # a hybrid with meters and battery shows about 20
ADDRESS_END = 0x10000


class Moved(FrameError):
    """Another model, or none, stands where one was found. The chain has to be walked again."""


Read = Callable[[int, int], Awaitable[bytes]]  # address, registers -> 2 * registers bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A model as the device shows it: `address` of its ID register, `length` its L."""

    model: int
    address: int
    length: int

    @property
    def end(self) -> int:
        return self.address + HEADER + self.length


async def scan(read: Read, bases: tuple[int, ...] = BASES) -> tuple[Found, ...]:
    """All models of the device. LinkError when it does not answer, FrameError when it is not SunSpec."""
    return await _walk(read, await _start(read, bases))


async def common(read: Read, bases: tuple[int, ...] = BASES) -> Found:
    """The model that says who the device is, and no other."""
    start = await _start(read, bases)
    header = await _header(read, start, ends=False)
    if header is None:
        raise FrameError(f"the SunSpec map at {start} ends where it begins")
    return _checked(start, start, header)


async def _start(read: Read, bases: tuple[int, ...]) -> int:
    """Where the chain begins, behind the marker."""
    for base in bases:
        try:
            marker = await read(base, len(MARKER) // 2)
        except DeviceRefused:
            continue
        if marker == MARKER:
            return base + len(MARKER) // 2
    where = ", ".join(str(base) for base in bases)
    raise FrameError(f"no SunSpec map at {where}: is SunSpec switched on, and is this its unit id?")


async def _walk(read: Read, start: int) -> tuple[Found, ...]:
    found: list[Found] = []
    address = start
    while len(found) < MODELS_MAX:
        header = await _header(read, address, ends=bool(found))
        if header is None:
            return tuple(found)
        found.append(_checked(start, address, header))
        address = found[-1].end
    raise FrameError(f"the SunSpec map at {start} does not end within {MODELS_MAX} models")


def _checked(start: int, address: int, header: tuple[int, int]) -> Found:
    """The model that this header tells of, if it can be; the first of a map is the common one."""
    model, length = header
    if address == start and model != COMMON_MODEL:
        raise FrameError(f"the SunSpec map at {start} begins with model {model}, not with the common one")
    if address + HEADER + length > ADDRESS_END:
        raise FrameError(f"model {model} at {address} claims {length} registers, beyond the last address")
    return Found(model, address, length)


async def _header(read: Read, address: int, *, ends: bool) -> tuple[int, int] | None:
    """ID and L at `address`; None at the end of the chain: its marker, blank registers, or no registers.

    Real devices leave the end marker out, so a refusal or a zero where it belongs ends the chain as well.
    """
    if address + HEADER > ADDRESS_END:
        return None
    try:
        data = await read(address, HEADER)
    except DeviceRefused as error:
        if ends:
            return None
        raise LinkError(f"the SunSpec map cannot be read at {address}: {error}") from error
    model, length = int.from_bytes(data[:2]), int.from_bytes(data[2:])
    return None if model == END_MODEL or (ends and model == 0) else (model, length)
